//go:build linux

package vm

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/snugvm/snug/test/ptytest"
	user "github.com/snugvm/snug/test/rig"
)

func TestAKilledKeepersMachineIsGoneAfterTheNextCommand(t *testing.T) {
	r := newRig(t)
	run := r.run("--", "sh", "-c", "echo up >up; cat")
	stdin, err := run.StdinPipe()
	user.Must(t, err)
	var stderr bytes.Buffer
	run.Stderr = &stderr
	user.Must(t, run.Start())
	defer func() { _ = stdin.Close() }()
	r.AwaitFile("up")

	machine := r.PID(user.QEMU)
	r.Signal(user.Keeper, syscall.SIGKILL)
	if status := r.Reap(run); status != 255 {
		t.Errorf("the viewer of a killed keeper ended with %d, want 255", status)
	}
	if !user.OneLine(stderr.String()) || !strings.Contains(stderr.String(), "keeper") {
		t.Errorf("it says %q, want one line that names the keeper", stderr.String())
	}
	if !ptytest.Alive(machine) {
		t.Error("QEMU died with its keeper")
	}
	if names := r.Names(); len(names) > 0 {
		t.Errorf("snug ls lists %q", names)
	}
	if left := r.Leftovers(); left != nil {
		t.Errorf("after snug ls there is left:\n%s", strings.Join(left, "\n"))
	}
}

// Without a terminal snug run itself tidies up before it ends.
func TestNothingIsLeftWhenAPipesSessionHasEnded(t *testing.T) {
	r := newRig(t)
	if got := r.Pipe(r.run("--debug", "--", "true"), ""); got != (user.Ended{}) {
		t.Errorf("snug run --debug -- true: %+v", got)
	}
	traces, _ := filepath.Glob(filepath.Join(r.Root, "state/snug/trace/*"))
	if len(traces) != 1 {
		t.Errorf("traces of --debug: %q, want one", traces)
	}
	user.Must(t, os.RemoveAll(filepath.Join(r.Root, "state/snug/trace")))
	if left := r.Leftovers(); left != nil {
		t.Errorf("at the end of snug run there is left:\n%s", strings.Join(left, "\n"))
	}
}

//go:build linux

package vm

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	user "github.com/snugvm/snug/test/rig"
)

func TestAKilledKeepersMachineIsKeptByAnother(t *testing.T) {
	r := newRig(t)
	run := r.run("--", "sh", "-c", "echo up >up; cat; exit 5")
	stdin, err := run.StdinPipe()
	user.Must(t, err)
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	user.Must(t, run.Start())
	r.AwaitFile("up")

	machine := r.PID(user.QEMU)
	_, err = stdin.Write([]byte("before, "))
	user.Must(t, err)
	r.Signal(user.Keeper, syscall.SIGKILL)
	_, err = stdin.Write([]byte("after"))
	user.Must(t, err)
	r.Eventually("another keeper", func() bool { return len(r.PIDs(user.Keeper)) == 1 })
	if now := r.PID(user.QEMU); now != machine {
		t.Errorf("QEMU is process %d, not %d", now, machine)
	}
	user.Must(t, stdin.Close())
	if status := r.Reap(run); status != 5 || stdout.String() != "before, after" || stderr.Len() > 0 {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout.String(), stderr.String())
	}
	r.NothingLeft()
}

// With its viewer a program on pipes has lost its ends: it is hung up, and the
// machine ends with it.
func TestAMachineWhoseKeeperAndViewerWereKilledEndsAfterTheNextCommand(t *testing.T) {
	r := newRig(t)
	run := r.run("--", "sh", "-c", "echo up >up; cat")
	stdin, err := run.StdinPipe()
	user.Must(t, err)
	defer func() { _ = stdin.Close() }()
	user.Must(t, run.Start())
	r.AwaitFile("up")
	user.Must(t, run.Process.Kill())
	r.Signal(user.Keeper, syscall.SIGKILL)
	_ = r.Reap(run)
	if len(r.PIDs(user.QEMU)) != 1 {
		t.Error("QEMU died with its keeper")
	}
	if names := r.Names(); len(names) != 1 {
		t.Errorf("snug ls lists %q", names)
	}
	r.NothingLeft()
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

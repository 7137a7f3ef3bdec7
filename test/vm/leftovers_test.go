//go:build linux

package vm

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/test/ptytest"
)

// kind is what a process is to snug.
type kind string

const (
	guardian kind = "guardian" // holds the terminal; without one, snug run itself
	viewer   kind = "viewer"
	keeper   kind = "keeper"
	qemu     kind = "qemu"
	other    kind = "other"
)

type process struct {
	pid int
	kind
	line string
}

// processes are those of snug that belong to the rig: only they have its
// folders in their environment or on their command line.
func (r *rig) processes() (found []process) {
	entries, _ := filepath.Glob("/proc/[0-9]*") // the pattern is valid
	for _, dir := range entries {
		pid, err := strconv.Atoi(filepath.Base(dir))
		line, errLine := os.ReadFile(filepath.Join(dir, "cmdline"))
		env, errEnv := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || errLine != nil || errEnv != nil || !ptytest.Alive(pid) {
			continue // another's, or just gone
		}
		mine := bytes.Contains(line, []byte(r.root+"/")) || bytes.Contains(env, []byte("="+r.root+"/run\x00"))
		if k := kindOf(strings.Split(string(line), "\x00"), string(env)); mine && k != "" {
			found = append(found, process{pid, k, strings.ReplaceAll(string(line), "\x00", " ")})
		}
	}
	return found
}

func kindOf(argv []string, env string) kind {
	switch name := filepath.Base(argv[0]); {
	case strings.HasPrefix(name, "qemu-system-"):
		return qemu
	case name != "snug":
		return ""
	case len(argv) > 1 && argv[1] == "keeper":
		return keeper
	case len(argv) > 1 && argv[1] == "run" && strings.Contains(env, "SNUG_GUARDIAN="):
		return viewer
	case len(argv) > 1 && argv[1] == "run":
		return guardian
	}
	return other
}

// pid waits for the one process of a kind.
func (r *rig) pid(k kind) (pid int) {
	r.t.Helper()
	eventually(r.t, "one process is the "+string(k), func() bool {
		var pids []int
		for _, p := range r.processes() {
			if p.kind == k {
				pids = append(pids, p.pid)
			}
		}
		if len(pids) == 1 {
			pid = pids[0]
		}
		return len(pids) == 1
	})
	return pid
}

// signal sends a signal to the one process of a kind.
func (r *rig) signal(k kind, sig syscall.Signal) {
	r.t.Helper()
	must(r.t, syscall.Kill(r.pid(k), sig))
}

// leftovers are the processes of snug, and the files that it should not leave.
// Locks are no leftovers: they are names without content.
func (r *rig) leftovers() (all []string) {
	for _, p := range r.processes() {
		all = append(all, fmt.Sprintf("%s %d: %.200s", p.kind, p.pid, p.line))
	}
	for _, dir := range []string{"run", "tmp", "state"} {
		_ = filepath.WalkDir(filepath.Join(r.root, dir), func(name string, entry fs.DirEntry, err error) error {
			if err == nil && (!entry.Type().IsDir() || !emptyFolders[entry.Name()]) && entry.Name() != "lock" {
				all = append(all, name)
			}
			return nil
		})
	}
	return all
}

// emptyFolders may stay: what is in them may not.
var emptyFolders = map[string]bool{"run": true, "tmp": true, "state": true, "snug": true, "m": true}

// nothingLeft waits until nothing is left. It is long enough for a machine that
// has just been told to end.
func (r *rig) nothingLeft() {
	r.t.Helper()
	var left []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if left = r.leftovers(); left == nil {
			return
		}
	}
	r.t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
}

// close ends the rig, whatever the test left of it.
func (r *rig) close() {
	r.t.Helper()
	if !r.t.Failed() {
		r.nothingLeft()
	}
	for _, p := range r.processes() {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
	_ = os.RemoveAll(r.root)
}

func TestAKilledKeepersMachineIsGoneAfterTheNextCommand(t *testing.T) {
	r := newRig(t)
	run := r.run("--", "sh", "-c", "echo up >up; cat")
	stdin, err := run.StdinPipe()
	must(t, err)
	var stderr bytes.Buffer
	run.Stderr = &stderr
	must(t, run.Start())
	defer func() { _ = stdin.Close() }()
	r.awaitFile("up")

	machine := r.pid(qemu)
	r.signal(keeper, syscall.SIGKILL)
	if status := r.reap(run); status != 255 {
		t.Errorf("the viewer of a killed keeper ended with %d, want 255", status)
	}
	if !oneLine(stderr.String()) || !strings.Contains(stderr.String(), "keeper") {
		t.Errorf("it says %q, want one line that names the keeper", stderr.String())
	}
	if !ptytest.Alive(machine) {
		t.Error("QEMU died with its keeper")
	}
	if names := r.names(); len(names) > 0 {
		t.Errorf("snug ls lists %q", names)
	}
	if left := r.leftovers(); left != nil {
		t.Errorf("after snug ls there is left:\n%s", strings.Join(left, "\n"))
	}
}

// Without a terminal snug run itself tidies up before it ends.
func TestNothingIsLeftWhenAPipesSessionHasEnded(t *testing.T) {
	r := newRig(t)
	if got := r.pipe(r.run("--debug", "--", "true"), ""); got != (ended{}) {
		t.Errorf("snug run --debug -- true: %+v", got)
	}
	traces, _ := filepath.Glob(filepath.Join(r.root, "state/snug/trace/*"))
	if len(traces) != 1 {
		t.Errorf("traces of --debug: %q, want one", traces)
	}
	must(t, os.RemoveAll(filepath.Join(r.root, "state/snug/trace")))
	if left := r.leftovers(); left != nil {
		t.Errorf("at the end of snug run there is left:\n%s", strings.Join(left, "\n"))
	}
}

// oneLine reports whether s is one line of snug's own.
func oneLine(s string) bool {
	return strings.HasPrefix(s, "snug: ") && strings.HasSuffix(s, "\n") && strings.Count(s, "\n") == 1
}

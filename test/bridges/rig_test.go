//go:build linux

package bridges

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
)

// size is what every terminal of these tests has at first.
var size = terminal.Size{Rows: 41, Cols: 137, XPixel: 1370, YPixel: 820}

// rig is a user's surroundings, in which nothing else runs.
type rig struct {
	t    *testing.T
	root string
	env  []string
}

// newRig returns surroundings with a tool's environment, whose end is the test's: by then nothing of snug may be left.
func newRig(t *testing.T, env []string) *rig {
	t.Helper()
	root, err := os.MkdirTemp("", "br") // a socket's path is bounded: t.TempDir is too long
	must(t, err)
	r := &rig{t: t, root: root}
	t.Cleanup(r.close)
	for _, variable := range env {
		name, _, _ := strings.Cut(variable, "=")
		if name != "TERM" && name != "HOME" && !strings.HasPrefix(name, "XDG_") {
			r.env = append(r.env, variable)
		}
	}
	for _, name := range []string{"home", "run", "state", "cache"} {
		must(t, os.Mkdir(filepath.Join(root, name), 0o700))
	}
	r.env = append(r.env, "TERM=xterm-256color", "HOME="+root+"/home", "XDG_RUNTIME_DIR="+root+"/run", "XDG_STATE_HOME="+root+"/state", "XDG_CACHE_HOME="+root+"/cache")
	return r
}

// command is a command line of snug.
func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(snug, args...)
	cmd.Env = r.env
	return cmd
}

// console starts snug on a terminal of size.
func (r *rig) console(args ...string) *ptytest.Console {
	r.t.Helper()
	c := ptytest.Start(r.t, size, r.command(args...))
	c.SetTimeout(patience)
	return c
}

// ended is how a command without a terminal ended.
type ended struct {
	status         int
	stdout, stderr string
}

// pipe runs snug without a terminal to its end.
func (r *rig) pipe(stdin string, args ...string) ended {
	r.t.Helper()
	cmd := r.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, time.Second
	must(r.t, cmd.Start())
	limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // the status says it
	if !limit.Stop() {
		r.t.Fatalf("no end of %q within %v: %s%s", cmd.Args, patience, &stdout, &stderr)
	}
	return ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// machine is what these tests want to know of a line of snug ls.
type machine struct{ Name, Bridge string }

func (r *rig) ls() (all []machine) {
	r.t.Helper()
	got := r.pipe("", "ls", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil || got.status != 0 {
		r.t.Fatalf("snug ls --json: %+v, %v", got, err)
	}
	return all
}

// bridge is the bridge of the one machine that there is.
func (r *rig) bridge() string {
	r.t.Helper()
	all := r.ls()
	if len(all) != 1 {
		r.t.Fatalf("machines: %+v", all)
	}
	return all[0].Bridge
}

// processes are those that have the rig in their environment: all that snug has started on this host. Podman's conmon is
// no client, but a part of the container, with the program that it watches.
func (r *rig) processes() (found map[int]string) {
	found = map[int]string{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid := atoi(e.Name())
		environment, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ")) // another's, or just gone
		if pid > 0 && bytes.Contains(environment, []byte(r.root+"/")) && ptytest.Alive(pid) {
			line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
			if !bytes.Contains(line, []byte("/conmon\x00")) {
				found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
			}
		}
	}
	return found
}

func atoi(s string) (n int) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// nothingLeft waits until no process of the rig is there.
func (r *rig) nothingLeft() {
	r.t.Helper()
	eventually(r.t, "no process is left", func() bool { return len(r.processes()) == 0 }, func() any { return r.processes() })
}

func eventually(t *testing.T, what string, ok func() bool, seen func() any) {
	t.Helper()
	const limit = 20 * time.Second
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("not within %v: %s: %v", limit, what, seen())
			return
		}
	}
}

func (r *rig) close() {
	if r.t.Failed() {
		traces, _ := filepath.Glob(r.root + "/state/snug/*/*")
		for _, f := range traces {
			b, _ := os.ReadFile(f)
			r.t.Logf("%s:\n%s", f, b)
		}
	}
	r.nothingLeft()
	for pid := range r.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // the test has failed
	}
	if machines, _ := os.ReadDir(filepath.Join(r.root, "run/snug/m")); len(machines) > 0 {
		r.t.Errorf("machines are left: %v", machines)
	}
	_ = os.RemoveAll(r.root)
}

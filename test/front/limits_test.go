//go:build linux

package front

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/rig"
)

// uses is what a process has of what can leak.
type uses struct{ files, threads, kilobytes int }

// of reads them from /proc.
func of(t *testing.T, pid int) (u uses) {
	t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	rig.Must(t, err)
	u.files = len(files)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	rig.Must(t, err)
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "Threads: %d", &u.threads)
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &u.kilobytes)
	}
	return u
}

// What a runtime may have more of at one moment than at another, however often
// something was done: threads that were needed at once, which Go keeps, and memory
// that is not given back yet.
const (
	moreThreads   = 64
	moreKilobytes = 24 << 10
)

// lasting are the processes that last as long as a machine.
var lasting = []rig.Kind{rig.Keeper, rig.Agent}

// now is what they use.
func now(r *rig.Rig) map[rig.Kind]uses {
	r.T.Helper()
	all := map[rig.Kind]uses{}
	for _, k := range lasting {
		all[k] = of(r.T, r.PID(k))
	}
	return all
}

// leaks fails the test where a process uses more than before.
func leaks(r *rig.Rig, what string, before map[rig.Kind]uses) {
	r.T.Helper()
	for _, k := range lasting {
		pid, was := r.PID(k), before[k]
		r.Eventually(fmt.Sprintf("after %s the %s has no more descriptors than %d", what, k, was.files), func() bool {
			return of(r.T, pid).files <= was.files
		})
		is := of(r.T, pid)
		r.T.Logf("%s: the %s has %+v, and had %+v", what, k, is, was)
		if is.threads > was.threads+moreThreads || is.kilobytes > was.kilobytes+moreKilobytes {
			r.T.Errorf("%s: the %s has %+v, and had %+v", what, k, is, was)
		}
	}
}

func TestNothingLeaksByViewersSizesAndSessions(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	start(r, "exec "+filepath.Join(tools, probe)+" watch")
	name := r.Names()[0]
	viewersComeAndGo(r, name, 5)
	before := now(r)
	viewersComeAndGo(r, name, *trials*5/2)
	leaks(r, fmt.Sprintf("%d viewers", *trials*5/2), before)

	c := r.Console(r.Command("attach", name+"/1"))
	c.Expect("size ")
	before = now(r)
	for i := range uint16(10_000) {
		rig.Must(t, terminal.SetSize(c.Master(), terminal.Size{Rows: 20 + i%30, Cols: 80 + i%100}))
	}
	c.Resize(terminal.Size{Rows: 33, Cols: 111})
	r.Eventually("the last size is the session's", func() bool {
		s := r.List()[0].Sessions[0]
		return s.Columns == 111 && s.Rows == 33
	})
	leaks(r, "10,000 sizes", before)

	before = now(r)
	sessionsComeAndGo(r, name, 50)
	leaks(r, "50 sessions", before)
	r.Stop(name)
	c.Wait()
}

func viewersComeAndGo(r *rig.Rig, machine string, viewers int) {
	r.T.Helper()
	for range viewers {
		c := r.Console(r.Command("attach", machine+"/1"))
		c.Expect("size ")
		r.Pipe(r.Command("detach", machine+"/1"), "")
		c.Wait()
	}
}

// sessionsComeAndGo starts sessions beside the one that is there, all at once, and
// ends them with their viewers.
func sessionsComeAndGo(r *rig.Rig, machine string, sessions int) {
	r.T.Helper()
	for range sessions {
		cmd := r.Command("exec", machine, "--", "sleep", "1000")
		stdin, err := cmd.StdinPipe()
		rig.Must(r.T, err)
		defer stdin.Close()
		rig.Must(r.T, cmd.Start())
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	}
	r.Eventually("all run", func() bool { return len(r.List()[0].Sessions) == 1+sessions })
	for _, p := range r.Processes() {
		if p.Kind == rig.Guardian && strings.Contains(p.Line, " exec "+machine) {
			_ = syscall.Kill(p.PID, syscall.SIGKILL)
		}
	}
	r.Eventually("there is one again", func() bool { return len(r.List()[0].Sessions) == 1 })
}

// logOnFullDisk begins a session that prints more than its log's disk takes.
func logOnFullDisk(r *rig.Rig) *ptytest.Console {
	r.T.Helper()
	state := filepath.Join(r.Root, "state")
	rig.Must(r.T, syscall.Mount("tmpfs", state, "tmpfs", 0, "size=256k"))
	r.T.Cleanup(func() { _ = syscall.Unmount(state, syscall.MNT_DETACH) })
	c := r.Console(r.Command("wrap", "--exec", "env", "--", "sh", "-c", "echo up; read -r l; seq 1 200000; echo the end; read -r l; exit 5"))
	c.Expect("up")
	c.Send("\r")
	c.Expect("the end")
	return c
}

// Where its log cannot be written the session goes on, and says so.
func TestASessionGoesOnWhereTheDiskForItsLogIsFull(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	c := logOnFullDisk(r)
	c.Send("\r")
	if status := c.Wait(); status != 5 {
		t.Errorf("exit status %d", status)
	}
	c.ExpectEOF()
	if n := strings.Count(string(c.Output()), "no space left on device"); n != 1 {
		t.Errorf("it is said %d times: %q", n, c.Output()[max(0, len(c.Output())-300):])
	}
}

// Only its keeper has the screen of a session whose log is not whole, and knows
// what of the input was whose. The program goes on.
func TestASessionWhoseLogIsNotWholeOutlivesItsKeeper(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	c := logOnFullDisk(r)
	r.Signal(rig.Keeper, syscall.SIGKILL)
	c.Expect("goes on, but its keeper died while its log could not be written")
	if status := c.Wait(); status != 0 {
		t.Errorf("its viewer ends with %d, want 0", status)
	}
	c = r.Console(r.Command("attach"))
	c.Send("\r")
	if status := c.Wait(); status != 5 {
		t.Errorf("the program ends with %d, want 5", status)
	}
	r.NothingLeft()
}

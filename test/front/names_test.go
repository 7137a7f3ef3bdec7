//go:build linux

package front

import (
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/snugvm/snug/test/rig"
)

// start begins a session on a terminal and leaves it.
func start(r *rig.Rig, script string) {
	r.T.Helper()
	c := r.Console(r.Command("wrap", "--exec", "env", "--", "sh", "-c", "echo up; "+script))
	c.Expect("up")
	r.Signal(rig.Viewer, syscall.SIGKILL)
	c.Wait()
}

func TestASessionIsFoundByWhatIsLeftOutOfItsName(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	fails := func(words string, args ...string) {
		t.Helper()
		if got := r.Pipe(r.Command(args...), ""); got.Status != 125 || !strings.Contains(got.Stderr, words) {
			t.Errorf("snug %q: %+v, want 125 and %q", args, got, words)
		}
	}
	fails("there is no session", "kill")
	start(r, "read -r l; exit 5")
	start(r, "read -r l; exit 6")
	name := r.Names()[0]
	fails("no machine nobody runs", "detach", "nobody")
	fails("has no session 7", "detach", name+"/7")
	fails("attach needs a terminal", "attach")
	fails("still runs", "rm", name+"/1")
	fails(name+"/1", "detach") // which of two
	got := r.Pipe(r.Command("__complete", "attach", ""), "")
	if !strings.Contains(got.Stdout, name+"/1\t") || !strings.Contains(got.Stdout, name+"/2\t") {
		t.Errorf("completion offers %q", got.Stdout)
	}

	c := r.Console(r.Command("attach", name[:3]+"/2"))
	c.Expect("up")
	if got := r.Pipe(r.Command("detach"), ""); got != (rig.Ended{}) { // the last one used here
		t.Errorf("snug detach: %+v", got)
	}
	c.Expect("detached by a command")
	if status := c.Wait(); status != 0 {
		t.Errorf("detached, snug ended with %d", status)
	}
	c = r.Console(r.Command("attach"))
	c.Expect("up")
	c.Send("\r")
	if status := c.Wait(); status != 6 {
		t.Errorf("the status of the session that was used last is %d, want 6", status)
	}
	r.Stop(name)
}

// Who was sent away has not seen an end that came later.
func TestAnEndThatNobodySawIsShownOnce(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	c := r.Console(r.Command("wrap", "--exec", "env", "--", "sh", "-c", "trap 'echo last words; exit 7' USR1; echo up; while :; do sleep 0.1; done"))
	c.Expect("up")
	name := r.Names()[0]
	r.Pipe(r.Command("detach"), "")
	c.Wait()
	if got := r.Pipe(r.Command("kill", "-s", "USR1"), ""); got != (rig.Ended{}) {
		t.Errorf("snug kill: %+v", got)
	}
	r.Eventually("it has ended", func() bool {
		m := r.List()
		return len(m) == 1 && m[0].Sessions[0].ExitStatus != nil && *m[0].Sessions[0].ExitStatus == 7
	})
	if got := r.Pipe(r.Command("ls"), ""); !strings.Contains(got.Stdout, "ended with 7") {
		t.Errorf("snug ls: %s", got.Stdout)
	}
	c = r.Console(r.Command("attach", name))
	c.Expect("last words")
	if status := c.Wait(); status != 7 {
		t.Errorf("snug attach ended with %d, want 7", status)
	}
	r.NothingLeft()

	start(r, "trap 'exit 8' USR1; while :; do sleep 0.1; done")
	r.Pipe(r.Command("kill", "-s", "USR1"), "")
	r.Eventually("it has ended", func() bool { m := r.List(); return len(m) == 1 && m[0].Sessions[0].ExitStatus != nil })
	if got := r.Pipe(r.Command("rm", name+"/1"), ""); got != (rig.Ended{}) {
		t.Errorf("snug rm of a session: %+v", got)
	}
	r.NothingLeft()
}

// A keeper that takes its time, here one that is stopped, is waited for: the
// person is told, and can leave.
func TestWhoWaitsForAKeeperIsToldSo(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	start(r, "read -r l")
	name := r.Names()[0]
	r.Signal(rig.Keeper, syscall.SIGSTOP)
	defer func(pid int) { _ = syscall.Kill(pid, syscall.SIGCONT) }(r.PID(rig.Keeper)) // else nobody could end it
	c := r.Console(r.Command("exec", name, "--", "echo", "hello"))
	c.Expect("waiting for the machine's keeper … 1 s")
	c.Send("\x03")
	c.Expect("interrupt")
	if status := c.Wait(); status != 128+int(syscall.SIGINT) {
		t.Errorf("interrupted, snug ended with %d", status)
	}
	c = r.Console(r.Command("exec", name, "--", "echo", "hello"))
	c.Expect("waiting for the machine's keeper … 1 s")
	r.Signal(rig.Keeper, syscall.SIGCONT)
	c.Expect("\r\x1b[Khello")
	if status := c.Wait(); status != 0 {
		t.Errorf("snug ended with %d", status)
	}
	r.Stop(name)
}

// Ten commands find the same dead keeper: one of them starts another.
func TestCommandsThatFindTheSameOrphanStartOneKeeper(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	for range max(2, *trials/10) {
		start(r, "read -r l; exit 5")
		r.Signal(rig.Keeper, syscall.SIGKILL)
		var wg sync.WaitGroup
		said := make([]string, 10)
		for i := range said {
			cmd := r.Command([][]string{{"ls", "--json"}, {"screen"}, {"kill", "-s", "CONT"}}[i%3]...)
			wg.Go(func() {
				if out, err := cmd.CombinedOutput(); err != nil {
					said[i] = fmt.Sprintf("%q: %v: %s", cmd.Args[1:], err, out)
				}
			})
		}
		wg.Wait()
		if failed := slices.DeleteFunc(said, func(s string) bool { return s == "" }); len(failed) > 0 {
			t.Errorf("%d of 10 failed:\n%s", len(failed), strings.Join(failed, "\n"))
		}
		r.PID(rig.Keeper) // waits for the only one
		removeTwice(r)
	}
}

// removeTwice has two commands remove a machine beside somebody who looks at it.
func removeTwice(r *rig.Rig) {
	r.T.Helper()
	name := r.Names()[0]
	c := r.Console(r.Command("attach"))
	c.Expect("up")
	cmds := []*exec.Cmd{r.Command("rm", name), r.Command("rm", name)}
	for _, cmd := range cmds {
		rig.Must(r.T, cmd.Start())
	}
	one, two := r.Reap(cmds[0]), r.Reap(cmds[1])
	if one != 0 && two != 0 {
		r.T.Errorf("two snug rm at once end with %d and %d", one, two)
	}
	if status := c.Wait(); status != 255 {
		r.T.Errorf("who looked at a machine that was removed ends with %d", status)
	}
	r.NothingLeft()
}

func TestNobodyElseReachesASession(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	start(r, "read -r l")
	sockets := 0
	rig.Must(t, filepath.WalkDir(filepath.Join(r.Root, "run", "snug"), func(name string, entry fs.DirEntry, err error) error {
		rig.Must(t, err)
		info, err := entry.Info()
		rig.Must(t, err)
		mode := info.Mode()
		if mode.IsDir() && mode.Perm() != 0o700 || mode&fs.ModeSocket != 0 && mode.Perm() != 0o600 {
			t.Errorf("%s is %v", name, mode)
		}
		if mode&fs.ModeSocket != 0 {
			sockets++
		}
		return nil
	}))
	if sockets == 0 {
		t.Error("there is no socket")
	}
	nobody := *r
	nobody.As = &syscall.Credential{Uid: 65534, Gid: 65534}
	if got := nobody.Pipe(nobody.Command("screen"), ""); got.Status != 125 {
		t.Errorf("another user sees the screen: %+v", got)
	}
	r.Stop(r.Names()[0])
}

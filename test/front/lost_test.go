//go:build linux

package front

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/rig"
)

// onHost begins a session whose program is the keeper's own child.
func onHost(r *rig.Rig, script string) *ptytest.Console {
	r.T.Helper()
	c := r.Console(r.Command("wrap", "--bridge", "stty", "--exec", "env", "--", "sh", "-c", script))
	c.Expect("up")
	return c
}

// reboot takes all away that a reboot does, and as that does, at one stroke: a keeper
// that lives still makes the folder anew for a lock, and may do so at once.
func reboot(r *rig.Rig) {
	r.T.Helper()
	gone := filepath.Join(r.T.TempDir(), "gone")
	rig.Must(r.T, os.Rename(filepath.Join(r.Root, "run", "snug"), gone))
	rig.Must(r.T, os.RemoveAll(gone))
}

// awaitDeath waits until a process is gone.
func awaitDeath(r *rig.Rig, pid int) {
	r.T.Helper()
	r.Eventually("the process is gone", func() bool { return !ptytest.Alive(pid) })
}

func TestWhatARebootEndedHasLeftItsLog(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	says := func(want string, args ...string) {
		t.Helper()
		got := r.Pipe(r.Command(args...), "")
		if !strings.Contains(got.Stdout+got.Stderr, want) {
			t.Errorf("snug %q: %+v, want %q", args, got, want)
		}
	}
	name := ""
	for what, end := range map[string]func(keeper int){
		"the host goes down": func(keeper int) {
			rig.Must(t, syscall.Kill(keeper, syscall.SIGTERM))
			awaitDeath(r, keeper)
			reboot(r)
		},
		"the power fails": func(keeper int) {
			rig.Must(t, syscall.Kill(keeper, syscall.SIGKILL))
			awaitDeath(r, keeper)
			reboot(r)
		},
		"all is killed": func(keeper int) {
			rig.Must(t, syscall.Kill(keeper, syscall.SIGKILL))
			awaitDeath(r, keeper)
		},
	} {
		c := onHost(r, "echo 'up until "+what+"'; exec sleep 1000")
		name = r.Names()[0]
		keeper := r.PID(rig.Keeper)
		r.Signal(rig.Viewer, syscall.SIGKILL)
		c.Wait()
		end(keeper)

		r.Eventually("its locks are free", func() bool { // a moment after the keeper is a zombie
			return strings.HasPrefix(r.Pipe(r.Command("ls"), "").Stderr, "no machine runs: "+name+" is gone")
		})
		gone := "machine " + name + " is gone, as after a crash or a reboot: 'snug log " + name + "' tells what happened in it"
		says(gone, "screen", name)
		c = r.Console(r.Command("attach", name))
		c.Expect(gone[:60])
		if status := c.Wait(); status != 125 {
			t.Errorf("%s: snug attach ends with %d", what, status)
		}

		c = onHost(r, "echo up; read -r l") // another machine of the name leaves it alone
		if now := r.Names()[0]; now != name {
			t.Errorf("%s: the next machine is %s", what, now)
		}
		r.Signal(rig.Viewer, syscall.SIGKILL)
		c.Wait()
		r.Stop(name)

		says("up until "+what, "log", "--output", name)
		got := r.Pipe(r.Command("__complete", "rm", ""), "")
		if !strings.HasPrefix(got.Stdout, name+"~2") {
			t.Errorf("%s: completion of what can be removed offers %q", what, got.Stdout)
		}
		if got := r.Pipe(r.Command("rm", name), ""); got != (rig.Ended{}) {
			t.Errorf("%s: snug rm: %+v", what, got)
		}
		r.NothingLeft()
	}
}

// The last logout of a user removes the folder of what he runs. Who looks still, goes
// on looking; another machine may take the name meanwhile.
func TestAMachineWhoseFolderWasRemovedEndsWithItsLastViewer(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	first := onHost(r, "echo up first; while read -r l; do echo heard $l; done")
	keeper, viewer := r.PID(rig.Keeper), r.PID(rig.Viewer)
	name := r.Names()[0]
	reboot(r)
	second := onHost(r, "echo up second; while read -r l; do echo heard $l; done")
	if now := r.Names(); len(now) != 1 || now[0] != name {
		t.Fatalf("the next machine is %q", now)
	}
	first.Send("still\r")
	first.Expect("heard still")
	rig.Must(t, syscall.Kill(viewer, syscall.SIGKILL))
	first.Wait()
	awaitDeath(r, keeper)

	second.Send("as well\r")
	second.Expect("heard as well")
	if got := r.Pipe(r.Command("screen", name), ""); !strings.Contains(got.Stdout, "up second") {
		t.Errorf("the machine that has the name now: %+v", got)
	}
	r.Signal(rig.Viewer, syscall.SIGKILL)
	second.Wait()
	r.Stop(name)
	if got := r.Pipe(r.Command("log", "--output", name), ""); !strings.Contains(got.Stdout, "up first") {
		t.Errorf("the log of what nobody found any more: %+v", got)
	}
	r.Pipe(r.Command("rm", name), "")
	r.NothingLeft()

	c := onHost(r, "echo up; exec sleep 1000")
	keeper = r.PID(rig.Keeper)
	r.Signal(rig.Viewer, syscall.SIGKILL)
	c.Wait()
	reboot(r) // when nobody looks
	awaitDeath(r, keeper)
	r.Pipe(r.Command("rm", name), "")
}

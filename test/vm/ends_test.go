//go:build linux

package vm

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/snugvm/snug/test/ptytest"
	user "github.com/snugvm/snug/test/rig"
)

// A program that switches on all that a program can, on a terminal that the
// test's own shell looks at before and after.
const around = `stty -a >before; $RUN -- sh -c "$GREEDY"; echo $? >status
		until [ -e go ]; do sleep 0.05; done; stty -a >after; stty -echo; echo looked; exec cat -v`

func TestTheTerminalIsWholeAfterEveryEnd(t *testing.T) {
	const (
		over     = iota
		survives // the session outlives its viewer
		lost     // nobody has ended it: its log stays
	)
	for _, c := range []struct {
		name   string
		end    func(*rig, *ptytest.Tmux)
		status int
		words  string // on the restored screen
		fate   int
	}{
		{"the program's own end", func(_ *rig, tm *ptytest.Tmux) { tm.Type("q") }, 7, "", over},
		{"SIGTERM to the guardian", kill(user.Guardian, syscall.SIGTERM), 128 + 15, "terminated", survives},
		{"SIGHUP to the guardian", kill(user.Guardian, syscall.SIGHUP), 128 + 1, "hangup", survives},
		{"SIGTERM to the viewer", kill(user.Viewer, syscall.SIGTERM), 128 + 15, "terminated", survives},
		{"SIGHUP to the viewer", kill(user.Viewer, syscall.SIGHUP), 128 + 1, "hangup", survives},
		{"kill -9 of QEMU", kill(user.QEMU, syscall.SIGKILL), 255, "QEMU was killed by signal 9", lost},
		{"kill -9 of the keeper, and then the program's own end", func(r *rig, tm *ptytest.Tmux) {
			r.Signal(user.Keeper, syscall.SIGKILL)
			tm.Type("q")
		}, 7, "", over},
		{"kill -9 of the viewer", kill(user.Viewer, syscall.SIGKILL), 255, "", survives},
		{"kill -9 of the guardian", kill(user.Guardian, syscall.SIGKILL), 128 + 9, "", survives},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			tm := r.with("GREEDY=" + user.Greedy).tmux(around)
			r.AwaitFile("up")
			tm.WaitFlag("alternate_on", true)
			tm.WaitFlag("mouse_any_flag", true)
			tm.WaitFlag("keypad_flag", true)

			c.end(r, tm)
			if status := strings.TrimSpace(r.AwaitFile("status")); status != strconv.Itoa(c.status) {
				t.Errorf("exit status %s, want %d", status, c.status)
			}
			r.AwaitNoViewer()
			user.IsWhole(t, tm)
			if screen := tm.Capture(); !strings.Contains(screen, c.words) {
				t.Errorf("the screen does not say %q:\n%s", c.words, screen)
			}
			r.Write("go", "", 0o644)
			tm.WaitText("looked\n")
			if before, after := r.Read("before"), r.Read("after"); before != after {
				t.Errorf("stty -a before:\n%s\nafter:\n%s", before, after)
			}
			tm.Paste([]byte("a paste\n"))
			if screen := tm.WaitText("a paste"); strings.Contains(screen, "200~") {
				t.Errorf("bracketed paste is left on:\n%s", screen)
			}

			names := r.Names()
			if alive := len(names) == 1; alive != (c.fate == survives) {
				t.Errorf("snug ls lists %q; does the session go on: want %t", names, c.fate == survives)
			}
			for _, name := range names {
				r.Stop(name)
			}
			if left := r.RemoveLost() == 1; left != (c.fate == lost) {
				t.Errorf("is there a log: %t", left)
			}
		})
	}
}

func kill(k user.Kind, sig syscall.Signal) func(*rig, *ptytest.Tmux) {
	return func(r *rig, _ *ptytest.Tmux) { r.Signal(k, sig) }
}

//go:build linux

package vm

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/snugvm/snug/test/ptytest"
)

// A program that switches on all that a program can, on a terminal that the
// test's own shell looks at before and after.
const (
	greedy = `stty raw -echo; printf '\033[?1049h\033[?1000h\033[?1002h\033[?1006h\033[?2004h\033[?1004h\033[?25l\033[?1h\033[?7l\033[4h\033=\033[3;20r'
		echo up >up; head -c 1 >/dev/null; exit 7`
	around = `stty -a >before; $RUN -- sh -c "$GREEDY"; echo $? >status
		until [ -e go ]; do sleep 0.05; done; stty -a >after; stty -echo; echo looked; exec cat -v`
)

func TestTheTerminalIsWholeAfterEveryEnd(t *testing.T) {
	const survives = true // the session outlives its viewer
	for _, c := range []struct {
		name   string
		end    func(*rig, *ptytest.Tmux)
		status int
		words  string // on the restored screen
		goesOn bool
	}{
		{"the program's own end", func(_ *rig, tm *ptytest.Tmux) { tm.Type("q") }, 7, "", false},
		{"SIGTERM to the guardian", kill(guardian, syscall.SIGTERM), 128 + 15, "terminated", survives},
		{"SIGHUP to the guardian", kill(guardian, syscall.SIGHUP), 128 + 1, "hangup", survives},
		{"SIGTERM to the viewer", kill(viewer, syscall.SIGTERM), 128 + 15, "terminated", survives},
		{"SIGHUP to the viewer", kill(viewer, syscall.SIGHUP), 128 + 1, "hangup", survives},
		{"kill -9 of QEMU", kill(qemu, syscall.SIGKILL), 255, "QEMU was killed by signal 9", false},
		{"kill -9 of the keeper", kill(keeper, syscall.SIGKILL), 255, "keeper", false},
		{"kill -9 of the viewer", kill(viewer, syscall.SIGKILL), 255, "", survives},
		{"kill -9 of the guardian", kill(guardian, syscall.SIGKILL), 128 + 9, "", survives},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			tm := r.with("GREEDY=" + greedy).tmux(around)
			r.awaitFile("up")
			tm.WaitFlag("alternate_on", true)
			tm.WaitFlag("mouse_any_flag", true)
			tm.WaitFlag("keypad_flag", true)

			c.end(r, tm)
			if status := strings.TrimSpace(r.awaitFile("status")); status != strconv.Itoa(c.status) {
				t.Errorf("exit status %s, want %d", status, c.status)
			}
			r.awaitNoViewer()
			isWhole(t, tm)
			if screen := tm.Capture(); !strings.Contains(screen, c.words) {
				t.Errorf("the screen does not say %q:\n%s", c.words, screen)
			}
			r.write("go", "", 0o644)
			tm.WaitText("looked\n")
			if before, after := r.read("before"), r.read("after"); before != after {
				t.Errorf("stty -a before:\n%s\nafter:\n%s", before, after)
			}
			tm.Paste([]byte("a paste\n"))
			if screen := tm.WaitText("a paste"); strings.Contains(screen, "200~") {
				t.Errorf("bracketed paste is left on:\n%s", screen)
			}

			names := r.names()
			if alive := len(names) == 1; alive != c.goesOn {
				t.Errorf("snug ls lists %q; does the session go on: want %t", names, c.goesOn)
			}
			for _, name := range names {
				r.stop(name)
			}
		})
	}
}

func kill(k kind, sig syscall.Signal) func(*rig, *ptytest.Tmux) {
	return func(r *rig, _ *ptytest.Tmux) { r.signal(k, sig) }
}

// awaitNoViewer waits until nobody is left who could still restore.
func (r *rig) awaitNoViewer() {
	r.t.Helper()
	eventually(r.t, "no viewer is left", func() bool {
		for _, p := range r.processes() {
			if p.kind == viewer || p.kind == guardian {
				return false
			}
		}
		return true
	})
}

// isWhole fails the test where the terminal's emulator is in a mode that a
// fresh one is not in.
func isWhole(t *testing.T, tm *ptytest.Tmux) {
	t.Helper()
	for flag, want := range map[string]bool{
		"alternate_on": false, "mouse_any_flag": false, "mouse_standard_flag": false, "mouse_button_flag": false,
		"mouse_sgr_flag": false, "keypad_cursor_flag": false, "keypad_flag": false, "insert_flag": false,
		"origin_flag": false, "cursor_flag": true, "wrap_flag": true,
	} {
		if tm.Flag(flag) != want {
			t.Errorf("%s is %t at the end", flag, !want)
		}
	}
	if region := tm.Format("#{scroll_region_upper} #{scroll_region_lower}"); region != "0 40" {
		t.Errorf("scroll region %s at the end, want 0 40", region)
	}
}

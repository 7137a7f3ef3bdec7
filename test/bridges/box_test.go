//go:build linux

package bridges

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/box"
	"github.com/snugvm/snug/test/ptytest"
	user "github.com/snugvm/snug/test/rig"
	"github.com/snugvm/snug/test/rootfs"
)

var boxes = map[string]func(testing.TB, box.Options) *box.Box{"docker": box.Docker, "podman": box.Podman, "crun": box.Crun, "runc": box.Runc}

// each runs a test in a box of each tool.
func each(t *testing.T, o box.Options, test func(t *testing.T, r *rig, b *box.Box)) {
	t.Helper()
	needRoot(t)
	for _, tool := range slices.Sorted(maps.Keys(boxes)) {
		t.Run(tool, func(t *testing.T) {
			b := boxes[tool](t, o)
			test(t, newRig(t, b.Env()), b)
		})
	}
}

// line is snug in front of the tool's command line.
func line(b *box.Box, tty bool, program ...string) []string {
	words := append(b.Prefix(tty, ""), program...)
	if words[0] == "crun" { // which else looks into the rig's XDG_RUNTIME_DIR
		words = slices.Insert(words, 1, "--root", "/run/crun")
	}
	return words
}

// wrapped is the same with a bridge that is asked for.
func wrapped(bridge string, line []string) []string {
	return append([]string{"wrap", "--bridge", bridge, "--"}, line...)
}

const watch = `trap 'echo now $(stty size)' WINCH; echo first $(stty size); while read -t 1 l || [ -z "$l" ]; do [ -z "$l" ] || exit "$l"; done`

// follows checks a program that says its sizes: the first and the last one, the exit status, and the terminal's state.
func follows(t *testing.T, r *rig, bridge string, args []string) {
	t.Helper()
	c := r.console(args...)
	c.Expect("bridge " + bridge)
	if bridge == "native" {
		c.Expect("first") // runc tells a program its size when it runs already
	} else {
		c.Expect("first 41 137")
	}
	if got := r.bridge(); got != bridge {
		t.Errorf("snug ls says bridge %q, want %s", got, bridge)
	}
	if bridge != "native" || !slices.Contains(args, "crun") { // whose exec 1.8 sets the first size again at every later one
		if bridge == "native" {
			awaitFollowing(t, c)
		}
		for n := range 5 {
			c.Resize(terminal.Size{Rows: uint16(50 + n), Cols: 100})
			if bridge == "native" { // podman's client sometimes loses the last of many, and is deaf from then on
				c.Expect(fmt.Sprintf("now %d 100", 50+n))
			}
		}
		if bridge == "stty" {
			c.Expect("now 54 100")
		}
	}
	c.Send("42\r")
	if got := c.Wait(); got != 42 {
		t.Errorf("status %d, want 42", got)
	}
	c.StateEqual(c.Before())
	r.nothingRuns()
}

// awaitFollowing resizes until the program hears of it. A tool's client begins to follow some time after the program has
// begun, and nothing tells when: docker's loses what comes between its first reading and its handler of SIGWINCH.
func awaitFollowing(t *testing.T, c *ptytest.Console) {
	t.Helper()
	for n := range 100 {
		c.Resize(terminal.Size{Rows: uint16(70 + n%2), Cols: 100})
		for range 20 {
			if bytes.Contains(c.Output(), []byte("now 7")) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	t.Fatal("no size is followed")
}

func TestAutoTakesSttyWhereNothingIsExecutable(t *testing.T) {
	each(t, box.Options{Storage: box.NoExec}, func(t *testing.T, r *rig, b *box.Box) {
		follows(t, r, "stty", line(b, true, "sh", "-c", watch))
	})
}

func TestAutoTakesSttyWhereNothingIsWritable(t *testing.T) {
	each(t, box.Options{Storage: box.ReadOnly}, func(t *testing.T, r *rig, b *box.Box) {
		follows(t, r, "stty", line(b, true, "sh", "-c", watch))
	})
}

func TestNativeFollowsTheSizeAsTheToolDoes(t *testing.T) {
	each(t, box.Options{}, func(t *testing.T, r *rig, b *box.Box) {
		follows(t, r, "native", wrapped("native", line(b, true, "sh", "-c", watch)))
	})
}

// A machine without stty and shell has one program of ours: it says its sizes itself.
func TestAutoTakesNativeWhereThereIsNoShell(t *testing.T) {
	each(t, box.Options{Rootfs: rootfs.Bare}, func(t *testing.T, r *rig, b *box.Box) {
		c := r.console(line(b, true, rootfs.Idle)...)
		c.Expect("bridge native, as no agent can be placed: the machine has no shell")
		c.Send("echo\r")
		c.Expect("echo")
		c.Expect("echo")
		if got := r.bridge(); got != "native" {
			t.Errorf("snug ls says bridge %q", got)
		}
		c.Send("\x04")
		if got := c.Wait(); got != 0 {
			t.Errorf("status %d", got)
		}
		c.StateEqual(c.Before())
		if got := r.pipe("input", line(b, false, rootfs.Idle)...); got != (user.Ended{Stdout: "input"}) {
			t.Errorf("on pipes: %+v", got)
		}
		if got := r.pipe("", line(b, false, "no-such-program")...); got.Status != 127 {
			t.Errorf("no such program: %+v", got)
		}
	})
}

func TestStatusesAndBytesAreTheProgramsOwn(t *testing.T) {
	each(t, box.Options{Storage: box.ReadOnly}, func(t *testing.T, r *rig, b *box.Box) {
		for _, bridge := range []string{"stty", "native"} {
			for script, want := range map[string]user.Ended{
				"cat; echo apart >&2; exit 42": {Status: 42, Stdout: "in\x00put", Stderr: "apart\n"},
				"kill -KILL $$":                {Status: 137},
			} {
				if got := r.pipe("in\x00put", wrapped(bridge, line(b, false, "sh", "-c", script))...); got != want {
					t.Errorf("%s: %s: %+v", bridge, script, got)
				}
			}
			for program, want := range map[string]int{"no-such-program": 127, "/etc/passwd": 126} {
				if got := r.pipe("", wrapped(bridge, line(b, false, program))...); got.Status != want {
					t.Errorf("%s: %s: %+v, want %d", bridge, program, got, want)
				}
			}
		}
		gone := line(b, false, "true")
		gone[slices.Index(gone, box.Name)] = "gone"
		if got := r.pipe("", wrapped("stty", gone)...); got.Status != 125 || got.Stderr == "" {
			t.Errorf("a container that is not there: %+v", got)
		}
		if got := r.pipe("", wrapped("agent", line(b, false, "true"))...); got.Status != 125 || !strings.Contains(got.Stderr, "--bridge stty") {
			t.Errorf("an agent where none can be: %+v", got)
		}
	})
}

// A second session is one more exec, of the same bridge; snug stop ends all, on both sides.
func TestSessionsAndTheirEnds(t *testing.T) {
	each(t, box.Options{Storage: box.ReadOnly}, func(t *testing.T, r *rig, b *box.Box) {
		c := r.console(line(b, true, "sh", "-c", "echo up; trap '' HUP; exec sleep 98765")...)
		c.Expect("up")
		name := r.List()[0].Name
		if got := r.pipe("", "exec", name, "--", "sh", "-c", "exit 7"); got.Status != 7 {
			t.Errorf("snug exec: %+v", got)
		}
		if got := r.pipe("", "stop", name); got.Status != 0 {
			t.Errorf("snug stop: %+v", got)
		}
		if got := c.Wait(); got != 255 && got != 137 {
			t.Errorf("after a stop the viewer ends with %d", got)
		}
		r.nothingRuns()
		r.awaitNone("sleep 98765", func(_ int, line string) bool {
			return strings.Contains(line, "sleep\x0098765") && !strings.Contains(line, "-c\x00")
		})
	})
}

func TestToolsClientsDieWithTheKeeper(t *testing.T) {
	each(t, box.Options{Storage: box.ReadOnly}, func(t *testing.T, r *rig, b *box.Box) {
		for _, tty := range []bool{true, false} {
			args := wrapped("stty", line(b, tty, "sh", "-c", "echo up; trap '' HUP; exec sleep 98766"))
			if tty {
				args = slices.Insert(args, 1, "-t")
			}
			c := r.console(args...)
			c.Expect("up")
			name := r.List()[0].Name
			r.Signal(user.Keeper, syscall.SIGKILL)
			if got := c.Wait(); got != 255 {
				t.Errorf("terminal %v: status %d", tty, got)
			}
			c.StateEqual(c.Before())
			r.nothingRuns()
			if all := r.List(); len(all) > 0 { // and it reaps what is left, but for the log
				t.Errorf("machines: %+v", all)
			}
			if got := r.pipe("", "rm", name); got.Status != 0 {
				t.Errorf("snug rm of what is lost: %+v", got)
			}
		}
	})
}

// What is typed before the program is there is the program's, once and as it was.
func TestWhatIsTypedAheadArrives(t *testing.T) {
	each(t, box.Options{Storage: box.ReadOnly}, func(t *testing.T, r *rig, b *box.Box) {
		for _, bridge := range []string{"stty", "native"} {
			c := r.console(wrapped(bridge, line(b, true, "sh", "-c", `read -r l; echo "got <$l>"; cat; exit 3`))...)
			c.AwaitState("raw", func(s *terminal.State) bool { return s.Termios().Lflag&syscall.ICANON == 0 })
			c.Send("early\r\x04")
			c.Expect("got <early>")
			if got := c.Wait(); got != 3 {
				t.Errorf("%s: status %d", bridge, got)
			}
		}
	})
}

func TestOtherShells(t *testing.T) {
	needRoot(t)
	for name, kind := range map[string]rootfs.Kind{"dash": rootfs.Dash, "bash": rootfs.Bash} {
		t.Run(name, func(t *testing.T) {
			b := box.Crun(t, box.Options{Rootfs: kind, Storage: box.ReadOnly})
			r := newRig(t, b.Env())
			follows(t, r, "stty", line(b, true, "busybox", "sh", "-c", watch))
			strange := "it's \"$HOME\" `id` \\ *\n"
			got := r.pipe("", line(b, false, "printf", "%s|", strange, "", "--")...)
			if want := (user.Ended{Stdout: strange + "||--|"}); got != want {
				t.Errorf("words: %+v, want %+v", got, want)
			}
		})
	}
}

// Such a machine shows it when its first program starts.
func TestWithoutSttyTheBridgeIsNative(t *testing.T) {
	needRoot(t)
	b := box.Crun(t, box.Options{Rootfs: rootfs.Dash, Storage: box.ReadOnly})
	user.Must(t, os.Remove(filepath.Join(b.Rootfs, "bin/stty")))
	r := newRig(t, b.Env())
	c := r.console(line(b, true, "sh", "-c", "echo up; read -r l; exit $l")...)
	c.Expect("up")
	r.Eventually("the bridge is native", func() bool { return r.bridge() == "native" })
	c.Send("5\r")
	if got := c.Wait(); got != 5 {
		t.Errorf("status %d", got)
	}
}

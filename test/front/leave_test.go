//go:build linux

package front

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/screen"
	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/rig"
)

// here is snug in front of a tool whose machine is this one, for programs that
// the boxes do not have.
const here = `wrap --exec env -- env -C "$PWD" `

// leaving are the ways to leave a session that goes on.
var leaving = map[string]func(r *rig.Rig, tm *ptytest.Tmux){
	"the pane is killed":       func(r *rig.Rig, tm *ptytest.Tmux) { rig.Must(r.T, syscall.Kill(tm.PanePid(), syscall.SIGKILL)) },
	"kill -9 of the viewer":    func(r *rig.Rig, _ *ptytest.Tmux) { r.Signal(rig.Viewer, syscall.SIGKILL) },
	"SIGHUP":                   func(r *rig.Rig, _ *ptytest.Tmux) { r.Signal(rig.Viewer, syscall.SIGHUP) },
	"~d":                       func(_ *rig.Rig, tm *ptytest.Tmux) { tm.Keys("~d") },
	"snug detach is run":       func(r *rig.Rig, _ *ptytest.Tmux) { r.Pipe(r.Command("detach"), "") },
	"another viewer steals it": func(r *rig.Rig, _ *ptytest.Tmux) { stolen(r) },
}

func stolen(r *rig.Rig) {
	thief := r.Console(r.Command("attach", "--steal", "--read-only"))
	thief.Expect("\x1b")
	thief.Signal(syscall.SIGHUP)
	thief.Wait()
}

// leave leaves a session, and waits until nobody looks at it.
func leave(r *rig.Rig, tm *ptytest.Tmux, how string) {
	r.T.Helper()
	leaving[how](r, tm)
	tm.WaitFlag("pane_dead", true)
	r.AwaitNoViewer()
	if m := r.List(); len(m) != 1 || len(m[0].Sessions) != 1 || m[0].Sessions[0].ExitStatus != nil {
		r.T.Fatalf("%s: there is %+v, want a session", how, m)
	}
}

// screens are programs, and what brings them to a screen that is hard to restore.
var screens = []struct {
	name, line string
	prepare    func(tm *ptytest.Tmux)
	freeze     bool // it draws by itself
	at         bool // at another size it draws what it would have drawn after a resize
	after      func(r *rig.Rig, tm *ptytest.Tmux)
}{
	{"bash", "env PS1=$ bash --norc --noprofile -i", inTheShell, false, false, shellGoesOn},
	{"vim", "vim -N -u vimrc -i NONE poem.c", inVim, false, true, pasteIntoVim},
	{"htop", "htop -d 100", inHtop, true, false, clickInHtop},
	{"less", "less -N numbers", inLess, false, true, nil},
}

func inTheShell(tm *ptytest.Tmux) {
	tm.WaitText("$")
	tm.Line("seq 1 100")
	tm.WaitText("\n100\n")
	tm.Type("echo " + strings.Repeat("half a line, ", 12))
	tm.WaitFor("all of the line", func(s string) bool { return strings.Count(strings.ReplaceAll(s, "\n", ""), "half a line") == 12 })
	tm.Send("Left", "Left", "Left")
}

func inVim(tm *ptytest.Tmux) {
	tm.WaitText("return 42")
	tm.Send("Down", "Down", "Right", "Right")
	tm.WaitFor("the cursor", func(string) bool { col, row := tm.Cursor(); return col == 6 && row == 2 })
}

func inHtop(tm *ptytest.Tmux) {
	tm.WaitText("F10Quit")
	tm.Send("Down", "Down")
}

func inLess(tm *ptytest.Tmux) {
	tm.WaitText("line 1\n")
	tm.Line("/7[0-9]")
	tm.WaitText("line 79")
}

func shellGoesOn(r *rig.Rig, tm *ptytest.Tmux) {
	tm.Send("C-u")
	tm.Send("C-k")
	tm.Line("echo it goes $((40+2))")
	tm.WaitText("it goes 42")
}

// pasteIntoVim pastes what vim would indent further if it took it for typed.
func pasteIntoVim(r *rig.Rig, tm *ptytest.Tmux) {
	tm.Type("O")
	tm.Paste([]byte("    one\n        two\n    three"))
	tm.WaitText("three")
	tm.Send("Escape")
	tm.Line(":w pasted")
	r.AwaitFile("pasted")
	if got := r.Read("pasted"); !strings.Contains(got, "    one\n        two\n    three\n") {
		r.T.Errorf("what was pasted became\n%s", got)
	}
}

func clickInHtop(r *rig.Rig, tm *ptytest.Tmux) {
	before := rig.Pane(tm)
	tm.Type("\x1b[<0;5;20M\x1b[<0;5;20m") // what a terminal sends in this mode
	tm.WaitFor("another row is chosen", func(string) bool { return rig.Pane(tm) != before })
}

func TestTheScreenIsTheSameAfterLeavingAndComingBack(t *testing.T) {
	needTools(t)
	for _, c := range []string{"vim", "htop", "less"} {
		rig.Need(t, c, c)
	}
	for _, p := range screens {
		t.Run(p.name, func(t *testing.T) {
			r := newRig(t, nil)
			writeFiles(r)
			tm := r.Tmux("exec $SNUG " + here + p.line)
			p.prepare(tm)
			if p.freeze {
				rig.Settled(t, tm)
				r.Pipe(r.Command("kill", "-s", "STOP"), "")
			}
			want := rig.Settled(t, tm)
			first := true
			for how := range leaving {
				if first && how == "~d" {
					continue // it counts at the start of a line
				}
				first = false
				leave(r, tm, how)
				tm = r.Tmux("exec $SNUG attach")
				rig.Shows(t, "after "+how, tm, want)
			}
			if p.freeze {
				r.Pipe(r.Command("kill", "-s", "CONT"), "")
			}
			if p.after != nil {
				p.after(r, tm)
			}
			r.Stop(r.Names()[0])
		})
	}
}

// vimrc has vim ask for brackets around what is pasted, on any terminal.
const vimrc = `syntax on
set laststatus=2 number autoindent mouse=a
let &t_BE = "\e[?2004h"
let &t_BD = "\e[?2004l"
let &t_PS = "\e[200~"
let &t_PE = "\e[201~"
`

func writeFiles(r *rig.Rig) {
	r.Write("vimrc", vimrc, 0o644)
	r.Write("poem.c", "int main(void) { return 42; } /* 世界 é 🙂 */\n\n    char *s = \"text\";\n    int n;\n", 0o644)
	var lines strings.Builder
	for i := range 300 {
		fmt.Fprintf(&lines, "line %d\n", i+1)
	}
	r.Write("numbers", lines.String(), 0o644)
}

// At another size it is soon as if the program's own terminal had that size.
func TestAtAnotherSizeTheScreenIsThatOfAProgramThatWasResized(t *testing.T) {
	needTools(t)
	for _, p := range screens {
		if !p.at {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			r := newRig(t, nil)
			writeFiles(r)
			direct := r.Tmux("exec " + p.line)
			p.prepare(direct)
			direct.ResizeWindow(90, 30)
			want := rig.Settled(t, direct)
			rig.Must(t, syscall.Kill(direct.PanePid(), syscall.SIGKILL))
			_ = os.Remove(filepath.Join(r.Project, ".poem.c.swp")) // vim's lock

			tm := r.Tmux("exec $SNUG " + here + p.line)
			p.prepare(tm)
			leave(r, tm, "kill -9 of the viewer")
			tm = r.TmuxAt(90, 30, "exec $SNUG attach")
			rig.Shows(t, "at another size", tm, want)
			r.Stop(r.Names()[0])
		})
	}
}

// The program is told of a size when the terminal has another one, and of nothing
// else: nobody makes it draw by a size that is none.
func TestTheProgramIsToldTrueSizesOnly(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	tm := r.Tmux("exec $SNUG " + here + filepath.Join(tools, probe) + " watch")
	want := []string{"41 137"}
	tm.WaitText("size 41 137 ")
	for _, size := range [][2]int{{137, 41}, {137, 41}, {100, 30}, {100, 30}, {137, 41}} {
		leave(r, tm, "kill -9 of the viewer")
		tm = r.TmuxAt(size[0], size[1], "exec $SNUG attach")
		want = slices.Compact(append(want, fmt.Sprintf("%d %d", size[1], size[0])))
		tm.WaitFor(fmt.Sprintf("the sizes %q", want), func(s string) bool { return slices.Equal(sizes(s), want) })
	}
	tm.Send("C-d")
	tm.WaitFlag("pane_dead", true)
}

// sizes are those that the probe tells, without the pixels. One that is told twice
// in a row counts once: the program may read it for two resizes.
func sizes(screen string) (all []string) {
	for line := range strings.Lines(screen) {
		if f := strings.Fields(line); len(f) == 5 && f[0] == "size" {
			all = append(all, f[1]+" "+f[2])
		}
	}
	return slices.Compact(all)
}

// generated is output such as programs write, and such as none does.
func generated(r *rand.Rand, tokens int) string {
	kinds := []func() string{
		func() string { return "some words " },
		func() string { return "\r\n" },
		func() string { return "世界é" },
		func() string { return fmt.Sprintf("\x1b[%d;%dH", 1+r.IntN(41), 1+r.IntN(137)) },
		func() string { return fmt.Sprintf("\x1b[%d;38;5;%dm", r.IntN(9), r.IntN(256)) },
		func() string { return fmt.Sprintf("\x1b[%dm", 40+r.IntN(8)) },
		func() string { return fmt.Sprintf("\x1b[%d;%dr", 1+r.IntN(10), 15+r.IntN(20)) },
		func() string { return fmt.Sprintf("\x1b[%d%c", r.IntN(5), "@PLMSTXJK"[r.IntN(9)]) },
		func() string {
			modes := []string{"1", "6", "7", "25", "1000", "1002", "1003", "1006", "1004", "1049", "2004"}
			return "\x1b[?" + modes[r.IntN(len(modes))] + string("hl"[r.IntN(2)])
		},
		func() string {
			return []string{"\x1b7", "\x1b8", "\x1b(0qqx", "\x1b(B", "\x1b=", "\x1b>", "\t", "\x1bH", "\x1b[4h", "\x1b[4l"}[r.IntN(10)]
		},
	}
	var b strings.Builder
	for range tokens {
		b.WriteString(kinds[r.IntN(len(kinds))]())
	}
	return b.String() + "\x1b]2;printed\a"
}

// shown waits until a terminal that was given a console's output satisfies ok, and
// returns all that it is then: cells, cursor, modes.
func shown(t *testing.T, c *ptytest.Console, ok func(*screen.Screen) bool) string {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		s := screen.New(int(rig.Size.Cols), int(rig.Size.Rows), screen.Options{})
		_, _ = s.Write(c.Output())
		if ok(s) {
			return string(s.Snapshot(screen.SnapshotOptions{}))
		}
	}
	t.Fatalf("not shown within %v: %.500q", patience, c.Output())
	return ""
}

// Whatever a program has printed, the terminal is the same after coming back. It is
// an emulator of our own, which tells more than tmux.
func TestWhateverWasPrintedTheTerminalIsTheSameAfterComingBack(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	for trial := range max(8, *trials/4) {
		seed := rand.Uint64()
		r.Write("output", generated(rand.New(rand.NewPCG(seed, 0)), 100+100*trial), 0o644)
		line := append(strings.Fields("wrap --exec env -- sh -c"), "stty raw -echo; cat "+filepath.Join(r.Project, "output")+"; exec sleep 1000")
		c := r.Console(r.Command(line...))
		before := shown(t, c, func(s *screen.Screen) bool { return s.Title() == "printed" })
		r.Signal(rig.Viewer, syscall.SIGKILL)
		c.Wait()
		after := ""
		c = r.Console(r.Command("attach"))
		shown(t, c, func(s *screen.Screen) bool {
			after = string(s.Snapshot(screen.SnapshotOptions{}))
			return s.Title() == "printed"
		})
		if after != before {
			t.Errorf("seed %d: the terminal is\n%q\nand was\n%q", seed, after, before)
		}
		r.Stop(r.Names()[0])
		c.Wait()
	}
}

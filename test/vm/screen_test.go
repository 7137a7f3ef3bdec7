//go:build linux

package vm

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/snugvm/snug/test/ptytest"
	user "github.com/snugvm/snug/test/rig"
)

// shellPrompt ends what bash prints in front of a command.
const shellPrompt = "@ "

// TestProgramsFollowTheirPane drives real programs in one machine, each in turn
// from the same shell.
func TestProgramsFollowTheirPane(t *testing.T) {
	for command, pkg := range map[string]string{"vim": "vim", "htop": "htop", "less": "less", "tput": "ncurses-bin"} {
		user.Need(t, command, pkg)
	}
	r := newRig(t)
	tm := r.tmux(`$RUN -e PS1 -- bash --norc --noprofile -i; echo ended with $?; read end`)
	tm.WaitText("bash-")
	tm.Line("PS1='" + shellPrompt + "'; clear")
	atPrompt(tm)
	for _, step := range []struct {
		name string
		run  func(*testing.T, *rig, *ptytest.Tmux)
	}{
		{"the terminal's description is in the machine", knowsTheTerminal},
		{"bash wraps a long line at the new width", bashFollows},
		{"vim", vimFollows}, {"htop", htopFollows}, {"less", lessFollows},
		{"a pasted file is whole", pasteIntoCat},
		{"a bracketed paste is whole and no escape", pasteInBrackets},
	} {
		tm.ResizeWindow(int(user.Size.Cols), int(user.Size.Rows))
		tm.Line("clear")
		atPrompt(tm)
		if !t.Run(step.name, func(t *testing.T) { step.run(t, r, tm) }) {
			t.FailNow() // the shell is not at its prompt any more
		}
		backAtPrompt(tm)
	}
	tm.Line("exit 5")
	tm.WaitText("ended with 5")
	tm.Send("Enter")
	tm.WaitFlag("pane_dead", true)
}

// atPrompt waits until the shell is at its prompt on an empty screen.
func atPrompt(tm *ptytest.Tmux) {
	tm.WaitFor("a prompt and nothing else", func(screen string) bool {
		return strings.TrimSpace(screen) == strings.TrimSpace(shellPrompt)
	})
}

// backAtPrompt waits until the program that was told to end has ended: what is
// typed before, vim throws away.
func backAtPrompt(tm *ptytest.Tmux) {
	tm.WaitFor("the shell's prompt", func(screen string) bool {
		all := lines(screen)
		return strings.TrimSpace(all[len(all)-1]) == strings.TrimSpace(shellPrompt)
	})
}

// panes are sizes to go through: smaller, larger, back.
var panes = []struct{ cols, rows int }{{90, 30}, {160, 50}, {137, 41}}

func lines(screen string) []string { return strings.Split(strings.TrimRight(screen, "\n"), "\n") }

// row returns a row of the screen, from 0, or "" below the last that is not empty.
func row(screen string, n int) string {
	if all := lines(screen); n < len(all) {
		return all[n]
	}
	return ""
}

func knowsTheTerminal(_ *testing.T, _ *rig, tm *ptytest.Tmux) {
	tm.Line("infocmp >/dev/null && echo $TERM:$(tput cols)x$(tput lines)")
	tm.WaitText("screen-256color:137x41")
}

func bashFollows(_ *testing.T, _ *rig, tm *ptytest.Tmux) {
	long := "echo "
	for i := range 100 {
		long += fmt.Sprintf("%03d", i)
	}
	tm.Type(long)
	for _, pane := range panes {
		tm.ResizeWindow(pane.cols, pane.rows)
		tm.Send("C-l") // draws the line anew, at the width that bash believes in
		whole := shellPrompt + long
		var want []string
		for rest := whole; rest != ""; {
			n := min(pane.cols, len(rest))
			want, rest = append(want, rest[:n]), rest[n:]
		}
		tm.WaitFor(fmt.Sprintf("line wrapped at %d, with the cursor behind it", pane.cols), func(screen string) bool {
			col, line := tm.Cursor()
			return strings.Join(lines(screen), "\n") == strings.Join(want, "\n") &&
				col == len(whole)%pane.cols && line == len(whole)/pane.cols
		})
	}
	tm.Send("C-u", "C-k")
}

func vimFollows(_ *testing.T, _ *rig, tm *ptytest.Tmux) {
	tm.Line("vim -u NONE -N -i NONE -c 'set laststatus=2 statusline=%{&columns}x%{&lines}'")
	tm.WaitText("137x41")
	for _, pane := range panes {
		tm.ResizeWindow(pane.cols, pane.rows)
		tm.WaitFor("vim's status line in its new place", func(screen string) bool {
			return strings.TrimSpace(row(screen, pane.rows-2)) == fmt.Sprintf("%dx%d", pane.cols, pane.rows)
		})
	}
	tm.Line(":q!")
}

func htopFollows(_ *testing.T, _ *rig, tm *ptytest.Tmux) {
	tm.Line("htop")
	tm.WaitText("F10Quit")
	for _, pane := range panes {
		tm.ResizeWindow(pane.cols, pane.rows)
		tm.WaitFor("htop's keys in the last row, its meters as wide as the pane", func(screen string) bool {
			meters := strings.TrimRight(row(screen, 1), " ") // two columns of them, as wide as fits
			return strings.Contains(row(screen, pane.rows-1), "F10Quit") && len(meters) > pane.cols/2-5 && len(meters) <= pane.cols
		})
	}
	tm.Send("q")
}

func lessFollows(_ *testing.T, _ *rig, tm *ptytest.Tmux) {
	tm.Line("seq 1000 | less")
	filled := func(rows int) {
		tm.WaitFor(fmt.Sprintf("less's prompt in row %d, its lines in those above", rows), func(screen string) bool {
			first, err := strconv.Atoi(row(screen, 0))
			return err == nil && row(screen, rows-1) == ":" && row(screen, rows-2) == strconv.Itoa(first+rows-2)
		})
	}
	filled(int(user.Size.Rows))
	for _, pane := range panes {
		tm.ResizeWindow(pane.cols, pane.rows)
		filled(pane.rows)
	}
	tm.Send("q")
}

// pasted is 1 MiB of lines, each another.
func pasted() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "%08d the quick brown fox jumps over the lazy dog\n", i)
		if i%1000 == 0 {
			b.WriteString("~.\n~d\n") // an escape, were it typed
		}
	}
	return b.Bytes()
}

func pasteIntoCat(t *testing.T, r *rig, tm *ptytest.Tmux) {
	content := pasted()
	// In the machine's own memory first: cat writes each line, which the project's
	// folder, on the host, makes a question and an answer.
	tm.Line("stty -echo; echo go; cat >/tmp/pasted; mv /tmp/pasted .; stty echo; clear; echo done")
	tm.WaitText("\ngo\n")
	tm.Paste(content)
	tm.Send("C-d")
	tm.WaitFor("end of the paste", func(screen string) bool { return strings.HasPrefix(screen, "done\n") })
	if got := r.Read("pasted"); got != string(content) {
		t.Errorf("%d bytes of the paste's %d came, or others", len(got), len(content))
	}
}

func pasteInBrackets(_ *testing.T, _ *rig, tm *ptytest.Tmux) {
	content := append(append([]byte("\x1b[200~"), pasted()...), "\x1b[201~"...)
	tm.Line(fmt.Sprintf(`stty raw -echo; printf '\033[?2004hgo'; head -c %d | sha256sum; stty sane; printf '\033[?2004l'`, len(content)))
	tm.WaitText("\ngo")
	tm.Paste(pasted())
	tm.WaitText(fmt.Sprintf("%x", sha256.Sum256(content)))
}

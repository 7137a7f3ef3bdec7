//go:build linux

package vm

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snugvm/snug/screen"
	"github.com/snugvm/snug/test/ptytest"
	user "github.com/snugvm/snug/test/rig"
	"golang.org/x/sys/unix"
)

// TestSessionsAreSeenThoughNobodyLooks starts real programs in one machine, in
// terminals that go, and looks at them with snug screen and snug ls.
func TestSessionsAreSeenThoughNobodyLooks(t *testing.T) {
	for command, pkg := range map[string]string{"vim": "vim", "htop": "htop"} {
		user.Need(t, command, pkg)
	}
	r := newRig(t)
	run := r.run("--rm", "--name", "box", "--", "sh", "-c", "echo up >up; exec cat")
	stdin, err := run.StdinPipe()
	user.Must(t, err)
	user.Must(t, run.Start())
	r.AwaitFile("up")

	t.Run("vim, whose terminal was killed", func(t *testing.T) { vimIsSeen(t, r) })
	t.Run("htop, detached from", func(t *testing.T) { htopIsSeen(t, r) })
	t.Run("a shell that asks is answered", func(t *testing.T) { shellIsAnswered(t, r) })
	t.Run("vim without a terminal is answered", func(t *testing.T) { vimIsAnswered(t, r) })
	t.Run("all are listed", func(t *testing.T) { sessionsAreListed(t, r) })

	_ = stdin.Close()
	if status := r.Reap(run); status != 0 {
		t.Errorf("the machine's first session ended with %d", status)
	}
	r.Stop("box")
}

// screen runs snug screen.
func (r *rig) screen(args ...string) string {
	r.T.Helper()
	got := r.Pipe(r.Command(append([]string{"screen"}, args...)...), "")
	if got.Status != 0 || got.Stderr != "" {
		r.T.Fatalf("snug screen %q: %+v", args, got)
	}
	return got.Stdout
}

// drawn is a screen of size with lines of text and colours on it.
func drawn(lines string) *screen.Screen {
	s := screen.New(int(user.Size.Cols), int(user.Size.Rows), screen.Options{})
	_, _ = s.Write([]byte(strings.ReplaceAll(strings.TrimRight(lines, "\n"), "\n", "\r\n")))
	return s
}

func vimIsSeen(t *testing.T, r *rig) {
	r.Write("poem.c", "int main(void) { return 42; } /* 世界 e\u0301 🙂 */\n\nchar *s = \"text\";\n", 0o644)
	tm := r.tmux(`exec $SNUG exec box -- vim -N -u NONE -i NONE -c 'syntax on' -c 'set ls=2 number' poem.c`)
	tm.WaitText("char *s") // vim says before what it has read
	tm.Send("Enter")
	tm.WaitFor("the cursor in the second line", func(string) bool { col, row := tm.Cursor(); return col == 4 && row == 1 })
	user.Settled(t, tm) // vim asks of a terminal how wide its signs are, and draws again
	text, colours := tm.Capture(), tm.CaptureCells()
	killPane(t, tm)

	if got := r.screen("box/2", "--text"); strings.TrimRight(got, "\n") != strings.TrimRight(text, "\n") {
		t.Errorf("as text it is\n%s\nthe pane showed\n%s", got, text)
	}
	if got, want := drawn(r.screen("bo/2", "--ansi")).ANSI(), drawn(colours).ANSI(); got != want || !strings.Contains(got, "\x1b[") {
		t.Errorf("with colours it is\n%q\nthe pane showed\n%q", got, want)
	}
	onTerminal := r.Console(r.Command("screen", "box/2"))
	onTerminal.Expect("\x1b[") // colours, without being asked for them
	onTerminal.ExpectEOF()
	refused := r.Console(r.Command("screen", "box/2", "--png"))
	refused.Expect("-o FILE")
	if status := refused.Wait(); status != 125 {
		t.Errorf("a PNG to a terminal ends with %d", status)
	}
	svgIsSound(t, r.screen("box/2", "--svg"))
	r.screen("box/2", "-o", filepath.Join(r.Project, "vim.png"))
	img, err := png.Decode(strings.NewReader(r.Read("vim.png")))
	if err != nil || img.Bounds().Dx() < int(user.Size.Cols)*12 || img.Bounds().Dy() < int(user.Size.Rows)*26 {
		t.Errorf("the PNG: %v", err)
	}
}

// killPane ends the terminal of a session by force.
func killPane(t *testing.T, tm *ptytest.Tmux) {
	t.Helper()
	user.Must(t, unix.Kill(tm.PanePid(), unix.SIGKILL))
	tm.WaitFlag("pane_dead", true)
}

// svgIsSound checks that the image is XML and shows what vim does.
func svgIsSound(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	var text bytes.Buffer
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if chars, ok := token.(xml.CharData); ok {
			text.Write(chars)
		}
	}
	for _, want := range []string{"return", "42", "世", "poem.c"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the SVG shows no %q", want)
		}
	}
}

func htopIsSeen(t *testing.T, r *rig) {
	tm := r.tmux(`exec $SNUG exec box -- htop -d 100`)
	tm.WaitText("F10Quit")
	user.Settled(t, tm)
	keys := row(tm.Capture(), int(user.Size.Rows)-1)
	colours := drawn(tm.CaptureCells())
	tm.Keys("\r~d")
	tm.WaitFlag("pane_dead", true)
	text := r.screen("box/3", "--text")
	if got := row(text, int(user.Size.Rows)-1); got != keys {
		t.Errorf("the last row is %q, the pane showed %q", got, keys)
	}
	if !strings.Contains(text, "Load average") || !strings.Contains(text, "Command") {
		t.Errorf("htop is not seen:\n%s", text)
	}
	got := drawn(r.screen("box/3", "--ansi"))
	for x := range int(user.Size.Cols) {
		if g, w := got.Cell(x, int(user.Size.Rows)-1), colours.Cell(x, int(user.Size.Rows)-1); g.Style.Background != w.Style.Background {
			t.Errorf("column %d of the last row: %+v, the pane showed %+v", x, g, w)
		}
	}
}

// asksAlone waits until nobody looks, and asks for the cursor's place and for what
// terminal this is.
const asksAlone = `printf '\033]2;asking\a\033[2J\033[5;7Hup'; until [ -e alone ]; do sleep 0.1; done; stty raw -echo
printf '\033[6n'; IFS= read -rsd R a; printf '\033[c'; IFS= read -rsd c b; echo "${a##*[} ${b##*[}" >told; exec sleep 1000`

func shellIsAnswered(t *testing.T, r *rig) {
	c := r.Console(r.Command("exec", "box", "--", "bash", "-c", asksAlone))
	c.Expect("up")
	c.Keys("\r~d")
	c.Expect("detached")
	r.Write("alone", "", 0o644)
	if got := r.AwaitFile("told"); got != "6;1 ?64;6;21;22;28\n" {
		t.Errorf("the shell was told %q", got)
	}
	if got := row(r.screen("box/4"), 4); got != "      up" {
		t.Errorf("its screen has %q", got)
	}
}

func vimIsAnswered(t *testing.T, r *rig) {
	got := r.Pipe(r.Command("exec", "-t", "box", "--", "vim", "-N", "-u", "NONE", "-i", "NONE", "-c",
		`autocmd TermResponse * call writefile([v:termresponse], "response") | qa!`), "")
	if response := r.Read("response"); got.Status != 0 || response != "\x1b[>64;0;0c\n" {
		t.Errorf("vim was told %q, and ended with %d", response, got.Status)
	}
}

func sessionsAreListed(t *testing.T, r *rig) {
	sessions := r.List()[0].Sessions
	if len(sessions) != 4 {
		t.Fatalf("listed are %+v", sessions)
	}
	for i, want := range []user.Session{
		{Number: 1, Program: "sh -c echo up >up; exec cat", Viewers: 1},
		{Number: 2, Program: "vim -N -u NONE -i NONE -c syntax on -c set ls=2 number poem.c", Terminal: true,
			Columns: int(user.Size.Cols), Rows: int(user.Size.Rows)},
		{Number: 3, Program: "htop -d 100", Terminal: true, Columns: int(user.Size.Cols), Rows: int(user.Size.Rows)},
	} {
		if sessions[i] != want {
			t.Errorf("listed is %+v\nwant %+v", sessions[i], want)
		}
	}
	if got := sessions[3]; got.Number != 4 || got.Title != "asking" || !got.Terminal || got.Viewers != 0 {
		t.Errorf("listed is %+v", got)
	}
	got := r.Pipe(r.Command("screen"), "")
	if got.Status != 125 || !strings.Contains(got.Stderr, "there are 3 sessions: name one of\n  box/2   vim") {
		t.Errorf("which of three: %+v", got)
	}
}

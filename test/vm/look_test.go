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
	"time"

	"github.com/snugvm/snug/screen"
	"github.com/snugvm/snug/test/ptytest"
	"golang.org/x/sys/unix"
)

// TestSessionsAreSeenThoughNobodyLooks starts real programs in one machine, in
// terminals that go, and looks at them with snug screen and snug ls.
func TestSessionsAreSeenThoughNobodyLooks(t *testing.T) {
	for command, pkg := range map[string]string{"vim": "vim", "htop": "htop"} {
		need(t, command, pkg)
	}
	r := newRig(t)
	run := r.run("--name", "box", "--", "sh", "-c", "echo up >up; exec cat")
	stdin, err := run.StdinPipe()
	must(t, err)
	must(t, run.Start())
	r.awaitFile("up")

	t.Run("vim, whose terminal was killed", func(t *testing.T) { vimIsSeen(t, r) })
	t.Run("htop, detached from", func(t *testing.T) { htopIsSeen(t, r) })
	t.Run("a shell that asks is answered", func(t *testing.T) { shellIsAnswered(t, r) })
	t.Run("vim without a terminal is answered", func(t *testing.T) { vimIsAnswered(t, r) })
	t.Run("all are listed", func(t *testing.T) { sessionsAreListed(t, r) })

	_ = stdin.Close()
	if status := r.reap(run); status != 0 {
		t.Errorf("the machine's first session ended with %d", status)
	}
	r.stop("box")
}

// screen runs snug screen.
func (r *rig) screen(args ...string) string {
	r.t.Helper()
	got := r.pipe(r.command(append([]string{"screen"}, args...)...), "")
	if got.status != 0 || got.stderr != "" {
		r.t.Fatalf("snug screen %q: %+v", args, got)
	}
	return got.stdout
}

// drawn is a screen of size with lines of text and colours on it.
func drawn(lines string) *screen.Screen {
	s := screen.New(int(size.Cols), int(size.Rows), screen.Options{})
	_, _ = s.Write([]byte(strings.ReplaceAll(strings.TrimRight(lines, "\n"), "\n", "\r\n")))
	return s
}

func vimIsSeen(t *testing.T, r *rig) {
	r.write("poem.c", "int main(void) { return 42; } /* 世界 e\u0301 🙂 */\n\nchar *s = \"text\";\n", 0o644)
	tm := r.tmux(`exec $SNUG exec box -- vim -N -u NONE -i NONE -c 'syntax on' -c 'set ls=2 number' poem.c`)
	tm.WaitText("3L, 71B")
	tm.Send("Enter")
	tm.WaitFor("the cursor in the second line", func(string) bool { _, row := tm.Cursor(); return row == 1 })
	text, colours := tm.Capture(), tm.CaptureCells()
	killPane(t, tm)

	if got := r.screen("box/2", "--text"); strings.TrimRight(got, "\n") != strings.TrimRight(text, "\n") {
		t.Errorf("as text it is\n%s\nthe pane showed\n%s", got, text)
	}
	if got, want := drawn(r.screen("bo/2", "--ansi")).ANSI(), drawn(colours).ANSI(); got != want || !strings.Contains(got, "\x1b[") {
		t.Errorf("with colours it is\n%q\nthe pane showed\n%q", got, want)
	}
	onTerminal := r.console(r.command("screen", "box/2"))
	onTerminal.Expect("\x1b[") // colours, without being asked for them
	onTerminal.ExpectEOF()
	refused := r.console(r.command("screen", "box/2", "--png"))
	refused.Expect("-o FILE")
	if status := refused.Wait(); status != 125 {
		t.Errorf("a PNG to a terminal ends with %d", status)
	}
	svgIsSound(t, r.screen("box/2", "--svg"))
	r.screen("box/2", "-o", filepath.Join(r.project, "vim.png"))
	img, err := png.Decode(strings.NewReader(r.read("vim.png")))
	if err != nil || img.Bounds().Dx() < int(size.Cols)*12 || img.Bounds().Dy() < int(size.Rows)*26 {
		t.Errorf("the PNG: %v", err)
	}
}

// killPane ends the terminal of a session by force.
func killPane(t *testing.T, tm *ptytest.Tmux) {
	t.Helper()
	must(t, unix.Kill(tm.PanePid(), unix.SIGKILL))
	tm.WaitFlag("pane_dead", true)
}

// detach leaves a session at a person's pace: each key is to come alone.
func detach(tm *ptytest.Tmux) {
	for _, key := range "\r~d" {
		time.Sleep(200 * time.Millisecond)
		tm.Type(string(key))
	}
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
	keys := row(tm.Capture(), int(size.Rows)-1)
	colours := drawn(tm.CaptureCells())
	detach(tm)
	text := r.screen("box/3", "--text")
	if got := row(text, int(size.Rows)-1); got != keys {
		t.Errorf("the last row is %q, the pane showed %q", got, keys)
	}
	if !strings.Contains(text, "Load average") || !strings.Contains(text, "Command") {
		t.Errorf("htop is not seen:\n%s", text)
	}
	got := drawn(r.screen("box/3", "--ansi"))
	for x := range int(size.Cols) {
		if g, w := got.Cell(x, int(size.Rows)-1), colours.Cell(x, int(size.Rows)-1); g.Style.Background != w.Style.Background {
			t.Errorf("column %d of the last row: %+v, the pane showed %+v", x, g, w)
		}
	}
}

// asksAlone waits until nobody looks, and asks for the cursor's place and for what
// terminal this is.
const asksAlone = `printf '\033]2;asking\a\033[2J\033[5;7Hup'; until [ -e alone ]; do sleep 0.1; done; stty raw -echo
printf '\033[6n'; IFS= read -rsd R a; printf '\033[c'; IFS= read -rsd c b; echo "${a##*[} ${b##*[}" >told; exec sleep 1000`

func shellIsAnswered(t *testing.T, r *rig) {
	c := r.console(r.command("exec", "box", "--", "bash", "-c", asksAlone))
	c.Expect("up")
	keys(c, "\r~d")
	c.Expect("detached")
	r.write("alone", "", 0o644)
	if got := r.awaitFile("told"); got != "6;1 ?64;6;21;22;28\n" {
		t.Errorf("the shell was told %q", got)
	}
	if got := row(r.screen("box/4"), 4); got != "      up" {
		t.Errorf("its screen has %q", got)
	}
}

func vimIsAnswered(t *testing.T, r *rig) {
	got := r.pipe(r.command("exec", "-t", "box", "--", "vim", "-N", "-u", "NONE", "-i", "NONE", "-c",
		`autocmd TermResponse * call writefile([v:termresponse], "response") | qa!`), "")
	if response := r.read("response"); got.status != 0 || response != "\x1b[>64;0;0c\n" {
		t.Errorf("vim was told %q, and ended with %d", response, got.status)
	}
}

func sessionsAreListed(t *testing.T, r *rig) {
	sessions := r.ls()[0].Sessions
	if len(sessions) != 4 {
		t.Fatalf("listed are %+v", sessions)
	}
	for i, want := range []session{
		{1, "sh -c echo up >up; exec cat", false, 0, 0, 1, ""},
		{2, "vim -N -u NONE -i NONE -c syntax on -c set ls=2 number poem.c", true, int(size.Cols), int(size.Rows), 0, ""},
		{3, "htop -d 100", true, int(size.Cols), int(size.Rows), 0, ""},
	} {
		if sessions[i] != want {
			t.Errorf("listed is %+v\nwant %+v", sessions[i], want)
		}
	}
	if got := sessions[3]; got.Number != 4 || got.Title != "asking" || !got.Terminal || got.Viewers != 0 {
		t.Errorf("listed is %+v", got)
	}
	got := r.pipe(r.command("screen"), "")
	if got.status != 125 || !strings.Contains(got.stderr, "there are 3 sessions: name one of\n  box/2   vim") {
		t.Errorf("which of three: %+v", got)
	}
}

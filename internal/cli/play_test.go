//go:build linux

package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/asciicast"
	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
	"golang.org/x/sys/unix"
)

// castFile writes a recording of outputs, with a pause before each.
func castFile(t *testing.T, pause time.Duration, outputs ...string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := asciicast.NewWriter(&b, asciicast.Header{Cols: 80, Rows: 24})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range outputs {
		if err := w.Output(time.Duration(i+1)*pause, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "x.cast")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPlayPrintsARecordingInItsTime(t *testing.T) {
	d := newDesk(t)
	file := castFile(t, time.Hour, "one ", "two ", "\x1b[?1049hthree")
	began := time.Now()
	got, err := d.run("play", "--idle-limit", "1000", "--speed", "20000", file)
	if took := time.Since(began); err != nil || got != "one two \x1b[?1049hthree" || took < 150*time.Millisecond {
		t.Errorf("%q in %v, %v", got, took, err)
	}
	broken := castFile(t, 0, "shown")
	b, err := os.ReadFile(broken)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, append(b, `[1, "o", "cut`...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := d.run("play", broken); err == nil || !strings.Contains(err.Error(), "line 3: the recording breaks off") || got != "shown" {
		t.Errorf("one that breaks off: %q, %v", got, err)
	}
	for _, args := range [][]string{{"--speed", "0"}, {"--speed", "-1"}, {"--speed", "NaN"}, {"--idle-limit", "-1"}} {
		if _, err := d.run(append(append([]string{"play"}, args...), file)...); err == nil || !strings.Contains(err.Error(), "--speed is more than 0") {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestAPlayerPausesAsItIsTold(t *testing.T) {
	at := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	p := &player{speed: 2, idle: at(5)}
	for _, c := range []struct{ at, want float64 }{{0, 0}, {1, 0.5}, {1, 0}, {4, 1.5}, {1000, 2.5}, {1001, 0.5}} {
		if got := p.pause(at(c.at)); got != at(c.want) {
			t.Errorf("before the output at %vs: %v, want %vs", c.at, got, c.want)
		}
	}
}

// Between two outputs is an hour: only keys show them.
func TestKeysPauseStepAndEnd(t *testing.T) {
	f, err := os.Open(castFile(t, time.Hour, "one", "two", "three"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := asciicast.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	p := newPlayer(r, playOptions{speed: 1})
	shown := make(chan string, 3)
	p.show = func(b []byte) error { shown <- string(b); return nil }
	go p.run(context.Background())
	for _, keys := range []string{".x", " ", "\x1b[?1;2c .", "."} { // a step without a pause, and what is no key, show nothing
		_, _ = p.Write([]byte(keys))
	}
	if got := <-shown; got != "one" {
		t.Errorf("shown is %q", got)
	}
	_, _ = p.Write([]byte("."))
	if got := <-shown; got != "two" {
		t.Errorf("shown is %q", got)
	}
	_, _ = p.Write([]byte(" ")) // it goes on, an hour from the next
	_, _ = p.Write([]byte("q"))
	<-p.done
	if _, _ = p.Write([]byte("q")); len(shown) > 0 || p.err != nil {
		t.Errorf("after the end %d are shown, %v", len(shown), p.err)
	}
}

func TestTheTerminalIsWholeAfterPlaying(t *testing.T) {
	for name, end := range map[string]struct {
		keys string
		kill bool
	}{"^C": {"\x03", false}, "q": {"q", false}, "a pause and q": {" .q", false}, "SIGKILL": {"", true}} {
		t.Run(name, func(t *testing.T) {
			// An hour passes before the last output.
			file := castFile(t, 0, "\x1b[?1049h\x1b[?1000h\x1b[?25lplaying \x1b]52;c;?\x07")
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, append(b, "[3600, \"o\", \"stepped\"]\n"...), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), asSnug+"=play "+file, "XDG_CONFIG_HOME="+t.TempDir())
			c := ptytest.Start(t, terminal.Size{Rows: 10, Cols: 40}, cmd)
			c.Expect("the recording is of a terminal of 80x24, this one has 40x10")
			c.Expect("playing ")
			for _, key := range end.keys {
				c.Send(string(key))
				if key == '.' {
					c.Expect("stepped")
				}
			}
			if end.kill {
				killChild(t, c.Pid())
			}
			c.Expect("\x1b[?1049l")
			c.ExpectEOF()
			if status := c.Wait(); (status == 0) == end.kill {
				t.Errorf("exit status %d", status)
			}
			c.StateEqual(c.Before())
			for _, undone := range []string{"\x1b[?1000l", "\x1b[?25h"} {
				if !bytes.Contains(c.Output(), []byte(undone)) {
					t.Errorf("no %q in %q", undone, c.Output())
				}
			}
			if bytes.Contains(c.Output(), []byte("]52;")) {
				t.Error("what the firewall drops came through")
			}
		})
	}
}

// killChild kills the viewer below a guardian.
func killChild(t *testing.T, guardian int) {
	t.Helper()
	out, err := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(guardian)).Output()
	if err != nil {
		t.Fatalf("children of %d: %v", guardian, err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatalf("children of %d: %v", guardian, err)
	}
	if err := unix.Kill(child, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

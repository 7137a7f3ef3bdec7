package asciicast

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
)

// asciinema runs it on a terminal of its own, which it opens as /dev/tty, and returns what it printed.
func asciinema(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("asciinema")
	if err != nil {
		t.Fatalf("%v\ninstall it: apt-get install asciinema", err)
	}
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+t.TempDir())
	master := ptytest.StartBare(t, terminal.Size{}, cmd)
	defer master.Close()
	timeout := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timeout.Stop()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("asciinema %q: %v\n%s", args, err, &out)
	}
	return out.String()
}

func TestTheStockAsciinemaPlaysARecording(t *testing.T) {
	if testing.Short() {
		t.Skip("runs asciinema")
	}
	recording := record(t, V2)
	file := filepath.Join(t.TempDir(), "x.cast")
	if err := os.WriteFile(file, recording, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(recording))
	if err != nil {
		t.Fatal(err)
	}
	var want string
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Code == Output {
			want += e.Text
		}
	}
	for _, args := range [][]string{{"cat", file}, {"play", "--speed", "1000", file}} {
		if got := asciinema(t, args...); got != want {
			t.Errorf("asciinema %s prints %q, want %q", args[0], got, want)
		}
	}
}

func TestWhatTheStockAsciinemaRecordsIsRead(t *testing.T) {
	if testing.Short() {
		t.Skip("runs asciinema")
	}
	file := filepath.Join(t.TempDir(), "x.cast")
	asciinema(t, "rec", "--quiet", "--title", "a title", "--cols", "90", "--rows", "20", "--command", "printf 'h\\303\\266 \\377 %s' \"$TERM\"", file)
	recording, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h, events, err := readAll(recording)
	if err != nil {
		t.Fatalf("%v\n%s", err, recording)
	}
	if h.Version != V2 || h.Cols != 90 || h.Rows != 20 || h.Title != "a title" || time.Since(h.Time).Abs() > time.Hour {
		t.Errorf("header %+v", h)
	}
	var out strings.Builder
	for _, e := range events {
		out.WriteString(e.Text)
	}
	if got := out.String(); !strings.HasPrefix(got, "hö \ufffd ") {
		t.Errorf("output %q", got)
	}
}

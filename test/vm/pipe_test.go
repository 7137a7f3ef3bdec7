//go:build linux

package vm

import (
	"bytes"
	"io"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/snugvm/snug/sandbox/sandboxtest"
	user "github.com/snugvm/snug/test/rig"
)

func TestWithoutATerminalTheStreamsStayApartAndNothingIsAdded(t *testing.T) {
	r := newRig(t)
	got := r.Pipe(r.run("--", "sh", "-c", "cat; printf y >&2; test ! -t 0 && test ! -t 1 && exit 42"), "x")
	if want := (user.Ended{Status: 42, Stdout: "x", Stderr: "y"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMegabytesAreExactBothWaysAtOnce(t *testing.T) {
	r := newRig(t)
	n := 16_000_000
	if soaking() {
		n = 100_000_000
	}
	run := r.run("--", probe, "duplex", "out", "in", strconv.Itoa(n))
	stdin, err := run.StdinPipe()
	user.Must(t, err)
	stdout, err := run.StdoutPipe()
	user.Must(t, err)
	var stderr bytes.Buffer
	run.Stderr = &stderr
	user.Must(t, run.Start())

	ready := make([]byte, len("ready"))
	if _, err := io.ReadFull(stdout, ready); err != nil || string(ready) != "ready" {
		t.Fatalf("the program said %q, %v; %s", ready, err, stderr.String())
	}
	began := time.Now()
	go copyTo(stdin, sandboxtest.Sequence("in", n)) // ends with the command
	out, err := io.ReadAll(stdout)
	user.Must(t, err)
	took := time.Since(began)
	if status := r.Reap(run); status != 42 || stderr.Len() > 0 {
		t.Errorf("the program's input was wrong: status %d, stderr %q", status, stderr.String())
	}
	if !bytes.Equal(out, sandboxtest.Sequence("out", n)) {
		t.Errorf("the program's output differs: %d bytes of %d", len(out), n)
	}
	t.Logf("%d MB each way at once in %v: %.1f MB/s each", n/1_000_000, took.Round(time.Millisecond), float64(n)/1e6/took.Seconds())
}

func TestTheExitStatusIsThePrograms(t *testing.T) {
	r := newRig(t)
	r.Write("text", "no program\n", 0o644)
	for _, c := range []struct {
		what    string
		program []string
		want    int
	}{
		{"success; and the program is never process 1", []string{"sh", "-c", "test $$ != 1"}, 0},
		{"its own status", []string{probe, "exit", "255"}, 255},
		{"not found", []string{"no-such-program"}, 127},
		{"not executable", []string{filepath.Join(r.Project, "text")}, 126},
		{"killed by a signal", []string{"sh", "-c", "kill -KILL $$"}, 128 + 9},
	} {
		got := r.Pipe(r.run(append([]string{"--"}, c.program...)...), "")
		if got.Status != c.want || got.Stdout != "" {
			t.Errorf("%s: %+v, want status %d", c.what, got, c.want)
		}
		if failed := c.want == 126 || c.want == 127; failed != user.OneLine(got.Stderr) || !failed && got.Stderr != "" {
			t.Errorf("%s: stderr %q", c.what, got.Stderr)
		}
	}
}

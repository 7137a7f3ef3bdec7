//go:build linux

package firewall_test

import (
	"bytes"
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

// snug is the command whose sessions are measured.
const snug = "../../bin/snug"

// burst is how much output a session shows at once: less than what a viewer may be behind before it is shown the screen
// in place of output.
const burst = 768 << 10

// BenchmarkSession is what a user sees of the filter: two sessions of the built command, one by the open policy and one
// by the default, show bursts of output in turn, from the program's terminal to the user's. It reports the speeds, and how
// much longer a burst takes with the filter; all are medians.
func BenchmarkSession(b *testing.B) {
	if _, err := os.Stat(snug); err != nil {
		b.Fatalf("%v\nbuild it: make build", err)
	}
	for _, o := range made {
		b.Run(o.name, func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "output")
			output := []byte(strings.Repeat(o.unit, burst/len(o.unit)))
			if err := os.WriteFile(file, output, 0o600); err != nil {
				b.Fatal(err)
			}
			open, filtered := startSession(b, "open", file), startSession(b, "default", file)
			var longer []float64
			for b.Loop() {
				first, second := open, filtered
				if len(longer)%2 == 1 {
					first, second = filtered, open
				}
				first.show(b, len(output))
				second.show(b, len(output))
				longer = append(longer, 100*(float64(filtered.took)/float64(open.took)-1))
			}
			b.ReportMetric(median(longer), "%longer")
			b.ReportMetric(median(open.speeds), "open-MB/s")
			b.ReportMetric(median(filtered.speeds), "default-MB/s")
			open.end(b)
			filtered.end(b)
		})
	}
}

// session is a session and the user's side of its terminal.
type session struct {
	cmd    *exec.Cmd
	home   string
	master *os.File
	buf    []byte
	took   time.Duration
	speeds []float64 // MB/s
}

// startSession starts a session whose program shows a file for each line that it reads. Its machine is this one.
func startSession(b *testing.B, policy, file string) *session {
	b.Helper()
	home := b.TempDir()
	s := &session{home: home, buf: make([]byte, burst)}
	s.cmd = exec.Command(snug, "wrap", "--escape", "none", "--terminal-policy", policy, "--exec", "env", "--",
		"sh", "-c", `stty raw -echo; printf ready; while read -r go && [ "$go" ]; do cat "$0"; done`, file)
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TERM=xterm-256color", "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "XDG_STATE_HOME=" + home}
	s.master = ptytest.StartBare(b, terminal.Size{Rows: 50, Cols: 200}, s.cmd)
	var got []byte
	for !bytes.HasSuffix(got, []byte("ready")) {
		n, err := s.master.Read(s.buf)
		if got = append(got, s.buf[:n]...); err != nil {
			b.Fatalf("%v: %q", err, got)
		}
	}
	return s
}

// show has the program show its file.
func (s *session) show(b *testing.B, length int) {
	b.Helper()
	start := time.Now()
	if _, err := s.master.WriteString("go\n"); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(s.master, s.buf[:length]); err != nil {
		b.Fatal(err)
	}
	s.took = time.Since(start)
	s.speeds = append(s.speeds, float64(length)*1e3/float64(s.took))
}

func (s *session) end(b *testing.B) {
	b.Helper()
	defer s.master.Close()
	if _, err := s.master.WriteString("\n"); err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, s.master) // to the end of the terminal, an error
	if err := s.cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); os.RemoveAll(s.home) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("the keeper still writes in %s", s.home)
		}
	}
}

//go:build linux

package agent_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/sandboxtest"
	"golang.org/x/crypto/ssh"
)

// rig is an agent in a machine without a sandbox.
type rig struct {
	t *testing.T
	m *sandboxtest.InProcess
}

func newRig(t *testing.T) *rig {
	t.Helper()
	m, err := sandboxtest.NewInProcess(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Kill() })
	return &rig{t, m}
}

func (r *rig) dial() ssh.Conn {
	r.t.Helper()
	link, err := r.m.Dial(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	peer, err := r.m.Agent().Peer()
	if err != nil {
		r.t.Fatal(err)
	}
	conn, err := wire.Connect(r.t.Context(), link, peer)
	if err != nil {
		r.t.Fatal(err)
	}
	return conn
}

// sink collects a session's output and acknowledges it.
type sink struct {
	mu      sync.Mutex
	s       *wire.Session
	out     [3]bytes.Buffer
	notices []string
}

func (k *sink) Flushed(uint64) {}

func (k *sink) Output(s wire.Stream, p []byte) {
	k.mu.Lock()
	k.out[s].Write(p)
	n := k.out[s].Len()
	k.mu.Unlock()
	k.s.Ack(s, uint64(n))
}
func (k *sink) Exited(wire.Exit) {}

func (k *sink) EndOutput(wire.Stream) {}
func (k *sink) InputSafe(uint64)      {}
func (k *sink) Ready()                {}
func (k *sink) Notice(n wire.Notice) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.notices = append(k.notices, n.Text)
}
func (k *sink) text(s wire.Stream) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.out[s].String()
}

func newSession(start wire.Start) (*wire.Session, *sink) {
	k := &sink{}
	k.s = wire.NewSession(wire.NewID(), start, k)
	return k.s, k
}

func run(t *testing.T, r *rig, start wire.Start, stdin string) (wire.Exit, *sink, error) {
	t.Helper()
	s, k := newSession(start)
	conn := r.dial()
	defer conn.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(conn) }()
	if stdin != "" {
		if _, err := s.Write([]byte(stdin)); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.CloseWrite()
	select {
	case <-s.Done():
	case <-time.After(20 * time.Second):
		t.Fatalf("no end; stdout %q", k.text(wire.Stdout))
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	e, err := s.Result()
	return e, k, err
}

func sh(script string) wire.Start { return wire.Start{Args: []string{"sh", "-c", script}} }

func pty(script string) wire.Start {
	s := sh(script)
	s.Pty = &wire.Pty{Term: "xterm", Size: wire.Size{Rows: 41, Cols: 137, XPixel: 1370, YPixel: 820}}
	return s
}

func TestPipesAreExactAndApart(t *testing.T) {
	e, k, err := run(t, newRig(t), sh("cat; echo err >&2; exit 42"), "hello")
	if err != nil || e.Status != 42 {
		t.Fatalf("exit %+v, %v", e, err)
	}
	if k.text(wire.Stdout) != "hello" || k.text(wire.Stderr) != "err\n" {
		t.Errorf("stdout %q, stderr %q", k.text(wire.Stdout), k.text(wire.Stderr))
	}
}

func TestPtyHasItsSizeBeforeTheProgramRuns(t *testing.T) {
	e, k, err := run(t, newRig(t), pty("stty size; tty; echo $TERM"), "")
	if err != nil || e.Status != 0 {
		t.Fatalf("exit %+v, %v", e, err)
	}
	if !strings.HasPrefix(k.text(wire.Stdout), "41 137\r\n/dev/pts/") {
		t.Errorf("output %q", k.text(wire.Stdout))
	}
}

func TestExitStatuses(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		start  wire.Start
		status uint32
		signal string
	}{
		{sh("exit 0"), 0, ""},
		{sh("exit 255"), 255, ""},
		{sh("kill -KILL $$"), 137, "KILL"},
		{pty("kill -TERM $$"), 143, "TERM"},
		{wire.Start{Args: []string{"no-such-program"}}, 127, "failure"},
		{wire.Start{Args: []string{"/etc/passwd"}}, 126, "failure"},
		{wire.Start{Args: []string{"/etc"}}, 126, "failure"},
		{wire.Start{Command: "exit 3"}, 3, ""},
	} {
		e, _, err := run(t, r, c.start, "")
		if f, ok := errors.AsType[*wire.Failure](err); ok {
			e = wire.Exit{Status: f.Status, Signal: "failure"}
		}
		if e.Status != c.status || e.Signal != c.signal {
			t.Errorf("%v: exit %+v, want %d %s", c.start.Args, e, c.status, c.signal)
		}
	}
}

func TestTailIsNotLostToABackgroundJob(t *testing.T) {
	begin := time.Now()
	_, k, err := run(t, newRig(t), pty("set -m; sleep 60 & echo TAIL"), "")
	if err != nil || !strings.Contains(k.text(wire.Stdout), "TAIL") {
		t.Fatalf("output %q, %v", k.text(wire.Stdout), err)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

//go:build linux

package keeper_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/keeper"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
	"github.com/snugvm/snug/sandbox/sandboxtest"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

// The agent of the tests is this binary, and starts it again for sftp.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == agent.SFTP {
		if agent.ServeSFTP(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, sandboxtest.Stranded())
}

const patience = 20 * time.Second

// rig is a keeper over a machine without a sandbox.
type rig struct {
	t       *testing.T
	socket  string
	key     ed25519.PrivateKey
	logs    string
	keeper  *keeper.Keeper
	served  chan error
	cleaned atomic.Bool
	machine *flaky
	other   *hostile      // the machine in place of that, unless nil
	boot    chan error    // what Boot waits for, and fails with
	hidden  atomic.Bool   // nobody finds the machine any more
	moved   chan struct{} // tells that hidden has changed
	lost    atomic.Bool   // nobody has asked for the end
	stop    func()        // ends the keeper's time
	seen    chan struct{} // if not nil: what the machine leaves is removed once it is closed
}

// flaky is a machine whose link a test can cut, and which a test can kill.
type flaky struct {
	*sandboxtest.InProcess
	cause chan error

	mu   sync.Mutex
	cut  int                                         // 0: never
	over func(io.ReadWriteCloser) io.ReadWriteCloser // nil: the link as it is
	left bool                                        // it is another keeper's now
}

// Kill ends the machine, unless its keeper is the one that has died.
func (f *flaky) Kill() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left {
		return nil
	}
	return f.InProcess.Kill()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	inner, err := sandboxtest.NewInProcess(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		t: t, socket: filepath.Join(t.TempDir(), "s"), logs: t.TempDir(),
		key:     ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize)),
		served:  make(chan error, 1),
		machine: &flaky{InProcess: inner, cause: make(chan error, 1)}, boot: make(chan error, 1), moved: make(chan struct{}),
	}
	r.serve(false)
	t.Cleanup(func() { _ = inner.Kill() })
	return r
}

// serve begins to keep the machine.
func (r *rig) serve(adopt bool) {
	r.t.Helper()
	l, err := net.Listen("unix", r.socket)
	if err != nil {
		r.t.Fatal(err)
	}
	r.keeper = keeper.New(keeper.Config{
		Boot: r.bootMachine, Adopt: adopt, HostKey: r.key, Logs: r.logs,
		Lost: r.lost.Load, Reachable: func() bool { return !r.hidden.Load() }, Moved: r.moved,
		Cleanup: r.cleanup, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	served := make(chan error, 2)
	r.served = served
	r.t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			r.t.Error(err)
		}
	})
	k := r.keeper
	go func() {
		err := k.Serve(ctx, l)
		served <- err
		served <- err // for a test and for the cleanup
	}()
}

func (r *rig) cleanup() error {
	if r.seen != nil {
		<-r.seen
	}
	r.cleaned.Store(true)
	return nil
}

// die has the keeper stop as if it was killed: all that is left of it are the
// logs and the machine. Another one takes over.
func (r *rig) die() {
	r.t.Helper()
	r.dieThen(nil)
}

// dieThen is die, where taking over fails with err unless that is nil.
func (r *rig) dieThen(err error) {
	r.t.Helper()
	r.machine.mu.Lock()
	r.machine.left = true
	r.machine.mu.Unlock()
	r.keeper.Die()
	r.machine.cause <- errors.New("the keeper has died")
	if err := <-r.served; err != nil {
		r.t.Log(err)
	}
	r.machine = &flaky{InProcess: r.machine.InProcess, cause: make(chan error, 1)}
	r.boot <- err
	r.serve(true)
}

// attach joins a session.
func (r *rig) attach(number uint32) *viewer {
	return r.join(wire.Join{Number: number}, wire.Size{Rows: 24, Cols: 80})
}

func (r *rig) join(j wire.Join, size wire.Size) *viewer {
	r.t.Helper()
	return r.view(wire.Start{Join: &j, Pty: &wire.Pty{Term: "xterm", Size: size}})
}

func (r *rig) bootMachine(ctx context.Context, progress func(wire.Notice)) (sandbox.Machine, wire.Peer, error) {
	progress(wire.Notice{Progress: true, Text: "booting"})
	select {
	case err := <-r.boot:
		if err != nil {
			return nil, wire.Peer{}, err
		}
	case <-ctx.Done():
		return nil, wire.Peer{}, context.Cause(ctx)
	}
	if r.other != nil {
		return r.other, r.other.peer, nil
	}
	peer, err := r.machine.Agent().Peer()
	return r.machine, peer, err
}

// Wait ends when the machine is killed, or dies of a cause of the test's.
func (f *flaky) Wait() error {
	gone := make(chan error, 1)
	go func() { gone <- f.InProcess.Wait() }()
	select {
	case err := <-f.cause:
		_ = f.Kill()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.left {
			return err
		}
		return errors.Join(err, <-gone)
	case err := <-gone:
		return err
	}
}

// viewer is a snug client of the keeper.
type viewer struct {
	conn    ssh.Conn
	session *wire.Session
	stalled chan struct{} // Output waits while it is open; nil: never
	accept  func(ssh.NewChannel)
	over    func(net.Conn) net.Conn // nil: the connection as it is

	mu      sync.Mutex
	out     [3]bytes.Buffer
	notices []string
	safe    uint64
	ready   chan struct{}
	ran     chan error
}

func (r *rig) view(start wire.Start) *viewer {
	r.t.Helper()
	v := &viewer{ready: make(chan struct{}), ran: make(chan error, 1)}
	v.dial(r)
	v.session = wire.NewSession(wire.NewID(), start, v)
	v.run(r)
	return v
}

func (v *viewer) dial(r *rig) {
	r.t.Helper()
	c, err := net.Dial("unix", r.socket)
	if err != nil {
		r.t.Fatal(err)
	}
	if v.over != nil {
		c = v.over(c)
	}
	key, err := ssh.NewPublicKey(r.key.Public())
	if err != nil {
		r.t.Fatal(err)
	}
	if v.conn, err = wire.Client(c, wire.Peer{HostKey: key, Accept: v.accept}); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = v.conn.Close() })
}

func (v *viewer) run(r *rig) {
	go func() { v.ran <- v.session.Run(v.conn) }()
	r.t.Cleanup(func() {
		_ = v.conn.Close()
		if err := <-v.ran; err != nil {
			r.t.Logf("the viewer was cut off: %v", err)
		}
	})
}

func (v *viewer) Flushed(uint64) {}

func (v *viewer) Output(s wire.Stream, p []byte) {
	if v.stalled != nil {
		<-v.stalled
	}
	v.mu.Lock()
	v.out[s].Write(p)
	n := v.out[s].Len()
	v.mu.Unlock()
	v.session.Ack(s, uint64(n))
}
func (v *viewer) Exited(wire.Exit) {}

func (v *viewer) EndOutput(wire.Stream) {}
func (v *viewer) InputSafe(offset uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.safe = offset
}

func (v *viewer) safeInput() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.safe
}

func (v *viewer) Ready() { close(v.ready) }
func (v *viewer) Notice(n wire.Notice) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.notices = append(v.notices, n.Text)
}

func (v *viewer) text(s wire.Stream) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.out[s].String()
}

// end waits for the session's end.
func (v *viewer) end(t *testing.T) (wire.Exit, error) {
	t.Helper()
	select {
	case <-v.session.Done():
	case <-time.After(patience):
		t.Fatalf("the session does not end; stdout %q", v.text(wire.Stdout))
	}
	return v.session.Result()
}

func (v *viewer) awaitText(t *testing.T, want string) {
	t.Helper()
	await(t, want, func() bool { return strings.Contains(v.text(wire.Stdout), want) })
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func sh(script string) wire.Start { return wire.Start{Args: []string{"sh", "-c", script}} }

func onPty(script string) wire.Start {
	s := sh(script)
	s.Pty = &wire.Pty{Term: "xterm", Size: wire.Size{Rows: 24, Cols: 80}}
	return s
}

func (r *rig) served1(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the keeper does not end")
	}
	if !r.cleaned.Load() {
		t.Error("the keeper left its folder behind")
	}
}

func TestProgramStartsAtTheSizeThatTheTerminalHasThen(t *testing.T) {
	r := newRig(t)
	v := r.view(onPty("stty size"))
	await(t, "progress", func() bool { v.mu.Lock(); defer v.mu.Unlock(); return len(v.notices) > 0 })
	v.session.Resize(wire.Size{Rows: 30, Cols: 100})
	v.session.Resize(wire.Size{Rows: 41, Cols: 137})
	await(t, "the size", func() bool { return r.keeper.Sessions()[0].Size == wire.Size{Rows: 41, Cols: 137} })
	r.boot <- nil
	if exit, err := v.end(t); err != nil || exit.Status != 0 {
		t.Fatalf("exit %+v, %v", exit, err)
	}
	if got := v.text(wire.Stdout); got != "41 137\r\n" {
		t.Errorf("first size %q", got)
	}
}

func TestPipesAreExactBothWays(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	v := r.view(sh("cat; echo err >&2; exit 42"))
	data := make([]byte, 3<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	if _, err := v.session.Write(data); err != nil {
		t.Fatal(err)
	}
	_ = v.session.CloseWrite()
	exit, err := v.end(t)
	if err != nil || exit.Status != 42 {
		t.Fatalf("exit %+v, %v", exit, err)
	}
	if v.text(wire.Stdout) != string(data) || v.text(wire.Stderr) != "err\n" {
		t.Errorf("%d bytes of %d came back, stderr %q", len(v.text(wire.Stdout)), len(data), v.text(wire.Stderr))
	}
}

func TestCutLinksLoseAndDoubleNothing(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	r.machine.cutEvery(200 << 10)
	v := r.view(sh("cat"))
	data := make([]byte, 2<<20)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(data)
	if _, err := v.session.Write(data); err != nil {
		t.Fatal(err)
	}
	_ = v.session.CloseWrite()
	if exit, err := v.end(t); err != nil || exit.Status != 0 {
		t.Fatalf("exit %+v, %v", exit, err)
	}
	if v.text(wire.Stdout) != string(data) {
		t.Errorf("%d bytes of %d came back, or others", len(v.text(wire.Stdout)), len(data))
	}
}

// A boot can fail before the viewer that it is for has attached to its session.
func TestFailureOfAFastBootReachesItsViewer(t *testing.T) {
	for range 300 { // each takes about a millisecond
		r := newRig(t)
		r.boot <- errors.New("no such machine")
		_, err := r.view(onPty("true")).end(t)
		if failure, ok := errors.AsType[*wire.Failure](err); !ok || failure.Status != 125 || failure.Message != "no such machine" {
			t.Fatalf("the viewer heard %v", err)
		}
	}
}

// Who does not want the program any more does not have to wait for its machine.
func TestASignalBeforeTheMachineIsThereEndsTheSession(t *testing.T) {
	for _, start := range []wire.Start{onPty("true"), sh("true")} {
		r := newRig(t)
		v := r.view(start)
		await(t, "progress", func() bool { v.mu.Lock(); defer v.mu.Unlock(); return len(v.notices) > 0 })
		v.session.Signal("WINCH") // ends nothing
		v.session.Signal("INT")
		_, err := v.end(t)
		if failure, ok := errors.AsType[*wire.Failure](err); !ok || failure.Status != 130 || failure.Message != "ended by SIGINT before the program started" {
			t.Errorf("the viewer heard %v", err)
		}
		r.served1(t)
	}
}

func TestMachineEndsWithItsLastSession(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	v := r.view(sh("exit 3"))
	if exit, _ := v.end(t); exit.Status != 3 {
		t.Errorf("exit %+v", exit)
	}
	r.served1(t)
}

func TestMachineEndsWithAStarterThatNeverStartedAnything(t *testing.T) {
	r := newRig(t)
	starter := &viewer{}
	starter.dial(r)
	_ = starter.conn.Close()
	r.served1(t)
}

// Whoever was let in finds the machine alive, however late the first session
// is, and whoever comes back to it when it is ending is told so.
func TestMachineLivesForAViewerThatHasNotBegun(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	late := &viewer{ready: make(chan struct{}), ran: make(chan error, 1)}
	late.dial(r)
	first := r.view(sh("exit 3"))
	if exit, _ := first.end(t); exit.Status != 3 {
		t.Errorf("exit %+v", exit)
	}
	_ = first.conn.Close()
	late.session = wire.NewSession(wire.NewID(), sh("exit 4"), late)
	late.run(r)
	if exit, err := late.end(t); exit.Status != 4 || err != nil {
		t.Errorf("exit %+v, %v", exit, err)
	}
	again := &viewer{ready: make(chan struct{})}
	again.session = wire.NewSession(wire.NewID(), sh("exit 5"), again)
	if again.session.Run(late.conn) == nil { // else it is cut off already
		exit, err := again.session.Result()
		var failure *wire.Failure
		if refused := errors.As(err, &failure) && failure.Status == 125; !refused && exit.Status != 5 {
			t.Errorf("a session of a machine that may be ending: exit %+v, %v", exit, err)
		}
	}
	_ = late.conn.Close()
	r.served1(t)
}

func TestSessionOnATerminalOutlivesItsViewer(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	folder := t.TempDir()
	start := onPty("echo up; while [ ! -e stop ]; do echo line; sleep 0.01; done; touch done")
	start.Dir = folder
	v := r.view(start)
	v.awaitText(t, "up")
	_ = v.conn.Close()
	other := start
	other.Args = []string{"sh", "-c", "touch stop"}
	if _, err := r.view(other).end(t); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of a program that nobody looks at", func() bool {
		_, err := os.Stat(filepath.Join(folder, "done"))
		return err == nil && r.keeper.Sessions()[0].Ended
	})
	late := r.attach(1)
	if _, err := late.end(t); err != nil {
		t.Fatal(err)
	}
	if text := late.text(wire.Stdout); !strings.Contains(text, "up") || !strings.Contains(text, "line") {
		t.Errorf("the last screen is %q", text)
	}
	r.served1(t)
}

func TestSessionOnPipesEndsWithItsViewer(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	v := r.view(sh("echo up; exec sleep 1000"))
	v.awaitText(t, "up")
	_ = v.conn.Close()
	r.served1(t)
}

func TestStalledViewerHasAtMostItsCredit(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	v := &viewer{ready: make(chan struct{}), ran: make(chan error, 1), stalled: make(chan struct{})}
	v.dial(r)
	v.session = wire.NewSession(wire.NewID(), onPty("stty raw; yes"), v)
	v.run(r)
	<-v.ready
	// Input stays live while output is blocked: ^C would reach the program,
	// a second session runs.
	if exit, err := r.view(sh("exit 7")).end(t); err != nil || exit.Status != 7 {
		t.Errorf("beside a stalled viewer: exit %+v, %v", exit, err)
	}
	v.session.Signal("TERM")
	close(v.stalled)
	exit, err := v.end(t)
	if err != nil || exit.Signal != "TERM" {
		t.Fatalf("exit %+v, %v", exit, err)
	}
	// What was on its way: the viewer's credit, what a view may be behind and
	// then a screen in place of more, the agent's buffer, and what the kernel's
	// terminal held.
	if n := len(v.text(wire.Stdout)); n > 2<<20 {
		t.Errorf("%d bytes came after the program's end was asked for", n)
	}
}

func TestFailureBeforeTheStartIs125(t *testing.T) {
	r := newRig(t)
	v := r.view(sh("true"))
	r.boot <- errors.New("no QEMU: install it")
	_, err := v.end(t)
	var failure *wire.Failure
	if !errors.As(err, &failure) || failure.Status != 125 || failure.Message != "no QEMU: install it" {
		t.Errorf("%#v", err)
	}
}

// Unless somebody ends it, the log of what it ran stays.
func TestLostMachineIs255WithItsCause(t *testing.T) {
	for _, lost := range []bool{true, false} {
		r := newRig(t)
		r.boot <- nil
		r.lost.Store(lost)
		v := r.view(onPty("echo up; sleep 1000"))
		v.awaitText(t, "up")
		r.machine.cause <- errors.New("kernel panic - not syncing")
		_, err := v.end(t)
		var failure *wire.Failure
		if !errors.As(err, &failure) || failure.Status != 255 || !strings.Contains(failure.Message, "kernel panic") {
			t.Errorf("%#v", err)
		}
		r.served1(t)
		if r.logged() != lost {
			t.Errorf("lost: %v, and there is a log: %v", lost, r.logged())
		}
	}
}

// What has ended before, or is dropped unseen, leaves none.
func TestALostMachineLeavesTheLogsOfWhatItEnded(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	r.lost.Store(true)
	before := r.view(onPty("echo up; read -r line"))
	before.awaitText(t, "up")
	_ = before.conn.Close()
	dropped := r.view(onPty("echo up; exec sleep 1000"))
	dropped.awaitText(t, "up")
	_ = dropped.conn.Close()
	seen := r.view(onPty("echo up; exec sleep 1000"))
	seen.awaitText(t, "up")
	look := r.look()
	if err := wire.Command(look.conn, wire.RequestKill, wire.Control{Session: 1, Signal: "KILL"}); err != nil {
		t.Fatal(err)
	}
	await(t, "the first one has ended", func() bool { return r.keeper.Sessions()[0].Ended })

	r.machine.cause <- errors.New("kernel panic - not syncing")
	if _, err := seen.end(t); err == nil {
		t.Error("the session ended as if by itself")
	}
	if _, err := r.attach(1).end(t); err != nil {
		t.Error(err)
	}
	if err := wire.Command(look.conn, wire.RequestForget, wire.Control{Session: 2}); err != nil {
		t.Error(err)
	}
	_ = look.conn.Close()
	r.served1(t)
	left, err := os.ReadDir(r.logs)
	if err != nil || len(left) != 1 || left[0].Name() != "3" {
		t.Errorf("the logs that stay: %v, %v", left, err)
	}
}

func TestForeignChannelsAreRefused(t *testing.T) {
	r := newRig(t)
	v := &viewer{}
	v.dial(r)
	for _, kind := range []string{"x11", "direct-tcpip", "direct-streamlocal@openssh.com", "forwarded-tcpip", "tun@openssh.com"} {
		if _, _, err := v.conn.OpenChannel(kind, nil); err == nil {
			t.Errorf("a channel %s to nowhere was opened", kind)
		}
	}
}

// cutEvery tears each link once it has carried so many bytes either way.
func (f *flaky) cutEvery(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = n
}

// through has each link go through another one.
func (f *flaky) through(over func(io.ReadWriteCloser) io.ReadWriteCloser) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = over
}

// Dial opens the link, which the last one gives way to.
func (f *flaky) Dial(ctx context.Context) (io.ReadWriteCloser, error) {
	link, err := f.InProcess.Dial(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.over != nil {
		return f.over(link), nil
	}
	if err != nil || f.cut == 0 {
		return link, err
	}
	return sandboxtest.NewCut(link, f.cut, f.cut), nil
}

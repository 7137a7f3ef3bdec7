package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/snugvm/snug/bridge"
	"github.com/snugvm/snug/internal/firewall"
	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/terminal"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// tidyPatience bounds how long a viewer without a terminal waits for the
// machine to be gone after its program.
const tidyPatience = 10 * time.Second

// hangUpPatience is how long a program may take to end after a hang-up.
const hangUpPatience = 2 * time.Second

// viewer is this process's view of one session. It implements wire.Handler
// and, with its session, bridge.Program.
type viewer struct {
	bridge *bridge.Bridge
	ward   *terminal.Ward    // nil without a guarded terminal
	sizes  *terminal.Watcher // nil without a terminal
	ctx    context.Context
	cancel context.CancelCauseFunc

	timeout time.Duration // after which the program is killed; 0 for never
	policy  firewall.Policy
	filters []*firewall.Filter

	session *wire.Session
	shown   [wire.Exited]uint64 // each element owned by its stream's goroutine
}

// newViewer prepares the terminal, if there is one, before anything else
// happens: from here on no signal and no resize is lost.
func (a *app) newViewer(pty, onTerminal bool, o viewOptions) (*viewer, error) {
	v := &viewer{policy: o.policy, timeout: o.timeout}
	stdio := bridge.Stdio{In: a.in, Out: a.out, Err: a.err, OutFilter: v.filter(a.out), ErrFilter: v.filter(a.err)}
	if o.noInput && !pty {
		stdio.In = strings.NewReader("")
	}
	if !pty || !onTerminal {
		v.ctx, v.cancel = context.WithCancelCause(context.Background())
		v.bridge = bridge.New(stdio)
		return v, nil
	}
	v.sizes = terminal.Watch(a.in)
	ward, err := terminal.NewWard(a.in, a.out)
	if err != nil {
		return nil, err
	}
	v.ward = ward
	v.ctx, v.cancel = context.WithCancelCause(ward.Context())
	v.bridge = bridge.NewTerminal(stdio, ward, v.sizes, o.escape)
	return v, nil
}

// filter returns what a program's output must pass on its way to f, where that
// is a terminal. Files and pipes get every byte as it is.
func (v *viewer) filter(f *os.File) bridge.Filter {
	if !terminal.IsTerminal(f) {
		return nil
	}
	filter := firewall.New(v.policy)
	v.filters = append(v.filters, filter)
	return filter
}

// view runs a program in a machine and returns its exit status, or why there is
// none.
func (a *app) view(v *viewer, k *kept, start wire.Start) (int, error) {
	defer k.close()
	v.session = wire.NewSession(wire.NewID(), start, v)
	carried := make(chan struct{})
	go func() { // ends with the session
		defer close(carried)
		a.carry(v, k)
	}()
	if v.ward == nil {
		stop := v.forwardSignals()
		defer stop()
	}
	expired := v.limit()
	if err := v.bridge.Run(v.ctx, program{v.session}); err != nil {
		a.endLine(v, errors.Is(err, bridge.ErrDetached))
		over := errors.Is(err, bridge.ErrEnded) || start.Join == nil && v.gaveUp(err)
		if over && v.endSession() {
			v.awaitDelivery(carried)
		}
		return v.left(err, k.machine.Name)
	}
	exit, err := v.session.Result()
	_, away := errors.AsType[*wire.Detached](err)
	a.endLine(v, away)
	v.awaitDelivery(carried)
	if v.ward == nil {
		k.leave()
	}
	if expired() {
		return statusTimeout, nil
	}
	return v.result(exit, err)
}

// awaitDelivery waits until the keeper knows that the session's end was seen: else
// it would keep it.
func (v *viewer) awaitDelivery(carried <-chan struct{}) {
	select {
	case <-carried:
	case <-time.After(tidyPatience):
	}
}

// gaveUp reports whether a viewer was ended because nobody wants the program any
// more, which has not started yet. A terminal that is gone says no such thing.
func (v *viewer) gaveUp(err error) bool {
	signalled, ok := errors.AsType[*terminal.SignalError](err)
	return ok && !v.started() && (v.ward == nil || signalled.Signal == unix.SIGINT)
}

// carry runs the session over the connection to one keeper after another.
func (a *app) carry(v *viewer, k *kept) {
	for v.session.Run(k.conn) != nil {
		next, err := a.reach(context.Background(), k.machine, rejoinPatience)
		if errors.Is(err, errEnded) {
			err = errors.New(keeperGone(k.machine))
		}
		if err != nil {
			v.session.Fail(&wire.Failure{Status: statusLost, Message: err.Error()})
			return
		}
		k.replace(next)
	}
}

// replace takes the place of a keeper that died.
func (k *kept) replace(next *kept) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.conn.Close()
	k.conn, k.keeper = next.conn, nil
}

func (k *kept) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.conn.Close()
}

// statusTimeout is what timeout(1), and the tools that have such a flag, end
// with.
const statusTimeout = 124

// limit kills the program once its time is up, and tells whether it was.
func (v *viewer) limit() (expired func() bool) {
	if v.timeout == 0 {
		return func() bool { return false }
	}
	t := time.AfterFunc(v.timeout, func() { v.session.Signal("KILL") })
	return func() bool { return !t.Stop() }
}

// result turns the session's end into an exit status.
func (v *viewer) result(exit wire.Exit, err error) (int, error) {
	if failure, ok := errors.AsType[*wire.Failure](err); ok {
		return int(failure.Status), failure
	}
	if away, ok := errors.AsType[*wire.Detached](err); ok {
		return 0, away
	}
	return int(exit.Status), err
}

// left is the end of a viewer that went before its program.
func (v *viewer) left(err error, machine string) (int, error) {
	switch {
	case errors.Is(err, bridge.ErrDetached):
		return 0, fmt.Errorf("detached: the session goes on; 'snug attach %s' comes back to it", machine)
	case errors.Is(err, bridge.ErrEnded):
		return statusLost, errors.New("the session was ended by the escape")
	}
	return signalStatus(err, statusLost), err
}

// signalStatus is the exit status of a viewer that a signal has ended, or another
// one if it was something else.
func signalStatus(err error, other int) int {
	if signalled, ok := errors.AsType[*terminal.SignalError](err); ok {
		if sig, ok := signalled.Signal.(unix.Signal); ok {
			return 128 + int(sig)
		}
	}
	return other
}

// errOnTerminal reports whether what goes to standard error is seen on a terminal.
func (v *viewer) errOnTerminal() bool { return v.ward != nil && v.ward.StderrIsTerminal() }

// endLine ends a line in which a program that goes on has left the cursor, for
// words to the person.
func (a *app) endLine(v *viewer, goesOn bool) {
	if v.ward != nil && goesOn {
		_, _ = fmt.Fprintln(a.err)
	}
}

// endSession hangs up on the program, and kills one that does not mind. It
// returns when the session has ended, since a signal is on its way only for as
// long as this process is there; or else, after a while, false.
func (v *viewer) endSession() (ended bool) {
	for _, signal := range []string{"HUP", "KILL"} {
		v.session.Signal(signal)
		select {
		case <-v.session.Done():
			return true
		case <-time.After(hangUpPatience):
		}
	}
	return false
}

// sayRefused tells what the program asked of the terminal in vain: a person may
// miss it, or wonder what the program is up to.
func (a *app) sayRefused(v *viewer) {
	for _, f := range v.filters {
		if refused := f.Refused(); refused != "" {
			_, _ = fmt.Fprintf(a.err, "snug: kept from the terminal by policy %s: %s\n", v.policy, refused)
		}
	}
}

// finish tells the guardian the status and the person the error.
func (v *viewer) finish(status int, err error) error {
	if v.ward != nil {
		if werr := v.ward.Done(status); err == nil {
			err = werr
		}
	}
	return &statusError{status, err}
}

// forwardSignals passes on to the program what asks this process to end, as a
// shell's own child would get it. A second one is taken by this process.
func (v *viewer) forwardSignals() (stop func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for sent := false; ; sent = true {
			select {
			case s := <-signals:
				sig, ok := s.(unix.Signal)
				if sent || !ok || !v.started() {
					v.cancel(&terminal.SignalError{Signal: s})
					return
				}
				v.session.Signal(unix.SignalName(sig)[len("SIG"):])
			case <-done:
				return
			}
		}
	})
	return func() {
		signal.Stop(signals)
		close(done)
		wg.Wait()
	}
}

// started reports whether there is a program to pass a signal on to.
func (v *viewer) started() bool { return v.bridge.Started() }

// Output shows output, and tells the keeper when it is shown.
func (v *viewer) Output(stream wire.Stream, p []byte) {
	var err error
	if stream == wire.Stderr {
		err = v.bridge.ErrOutput(p)
	} else {
		err = v.bridge.Output(p)
	}
	if err != nil {
		v.cancel(fmt.Errorf("write the program's output: %w", err))
		return
	}
	v.shown[stream] += uint64(len(p))
	v.session.Ack(stream, v.shown[stream])
}

// EndOutput has nothing to do: the process's own end closes its files.
func (v *viewer) EndOutput(wire.Stream) {}

// Flushed has nothing to do: a keeper sends no such thing.
func (v *viewer) Flushed(uint64) {}

// Exited has nothing to do: Result tells it.
func (v *viewer) Exited(wire.Exit) {}

// InputSafe has nothing to do: a viewer's input is in its session.
func (v *viewer) InputSafe(uint64) {}

// Ready says that the program runs.
func (v *viewer) Ready() { v.bridge.Ready() }

// Notice shows a line.
func (v *viewer) Notice(n wire.Notice) { v.bridge.Notice(n.Progress, n.Text) }

// program is a session as the bridge sees it.
type program struct{ *wire.Session }

func (p program) Resize(size terminal.Size) { p.Session.Resize(wire.Size(size)) }

// greetKeeper makes an SSH connection to a keeper of one to its socket. That can
// take a while: one that takes its machine over lets its viewers wait.
func greetKeeper(ctx context.Context, conn net.Conn, spec *machineSpec) (ssh.Conn, error) {
	key, err := ssh.NewPublicKey(spec.keeperKey().Public())
	if err != nil {
		return nil, fmt.Errorf("keeper's key: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	return wire.Client(conn, wire.Peer{HostKey: key})
}

// leave waits, where the machine ends with the session, until nothing is left of
// it: its keeper hangs up as the last thing that it does.
func (k *kept) leave() {
	// A keeper that is stuck is the next command's to reap.
	stuck := time.AfterFunc(tidyPatience, func() { _ = k.conn.Close() })
	ends, _, err := k.conn.SendRequest(wire.RequestLeave, true, nil)
	if err == nil && !ends {
		stuck.Stop()
		return
	}
	_ = k.conn.Wait() // without an answer it is over already: the keeper was quicker
	if !stuck.Stop() || k.keeper == nil {
		return
	}
	gone := make(chan struct{})
	go func() { // ends with the keeper, at the latest with this process
		_, _ = k.keeper.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-time.After(tidyPatience):
	}
}

// keeperGone says that the keeper died, in its last words if it has any.
func keeperGone(m state.Machine) string {
	words := "the keeper of " + m.Name + " died"
	if last := lastLine(m.KeeperLog()); last != "" {
		words += ": " + last
	}
	return words
}

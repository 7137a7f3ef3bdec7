package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// guardianEnv carries, from guardian to ward, the two descriptors of the ward and whether standard error, a pipe to the
// guardian, ends on a terminal: "REPORTS:LIFELINE:STDERR", decimal, the last 0 or 1.
const guardianEnv = "SNUG_GUARDIAN"

// StatusLost is the exit status of a viewer that ended without saying how its program ended, and of one whose guardian
// was killed.
const StatusLost = 255

// What a guardian says on the life-line, a byte each. Its end says that the guardian is dead.
const (
	lineRaw       = 'R' // raw mode is on
	lineFailed    = 'F' // raw mode could not be entered
	lineContinued = 'C' // the viewer was stopped; the terminal is the viewer's again
)

// ErrNoGuardian says that this process was not started by [Guard].
var ErrNoGuardian = errors.New("no guardian: this process was not started by one")

// SignalError is the cause of a ward's context: the first signal that asked the viewer to end.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string { return "ended by signal: " + e.Signal.String() }

// Ward is the viewer's side of the guard. Its methods may be called from any goroutine.
type Ward struct {
	ctx       context.Context
	cancel    context.CancelCauseFunc
	lifeline  *os.File
	answers   chan byte     // to Raw: lineRaw or lineFailed
	continued chan struct{} // capacity 1: a dirty flag
	signals   chan os.Signal
	stderrTTY bool
	lost      chan struct{} // closed when the guardian is dead
	release   chan struct{} // closed by Close
	joined    sync.WaitGroup

	mu      sync.Mutex
	reports *os.File
	term    restorer
}

// Guarded reports whether this process is the child of [Guard] and has yet to call [NewWard].
func Guarded() bool { return os.Getenv(guardianEnv) != "" }

// NewWard takes up the connection to the guardian that started this process; in and out are the terminal that it
// guards. From then on the first SIGINT, SIGTERM or SIGHUP cancels [Ward.Context] and later ones do nothing: ^C reaches
// a viewer twice, from the terminal and from the guardian. If the guardian is killed, the ward restores the terminal
// and ends the process with [StatusLost].
func NewWard(in, out *os.File) (*Ward, error) {
	reports, lifeline, stderrTTY, err := inherit()
	if err != nil {
		return nil, err
	}
	w := &Ward{
		lifeline:  lifeline,
		answers:   make(chan byte, 1),
		continued: make(chan struct{}, 1),
		signals:   make(chan os.Signal, 4),
		stderrTTY: stderrTTY,
		lost:      make(chan struct{}),
		release:   make(chan struct{}),
		reports:   reports,
		term:      restorer{in: in, out: out},
	}
	w.ctx, w.cancel = context.WithCancelCause(context.Background())
	// Without a handler, a write to the guardian's end of standard error would kill the viewer before it restores.
	signal.Notify(w.signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	if w.term.saved, err = GetState(in); err != nil {
		_ = w.Close()
		return nil, err
	}
	w.joined.Add(2)
	go w.listen()
	go w.catch()
	return w, nil
}

// inherit opens the descriptors named by the environment and keeps both from the viewer's own children, which would
// otherwise hold the guardian's pipes open.
func inherit() (reports, lifeline *os.File, stderrTTY bool, err error) {
	value, ok := os.LookupEnv(guardianEnv)
	if !ok || value == "" {
		return nil, nil, false, ErrNoGuardian
	}
	var reportsFD, lifelineFD, tty int
	if _, err := fmt.Sscanf(value, "%d:%d:%d", &reportsFD, &lifelineFD, &tty); err != nil || reportsFD < 3 || lifelineFD < 3 {
		return nil, nil, false, fmt.Errorf("%s=%q is not a guardian's; unset it and start again", guardianEnv, value)
	}
	if err := os.Unsetenv(guardianEnv); err != nil {
		return nil, nil, false, err
	}
	for _, fd := range []int{reportsFD, lifelineFD} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return nil, nil, false, fmt.Errorf("take over descriptor %d from the guardian: %w", fd, err)
		}
		// Only a non-blocking descriptor can be closed under a pending read.
		if err := unix.SetNonblock(fd, true); err != nil {
			return nil, nil, false, fmt.Errorf("take over descriptor %d from the guardian: %w", fd, err)
		}
	}
	return os.NewFile(uintptr(reportsFD), "reports"), os.NewFile(uintptr(lifelineFD), "life-line"), tty == 1, nil
}

// Context is cancelled by the first SIGINT, SIGTERM or SIGHUP, with a [*SignalError] as its cause.
func (w *Ward) Context() context.Context { return w.ctx }

// Continued delivers an event after the viewer was stopped and continued, when raw mode is on again: the terminal may
// have another size, and lacks every mode that the program had switched on.
func (w *Ward) Continued() <-chan struct{} { return w.continued }

// StderrIsTerminal reports whether what the viewer writes to standard error, a pipe, ends on a terminal.
func (w *Ward) StderrIsTerminal() bool { return w.stderrTTY }

// Raw has the guardian switch the terminal to raw mode and returns when that is done and all that was written to
// standard error before is on the terminal. Until the process ends or stops, standard error is held back.
func (w *Ward) Raw() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.term.raw() {
		return nil
	}
	w.term.assume(w.term.saved.raw()) // from the moment of asking on, the guardian may have done it, and be killed
	if err := w.send(report{kind: reportRaw}); err != nil {
		return err
	}
	select {
	case answer := <-w.answers:
		if answer != lineRaw {
			w.term.assume(nil)
			return errors.New("the terminal cannot be switched to raw mode; is it still there?")
		}
	case <-w.lost:
		return errors.New("the guardian died while it switched the terminal to raw mode")
	}
	if set, err := GetState(w.term.in); err == nil {
		w.term.assume(set)
	}
	return nil
}

// Undo tells the guardian the escape sequences that undo every mode that is switched on, instead of those told before.
// Call it before the output that switches them on is written. Equal undo bytes are not sent again.
func (w *Ward) Undo(undo []byte) error {
	if len(undo) > MaxUndo {
		return fmt.Errorf("undo sequence of %d bytes: the guardian keeps at most %d", len(undo), MaxUndo)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes.Equal(undo, w.term.undo) {
		return nil
	}
	w.term.undo = append(w.term.undo[:0], undo...)
	return w.send(report{kind: reportUndo, payload: undo})
}

// Done tells the final exit status, 0 to 255, which the guardian returns however the process ends after it.
func (w *Ward) Done(status int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.send(report{kind: reportStatus, payload: []byte{byte(status)}})
}

// Close gives up the guard's signals and joins its goroutines. A process that is about to end need not call it.
func (w *Ward) Close() error {
	signal.Stop(w.signals)
	close(w.release)
	w.cancel(context.Canceled)
	err := errors.Join(w.lifeline.Close(), w.reports.Close())
	w.joined.Wait()
	return err
}

func (w *Ward) send(r report) error {
	if _, err := w.reports.Write(r.append(nil)); err != nil {
		return fmt.Errorf("tell the guardian: %w", err)
	}
	return nil
}

// listen follows the life-line until its end.
func (w *Ward) listen() {
	defer w.joined.Done()
	var b [16]byte
	for {
		n, err := w.lifeline.Read(b[:])
		for _, c := range b[:n] {
			w.hear(c)
		}
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			w.orphaned()
		}
	}
}

func (w *Ward) hear(c byte) {
	switch c {
	case lineRaw, lineFailed:
		w.answers <- c
	case lineContinued:
		select {
		case w.continued <- struct{}{}:
		default:
		}
	}
}

// orphaned is the end of a viewer whose guardian was killed: nobody waits for it and nobody else restores. It exits
// here, and not by way of the caller, because a goroutine that goes on drawing would spoil what was just restored.
func (w *Ward) orphaned() {
	close(w.lost) // nobody waits any more for the guardian with the lock held
	w.mu.Lock()
	w.term.leave(true)
	os.Exit(StatusLost)
}

func (w *Ward) catch() {
	defer w.joined.Done()
	for {
		select {
		case s := <-w.signals:
			if s != unix.SIGPIPE {
				w.cancel(&SignalError{Signal: s})
			}
		case <-w.release:
			return
		}
	}
}

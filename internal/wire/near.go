package wire

import (
	"errors"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Credit is how many bytes of a session's output or input may be on their way
// without having been acknowledged: 128 KiB.
const Credit = 128 << 10

// chunk is how much one SSH packet carries.
const chunk = 32 << 10

// ErrForgotten means that the far side does not know a session which it had
// started: its program is gone, and is never started a second time.
var ErrForgotten = errors.New("the program is gone: its agent does not know it any more")

// errTorn means that a connection ended before its session did.
var errTorn = errors.New("connection lost")

// A Handler receives what comes from the far side of a session. Output of one
// stream is called in order, each byte once, and may block, which holds the
// program back; EndOutput follows the last of it. No other method may block.
type Handler interface {
	Output(s Stream, p []byte)
	EndOutput(s Stream)
	// Exited is told how the program ended, after all output and before the
	// far side is told that it may forget that. It may write to a disk.
	Exited(e Exit)
	InputSafe(offset uint64)
	// Flushed is told when nobody wants to see stdout before offset any more.
	Flushed(offset uint64)
	Ready()
	Notice(n Notice)
}

// Session is the near side of one program: from its start to its exit status,
// over one connection or several, one after another. A program is started at
// most once however often the connection is lost.
type Session struct {
	id      string
	start   Start
	handler Handler
	stdin   *Buffer

	mu       sync.Mutex
	size     Size
	box      *outbox // of the current connection, or nil
	pending  []string
	asked    bool            // a far side was asked to start the program
	seen     bool            // the far side has said that it has the session
	received [streams]uint64 // output that is never asked for again
	handed   [streams]uint64 // output that the handler has taken
	acked    [streams]uint64
	ends     [streams]*uint64 // where the far side said that output ends
	ended    [streams]bool    // the handler knows that it has all
	signal   exitSigPayload
	exit     *Exit
	failure  *Failure
	complete chan struct{}
	away     *Detached
	told     bool // the handler knows that the program runs
	adopted  bool // another process had the session before; where its input stands is not known yet
	// exitSafe is closed when the far side may forget the exit; nil is at once.
	exitSafe <-chan struct{}
	ending   bool // the handler is being told of the exit
}

// Detached says that a viewer was sent away, by another one or by a command: no
// failure, and the program goes on.
type Detached struct{ Message string }

func (d *Detached) Error() string { return d.Message }

// NewSession returns a session that is not yet connected. The id must be
// unguessable and never used before: the far side knows the session by it.
func NewSession(id string, start Start, h Handler) *Session {
	s := &Session{id: id, start: start, handler: h, stdin: NewBuffer(Credit), complete: make(chan struct{})}
	if start.Pty != nil {
		s.size = start.Pty.Size
		s.ended[Stderr] = true // a PTY has one output stream
	}
	return s
}

// AdoptSession returns a session that another process has started and has let
// go of, with output received up to the offsets. Its input goes on where the far
// side says: nothing may be written before the handler was told Ready.
func AdoptSession(id string, pty *Pty, stdout, stderr uint64, h Handler) *Session {
	s := NewSession(id, Start{Pty: pty}, h)
	s.asked, s.seen, s.adopted = true, true, true
	s.received[Stdout], s.received[Stderr] = stdout, stderr
	s.handed, s.acked = s.received, s.received
	if pty != nil {
		s.received[Stderr], s.handed[Stderr], s.acked[Stderr] = 0, 0, 0
	}
	return s
}

// ID returns the name by which the far side knows the session.
func (s *Session) ID() string { return s.id }

// Write sends input to the program. It waits while Credit bytes are under way
// and returns once all of p is held for delivery.
func (s *Session) Write(p []byte) (int, error) {
	if err := s.stdin.Append(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite ends the program's input.
func (s *Session) CloseWrite() error {
	s.stdin.End()
	return nil
}

// Resize tells the program's terminal its size. The latest call wins; an
// empty size is ignored.
func (s *Session) Resize(size Size) {
	if size.Empty() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size == size {
		return
	}
	s.size = size
	if s.box != nil {
		s.box.resize(size)
	}
}

// Size returns the latest size.
func (s *Session) Size() Size {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Signal sends a signal, named without SIG, to the program.
func (s *Session) Signal(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.box != nil {
		s.box.signal(name)
	} else if len(s.pending) < maxSignals {
		s.pending = append(s.pending, name)
	}
}

// Ack says that output before offset is safe at the near side.
func (s *Session) Ack(stream Stream, offset uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset <= s.acked[stream] {
		return
	}
	s.acked[stream] = offset
	if s.box != nil {
		s.box.ack(stream, offset)
	}
}

// Done is closed when the exit status is known and all output was handed on,
// or when the session has failed.
func (s *Session) Done() <-chan struct{} { return s.complete }

// Result returns how the program ended, after Done. The error is a *Failure
// if there was no program or the machine was lost.
func (s *Session) Result() (Exit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failure != nil:
		return Exit{}, s.failure
	case s.away != nil:
		return Exit{}, s.away
	case s.exit != nil:
		return *s.exit, nil
	}
	return Exit{}, errors.New("the session has not ended")
}

// Fail ends a session that cannot be continued. It does nothing to one that
// has ended.
func (s *Session) Fail(f *Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isComplete() {
		return
	}
	s.failure = f
	s.finish()
}

// Abandon ends a session whose program no far side was asked to start yet, and
// reports whether it was one.
func (s *Session) Abandon(f *Failure) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked || s.isComplete() {
		return false
	}
	s.failure = f
	s.finish()
	return true
}

// ask notes that a far side is asked to start the program, and reports whether it
// still is to be.
func (s *Session) ask() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = s.asked || !s.isComplete()
	return !s.isComplete()
}

// sentAway ends a viewer's session that goes on without it.
func (s *Session) sentAway(message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isComplete() {
		return
	}
	s.away = &Detached{message}
	s.finish()
}

// HoldExit has the far side keep the session, when it has ended, until safe is
// closed. It is called before Run.
func (s *Session) HoldExit(safe <-chan struct{}) { s.exitSafe = safe }

// Input returns the offset of the next byte of input.
func (s *Session) Input() uint64 {
	end, _ := s.stdin.Offset()
	return end
}

func (s *Session) isComplete() bool {
	select {
	case <-s.complete:
		return true
	default:
		return false
	}
}

// finish closes the session; the caller holds mu.
func (s *Session) finish() {
	s.stdin.Close()
	close(s.complete)
}

// forgetEnds drops where output ends: on each connection it is said anew, and a
// keeper that has taken over from another may need more bytes to show the same.
func (s *Session) forgetEnds() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends = [streams]*uint64{}
}

// deliver hands output to the handler. What comes after a stream's end, of a
// keeper that does not know that all was shown, is for nobody; but the keeper
// waits until it hears that it came.
func (s *Session) deliver(stream Stream, p []byte) {
	s.mu.Lock()
	if s.isComplete() {
		s.mu.Unlock()
		return
	}
	s.received[stream] += uint64(len(p))
	ended, received := s.ended[stream], s.received[stream]
	s.mu.Unlock()
	if ended {
		s.Ack(stream, received)
		return
	}
	s.handler.Output(stream, p)
	s.mu.Lock()
	s.handed[stream] += uint64(len(p))
	s.mu.Unlock()
	s.checkEnd(stream)
}

// outputEndsAt notes where the far side says that a stream ends. It ends once on
// a connection.
func (s *Session) outputEndsAt(stream Stream, offset uint64) error {
	s.mu.Lock()
	known := s.ends[stream]
	if offset < s.received[stream] || known != nil && *known != offset {
		s.mu.Unlock()
		return errMalformed
	}
	s.ends[stream] = &offset
	s.mu.Unlock()
	s.checkEnd(stream)
	return nil
}

// checkEnd reports a stream's end once all bytes before it were handed on.
func (s *Session) checkEnd(stream Stream) {
	s.mu.Lock()
	end := s.ends[stream]
	if end == nil || s.handed[stream] != *end || s.ended[stream] {
		s.mu.Unlock()
		return
	}
	s.ended[stream] = true
	s.mu.Unlock()
	s.handler.EndOutput(stream)
	s.checkComplete()
}

func (s *Session) checkComplete() {
	s.mu.Lock()
	exit := s.exit
	over := exit != nil && s.ended[Stdout] && s.ended[Stderr] && !s.ending && !s.isComplete()
	s.ending = s.ending || over
	s.mu.Unlock()
	if !over {
		return
	}
	s.handler.Exited(*exit)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isComplete() {
		s.finish()
	}
}

func (s *Session) handleExit(req *ssh.Request) error {
	s.mu.Lock()
	if req.Type == requestExitSignal {
		defer s.mu.Unlock()
		var p exitSigPayload
		if err := ssh.Unmarshal(req.Payload, &p); err != nil || len(p.Name) > maxName {
			return errMalformed
		}
		s.signal = p
		return nil
	}
	var p statusPayload
	err := ssh.Unmarshal(req.Payload, &p)
	if err == nil && s.exit == nil {
		s.exit = &Exit{Status: p.Status & 0xff, Signal: s.signal.Name, Core: s.signal.Core}
		if s.exit.Signal != "" && s.exit.Status == 0 {
			s.exit.Status = 255 // death by a signal is never a success, whatever a guest says
		}
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.checkComplete()
	return nil
}

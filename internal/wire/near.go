package wire

import (
	"errors"
	"fmt"
	"io"
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
	InputSafe(offset uint64)
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
}

// NewSession returns a session that is not yet connected. The id must be
// unguessable and never used before: the far side knows the session by it.
func NewSession(id string, start Start, h Handler) *Session {
	s := &Session{id: id, start: start, handler: h, stdin: NewBuffer(Credit), complete: make(chan struct{})}
	if start.Pty != nil {
		s.size = start.Pty.Size
		// A PTY has one output stream.
		s.ends[Stderr], s.ended[Stderr] = new(uint64), true
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

// Run carries the session over one connection. It returns nil when the
// session has ended, and an error when the connection was lost before that;
// the caller may then run it over another one. All that Run started has ended
// when it returns.
func (s *Session) Run(conn ssh.Conn) error {
	ch, reqs, err := conn.OpenChannel("session", nil)
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	r := &run{s: s, ch: ch, ready: make(chan uint64, 1)}
	return r.carry(reqs)
}

// run is a session on one connection.
type run struct {
	s     *Session
	ch    ssh.Channel
	box   *outbox
	ready chan uint64 // the far side's input offset, once
	wg    sync.WaitGroup
}

func (r *run) carry(reqs <-chan *ssh.Request) error {
	torn := make(chan struct{})
	go func() { // ends with the channel
		defer close(torn)
		r.receive(reqs)
	}()
	if err := r.open(); err != nil {
		_ = r.ch.Close()
		<-torn
		return err
	}
	r.copyOutput(Stdout, r.ch)
	r.copyOutput(Stderr, r.ch.Stderr())
	r.copyInput(torn)

	var err error
	select {
	case <-r.s.complete:
		r.acknowledgeExit()
	case <-torn:
		err = errTorn
	}
	_ = r.ch.Close()
	r.detach()
	<-torn
	r.wg.Wait()
	select {
	case <-r.s.complete: // the last of it came just before the tear
		err = nil
	default:
	}
	return err
}

// open asks for the session, and starts its program if the far side has never
// heard of it.
func (r *run) open() error {
	s := r.s
	s.mu.Lock()
	hello := sessionPayload{s.id, s.received[Stdout], s.received[Stderr]}
	seen := s.seen
	s.mu.Unlock()

	known, err := r.ch.SendRequest(requestSession, true, ssh.Marshal(hello))
	switch {
	case err != nil:
		return errTorn
	case !known && seen:
		s.Fail(&Failure{Status: 255, Message: ErrForgotten.Error()})
		return nil
	case known:
		r.attach(true)
		return nil
	}
	return r.start()
}

func (r *run) start() error {
	s := r.s
	for _, e := range s.start.Env {
		if _, err := r.ch.SendRequest(requestEnv, false, ssh.Marshal(envPayload(e))); err != nil {
			return errTorn
		}
	}
	if s.start.Pty != nil {
		if err := r.requestPty(); err != nil {
			return err
		}
	}
	name, payload, err := s.start.request()
	var failure *Failure
	if errors.As(err, &failure) {
		s.Fail(failure)
		return nil
	}
	// From here on the size goes out as a window-change.
	r.attach(false)
	ok, err := r.ch.SendRequest(name, true, payload)
	if err != nil {
		return errTorn
	}
	if !ok {
		s.Fail(&Failure{Status: 125, Message: "the machine refused to start the program"})
	}
	return nil
}

func (r *run) requestPty() error {
	s := r.s
	pty := *s.start.Pty
	s.mu.Lock()
	pty.Size = s.size
	s.mu.Unlock()
	if len(pty.Terminfo) > 0 && len(pty.Terminfo) <= maxTerminfo {
		payload := ssh.Marshal(terminfoPayload{string(pty.Terminfo)})
		if _, err := r.ch.SendRequest(requestTerminfo, false, payload); err != nil {
			return errTorn
		}
	}
	if _, err := r.ch.SendRequest(requestPty, false, marshalPty(&pty)); err != nil {
		return errTorn
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start.Pty = &pty // the size that the far side knows
	return nil
}

// request returns the channel request that starts the program.
func (s *Start) request() (name string, payload []byte, err error) {
	switch {
	case len(s.Args) > 0:
		payload, err = marshalStart(s.Dir, s.Args)
		return requestStart, payload, err
	case s.Command != "":
		return requestExec, ssh.Marshal(execPayload{s.Command}), nil
	}
	return requestShell, nil, nil
}

// attach gives the session an outbox on this connection and posts what the
// far side may not know.
func (r *run) attach(resumed bool) {
	s := r.s
	r.box = newOutbox()
	s.mu.Lock()
	s.box = r.box
	if s.start.Pty != nil && (resumed || s.size != s.start.Pty.Size) && !s.size.Empty() {
		r.box.resize(s.size)
	}
	for _, name := range s.pending {
		r.box.signal(name)
	}
	s.pending = nil
	for _, stream := range []Stream{Stdout, Stderr} {
		if s.acked[stream] > 0 {
			r.box.ack(stream, s.acked[stream])
		}
	}
	s.mu.Unlock()
	r.wg.Go(func() { r.box.run(r.ch) })
}

// detach takes the outbox away again.
func (r *run) detach() {
	s := r.s
	s.mu.Lock()
	if s.box == r.box {
		s.box = nil
	}
	s.mu.Unlock()
	if r.box != nil {
		r.box.close()
	}
}

// acknowledgeExit tells the far side that it may forget the session.
func (r *run) acknowledgeExit() {
	if r.box == nil {
		return
	}
	r.box.finish(func(ch sender) {
		payload := ssh.Marshal(offsetPayload{uint32(Exited), 1})
		_, _ = ch.SendRequest(requestAck, false, payload)
	})
	<-r.box.done
}

// copyOutput hands a stream to the handler until the channel ends.
func (r *run) copyOutput(stream Stream, from io.Reader) {
	r.wg.Go(func() {
		buf := make([]byte, chunk)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				r.s.deliver(stream, buf[:n])
			}
			if err != nil {
				return
			}
		}
	})
}

// deliver hands output to the handler.
func (s *Session) deliver(stream Stream, p []byte) {
	s.mu.Lock()
	if s.isComplete() || s.ended[stream] {
		s.mu.Unlock()
		return
	}
	s.received[stream] += uint64(len(p))
	s.mu.Unlock()
	s.handler.Output(stream, p)
	s.mu.Lock()
	s.handed[stream] += uint64(len(p))
	s.mu.Unlock()
	s.checkEnd(stream)
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
	defer s.mu.Unlock()
	if s.exit != nil && s.ended[Stdout] && s.ended[Stderr] && !s.isComplete() {
		s.finish()
	}
}

// copyInput sends input from where the far side has it.
func (r *run) copyInput(torn <-chan struct{}) {
	r.wg.Go(func() {
		var offset uint64
		select {
		case offset = <-r.ready:
		case <-torn:
			return
		case <-r.s.complete:
			return
		}
		in, err := r.s.stdin.Reader(offset, 0)
		if err != nil {
			r.s.Fail(&Failure{Status: 255, Message: "input cannot be continued: " + err.Error()})
			return
		}
		r.wg.Go(func() {
			<-torn
			in.Close()
		})
		if _, err := io.CopyBuffer(r.ch, in, make([]byte, chunk)); err == nil {
			r.box.end(Stdin, in.Next())
		}
	})
}

// receive handles the far side's requests. It never waits for anything but
// the next request.
func (r *run) receive(reqs <-chan *ssh.Request) {
	for req := range reqs {
		err := r.handle(req)
		if req.WantReply {
			_ = req.Reply(err == nil, nil)
		}
	}
}

func (r *run) handle(req *ssh.Request) error {
	s := r.s
	switch req.Type {
	case requestReady:
		var p readyPayload
		if err := ssh.Unmarshal(req.Payload, &p); err != nil {
			return err
		}
		return r.handleReady(p.Stdin)
	case requestAck:
		stream, offset, err := parseOffset(req.Payload)
		if err != nil || stream != Stdin {
			return errMalformed
		}
		if err := s.stdin.Release(offset); err != nil {
			return err
		}
		s.handler.InputSafe(offset)
	case requestEnd:
		stream, offset, err := parseOffset(req.Payload)
		if err != nil || (stream != Stdout && stream != Stderr) {
			return errMalformed
		}
		s.mu.Lock()
		s.ends[stream] = &offset
		s.mu.Unlock()
		s.checkEnd(stream)
	case requestExitSignal, requestExitStatus:
		return s.handleExit(req)
	case requestFailure:
		var p failurePayload
		if err := ssh.Unmarshal(req.Payload, &p); err != nil {
			return err
		}
		s.Fail(&Failure{Status: p.Status & 0xff, Message: clip(p.Message)})
	case requestNotice:
		var p noticePayload
		if err := ssh.Unmarshal(req.Payload, &p); err != nil {
			return err
		}
		s.handler.Notice(Notice{p.Progress, clip(p.Text)})
	default:
		return fmt.Errorf("unknown request %q", req.Type)
	}
	return nil
}

func (r *run) handleReady(stdin uint64) error {
	select {
	case r.ready <- stdin:
	default:
		return errMalformed // said twice
	}
	s := r.s
	s.mu.Lock()
	first := !s.seen
	s.seen = true
	s.mu.Unlock()
	if first {
		s.handler.Ready()
	}
	return nil
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
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.checkComplete()
	return nil
}

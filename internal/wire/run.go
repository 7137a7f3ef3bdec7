package wire

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Run carries the session over one connection. It returns nil when the
// session has ended, and an error when the connection was lost before that;
// the caller may then run it over another one. All that Run started has ended
// when it returns.
func (s *Session) Run(conn ssh.Conn) error {
	ch, reqs, err := conn.OpenChannel("session", nil)
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	s.forgetEnds()
	r := &run{s: s, ch: ch, ready: make(chan uint64, 1), running: make(chan struct{})}
	return r.carry(reqs)
}

// run is a session on one connection.
type run struct {
	s     *Session
	ch    ssh.Channel
	box   *outbox
	ready chan uint64 // the far side's input offset, once
	// running is closed once the far side has said so and the handler was told.
	running chan struct{}
	torn    chan struct{} // closed once all requests were handled that ever will be
	wg      sync.WaitGroup
}

func (r *run) carry(reqs <-chan *ssh.Request) error {
	r.torn = make(chan struct{})
	go func() { // ends with the channel
		defer close(r.torn)
		r.receive(reqs)
	}()
	if err := r.open(); err != nil {
		r.leave()
		return err
	}
	r.copyOutput(Stdout, r.ch)
	r.copyOutput(Stderr, r.ch.Stderr())
	r.copyInput()

	var err error
	select {
	case <-r.s.complete:
		err = r.settleExit()
	case <-r.torn:
		err = errTorn
	}
	r.leave()
	select {
	case <-r.s.complete: // the last of it came just before the tear
		if r.s.exitSafe == nil {
			err = nil
		}
	default:
	}
	return err
}

// leave ends what the session has on the connection.
func (r *run) leave() {
	_ = r.ch.Close()
	r.detach()
	<-r.torn
	r.wg.Wait()
}

// settleExit acknowledges the exit once it is safe.
func (r *run) settleExit() error {
	if r.s.exitSafe != nil {
		select {
		case <-r.s.exitSafe:
		case <-r.torn:
			return errTorn
		}
	}
	r.acknowledgeExit()
	return nil
}

// open asks for the session, and starts its program if the far side has never
// heard of it.
func (r *run) open() error {
	s := r.s
	s.mu.Lock()
	hello := sessionPayload{s.id, s.received[Stdout], s.received[Stderr]}
	seen := s.seen
	s.mu.Unlock()

	if s.start.Unseen {
		if _, err := r.ch.SendRequest(requestUnseen, false, nil); err != nil {
			return errTorn
		}
	}
	known, err := r.ch.SendRequest(requestSession, true, ssh.Marshal(hello))
	switch {
	case err != nil:
		return errTorn
	case !known && seen:
		s.Fail(&Failure{Status: 255, Message: ErrForgotten.Error()})
		return nil
	case known:
		r.attach(true)
		r.send()
		return nil
	}
	return r.start()
}

func (r *run) start() error {
	s := r.s
	name, payload, err := s.start.request()
	if failure, ok := errors.AsType[*Failure](err); ok {
		s.Fail(failure)
		return nil
	}
	for _, e := range s.start.Env {
		if _, err := r.ch.SendRequest(requestEnv, false, ssh.Marshal(envPayload(e))); err != nil {
			return errTorn
		}
	}
	if s.start.ForwardAgent {
		if _, err := r.ch.SendRequest(requestAgent, false, nil); err != nil {
			return errTorn
		}
	}
	if s.start.Pty != nil {
		if err := r.requestPty(); err != nil {
			return err
		}
	}
	if !s.ask() {
		return nil
	}
	// From here on the size goes out as a window-change, though not before
	// the start: nothing that concerns a program may come before it.
	r.attach(false)
	ok, err := r.ch.SendRequest(name, true, payload)
	if err != nil {
		return errTorn
	}
	r.send()
	switch {
	case ok:
	case s.start.Join != nil:
		s.Fail(&Failure{Status: 125, Message: fmt.Sprintf("there is no session %d on a terminal any more: 'snug ls' lists those that there are", s.start.Join.Number)})
	default:
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

// request returns the channel request that starts the program. What the far
// side would refuse is refused here: there it could cost the connection, and
// the next one as well.
func (s *Start) request() (name string, payload []byte, err error) {
	if err := s.checkEnv(); err != nil {
		return "", nil, err
	}
	switch {
	case s.Pty != nil && (len(s.Pty.Term) > maxName || len(s.Pty.Modes) > maxText):
		return "", nil, &Failure{Status: 125, Message: fmt.Sprintf("TERM has %d bytes, at most %d: set another", len(s.Pty.Term), maxName)}
	case len(s.Command) > maxStart:
		return "", nil, tooLong(len(s.Command))
	case s.Join != nil:
		j := *s.Join
		return requestAttach, ssh.Marshal(attachPayload{j.Number, j.ReadOnly, j.Steal, j.Scrollback}), nil
	case len(s.Args) > 0:
		payload, err = marshalStart(s.Dir, s.Args)
		return requestStart, payload, err
	case s.Subsystem != "":
		return requestSubsystem, ssh.Marshal(subsysPayload{s.Subsystem}), nil
	case s.Command != "":
		return requestExec, ssh.Marshal(execPayload{s.Command}), nil
	}
	return requestShell, nil, nil
}

func (s *Start) checkEnv() error {
	total := 0
	for _, e := range s.Env {
		n := len(e.Name) + len(e.Value)
		if n > maxEnvVar {
			return &Failure{Status: 126, Message: fmt.Sprintf("variable %.40s has %d bytes, at most %d", e.Name, n, maxEnvVar)}
		}
		total += n
	}
	if len(s.Env) > maxEnv || total > maxEnvBytes {
		return &Failure{Status: 126, Message: fmt.Sprintf(
			"environment too large: %d variables of %d bytes, at most %d of %d", len(s.Env), total, maxEnv, maxEnvBytes)}
	}
	return nil
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
}

// send begins to send what is in the outbox.
func (r *run) send() { r.wg.Go(func() { r.box.run(r.ch) }) }

// detach takes the outbox away again, and keeps for the next connection what
// was said only once and is still in it.
func (r *run) detach() {
	if r.box == nil {
		return
	}
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.box = nil
	s.pending = r.box.close()
}

// acknowledgeExit tells the far side that it may forget the session, and
// returns when it has.
func (r *run) acknowledgeExit() {
	if r.box == nil {
		return
	}
	r.box.finish(func(ch sender) {
		payload := ssh.Marshal(offsetPayload{uint32(Exited), 1})
		_, _ = ch.SendRequest(requestAck, true, payload)
	})
	<-r.box.done
}

// copyOutput hands a stream to the handler until the channel ends.
//
// It takes nothing before the handler knows that the program runs. A viewer
// shows nothing before that either, so a connection that was lost in between
// would leave it with output that it holds until the next connection tells it,
// which begins only once this one's output has been handed on.
func (r *run) copyOutput(stream Stream, from io.Reader) {
	r.wg.Go(func() {
		if !r.awaitRunning() {
			return
		}
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

// awaitRunning waits until the far side has said on this connection that the
// program runs, and reports whether it ever will have.
func (r *run) awaitRunning() bool {
	select {
	case <-r.running:
		return true
	case <-r.torn:
	}
	select {
	case <-r.running: // just before the tear
		return true
	default:
		return false
	}
}

// copyInput sends input from where the far side has it.
func (r *run) copyInput() {
	r.wg.Go(func() {
		var offset uint64
		select {
		case offset = <-r.ready:
		case <-r.torn:
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
			<-r.torn
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
		return r.handleReady(p.Offset)
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
		return s.outputEndsAt(stream, offset)
	case requestExitSignal, requestExitStatus:
		return s.handleExit(req)
	case requestFailure:
		var p failurePayload
		if err := ssh.Unmarshal(req.Payload, &p); err != nil {
			return err
		}
		s.Fail(&Failure{Status: p.Status & 0xff, Message: clip(p.Message)})
	case requestFlush:
		var p readyPayload
		if err := ssh.Unmarshal(req.Payload, &p); err != nil {
			return err
		}
		s.handler.Flushed(p.Offset)
	case requestDetached:
		var p detachedPayload
		if err := ssh.Unmarshal(req.Payload, &p); err != nil {
			return err
		}
		s.sentAway(clip(p.Message))
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
	s := r.s
	s.mu.Lock()
	first := !s.told
	s.seen, s.told = true, true
	if s.adopted {
		s.adopted = false
		s.stdin.begin(stdin)
	}
	s.mu.Unlock()
	select {
	case r.ready <- stdin:
	default:
		return errMalformed // said twice
	}
	if first {
		s.handler.Ready()
	}
	close(r.running)
	return nil
}

package wire

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Attachment is the far side's end of one session on one connection: where a
// program's news and output go. Its methods never block.
type Attachment struct {
	host Host
	ch   ssh.Channel
	box  *outbox
	wg   sync.WaitGroup
	gone chan struct{} // closed when the near side has left

	// Owned by the goroutine that serves requests.
	id       string
	snug     bool // the near side speaks the extension
	unseen   bool // the near side has no terminal
	from     sessionPayload
	start    Start
	envBytes int
	terminfo []byte
	program  Program

	mu      sync.Mutex
	readers [streams]OutputReader
	exit    *Exit
	failure *Failure
	loss    *Failure  // told after all output
	away    *Detached // it was sent away
	over    bool      // the program has ended, or never ran
	pumping int
	ending  bool
	input   uint64  // offset of the next byte of input
	inputTo *uint64 // where the near side said that input ends
}

func serveSession(ch ssh.Channel, reqs <-chan *ssh.Request, host Host) {
	a := &Attachment{host: host, ch: ch, box: newOutbox(), id: NewID(), gone: make(chan struct{})}
	sending := false
	for req := range reqs {
		err := a.handle(req)
		if req.WantReply {
			_ = req.Reply(err == nil, nil)
		}
		if a.program != nil && !sending {
			// Not before the answer to the start: the end of a short session
			// closes the channel, and a client waits for that answer first.
			sending = true
			a.wg.Go(func() { a.box.run(ch) })
		}
	}
	close(a.gone)
	if a.program != nil {
		a.program.Detach(a)
	}
	a.box.close()
	a.closeReaders()
	_ = ch.Close()
	a.wg.Wait()
	if p, ok := a.program.(leaver); ok {
		p.Left(a)
	}
}

// leaver is a program that wants to know when an attachment's last input was
// passed on, which can be long after Detach: input waits for a program that
// does not read.
type leaver interface{ Left(a *Attachment) }

// Persistent says whether the near side can come back and resume: it speaks
// the extension.
func (a *Attachment) Persistent() bool { return a.snug }

// Seen says whether what the near side shows reaches a terminal, which then
// answers what the program asks.
func (a *Attachment) Seen() bool { return !a.unseen }

// Joined says how the near side joined a session that was there; nil if it
// asked for a program.
func (a *Attachment) Joined() *Join { return a.start.Join }

// Size is that of the near side's terminal, where it has said so before it
// asked for the session; else it is empty.
func (a *Attachment) Size() Size {
	if a.start.Pty == nil {
		return Size{}
	}
	return a.start.Pty.Size
}

// Credit is how many bytes of a stream may be on their way to the near side; 0
// is any number, for one that does not tell what it has.
func (a *Attachment) Credit() int {
	if a.snug {
		return Credit
	}
	return 0
}

// From returns the output that the near side said it has.
func (a *Attachment) From() (stdout, stderr uint64) { return a.from.Stdout, a.from.Stderr }

// ID returns the session's name.
func (a *Attachment) ID() string { return a.id }

// Gone is closed when the near side has left.
func (a *Attachment) Gone() <-chan struct{} { return a.gone }

// Notice shows a line to the person at the near side.
func (a *Attachment) Notice(n Notice) {
	if a.snug {
		a.box.notice(n)
	}
}

// Ready says that the program runs and has input up to the offset.
func (a *Attachment) Ready(stdin uint64) {
	a.mu.Lock()
	a.input = stdin
	a.mu.Unlock()
	if a.snug {
		a.box.sendReady(stdin)
	}
}

// Flushed says that the program's terminal threw output away that followed an
// offset of stdout, so that nobody wants to see what is before it any more.
func (a *Attachment) Flushed(offset uint64) {
	if a.snug {
		a.box.sendFlush(offset)
	}
}

// InputSafe acknowledges input.
func (a *Attachment) InputSafe(offset uint64) {
	if a.snug {
		a.box.ack(Stdin, offset)
	}
}

// Exit says how the program ended. It reaches the near side after all output.
func (a *Attachment) Exit(e Exit) {
	a.mu.Lock()
	a.exit, a.over = &e, true
	a.mu.Unlock()
	a.maybeFinish()
}

// Fail says that there is no program, or no longer.
func (a *Attachment) Fail(f *Failure) {
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	a.refuse(f)
}

// SendAway ends the attachment for a reason that is nobody's failure.
func (a *Attachment) SendAway(why string) {
	a.mu.Lock()
	a.away = &Detached{why}
	a.mu.Unlock()
	a.maybeFinish()
}

// Lose says that there is no program any more, once all output was sent.
func (a *Attachment) Lose(f *Failure) {
	a.mu.Lock()
	a.loss, a.over = f, true
	a.mu.Unlock()
	a.maybeFinish()
}

// refuse ends the attachment, whatever becomes of its program.
func (a *Attachment) refuse(f *Failure) {
	a.mu.Lock()
	a.failure = f
	a.mu.Unlock()
	a.maybeFinish()
}

// handle serves one request. It waits for no program and no viewer.
func (a *Attachment) handle(req *ssh.Request) error {
	switch req.Type {
	case requestUnseen, requestSession, requestEnv, requestTerminfo, requestPty, requestStart, requestExec, requestShell, requestAttach, requestSubsystem, requestAgent:
		if a.program != nil {
			return errors.New("the session has its program")
		}
		return a.handleSetup(req)
	case requestWindowChange:
		return a.handleResize(req.Payload)
	case requestSignal:
		var p signalPayload
		if err := ssh.Unmarshal(req.Payload, &p); err != nil || len(p.Name) > maxName || a.program == nil {
			return errMalformed
		}
		a.program.Signal(p.Name)
	case requestAck:
		return a.handleAck(req.Payload)
	case requestEnd:
		// The bytes before the end may still be on their way in the
		// channel's data, which is another queue.
		stream, offset, err := parseOffset(req.Payload)
		if err != nil || stream != Stdin || a.program == nil {
			return errMalformed
		}
		return a.inputEndsAt(offset)
	default:
		return fmt.Errorf("unknown request %q", req.Type)
	}
	return nil
}

func (a *Attachment) handleResize(payload []byte) error {
	size, err := parseWindow(payload)
	switch {
	case err != nil:
		return err
	case size.Empty():
		return nil
	case a.program != nil:
		a.program.Resize(a, size)
	case a.start.Pty != nil: // the last size wins, before the start as well
		a.start.Pty.Size = size
	default:
		return errMalformed
	}
	return nil
}

func (a *Attachment) handleEnv(payload []byte) error {
	var p envPayload
	if err := ssh.Unmarshal(payload, &p); err != nil {
		return err
	}
	n := len(p.Name) + len(p.Value)
	if n > maxEnvVar || len(a.start.Env) >= maxEnv || a.envBytes+n > maxEnvBytes {
		return errors.New("too many variables")
	}
	a.envBytes += n
	a.start.Env = append(a.start.Env, Env(p))
	return nil
}

func (a *Attachment) handleSetup(req *ssh.Request) error {
	switch req.Type {
	case requestUnseen:
		a.unseen = true
	case requestSession:
		return a.handleSession(req.Payload)
	case requestEnv:
		return a.handleEnv(req.Payload)
	case requestTerminfo:
		var p terminfoPayload
		if err := ssh.Unmarshal(req.Payload, &p); err != nil {
			return err
		}
		if len(p.Entry) > maxTerminfo {
			return errMalformed
		}
		a.terminfo = []byte(p.Entry)
	case requestPty:
		pty, err := parsePty(req.Payload)
		if err != nil {
			return err
		}
		a.start.Pty = pty
	case requestStart:
		dir, args, err := parseStart(req.Payload)
		if err != nil {
			return err
		}
		a.start.Dir, a.start.Args = dir, args
		a.begin()
	case requestExec:
		var p execPayload
		if err := ssh.Unmarshal(req.Payload, &p); err != nil || len(p.Command) > maxStart {
			return errMalformed
		}
		a.start.Command = p.Command
		a.begin()
	case requestShell:
		a.begin()
	case requestAttach:
		return a.handleAttach(req.Payload)
	case requestAgent:
		a.start.ForwardAgent = true
	case requestSubsystem:
		return a.handleSubsystem(req.Payload)
	}
	return nil
}

// handleAttach joins a session that is there.
func (a *Attachment) handleAttach(payload []byte) error {
	var p attachPayload
	if err := ssh.Unmarshal(payload, &p); err != nil {
		return err
	}
	if !a.snug || a.start.Pty == nil {
		return errMalformed
	}
	a.start.Join = &Join{Number: p.Session, ReadOnly: p.ReadOnly, Steal: p.Steal, Scrollback: p.Scrollback}
	program := a.host.Join(a.id, *a.start.Join)
	if program == nil {
		return errors.New("unknown session")
	}
	a.attach(program)
	return nil
}

// handleSession is the first request of a near side that speaks the
// extension. It succeeds if the session is known.
func (a *Attachment) handleSession(payload []byte) error {
	var p sessionPayload
	if err := ssh.Unmarshal(payload, &p); err != nil {
		return err
	}
	if len(p.ID) < 16 || len(p.ID) > maxName {
		return errMalformed
	}
	a.id, a.snug, a.from = p.ID, true, p
	program := a.host.Find(p.ID)
	if program == nil {
		return errors.New("unknown session")
	}
	a.attach(program)
	return nil
}

// begin starts the program.
func (a *Attachment) begin() {
	if a.start.Pty != nil {
		a.start.Pty.Terminfo = a.terminfo
	}
	a.attach(a.host.Start(a.id, a.start))
}

func (a *Attachment) handleAck(payload []byte) error {
	stream, offset, err := parseOffset(payload)
	if err != nil || a.program == nil || stream == Stdin {
		return errMalformed
	}
	if stream != Exited {
		a.mu.Lock()
		r := a.readers[stream]
		a.mu.Unlock()
		if r == nil {
			return errMalformed
		}
		if err := r.Ack(offset); err != nil {
			return err
		}
	} else if offset != 1 || !a.hasEnded() {
		// Whoever forgets a program that runs could start it again.
		return errMalformed
	}
	a.program.Safe(a, stream, offset)
	return nil
}

func (a *Attachment) hasEnded() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over
}

// attach joins the program: its output from where the near side has it, its
// news, and its input.
func (a *Attachment) attach(p Program) {
	a.program = p
	// No exit is told before it is known which streams there are: the first of
	// them may have ended before the second is asked for.
	a.mu.Lock()
	a.pumping++
	a.mu.Unlock()
	a.pump(Stdout, a.ch, a.from.Stdout)
	a.pump(Stderr, a.ch.Stderr(), a.from.Stderr)
	p.Attach(a)
	a.pumped()
	a.wg.Go(a.copyInput)
}

// pumped takes note that one of those is done which the exit waits for.
func (a *Attachment) pumped() {
	a.mu.Lock()
	a.pumping--
	a.mu.Unlock()
	a.maybeFinish()
}

// pump sends a stream's output.
func (a *Attachment) pump(s Stream, to io.Writer, from uint64) {
	r, err := a.program.Output(a, s, from)
	if r == nil && err == nil {
		return
	}
	if err != nil {
		a.refuse(&Failure{Status: 255, Message: "output cannot be continued: " + err.Error()})
		return
	}
	a.mu.Lock()
	a.readers[s] = r
	a.pumping++
	a.mu.Unlock()
	a.wg.Go(func() {
		if !a.copyOutput(s, to, r) {
			return
		}
		if a.snug {
			a.box.end(s, r.Next())
		}
		a.pumped()
	})
}

// copyOutput sends until the stream's end, and reports whether it got there.
func (a *Attachment) copyOutput(s Stream, to io.Writer, r OutputReader) bool {
	buf := make([]byte, chunk)
	for {
		n, err := r.Read(buf)
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return false
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return false
		}
		if !a.snug {
			// A stock client says no more than that it made room.
			_ = r.Ack(r.Next())
			a.program.Safe(a, s, r.Next())
		}
	}
}

// copyInput takes the near side's input. A stock client ends it by the
// channel's EOF, which a lost connection looks like too; then its viewer is
// gone, and Detach says so.
func (a *Attachment) copyInput() {
	buf := make([]byte, chunk)
	for {
		n, err := a.ch.Read(buf)
		if n > 0 {
			if a.program.Input(a, buf[:n]) != nil {
				// The program takes no more. Its peer need not know; the
				// channel must still be emptied.
				_, _ = io.Copy(io.Discard, a.ch)
				return
			}
			a.countInput(uint64(n))
		}
		if err != nil {
			if !a.snug {
				a.program.EndInput(a)
			}
			return
		}
	}
}

// countInput and inputEndsAt find the end of input, which a request and the
// channel's data, two queues, tell of together.
func (a *Attachment) countInput(n uint64) {
	a.mu.Lock()
	a.input += n
	a.mu.Unlock()
	a.checkInputEnd()
}

func (a *Attachment) inputEndsAt(offset uint64) error {
	a.mu.Lock()
	if offset < a.input {
		a.mu.Unlock()
		return errMalformed
	}
	a.inputTo = &offset
	a.mu.Unlock()
	a.checkInputEnd()
	return nil
}

func (a *Attachment) checkInputEnd() {
	a.mu.Lock()
	end := a.inputTo != nil && *a.inputTo == a.input
	if end {
		a.inputTo = nil
	}
	a.mu.Unlock()
	if end {
		a.program.EndInput(a)
	}
}

// closeReaders ends the pumps.
func (a *Attachment) closeReaders() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.readers {
		if r != nil {
			r.Close()
		}
	}
}

// maybeFinish sends the exit once all output is sent, as the last request.
func (a *Attachment) maybeFinish() {
	a.mu.Lock()
	exit, failure, away := a.exit, a.failure, a.away
	if failure == nil && away == nil && a.loss != nil && a.pumping == 0 {
		failure = a.loss
	}
	finish := !a.ending && (failure != nil || away != nil || exit != nil && a.pumping == 0)
	a.ending = a.ending || finish
	a.mu.Unlock()
	if !finish {
		return
	}
	a.box.finish(func(ch sender) {
		switch {
		case failure != nil:
			a.sendFailure(ch, failure)
		case away != nil:
			a.sendAway(ch, away)
		default:
			sendExit(ch, exit)
		}
		a.mu.Lock()
		silent := a.pumping == 0
		a.mu.Unlock()
		if silent { // CloseWrite and Write must not meet
			_ = a.ch.CloseWrite()
		}
		if !a.snug {
			_ = a.ch.Close()
		}
	})
}

func sendExit(ch sender, e *Exit) {
	if e.Signal != "" {
		_, _ = ch.SendRequest(requestExitSignal, false, ssh.Marshal(exitSigPayload{Name: e.Signal, Core: e.Core}))
	}
	// OpenSSH ignores exit-signal, so the status follows in any case.
	_, _ = ch.SendRequest(requestExitStatus, false, ssh.Marshal(statusPayload{e.Status}))
}

func (a *Attachment) sendFailure(ch sender, f *Failure) {
	if a.snug {
		_, _ = ch.SendRequest(requestFailure, false, ssh.Marshal(failurePayload{f.Status, f.Message}))
		return
	}
	_, _ = io.WriteString(a.ch.Stderr(), "snug: "+f.Message+"\r\n")
	sendExit(ch, &Exit{Status: f.Status})
}

func (a *Attachment) sendAway(ch sender, d *Detached) {
	if a.snug {
		_, _ = ch.SendRequest(requestDetached, false, ssh.Marshal(detachedPayload{d.Message}))
		return
	}
	// A stock client knows no other end than the program's.
	a.sendFailure(ch, &Failure{Status: 255, Message: d.Message})
}

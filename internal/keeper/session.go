package keeper

import (
	"errors"
	"sync"
	"time"

	"github.com/snugvm/snug/internal/wire"
)

// held is how much output the keeper holds that a viewer has not taken. With
// what the agent holds it bounds how much stale output follows a ^C.
const held = 2 * wire.Credit

// session is one program: near side to the agent, far side to its viewers.
// It implements wire.Program, and by agentSide wire.Handler.
type session struct {
	keeper *Keeper
	id     string
	number uint32 // by which people call it
	// program is the command line, for people.
	program string
	pty     bool
	near    *wire.Session
	out     *wire.Buffer
	err     *wire.Buffer // nil on a PTY
	follow  *follower    // nil on pipes

	typing sync.Mutex // held across one viewer's input; taken before mu

	mu      sync.Mutex
	viewers map[*wire.Attachment]*viewer
	input   []span
	safe    uint64 // input that the agent has written to the program
	seen    uint64 // output that the screen has seen
	marks   []mark // sizes that the screen has not taken yet
	turns   turns
	title   string
	active  time.Time // when the program last printed, or was typed at
	notice  wire.Notice
	met     bool // the viewer that asked for the session has attached
	ready   bool
	ended   bool
	exit    wire.Exit
	failure *wire.Failure
}

// viewer is what a session knows of one of its viewers.
type viewer struct {
	shown [wire.Exited]uint64 // output that the viewer has, by stream
	typed uint64              // input of the viewer that is safe
}

// span is a run of input that one viewer typed, and where it ends in the
// session's input.
type span struct {
	from *wire.Attachment
	n    uint64
	end  uint64
}

func newSession(k *Keeper, id string, start wire.Start, n wire.Notice) *session {
	s := &session{
		keeper: k, id: id, program: programOf(start), pty: start.Pty != nil, notice: n,
		out:     wire.NewBuffer(held),
		viewers: make(map[*wire.Attachment]*viewer),
		turns:   newTurns(), active: time.Now(),
	}
	if s.pty {
		s.follow = newFollower(s, start.Pty.Size)
	} else {
		s.err = wire.NewBuffer(held)
	}
	s.near = wire.NewSession(id, start, agentSide{s})
	return s
}

// carry runs the session over one connection after another until it ends.
func (s *session) carry() {
	var wg sync.WaitGroup
	defer wg.Wait()
	if s.pty {
		wg.Go(s.follow.run) // ends with the output, which s.end ends at the latest
		wg.Go(s.answer)     // ends with the session
	}
	for conn, err := s.keeper.link.next(nil); ; conn, err = s.keeper.link.next(conn) {
		if err != nil {
			s.near.Fail(s.lost(err))
			break
		}
		if s.near.Run(conn) == nil {
			break
		}
		// Whatever went wrong with one session's channel, the way to be sure
		// of the link's state is a new connection; sessions resume on it.
		_ = conn.Close()
	}
	<-s.near.Done()
	s.end()
}

// lost is the end of a session whose machine is gone, or never came.
func (s *session) lost(err error) *wire.Failure {
	failure := wire.Failure{Status: 255, Message: err.Error()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ready {
		failure.Status = 125 // snug failed before the program started
	}
	return &failure
}

// end tells the viewers how the program ended. Without a viewer there is nobody
// to deliver to, unless the one that asked for the session is just about to
// attach: then it is told that it has ended.
func (s *session) end() {
	exit, err := s.near.Result()
	s.mu.Lock()
	s.ended = true
	if err != nil {
		s.failure = &wire.Failure{Status: 255, Message: err.Error()}
		errors.As(err, &s.failure)
		s.closeOutput()
	}
	s.exit = exit
	for a := range s.viewers {
		s.tellEnd(a)
	}
	alone := len(s.viewers) == 0 && s.met
	s.mu.Unlock()
	if alone {
		s.keeper.forget(s.id)
	}
}

func (s *session) tellEnd(a *wire.Attachment) {
	if s.failure != nil {
		a.Fail(s.failure)
		return
	}
	a.Exit(s.exit)
}

func (s *session) closeOutput() {
	s.out.End()
	if s.err != nil {
		s.err.End()
	}
}

// agentSide is the session as its agent's handler.
type agentSide struct{ *session }

// Output keeps what the program wrote.
func (a agentSide) Output(stream wire.Stream, p []byte) { a.keep(stream, p) }

// Output returns a stream of what is kept.
func (s *session) Output(stream wire.Stream) *wire.Buffer {
	switch stream {
	case wire.Stdout:
		return s.out
	case wire.Stderr:
		return s.err
	}
	return nil
}

// keep holds output for the viewers, and waits for one that lags.
func (s *session) keep(stream wire.Stream, p []byte) {
	b := s.Output(stream)
	if b == nil || b.Append(p) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = time.Now()
	s.releaseSafe(stream)
}

// Attach adds a viewer and tells it the news so far.
func (s *session) Attach(a *wire.Attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.viewers[a] = &viewer{}
	s.met = true
	if s.pty && a.Seen() {
		s.turns.lookers[a] = s.viewers[a]
	}
	switch {
	case s.ended:
		if s.failure == nil {
			a.Ready(0)
		}
		s.tellEnd(a)
	case s.ready:
		a.Ready(0)
	case s.notice.Text != "":
		a.Notice(s.notice)
	}
}

// Detach removes a viewer. A program on a PTY goes on without one, and its
// output is not held back for nobody. A program on pipes has lost the ends of
// them, and is told so.
func (s *session) Detach(a *wire.Attachment) {
	s.mu.Lock()
	delete(s.viewers, a)
	alone := len(s.viewers) == 0
	over := alone && (s.ended || !s.pty)
	s.releaseSafe(wire.Stdout)
	s.releaseSafe(wire.Stderr)
	s.mu.Unlock()
	if !over {
		return
	}
	if !s.pty {
		_ = s.near.CloseWrite()
		s.near.Signal("HUP")
	}
	s.keeper.forget(s.id)
}

// releaseSafe gives up output that all viewers have shown and the screen has
// seen, and says to the agent that it is safe. The caller holds mu.
func (s *session) releaseSafe(stream wire.Stream) {
	b := s.Output(stream)
	if b == nil {
		return
	}
	offset, _ := b.Offset()
	if s.pty {
		offset = s.seen
	}
	for _, v := range s.viewers {
		offset = min(offset, v.shown[stream])
	}
	if b.Release(offset) == nil {
		s.near.Ack(stream, offset)
	}
}

// Safe is called when a viewer has shown output.
func (s *session) Safe(a *wire.Attachment, stream wire.Stream, offset uint64) {
	if stream == wire.Exited {
		s.Detach(a) // the viewer has seen all there was
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.viewers[a]; v != nil {
		v.shown[stream] = offset
		s.releaseSafe(stream)
	}
}

// Input passes a viewer's input on. Runs of input reach the program in the
// order in which their viewers are remembered.
func (s *session) Input(a *wire.Attachment, p []byte) error {
	s.typing.Lock()
	defer s.typing.Unlock()
	s.mu.Lock()
	end := uint64(len(p))
	if n := len(s.input); n > 0 {
		end += s.input[n-1].end
	} else {
		end += s.safe
	}
	s.input = append(s.input, span{a, uint64(len(p)), end})
	s.active = time.Now()
	if a != nil {
		s.turns.heard(a, p, a.Sent(wire.Stdout))
	}
	s.mu.Unlock()
	_, err := s.near.Write(p)
	return err
}

// InputSafe is called when the agent has written input to the program.
func (s *session) InputSafe(offset uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.safe = offset
	for len(s.input) > 0 && s.input[0].end <= offset {
		s.countTyped(s.input[0].from, s.input[0].n)
		s.input = s.input[1:]
	}
	if len(s.input) > 0 {
		first := &s.input[0]
		if begin := first.end - first.n; offset > begin {
			s.countTyped(first.from, offset-begin)
			first.n = first.end - offset
		}
	}
}

func (s *session) countTyped(a *wire.Attachment, n uint64) {
	if v := s.viewers[a]; v != nil {
		v.typed += n
		a.InputSafe(v.typed)
	}
}

// EndInput ends the program's input: on a PTY, where others may type on, by
// the end-of-file character.
func (s *session) EndInput(a *wire.Attachment) {
	if !s.pty {
		_ = s.near.CloseWrite()
		return
	}
	if a.Persistent() {
		_ = s.Input(nil, []byte{eofChar})
	}
}

// eofChar is what a terminal's driver takes for the end of input, unless told
// otherwise: ^D.
const eofChar = 4

// EndOutput marks the end of a stream.
func (s *session) EndOutput(stream wire.Stream) {
	if b := s.Output(stream); b != nil {
		b.End()
	}
}

// Ready tells the viewers that the program runs.
func (s *session) Ready() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = true
	for a := range s.viewers {
		a.Ready(0)
	}
}

// Notice passes a line on to the viewers.
func (s *session) Notice(n wire.Notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready && n.Progress {
		return
	}
	s.notice = n
	for a := range s.viewers {
		a.Notice(n)
	}
}

// Resize sets the size of the program's terminal.
func (s *session) Resize(_ *wire.Attachment, size wire.Size) {
	s.markSize(size) // before the program can draw for it
	s.near.Resize(size)
}

// Signal sends a signal to the program.
func (s *session) Signal(name string) { s.near.Signal(name) }

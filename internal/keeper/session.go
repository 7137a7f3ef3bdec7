package keeper

import (
	"errors"
	"sync"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/crypto/ssh"
)

const (
	// held is how much output of a session on pipes the keeper holds that its
	// viewer has not taken. With what the agent holds it bounds how much stale
	// output follows a ^C.
	held = 2 * wire.Credit
	// ahead is how much output of a session on a PTY live views and the screen
	// can have before them: four times what a view may be behind.
	ahead = 4 * behind
)

// session is one program: near side to the agent, far side to its viewers.
// It implements wire.Program, and by agentSide wire.Handler.
//
// Locks are taken in this order: typing, journal.writing, follower.mu, mu.
type session struct {
	keeper  *Keeper
	memo    memo
	near    *wire.Session
	out     *wire.Buffer
	err     *wire.Buffer  // nil on a PTY
	follow  *follower     // nil on pipes
	journal *journal      // of what later keepers and people want to know
	running chan struct{} // closed when the program runs
	settled chan struct{} // on pipes: closed when the viewer has the exit, or never will

	typing sync.Mutex // held across one viewer's input

	mu        sync.Mutex
	moved     *sync.Cond // on mu: there is output, credit, or another size
	views     map[*wire.Attachment]*view
	leader    *view // nil if nobody leads
	turn      uint64
	size      wire.Size
	sizes     int // that there were
	marks     []mark
	input     []span
	safe      uint64 // input that the agent has written to the program
	turns     turns
	title     string
	attention bool
	active    time.Time // when the program last printed, or was typed at
	notice    wire.Notice
	met       bool // the viewer that asked for the session has attached
	seen      bool // a viewer has seen the end
	ready     bool
	ended     bool
	exit      wire.Exit
	failure   *wire.Failure
	stranded  bool  // the machine is gone, and nobody has asked for that: the log stays
	past      *past // of a keeper that died; nil where there was none
}

func newSession(k *Keeper, m memo, start wire.Start, n wire.Notice) *session {
	s := blankSession(k, m)
	s.notice = n
	var size wire.Size
	if start.Pty != nil {
		size = start.Pty.Size
	}
	s.journal = newJournal(k.cfg.log(m.Number), m, size, k.cfg.LogOptions)
	if m.Pty {
		s.size = size
		s.follow = newFollower(s, size)
		s.follow.begin()
	}
	s.near = wire.NewSession(m.ID, start, agentSide{s})
	s.holdExit()
	return s
}

// holdExit has the agent keep a program on pipes until its viewer has all of it:
// what the keeper holds of its output dies with the keeper.
func (s *session) holdExit() {
	if !s.memo.Pty {
		s.near.HoldExit(s.settled)
	}
}

// blankSession is a session without what it has of its own.
func blankSession(k *Keeper, m memo) *session {
	s := &session{
		keeper: k, memo: m, running: make(chan struct{}), settled: make(chan struct{}),
		views: make(map[*wire.Attachment]*view), turns: newTurns(), active: time.Now(),
	}
	s.moved = sync.NewCond(&s.mu)
	if m.Pty {
		s.out = wire.NewBuffer(ahead)
	} else {
		s.out, s.err = wire.NewBuffer(held), wire.NewBuffer(held)
	}
	return s
}

// carry runs the session over one connection after another until it ends.
func (s *session) carry() {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		<-s.near.Done()
		s.end()
	})
	if s.follow != nil {
		wg.Go(s.follow.run) // ends with the output, which s.end ends at the latest
		wg.Go(s.answer)     // ends with the session
	}
	next := func(last ssh.Conn) (ssh.Conn, error) { return s.keeper.link.nextUnless(last, s.near.Done()) }
	for conn, err := next(nil); ; conn, err = next(conn) {
		if err != nil {
			s.near.Fail(s.lost(err)) // unless it has ended
			break
		}
		if s.near.Run(conn) == nil {
			break
		}
		// Whatever went wrong with one session's channel, the way to be sure
		// of the link's state is a new connection; sessions resume on it.
		_ = conn.Close()
	}
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

// end tells the viewers how the program ended. Without a viewer that is kept
// until somebody asks, where there is something to see; and in any case for the
// viewer that asked for the session and is just about to attach.
func (s *session) end() {
	exit, err := s.near.Result()
	stranded := err != nil && s.keeper.strands()
	s.mu.Lock()
	s.ended = true
	if err != nil {
		s.stranded = stranded && s.ready && s.memo.Pty
		s.failure = &wire.Failure{Status: 255, Message: err.Error()}
		errors.As(err, &s.failure)
		s.closeOutput()
		s.journal.failure(s.failure)
	}
	s.exit = exit
	for _, v := range s.views {
		if !v.gone {
			s.tellEnd(v.a)
		}
	}
	over := s.over()
	s.mu.Unlock()
	if over {
		s.keeper.forget(s)
	}
}

// over reports whether nobody will have use for the session any more. The caller
// holds mu.
func (s *session) over() bool {
	switch {
	case !s.met || s.viewers() > 0 || s.past.awaits():
		return false
	case !s.memo.Pty:
		return true
	}
	return s.ended && (s.seen || !s.ready)
}

// viewers returns how many there are. The caller holds mu.
func (s *session) viewers() (n int) {
	for _, v := range s.views {
		if !v.gone {
			n++
		}
	}
	return n
}

func (s *session) isStranded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stranded
}

func (s *session) tellEnd(a *wire.Attachment) {
	switch {
	case s.failure == nil:
		a.Exit(s.exit)
	case s.memo.Pty && s.ready:
		a.Lose(s.failure) // once the screen is shown
	default:
		a.Fail(s.failure)
	}
}

func (s *session) closeOutput() {
	s.out.End()
	if s.err != nil {
		s.err.End()
	}
	s.moved.Broadcast()
}

// agentSide is the session as its agent's handler.
type agentSide struct{ *session }

// Output logs what the program wrote, and then keeps it for the viewers. On
// pipes it waits for one that lags.
func (a agentSide) Output(stream wire.Stream, p []byte) {
	s := a.session
	b := s.stream(stream)
	if b == nil {
		return
	}
	if s.memo.Pty {
		s.journal.output(p)
	}
	if b.Append(p) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = time.Now()
	if s.memo.Pty {
		end, _ := b.Offset()
		s.near.Ack(stream, end)
		s.moved.Broadcast()
		return
	}
	s.releaseSafe(stream)
}

// EndOutput marks the end of a stream.
func (a agentSide) EndOutput(stream wire.Stream) {
	if b := a.stream(stream); b != nil {
		a.journal.outputEnd()
		b.End()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.moved.Broadcast()
}

// Exited keeps how the program ended, of which the agent is about to be told
// that it may forget it.
func (a agentSide) Exited(e wire.Exit) { a.journal.exit(e) }

// Ready tells the viewers that the program runs.
func (a agentSide) Ready() {
	s := a.session
	s.journal.ready()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start()
	for _, v := range s.views {
		if !v.gone {
			v.greet()
		}
	}
}

// start says that the program runs. The caller holds mu.
func (s *session) start() {
	if s.ready {
		return
	}
	s.ready = true
	s.account(s.near.Input())
	close(s.running)
}

// Notice passes a line on to the viewers.
func (s *session) Notice(n wire.Notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready && n.Progress {
		return
	}
	s.notice = n
	for _, v := range s.views {
		if !v.gone {
			v.a.Notice(n)
		}
	}
}

func (s *session) stream(stream wire.Stream) *wire.Buffer {
	switch stream {
	case wire.Stdout:
		return s.out
	case wire.Stderr:
		return s.err
	}
	return nil
}

// deadly are the signals that end a program which is yet to start, as they would
// end a process before it has become the program, by their numbers everywhere.
var deadly = map[string]uint32{"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "TERM": 15}

// Signal sends a signal to the program. Where the machine is not there yet, one
// that would end it ends the session: nobody waits for a boot to be rid of it.
func (s *session) Signal(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.near == nil { // its viewer is about to come back
		return
	}
	if n, ok := deadly[name]; ok && s.near.Abandon(&wire.Failure{Status: 128 + n, Message: "ended by SIG" + name + " before the program started"}) {
		return
	}
	s.near.Signal(name)
}

package keeper

import (
	"github.com/snugvm/snug/internal/wire"
)

// Output returns a viewer's way through a stream. On a PTY this is where the
// viewer joins.
func (s *session) Output(a *wire.Attachment, stream wire.Stream, from uint64) (wire.OutputReader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[a]
	if v == nil {
		v = s.enter(a)
	}
	b := s.stream(stream)
	if b == nil {
		return nil, nil //nolint:nilnil // there is no such stream
	}
	if s.follow == nil {
		return b.Reader(from, a.Credit())
	}
	return v, s.open(v, from)
}

// enter adds a viewer. The caller holds mu.
func (s *session) enter(a *wire.Attachment) *view {
	v := &view{s: s, a: a, size: a.Size()}
	if credit := a.Credit(); credit > 0 {
		v.pace = newPace(credit)
	}
	if join := a.Joined(); join != nil {
		v.readOnly = join.ReadOnly
		if join.Steal {
			s.sendAway("another viewer has taken the session over")
		}
	}
	s.welcome(v)
	s.views[a] = v
	s.journal.viewer(v, true)
	return v
}

// open decides what a viewer on a PTY is shown first: the one that asked for the
// session all that the program writes, any other the screen. The caller holds mu.
func (s *session) open(v *view, from uint64) error {
	first := !s.met && v.a.Joined() == nil && !v.back
	s.met = true
	v.sent, v.acked = from, from
	switch {
	case first:
		in, err := s.out.Reader(from, 0)
		if err != nil {
			return err
		}
		v.in, v.live, v.stop, v.run = in, true, never, run{view: from, raw: from, end: never}
	case v.a.Joined() != nil && !v.back:
		v.forget()
		v.history = int(v.a.Joined().Scrollback)
		v.clear = append(scrollAway(v.size.Rows), v.clear...)
	default: // it comes back, with the screen of another time
		v.forget()
	}
	if s.leader == nil && !v.readOnly {
		s.leader = v
		s.turns.looks(v)
		s.setSize(v.size)
	}
	return nil
}

// sendAway ends the viewers. The caller holds mu.
func (s *session) sendAway(why string) {
	for _, v := range s.views {
		if !v.gone {
			v.a.SendAway(why)
		}
	}
}

// Attach tells a viewer the news so far.
func (s *session) Attach(a *wire.Attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[a]
	if v == nil { // it could not be joined
		v = s.enter(a)
	}
	s.met = true
	if s.ready || s.ended && s.failure == nil {
		v.greet()
	} else if s.notice.Text != "" {
		a.Notice(s.notice)
	}
	if s.ended {
		s.tellEnd(a)
	}
}

// greet tells a viewer that the program runs, and where its input goes on: on
// pipes that is the session's own. The keeper before may have taken the last word
// on what is safe with it, and a viewer that has used up its credit says nothing
// before it hears one.
func (v *view) greet() {
	if !v.s.memo.Pty && v.back {
		v.typed = v.s.near.Input()
	}
	if v.lostCount() {
		v.a.SendAway(gapWords)
		return
	}
	v.a.Ready(v.typed)
	v.a.InputSafe(v.typed)
}

// id is the viewer's; "" for the keeper itself.
func (v *view) id() string {
	if v == nil {
		return ""
	}
	return v.a.ID()
}

// Detach removes a viewer. A program on a PTY goes on without one. A program on
// pipes has lost the ends of them, and is told so.
func (s *session) Detach(a *wire.Attachment) {
	s.mu.Lock()
	v := s.views[a]
	if v == nil || v.gone {
		s.mu.Unlock()
		return
	}
	v.gone = true
	v.close()
	s.journal.viewer(v, false)
	if s.ended && !a.Persistent() {
		s.seen = true // it has no way to say so
	}
	if s.leader == v {
		s.succeed()
	}
	if s.follow == nil {
		s.releaseSafe(wire.Stdout)
		s.releaseSafe(wire.Stderr)
	}
	over := s.over()
	s.moved.Broadcast()
	s.mu.Unlock()
	if !over {
		return
	}
	if !s.memo.Pty {
		_ = s.near.CloseWrite()
		s.Signal("HUP")
	}
	s.keeper.forget(s)
}

// Left is called once the last input of a viewer was passed on.
func (s *session) Left(a *wire.Attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[a]
	delete(s.views, a)
	if v != nil && s.turns.looker == v {
		s.turns.looks(s.leader)
	}
	s.keeper.unname(s, a.ID())
}

// Safe is called when a viewer has output, or the end.
func (s *session) Safe(a *wire.Attachment, stream wire.Stream, offset uint64) {
	if stream == wire.Exited {
		s.mu.Lock()
		s.seen = true
		s.mu.Unlock()
		s.Detach(a)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.views[a]; v != nil && s.follow == nil {
		v.shown[stream] = offset
		s.releaseSafe(stream)
	}
}

// releaseSafe gives up output on a pipe that its viewer has shown, and says to
// the agent that it is safe. The caller holds mu.
func (s *session) releaseSafe(stream wire.Stream) {
	b := s.stream(stream)
	if b == nil {
		return // a session on a PTY that came too late
	}
	offset, _ := b.Offset()
	for _, v := range s.views {
		if !v.gone {
			offset = min(offset, v.shown[stream])
		}
	}
	if b.Release(offset) == nil {
		s.near.Ack(stream, offset)
	}
}

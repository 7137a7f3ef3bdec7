package keeper

import (
	"slices"
)

// maxAnswers bounds, in bytes, the answers that wait for a program that does
// not read them, or for a viewer to give them. The oldest are dropped: a
// terminal that nobody reads from loses some as well.
const maxAnswers = 64 << 10

// turns decides who answers when a program asks its terminal something: the
// terminal of the leading viewer, or the screen where there is none. Exactly
// one does, though a viewer can go at any moment, by kill -9 too, with output
// on its way to it and answers on their way back. What the terminals of other
// viewers answer is dropped (session.admit).
//
// The screen answers every query. While a terminal looks, its answers are held,
// each with the offset of the output that asked. What arrives from the viewer
// settles them:
//
//   - What may be an answer may be one to anything that was sent to the viewer: nothing of
//     that is the screen's to answer any more. It counts from what was sent,
//     since input may overtake the viewer's acknowledgement.
//   - Other input was typed by somebody. What the viewer's terminal had shown
//     before, it has answered before or never will.
//
// When the viewer has gone, and the last of its input is passed on, or another
// one leads, what is not settled was not shown, or was shown with no time to
// answer: the screen answers it now. So it does what a viewer was not shown that
// fell behind.
//
// A terminal that is killed within the milliseconds between two of its answers
// may leave the second query without one; to know better, one would have to
// read every answer.
type turns struct {
	looker  *view         // whose terminal answers; it stays until the last of its input, beyond Detach
	settled uint64        // queries before it are not the screen's to answer
	held    []reply       // answers that the looker is to give
	due     [][]byte      // answers that the screen is to give
	size    int           // bytes of both
	wake    chan struct{} // capacity 1: something is due
}

func newTurns() turns { return turns{wake: make(chan struct{}, 1)} }

// replied takes an answer of the screen.
func (t *turns) replied(r reply) {
	if r.end <= t.settled {
		return
	}
	t.size += len(r.text)
	if t.looker != nil {
		t.held = append(t.held, r)
	} else {
		t.due = append(t.due, r.text)
		t.hurry()
	}
	for t.size > maxAnswers && len(t.held)+len(t.due) > 0 {
		t.dropOldest()
	}
}

func (t *turns) dropOldest() {
	if len(t.due) > 0 {
		t.size -= len(t.due[0])
		t.due = t.due[1:]
		return
	}
	t.size -= len(t.held[0].text)
	t.held = t.held[1:]
}

// heard takes note of input from a viewer: what may be an answer of its terminal,
// or what somebody typed.
func (t *turns) heard(v *view, answer bool) {
	if v != t.looker {
		return
	}
	upTo := v.run.at(v.acked)
	if answer {
		upTo = v.run.at(v.sent)
	}
	t.settled = max(t.settled, upTo)
	n := 0
	for n < len(t.held) && t.held[n].end <= t.settled {
		t.size -= len(t.held[n].text)
		n++
	}
	t.held = t.held[n:]
}

// looks has the terminal of a viewer answer from now on, or with nil the screen.
func (t *turns) looks(v *view) {
	if v != nil && !v.a.Seen() {
		v = nil
	}
	if v == t.looker {
		return
	}
	t.looker = v
	t.give(0, never)
}

// skipped is told when a viewer is not shown output between two offsets, but
// the screen after it.
func (t *turns) skipped(v *view, from, to uint64) {
	if v == t.looker && from < to {
		t.give(from, to)
	}
}

// give has the screen give answers that were held, to queries that end after
// one offset and not after another.
func (t *turns) give(after, upTo uint64) {
	t.held = slices.DeleteFunc(t.held, func(r reply) bool {
		mine := r.end > after && r.end <= upTo
		if mine {
			t.due = append(t.due, r.text)
			t.hurry()
		}
		return mine
	})
}

func (t *turns) hurry() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// take returns what is due.
func (t *turns) take() []byte {
	due := slices.Concat(t.due...)
	t.due = nil
	t.size -= len(due)
	return due
}

// answer gives the program the answers that are due, as input, until the
// session ends. It is a task of its own because input waits for a program that
// does not read; the screen must not.
func (s *session) answer() {
	select { // where input goes on is known then
	case <-s.running:
	case <-s.near.Done():
		return
	}
	for {
		select {
		case <-s.turns.wake:
		case <-s.near.Done():
			return
		}
		s.mu.Lock()
		due := s.turns.take()
		s.mu.Unlock()
		if len(due) == 0 {
			continue
		}
		s.typing.Lock()
		err := s.pass(nil, due)
		s.typing.Unlock()
		if err != nil {
			return
		}
	}
}

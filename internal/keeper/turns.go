package keeper

import (
	"bytes"
	"slices"

	"github.com/snugvm/snug/internal/wire"
)

// maxAnswers bounds, in bytes, the answers that wait for a program that does
// not read them, or for a viewer to give them. The oldest are dropped: a
// terminal that nobody reads from loses some as well.
const maxAnswers = 64 << 10

// turns decides who answers when a program asks its terminal something: the
// terminal of a viewer, or the screen where nobody looks. Exactly one does,
// though a viewer can go at any moment, by kill -9 too, with output on its way
// to it and answers on their way back.
//
// The screen answers every query. While a viewer looks, its answers are held,
// each with the offset of the output that asked. What arrives from the viewer
// settles them:
//
//   - Input with an ESC in it may be an answer to anything that was sent to the
//     viewer: nothing of that is the screen's to answer any more. It counts from
//     what was sent, since input may overtake the viewer's acknowledgement.
//   - Other input was typed by somebody. What the viewer's terminal had shown
//     before, it has answered before or never will.
//
// When the last viewer has gone, and the last of its input is passed on, what
// is not settled was not shown, or was shown with no time to answer: the screen
// answers it now, and whatever is asked from then on.
//
// A terminal that is killed within the milliseconds between two of its answers
// may leave the second query without one; to know better, one would have to
// read every answer.
type turns struct {
	lookers map[*wire.Attachment]*viewer // with a terminal; each stays until the last of its input, beyond Detach
	settled uint64                       // queries before it are not the screen's to answer
	held    []reply                      // answers that a looker is to give
	due     [][]byte                     // answers that the screen is to give
	size    int                          // bytes of both
	wake    chan struct{}                // capacity 1: something is due
}

func newTurns() turns {
	return turns{lookers: make(map[*wire.Attachment]*viewer), wake: make(chan struct{}, 1)}
}

// replied takes an answer of the screen.
func (t *turns) replied(r reply) {
	if r.end <= t.settled {
		return
	}
	t.size += len(r.text)
	if len(t.lookers) > 0 {
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

// heard takes note of input from an attachment, to which output was sent up to
// an offset.
func (t *turns) heard(a *wire.Attachment, p []byte, sent uint64) {
	v := t.lookers[a]
	if v == nil {
		return
	}
	upTo := v.shown[wire.Stdout]
	if bytes.IndexByte(p, '\x1b') >= 0 {
		upTo = sent
	}
	t.settled = max(t.settled, upTo)
	n := 0
	for n < len(t.held) && t.held[n].end <= t.settled {
		t.size -= len(t.held[n].text)
		n++
	}
	t.held = t.held[n:]
}

// left is told once the last input of a viewer was passed on.
func (t *turns) left(a *wire.Attachment) {
	delete(t.lookers, a)
	if len(t.lookers) > 0 || len(t.held) == 0 {
		return
	}
	for _, r := range t.held {
		t.due = append(t.due, r.text)
	}
	t.held = nil
	t.hurry()
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
	for {
		select {
		case <-s.turns.wake:
		case <-s.near.Done():
			return
		}
		s.mu.Lock()
		due := s.turns.take()
		s.mu.Unlock()
		if len(due) > 0 && s.Input(nil, due) != nil {
			return
		}
	}
}

// Left is called once the last input of a viewer was passed on.
func (s *session) Left(a *wire.Attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns.left(a)
}

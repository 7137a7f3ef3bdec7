package keeper

import (
	"bytes"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/terminal"
)

// span is a run of input that one viewer sent, and where it ends in the
// session's input.
type span struct {
	from   *view  // nil for the keeper itself
	n      uint64 // bytes of the viewer's
	passed uint64 // of them, those for the program: n or 0
	end    uint64
}

// Input passes a viewer's input on. Runs of input reach the program in the
// order in which their viewers are remembered.
func (s *session) Input(a *wire.Attachment, p []byte) error {
	s.typing.Lock()
	defer s.typing.Unlock()
	s.mu.Lock()
	v := s.views[a]
	s.mu.Unlock()
	if v == nil || !s.memo.Pty {
		return s.pass(v, p)
	}
	for len(p) > 0 {
		kind, n := terminal.NextInput(p)
		piece := p[:n]
		p = p[n:]
		if !s.admit(v, kind, piece) {
			continue
		}
		if err := s.pass(v, piece); err != nil {
			return err
		}
	}
	return nil
}

// admit tells whether a piece of a viewer's input is for the program, and takes
// note of what it says of the viewer: a person who types leads. What is not for
// the program counts as safe once all before it is.
func (s *session) admit(v *view, kind terminal.Input, p []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case v.readOnly:
	case kind == terminal.Answer:
		if s.turns.looker == v {
			s.turns.heard(v, true)
			return true
		}
	default:
		if kind == terminal.Typed {
			s.lead(v)
		}
		s.turns.heard(v, bytes.IndexByte(p, '\x1b') >= 0) // the cursor's place in the first row looks like a key
		return true
	}
	s.journal.ignored(v, len(p))
	s.input = append(s.input, span{v, uint64(len(p)), 0, s.inputEnd()})
	s.settle()
	return false
}

// pass gives the program input. The caller holds typing.
func (s *session) pass(v *view, p []byte) error {
	s.mu.Lock()
	n := uint64(len(p))
	s.input = append(s.input, span{v, n, n, s.inputEnd() + n})
	s.active = time.Now()
	s.mu.Unlock()
	s.journal.input(v, p) // before it is on its way: a later keeper is to know whose it was
	_, err := s.near.Write(p)
	return err
}

// inputEnd is the end of the session's input so far. The caller holds mu.
func (s *session) inputEnd() uint64 {
	if n := len(s.input); n > 0 {
		return s.input[n-1].end
	}
	return s.safe
}

// InputSafe is called when the agent has written input to the program.
func (s *session) InputSafe(offset uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.safe = max(s.safe, offset)
	s.settle()
}

// settle tells viewers what of their input is safe. The caller holds mu.
func (s *session) settle() {
	for len(s.input) > 0 && s.input[0].end <= s.safe {
		s.input[0].from.typedSafe(s.input[0].n)
		s.input = s.input[1:]
	}
	if len(s.input) == 0 {
		return
	}
	first := &s.input[0]
	if begin := first.end - first.passed; s.safe > begin {
		first.from.typedSafe(s.safe - begin)
		first.passed = first.end - s.safe
		first.n = first.passed
	}
}

// typedSafe counts input that is safe.
func (v *view) typedSafe(n uint64) {
	if v == nil {
		return
	}
	v.typed += n
	if !v.gone {
		v.a.InputSafe(v.typed)
	}
}

// EndInput ends the program's input: on a PTY, where others may type on, by
// the end-of-file character.
func (s *session) EndInput(a *wire.Attachment) {
	if !s.memo.Pty {
		_ = s.near.CloseWrite()
		return
	}
	s.mu.Lock()
	v := s.views[a]
	pass := a.Persistent() && v != nil && !v.readOnly && !v.inputEnded
	if pass {
		v.inputEnded = true
	}
	s.mu.Unlock()
	if !pass {
		return
	}
	s.journal.input(v, nil) // a later keeper is not to end it again
	s.typing.Lock()
	defer s.typing.Unlock()
	_ = s.pass(nil, []byte{eofChar})
}

// eofChar is what a terminal's driver takes for the end of input, unless told
// otherwise: ^D.
const eofChar = 4

// lead makes a viewer the leading one, since a person types in it: the session
// has its size, and its terminal answers. The caller holds mu.
func (s *session) lead(v *view) {
	s.attention = false
	s.turn++
	v.turn = s.turn
	if s.leader == v || v.gone {
		return
	}
	s.leader = v
	s.turns.looks(v)
	s.setSize(v.size)
}

// succeed finds the leading viewer anew, once it has gone. The caller holds mu.
func (s *session) succeed() {
	var next *view
	for _, v := range s.views {
		if !v.gone && !v.readOnly && (next == nil || v.turn > next.turn) {
			next = v
		}
	}
	s.leader = next
	if next != nil {
		s.setSize(next.size)
	}
}

// Resize is called when a viewer's terminal has another size. That of the leading
// one is the session's.
func (s *session) Resize(a *wire.Attachment, size wire.Size) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[a]
	if !s.memo.Pty || v == nil || v.gone || size.Empty() || size == v.size {
		return
	}
	same := v.fits(size)
	v.size = size
	switch {
	case v == s.leader && v.live:
		v.unsure = v.unsure || !same // the program draws it anew, as on any terminal
	case !same:
		v.forget()
	}
	if v == s.leader {
		s.setSize(size)
	}
	s.moved.Broadcast()
}

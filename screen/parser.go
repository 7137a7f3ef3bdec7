package screen

import (
	"bytes"
	"unicode/utf8"
)

// The parser is the state machine of the VT500 series (Paul Flo Williams, https://vt100.net/emu/dec_ansi_parser) with
// UTF-8 in place of eight-bit controls. C1 controls are recognised as ESC and a letter only: in UTF-8 their bytes belong
// to characters, and no program sends U+0080 to U+009F as controls.

// Bounds of what a sequence may bring. Longer ones are consumed to their end and ignored.
const (
	maxParams = 32
	maxParam  = 1<<16 - 1
	maxString = 1 << 18 // bytes of an OSC, DCS or APC that is no image
)

type parserState uint8

const (
	stateGround       parserState = iota
	stateEscape                   // after ESC and its intermediates
	stateEscapeIgnore             // ESC with too many intermediates
	stateCSI                      // after CSI: prefix, parameters, intermediates
	stateCSIIgnore                // a malformed CSI, up to its final byte
	stateDCS                      // after DCS, the same as in CSI
	stateDCSString                // the string of a DCS
	stateOSC                      // an OSC
	stateAPC                      // an APC
	stateIgnore                   // a string that means nothing: PM, SOS, other APC, a malformed DCS
	stateOSCIgnore                // an OSC that means nothing: BEL ends it too
)

const esc, bel, can, sub, del = 0x1b, 0x07, 0x18, 0x1a, 0x7f

type parser struct {
	state  parserState
	prefix byte // one of < = > ? after CSI or DCS
	inter  byte // an intermediate, space to /
	final  byte // of a DCS, while its string is collected
	params params
	text   []byte // of an OSC, DCS or APC

	utf8    [utf8.UTFMax]byte // the beginning of a character
	utf8Len int
}

// params are numbers separated by ; or, if they belong together, by colons.
type params struct {
	n     int
	value [maxParams]int32 // -1 is omitted
	joint uint32           // bit i: a colon, not a semicolon, stands before value i
	over  bool             // there were more; they are lost
}

// Write interprets p, which may begin and end anywhere in a sequence or character. It takes all of p and never fails;
// what the terminal answers waits for [Screen.TakeReplies], what it tells for [Screen.TakeEvents].
func (s *Screen) Write(p []byte) (int, error) {
	for i := 0; i < len(p); {
		switch s.parser.state {
		case stateGround:
			i += s.ground(p[i:])
		case stateEscape, stateEscapeIgnore:
			i += s.escape(p[i:])
		case stateCSI, stateDCS:
			i += s.sequence(p[i:])
		case stateCSIIgnore:
			i += s.skipCSI(p[i:])
		default:
			i += s.str(p[i:])
		}
	}
	return len(p), nil
}

// Ground reports whether what was written ends between two sequences and characters: here output may be cut.
func (s *Screen) Ground() bool { return s.parser.state == stateGround && s.parser.utf8Len == 0 }

// ground handles characters and controls, up to the next ESC, and returns how many bytes it took.
func (s *Screen) ground(p []byte) int {
	i := 0
	if s.parser.utf8Len > 0 {
		i = s.continueUTF8(p)
	}
	for i < len(p) {
		switch b := p[i]; {
		case b == esc:
			s.parser.startEscape()
			return i + 1
		case b < 0x20:
			s.control(b)
			i++
		case b < del:
			n := printable(p[i:])
			s.printASCII(p[i : i+n])
			i += n
		case b == del:
			i++
		default:
			n := s.decode(p[i:])
			i += n
		}
	}
	return i
}

// printable returns the length of the run of printable ASCII that p begins with.
func printable(p []byte) int {
	n := 0
	for n < len(p) && p[n]-0x20 < del-0x20 {
		n++
	}
	return n
}

// decode prints the character that p begins with, keeps it if it is not complete, and returns its length.
func (s *Screen) decode(p []byte) int {
	r, n := utf8.DecodeRune(p)
	if r == utf8.RuneError && n == 1 {
		n = invalid(p)
		if !utf8.FullRune(p[:n]) {
			switch {
			case n == len(p):
				s.parser.utf8Len = copy(s.parser.utf8[:], p)
				return n
			case p[n] == can || p[n] == sub:
				return n // cancelled, as a sequence would be
			}
		}
	}
	s.printRune(r)
	return n
}

// invalid returns how many bytes of p, which begins with an ill-formed sequence, one replacement character stands for:
// the longest beginning of a character, as Unicode recommends (§3.9, maximal subparts), or one byte.
func invalid(p []byte) int {
	n := 1
	for n < len(p) && n < utf8.UTFMax && !utf8.FullRune(p[:n]) {
		n++
	}
	if n > 1 && utf8.FullRune(p[:n]) {
		n-- // the byte that made it ill-formed may begin a character of its own
	}
	return n
}

// continueUTF8 completes the character that an earlier write began, and returns how many bytes of p that took.
func (s *Screen) continueUTF8(p []byte) int {
	var b [2 * utf8.UTFMax]byte
	had := copy(b[:], s.parser.utf8[:s.parser.utf8Len])
	have := had + copy(b[had:had+utf8.UTFMax], p)
	s.parser.utf8Len = 0
	return s.decode(b[:have]) - had // what was kept is the beginning of one character, and never more than that
}

func (p *parser) startEscape() {
	p.state, p.inter, p.prefix = stateEscape, 0, 0
}

// escape handles what follows ESC.
func (s *Screen) escape(p []byte) int {
	ps := &s.parser
	for i, b := range p {
		switch {
		case b < 0x20:
			if s.controlInSequence(b) {
				return i + 1
			}
		case b < 0x30:
			if ps.inter != 0 {
				ps.state = stateEscapeIgnore
			}
			ps.inter = b
		case b < del:
			ignored := ps.state == stateEscapeIgnore
			ps.state = stateGround
			if !ignored && (ps.inter != 0 || !s.introduce(b)) {
				s.dispatchEscape(ps.inter, b)
			}
			return i + 1
		case b == del:
		default: // no part of any sequence: it ends, and the byte is text
			ps.state = stateGround
			return i
		}
	}
	return len(p)
}

// introduce enters the state that ESC and b begin, if they begin any.
func (s *Screen) introduce(b byte) bool {
	ps := &s.parser
	switch b {
	case '[':
		ps.state = stateCSI
	case 'P':
		ps.state = stateDCS
	case ']':
		ps.state = stateOSC
	case '_':
		ps.state = stateAPC
	case 'X', '^':
		ps.state = stateIgnore
	default:
		return false
	}
	ps.params.n, ps.params.joint, ps.params.over = 0, 0, false
	ps.text = ps.text[:0]
	return true
}

// controlInSequence handles a control within a sequence, which most do not disturb, and reports whether the sequence has
// ended.
func (s *Screen) controlInSequence(b byte) bool {
	switch b {
	case esc:
		s.parser.startEscape()
		return true
	case can, sub:
		s.parser.state = stateGround
		return true
	}
	s.control(b)
	return false
}

// sequence handles the parameters of a CSI or DCS up to the final byte.
func (s *Screen) sequence(p []byte) int {
	ps := &s.parser
	for i, b := range p {
		switch {
		case b < 0x20:
			if ps.state == stateDCS && b != esc && b != can && b != sub {
				continue // a DCS executes no controls
			}
			if s.controlInSequence(b) {
				return i + 1
			}
		case b < 0x30:
			if ps.inter != 0 {
				return i + s.malformed()
			}
			ps.inter = b
		case b < 0x3c:
			if ps.inter != 0 {
				return i + s.malformed()
			}
			ps.params.add(b)
		case b < 0x40:
			if ps.inter != 0 || ps.prefix != 0 || ps.params.n > 0 {
				return i + s.malformed()
			}
			ps.prefix = b
		case b < del:
			s.finish(b)
			return i + 1
		case b == del:
		case ps.state == stateDCS:
			return i + s.malformed()
		default:
			ps.state = stateGround
			return i
		}
	}
	return len(p)
}

// malformed leaves the sequence for the state that waits for its end, and takes the byte that spoilt it.
func (s *Screen) malformed() int {
	if s.parser.state == stateDCS {
		s.parser.state = stateIgnore
	} else {
		s.parser.state = stateCSIIgnore
	}
	return 1
}

// finish is the final byte of a CSI, or of what introduces a DCS.
func (s *Screen) finish(b byte) {
	ps := &s.parser
	if ps.state == stateDCS {
		ps.final = b
		ps.state = stateDCSString
		return
	}
	ps.state = stateGround
	s.dispatchCSI(ps.prefix, ps.inter, b)
}

// add is a digit or separator of the parameters.
func (p *params) add(b byte) {
	if p.n == 0 {
		p.n = 1
		p.value[0] = -1
	}
	if b >= ':' {
		if p.n == maxParams {
			p.over = true
			return
		}
		if b == ':' {
			p.joint |= 1 << p.n
		}
		p.value[p.n] = -1
		p.n++
		return
	}
	if p.over {
		return
	}
	v := &p.value[p.n-1]
	*v = min(max(*v, 0)*10+int32(b-'0'), maxParam)
}

func (s *Screen) skipCSI(p []byte) int {
	for i, b := range p {
		switch {
		case b < 0x20:
			if s.controlInSequence(b) {
				return i + 1
			}
		case b >= 0x40 && b < del:
			s.parser.state = stateGround
			return i + 1
		case b > del:
			s.parser.state = stateGround
			return i
		}
	}
	return len(p)
}

// str collects or skips a string up to ST, or what ends it early: CAN and SUB cancel it, ESC ends it whatever follows.
func (s *Screen) str(p []byte) int {
	ps := &s.parser
	n := 0
	for n < len(p) && !ps.ends(p[n]) {
		n++
	}
	if n > 0 && (ps.state == stateOSC || ps.state == stateDCSString || ps.state == stateAPC) {
		ps.collect(p[:n])
	}
	if n == len(p) {
		return n
	}
	state := ps.state
	ps.state = stateGround
	switch {
	case p[n] == can || p[n] == sub:
	case state == stateOSC:
		s.dispatchOSC(ps.text, p[n] == bel)
	case state == stateDCSString:
		s.dispatchDCS(ps.text)
	case state == stateAPC && len(ps.text) > 0:
		s.graphics(ps.text[1:])
	}
	if cap(ps.text) > maxString {
		ps.text = nil // the next is hardly as long
	}
	if p[n] == esc {
		ps.startEscape()
	}
	return n + 1
}

// collect takes a part of a string, as far as it is one that means something.
func (p *parser) collect(part []byte) {
	if len(p.text) == 0 && (p.state == stateOSC && !isDigit(part[0]) || p.state == stateAPC && part[0] != 'G') {
		p.abandon()
		return
	}
	p.text = append(p.text, part...)
	if len(p.text) > maxString && (len(p.text) > maxImage || !p.holdsImage()) {
		p.abandon()
	}
}

// holdsImage reports whether the string is an image by sixels or of iTerm2, which may be long.
func (p *parser) holdsImage() bool {
	if p.state == stateDCSString {
		return p.prefix == 0 && p.inter == 0 && p.final == 'q'
	}
	return p.state == stateOSC && bytes.HasPrefix(p.text, []byte(itermFile))
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// abandon forgets a string that is too long, or no OSC that has a number, and goes on to its end.
func (p *parser) abandon() {
	if p.state == stateOSC {
		p.state = stateOSCIgnore
	} else {
		p.state = stateIgnore
	}
	p.text = nil
}

// ends reports whether b ends the string that is being read.
func (p *parser) ends(b byte) bool {
	if b == bel {
		return p.state == stateOSC || p.state == stateOSCIgnore
	}
	return b == esc || b == can || b == sub
}

// unfinished returns bytes that bring a parser to the state of this one, if they follow what is complete.
func (p *parser) unfinished() []byte {
	var b []byte
	switch p.state {
	case stateGround:
		b = append(b, p.utf8[:p.utf8Len]...)
	case stateEscape:
		b = appendByte(append(b, esc), p.inter)
	case stateEscapeIgnore:
		b = append(b, "\x1b  "...)
	case stateCSI:
		b = p.appendHeader(append(b, "\x1b["...))
	case stateCSIIgnore:
		b = append(b, "\x1b[<<"...)
	case stateDCS:
		b = p.appendHeader(append(b, "\x1bP"...))
	case stateDCSString:
		b = append(p.appendHeader(append(b, "\x1bP"...)), p.final)
		b = append(b, p.text...)
	case stateOSC:
		b = append(append(b, "\x1b]"...), p.text...)
	case stateOSCIgnore:
		b = append(b, "\x1b]!"...)
	case stateAPC:
		b = append(append(b, "\x1b_"...), p.text...)
	case stateIgnore:
		b = append(b, "\x1bX"...)
	}
	return b
}

// appendHeader appends the prefix, parameters and intermediate of a CSI or DCS.
func (p *parser) appendHeader(b []byte) []byte {
	b = appendByte(b, p.prefix)
	for i := range p.params.n {
		if i > 0 {
			b = append(b, ";:"[p.params.joint>>i&1])
		}
		if v := p.params.value[i]; v >= 0 {
			b = appendInt(b, int(v))
		}
	}
	if p.params.over {
		b = append(b, ';')
	}
	return appendByte(b, p.inter)
}

// appendByte appends a byte that is there unless it is 0.
func appendByte(b []byte, c byte) []byte {
	if c != 0 {
		b = append(b, c)
	}
	return b
}

// get returns parameter i, or def if it is omitted.
func (p *params) get(i, def int) int {
	if i >= p.n || p.value[i] < 0 {
		return def
	}
	return int(p.value[i])
}

// count returns parameter i where 0 means 1 too, as it does wherever something is counted.
func (p *params) count(i int) int { return max(p.get(i, 1), 1) }

// joined reports whether parameter i belongs to the one before it.
func (p *params) joined(i int) bool { return i < p.n && p.joint&(1<<i) != 0 }

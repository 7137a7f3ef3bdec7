package screen

import (
	"bytes"
	"unicode/utf8"
)

// Boundary finds where output may be cut: between two sequences or characters. It follows output as a [Screen] does, but
// keeps nothing of it, and passes over text as fast as memory is read. The zero value is at the beginning.
type Boundary struct {
	state   boundaryState
	partial [utf8.UTFMax]byte // the beginning of a character
	have    int
}

// boundaryState is a parserState, as far as it matters for what comes to an end.
type boundaryState uint8

const (
	betweenAll boundaryState = iota
	inEscape
	inEscapeRest // after an intermediate
	inCSI
	inOSC
	inString // DCS, APC, PM, SOS
)

// Ground reports whether what was scanned ends at a boundary.
func (b *Boundary) Ground() bool { return b.state == betweenAll && b.have == 0 }

// Scan follows p, and returns the length of the longest part of it, from its beginning, that ends at a boundary; or -1 if
// there is none, because p lies within a sequence.
func (b *Boundary) Scan(p []byte) int {
	last := -1
	if b.Ground() {
		last = 0
	}
	for i := 0; i < len(p); {
		if b.state != betweenAll {
			var ended bool
			if i, ended = b.sequence(p, i); ended {
				last = i
			}
			continue
		}
		i = b.text(p, i, &last)
	}
	return last
}

// text passes over text up to the next sequence, and returns how far that is.
func (b *Boundary) text(p []byte, i int, last *int) int {
	i, completed := b.resume(p, i)
	if completed {
		*last = i
	}
	if b.have > 0 {
		return i
	}
	text, found := p[i:], false
	if n := bytes.IndexByte(text, esc); n >= 0 {
		text, found = text[:n], true
	}
	whole := completeUTF8(text)
	end := whole
	for end > 0 && completeUTF8(text[:end]) < end { // a character is broken off, but until the next byte it was none
		end = completeUTF8(text[:end])
	}
	if end > 0 {
		*last = i + end
	}
	if found {
		b.state = inEscape
		return i + len(text) + 1
	}
	b.have = copy(b.partial[:], text[whole:])
	return i + len(text)
}

// resume goes on with a character that has begun before. It returns how far, and whether that completes it.
func (b *Boundary) resume(p []byte, i int) (int, bool) {
	for b.have > 0 && i < len(p) {
		whole := append(b.partial[:b.have:b.have], p[i])
		if !utf8.FullRune(whole) {
			b.have = copy(b.partial[:], whole)
			i++
			continue
		}
		b.have = 0
		if utf8.Valid(whole) {
			return i + 1, true
		}
		break // the byte is no part of it
	}
	return i, false
}

// completeUTF8 returns the length of p without a character that it ends in the middle of.
func completeUTF8(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if tail := p[len(p)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return len(p) - n
			}
			break
		}
	}
	return len(p)
}

// sequence follows a sequence. It returns how far, and whether it has ended there; if it is text that ends it, there is
// no boundary before that.
func (b *Boundary) sequence(p []byte, i int) (int, bool) {
	for ; i < len(p); i++ {
		c := p[i]
		switch {
		case c == can || c == sub:
			b.state = betweenAll
		case c == esc:
			b.state = inEscape
		case b.state == inOSC && c == bel:
			b.state = betweenAll
		case b.state == inOSC || b.state == inString || c < 0x20 || c == del:
		case c > del:
			b.state = betweenAll
			return i, false
		case b.state != inCSI:
			b.escape(c)
		case c >= 0x40:
			b.state = betweenAll
		}
		if b.state == betweenAll {
			return i + 1, true
		}
	}
	return i, false
}

// escape is a byte from 0x20 to 0x7e after ESC.
func (b *Boundary) escape(c byte) {
	switch {
	case c < 0x30:
		b.state = inEscapeRest
	case b.state == inEscapeRest:
		b.state = betweenAll
	case c == '[':
		b.state = inCSI
	case c == ']':
		b.state = inOSC
	case c == 'P' || c == 'X' || c == '^' || c == '_':
		b.state = inString
	default:
		b.state = betweenAll
	}
}

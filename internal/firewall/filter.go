package firewall

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"unicode/utf8"
)

const (
	so  = 0x0e // SO and SI choose the character set
	si  = 0x0f
	enq = 0x05 // asks a terminal for its answerback, which the user, or whoever got at the terminal, has defined
	bel = 0x07
	can = 0x18 // begins, with B00, a ZMODEM transfer that some terminals offer to receive; else it means nothing in text
	sub = 0x1a
	esc = 0x1b
	del = 0x7f

	st          = "\x1b\\"       // ends a string
	replacement = "\xef\xbf\xbd" // U+FFFD, which terminals show for what is no UTF-8
)

// Bounds, in bytes, of what is held back until it is complete, and of what passes.
const (
	maxEscape    = 4       // an escape sequence: ESC, two intermediates, final
	maxControl   = 256     // a CSI sequence
	maxCommand   = 4 << 10 // an OSC string, except a clipboard write
	maxClipboard = 128<<10 + 16
	maxTitle     = 1 << 10
	maxURL       = 2083 // the longest link that terminals take
	maxNotice    = 1 << 10
	maxPicture   = 32 << 20 // of one string; it is not held
)

type state uint8

const (
	ground       state = iota
	inCharacter        // in the midst of a UTF-8 character
	inEscape           // after ESC and intermediates
	inControl          // in a CSI sequence
	inString           // in a string that is held until it is judged
	inStringEsc        // after ESC in such a string
	inPalette          // in the Linux console's ESC ] P, which has a length and no end
	streaming          // in a string that passes as it comes
	streamingEsc       // after ESC in it
	skipping           // in a string that is dropped
	skippingEsc        // after ESC in it
)

// Filter filters one stream of output. It is for one goroutine.
type Filter struct {
	policy Policy
	state  state
	held   []byte // the incomplete character or sequence, from its first byte on

	kind     byte // of a string: the byte after ESC
	headed   bool // what introduces the string has been judged
	streamed int  // bytes of the string that passed
	palette  int  // digits of it that are still to come

	in   []byte // what is being fed
	from int    // in, from here to where the parser is, passes and is not yet in out
	out  []byte

	attributes, others []int // what Marks returns

	replies []byte
	scratch []byte // a sequence that is written anew
	decoded [1 << 10]byte
	refused [refusals]atomic.Int64
}

// New returns a filter at the beginning of a stream.
func New(policy Policy) *Filter { return &Filter{policy: policy} }

// Feed takes the next piece of output, which may be cut anywhere, and returns what may go to the terminal, and what is
// to be given to the program as the terminal's answer. Both are valid until the next Feed; out may be a part of p.
func (f *Filter) Feed(p []byte) (out, replies []byte) {
	if f.policy == Open {
		return p, nil
	}
	f.in, f.from = p, 0
	f.out, f.replies = f.out[:0], f.replies[:0]
	f.attributes, f.others = f.attributes[:0], f.others[:0]
	for i := 0; i < len(p); {
		switch f.state {
		case ground:
			i = f.text(i)
		case streaming:
			i = f.stream(i)
		case skipping:
			i = f.skip(i)
		default:
			i = f.step(i)
		}
	}
	out = p[f.from:]
	if len(f.out) > 0 {
		f.out = append(f.out, out...)
		out = f.out
	}
	f.in = nil
	return out, f.replies
}

// Marks says where, in what Feed has returned last, a control function begins that may leave the terminal otherwise than
// it was: those of attributes (SGR), and others, which are all sequences but those that are known to draw and no more, SO
// and SI. It reports false where nothing is filtered. It is valid until the next Feed.
func (f *Filter) Marks() (attributes, others []int, ok bool) {
	return f.attributes, f.others, f.policy != Open
}

// mark marks what begins at i of out and the input that will be added to it.
func (f *Filter) mark(i int, e effect) {
	switch e {
	case draws:
	case styles:
		f.attributes = append(f.attributes, i)
	case unknown:
		f.others = append(f.others, i)
	}
}

// cut ends what passes untouched before i, and goes on at next.
func (f *Filter) cut(i, next int) {
	f.out = append(f.out, f.in[f.from:i]...)
	f.from = next
}

// emit passes bytes that are not in the input, or not at this place. What was before them must have been cut.
func (f *Filter) emit(b []byte) { f.out = append(f.out, b...) }

// emitMarked is emit for what begins a control function that may do more than draw.
func (f *Filter) emitMarked(b []byte) {
	f.mark(len(f.out), effectOf(b))
	f.emit(b)
}

// text passes over text and complete sequences that need no filtering, from i to the first of what does.
func (f *Filter) text(i int) int {
	p := f.in
	for {
		for i < len(p) && p[i] == esc { // sequences come in groups
			n, effect := f.harmless(p[i:])
			if n == 0 {
				f.cut(i, i+1)
				f.begin()
				return i + 1
			}
			f.mark(len(f.out)+i-f.from, effect)
			i += n
		}
		if i = plainEnd(p, i); i == len(p) {
			return i
		}
		switch c := p[i]; {
		case c == esc:
		case c == so || c == si:
			f.mark(len(f.out)+i-f.from, unknown)
			i++
		case c == enq || c == can:
			f.cut(i, i+1)
			i++
		case c < ' ': // SUB or EM, which are text
			i++
		default:
			if i = f.characters(i); f.state != ground {
				return i
			}
		}
	}
}

// A word of eight bytes, with every byte the lowest or the highest bit only. Subtracting ones sets the highest bit of a
// byte below 0x80 only if it is 0, or, by what is borrowed, of bytes after one that is.
const ones, highs = 0x0101010101010101, 0x8080808080808080

// plainEnd returns where the text that begins at i meets a byte from 0x80 on or a control that may be more than text:
// ENQ, SO, SI or one from CAN to ESC; or len(p). It looks at eight bytes at a time, and closely only where there is a
// control.
func plainEnd(p []byte, i int) int {
	for ; i+8 <= len(p); i += 8 {
		w := binary.LittleEndian.Uint64(p[i:])
		if ((w-' '*ones)|w)&highs == 0 {
			continue
		}
		found := (((w ^ enq*ones) - ones) | ((w^so*ones)&^ones - ones) | ((w^can*ones)&^(3*ones) - ones) | w) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(p); i++ {
		if c := p[i]; c >= utf8.RuneSelf || c == enq || c&^1 == so || c&^3 == can {
			break
		}
	}
	return i
}

// printableEnd returns where the printable ASCII that begins at i ends.
func printableEnd(p []byte, i int) int {
	for ; i+8 <= len(p); i += 8 {
		w := binary.LittleEndian.Uint64(p[i:])
		if found := ((w - ' '*ones) | (w + (0x80-del)*ones) | w) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(p) && p[i] >= ' ' && p[i] < del {
		i++
	}
	return i
}

// characters passes over characters beyond ASCII, of which there is one at i, to the first byte of ASCII. What is no
// UTF-8, or an encoded C1 control, becomes U+FFFD: a terminal may take U+009B, or the byte 0x9b, for CSI.
func (f *Filter) characters(i int) int {
	p := f.in
	for i < len(p) && p[i] >= utf8.RuneSelf {
		if n := threeBytes(p[i:]); n > 0 {
			i += n
			continue
		}
		if !utf8.FullRune(p[i:]) {
			f.cut(i, len(p))
			f.held = append(f.held[:0], p[i:]...)
			f.state = inCharacter
			return len(p)
		}
		n, ok := character(p[i:])
		if !ok {
			f.cut(i, i+n)
			f.emit([]byte(replacement))
		}
		i += n
	}
	return i
}

// freeLeads are the bytes that begin characters of three bytes whose other bytes are free.
var freeLeads = set("\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xeb\xec\xee\xef")

// threeBytes returns the length of the characters of three bytes that p begins with, of those whose other bytes are
// free: frames, bars, most scripts.
func threeBytes(p []byte) (n int) {
	for ; n+14 <= len(p); n += 12 { // four, by two words
		v, w := binary.LittleEndian.Uint64(p[n:]), binary.LittleEndian.Uint64(p[n+6:])
		const form, mask = 0x8080e0_8080e0, 0xc0c0f0_c0c0f0
		free := freeLeads[byte(v)] && freeLeads[byte(v>>24)] && freeLeads[byte(w)] && freeLeads[byte(w>>24)]
		if (v^form|w^form)&mask != 0 || !free {
			break
		}
	}
	for rest := p[n:]; len(rest) >= 3; rest = rest[3:] {
		if !freeLeads[rest[0]] || rest[1]&0xc0 != 0x80 || rest[2]&0xc0 != 0x80 {
			break
		}
		n += 3
	}
	return n
}

// character returns the length of the character at the beginning of p, and whether it may pass. One replacement stands
// for the longest beginning of a character, as Unicode recommends (§3.9, maximal subparts), or for one byte.
func character(p []byte) (n int, ok bool) {
	r, n := utf8.DecodeRune(p)
	if r != utf8.RuneError || n != 1 {
		return n, r >= 0xa0
	}
	for n+1 < len(p) && n < utf8.UTFMax && !utf8.FullRune(p[:n+1]) {
		n++
	}
	return n, false
}

// continueCharacter takes a byte after the beginning of a character.
func (f *Filter) continueCharacter(c byte) (taken bool) {
	f.held = append(f.held, c)
	if !utf8.FullRune(f.held) {
		return true
	}
	f.state = ground
	n, ok := character(f.held)
	if ok {
		f.emit(f.held)
		return true
	}
	f.emit([]byte(replacement))
	return n == len(f.held)
}

// step takes one byte of what is held back.
func (f *Filter) step(i int) int {
	c := f.in[i]
	taken := true
	switch f.state {
	case inCharacter:
		taken = f.continueCharacter(c)
	case inEscape:
		taken = f.escape(c)
	case inControl:
		taken = f.control(c)
	case inString:
		f.collect(c)
	case inPalette:
		taken = f.paletteDigit(c)
	default:
		taken = f.afterEscape(c)
	}
	if taken {
		i++
	}
	f.from = i
	return i
}

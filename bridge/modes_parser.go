package bridge

import "bytes"

const (
	bel      = 0x07
	shiftOut = 0x0e
	shiftIn  = 0x0f
	can      = 0x18
	sub      = 0x1a
	esc      = 0x1b
)

type parserState uint8

const (
	stGround    parserState = iota
	stEscape                // after ESC
	stControl               // in a CSI sequence
	stOSC                   // in an OSC string, which BEL ends too
	stString                // in a DCS, APC, PM or SOS string
	stOSCEsc                // after ESC in an OSC string
	stStringEsc             // after ESC in another string
)

// maxBody is how much of an OSC string is kept: enough for what is recognised, except a long hyperlink's end, which
// does not matter.
const maxBody = 256

// outputParser cuts output into control functions, after the DEC VT500's state machine: ESC starts anew from anywhere,
// CAN and SUB abort. It takes UTF-8, so bytes from 0x80 on are text and never C1 controls. Its size is fixed.
type outputParser struct {
	state        parserState
	intermediate byte // of an escape sequence; the first of several
	shifts       bool // what is fed has SO or SI in it
	control      controlSequence
	body         [maxBody]byte
	bodyLen      int
}

// feed calls m's methods for each control function that p completes.
func (o *outputParser) feed(p []byte, m *Modes) {
	o.shifts = bytes.IndexByte(p, shiftOut) >= 0 || bytes.IndexByte(p, shiftIn) >= 0
	for len(p) > 0 {
		if o.state == stGround {
			p = o.text(p, m)
		} else {
			p = o.within(p, m)
		}
	}
}

// one follows the control function that p begins with, and nothing after it.
func (o *outputParser) one(p []byte, m *Modes) {
	switch {
	case p[0] == shiftOut || p[0] == shiftIn:
		m.shift(p[0] == shiftOut)
	case p[0] != esc || o.whole(p[1:], m) > 0:
	default:
		o.begin()
		for p = p[1:]; len(p) > 0 && o.state != stGround; {
			p = o.within(p, m)
		}
	}
}

// within takes some of a sequence or string.
func (o *outputParser) within(p []byte, m *Modes) (rest []byte) {
	switch o.state {
	case stOSC, stString:
		return o.stringBytes(p, m)
	case stControl:
		return o.controlBytes(p, m)
	default:
		o.step(p[0], m)
		return p[1:]
	}
}

// text passes over text and whole control sequences, to what follows an ESC that begins something else.
func (o *outputParser) text(p []byte, m *Modes) (rest []byte) {
	for {
		i := nextEscape(p)
		if o.shifts {
			shiftsIn(p[:i], m)
		}
		if i == len(p) {
			return nil
		}
		p = p[i+1:]
		n := o.whole(p, m)
		if n == 0 {
			o.begin()
			return p
		}
		p = p[n:]
	}
}

// nextEscape returns where the next ESC is, or the length of p. Mostly it is near.
func nextEscape(p []byte) int {
	const near = 16
	for i, c := range p[:min(near, len(p))] {
		if c == esc {
			return i
		}
	}
	if i := bytes.IndexByte(p[min(near, len(p)):], esc); i >= 0 {
		return near + i
	}
	return len(p)
}

// shiftsIn follows SO and SI in text.
func shiftsIn(text []byte, m *Modes) {
	out, in := bytes.LastIndexByte(text, shiftOut), bytes.LastIndexByte(text, shiftIn)
	if out >= 0 {
		m.shift(true)
	}
	if in > out {
		m.shift(false)
	}
}

// whole takes the control function that p, which follows an ESC, begins with, and returns its length in p; or 0 if it is
// no CSI sequence of numbers or designation of a character set, or not all of it is there. It is the short way for most
// of what programs write; the long one, by step, comes to the same end.
func (o *outputParser) whole(p []byte, m *Modes) int {
	if len(p) < 2 {
		return 0
	}
	if p[0] != '[' {
		if p[0] >= '(' && p[0] <= '+' && p[1] >= '0' && p[1] < 0x7f {
			m.escape(p[0], p[1])
			return 2
		}
		return 0
	}
	first := 1
	if p[1] >= '<' && p[1] <= '?' {
		first = 2
	}
	end := first
	for end < len(p) && p[end] >= '0' && p[end] <= ';' {
		end++
	}
	if end == len(p) || p[end] < '@' || p[end] > '~' {
		return 0
	}
	if first == 1 && !switching[p[end]] {
		return end + 1
	}
	if first == 1 && p[end] == 'm' && m.attributes(p[1:]) {
		return end + 1
	}
	c := &o.control
	c.clear()
	if first == 2 {
		c.prefix = p[1]
	}
	if !c.numbers(p[first:end]) {
		return 0
	}
	c.final = p[end]
	m.control(c)
	return end + 1
}

// switching are the final bytes of the sequences without prefix and intermediate that are more than drawing.
var switching = [128]bool{'h': true, 'l': true, 'r': true, 'm': true, 't': true}

// controlBytes passes over a control sequence's bytes to the one after its final, or to one that is none of its own.
func (o *outputParser) controlBytes(p []byte, m *Modes) (rest []byte) {
	for i, c := range p {
		if c < ' ' || c >= 0x7f {
			o.step(c, m)
			return p[i+1:]
		}
		if o.control.add(c) {
			o.state = stGround
			m.control(&o.control)
			return p[i+1:]
		}
	}
	return nil
}

// begin starts an escape sequence.
func (o *outputParser) begin() {
	o.state = stEscape
	o.intermediate = 0
}

// stringBytes passes over a string's content to the byte after the one that may end it.
func (o *outputParser) stringBytes(p []byte, m *Modes) (rest []byte) {
	end := o.stringEnd(p)
	run := p
	if end >= 0 {
		run, rest = p[:end], p[end+1:]
	}
	if o.state == stOSC {
		o.bodyLen += copy(o.body[o.bodyLen:], run)
	}
	if end < 0 {
		return nil
	}
	switch {
	case p[end] == esc && o.state == stOSC:
		o.state = stOSCEsc
	case p[end] == esc:
		o.state = stStringEsc
	case p[end] == bel:
		o.state = stGround
		m.operatingSystem(o.body[:o.bodyLen])
	default:
		o.state = stGround
	}
	return rest
}

// stringEnd returns where p has what may end the string, or -1.
func (o *outputParser) stringEnd(p []byte) int {
	for i, c := range p {
		if c < ' ' && (c == esc || c == can || c == sub || c == bel && o.state == stOSC) {
			return i
		}
	}
	return -1
}

// step takes one byte of a sequence, but what belongs to a control sequence.
func (o *outputParser) step(c byte, m *Modes) {
	switch {
	case c == can || c == sub:
		o.state = stGround
	case o.state == stOSCEsc && c == '\\':
		o.state = stGround
		m.operatingSystem(o.body[:o.bodyLen])
	case o.state == stStringEsc && c == '\\':
		o.state = stGround
	case c == esc:
		o.begin()
	case o.state == stOSCEsc || o.state == stStringEsc:
		o.begin() // the string was aborted by the ESC of a new sequence
		o.escapeByte(c, m)
	case c < ' ':
		if c == shiftOut || c == shiftIn { // executed in the midst of a sequence
			m.shift(c == shiftOut)
		}
	case o.state == stEscape:
		o.escapeByte(c, m)
	default:
		o.state = stGround // no byte of a sequence
	}
}

// escapeByte takes a byte after ESC.
func (o *outputParser) escapeByte(c byte, m *Modes) {
	switch {
	case c < ' ':
		if c == shiftOut || c == shiftIn {
			m.shift(c == shiftOut)
		}
	case c < '0': // an intermediate
		if o.intermediate == 0 {
			o.intermediate = c
		}
	case c >= 0x7f:
		o.state = stGround
	case o.intermediate != 0:
		o.state = stGround
		m.escape(o.intermediate, c)
	case c == '[':
		o.state = stControl
		o.control.clear()
	case c == ']':
		o.state = stOSC
		o.bodyLen = 0
	case c == 'P' || c == '_' || c == '^' || c == 'X':
		o.state = stString
	default:
		o.state = stGround
		m.escape(0, c)
	}
}

// abort returns what ends the sequence or string that the output broke off in, without carrying it out: CAN, and ST for
// the terminals that let nothing else end a string.
func (o *outputParser) abort() string {
	switch o.state {
	case stGround:
		return ""
	case stEscape, stControl:
		return "\x18"
	}
	return "\x18\x1b\\"
}

// maxParams is as many parameters as xterm takes; those beyond are lost.
const maxParams = 30

// maxNumber is beyond every parameter that means something.
const maxNumber = 1 << 20

// controlSequence is a CSI sequence: prefix (< = > ?), parameters, intermediate, final byte.
type controlSequence struct {
	prefix       byte
	intermediate byte
	final        byte
	params       [maxParams]int  // -1 if omitted
	sub          [maxParams]bool // separated from the one before by a colon
	n            int
	overflow     bool // there were more parameters
	bad          bool // not a sequence that anything here knows
}

func (c *controlSequence) clear() {
	c.prefix, c.intermediate, c.final, c.n = 0, 0, 0, 0
	c.overflow, c.bad = false, false
}

// add takes a byte and reports whether it was the final one.
func (c *controlSequence) add(b byte) bool {
	switch {
	case b >= '0' && b <= '9':
		c.digit(int(b - '0'))
	case b == ';' || b == ':':
		if c.n == 0 {
			c.grow(false)
		}
		c.grow(b == ':')
	case b >= '<' && b <= '?':
		c.bad = c.bad || c.prefix != 0 || c.n > 0
		c.prefix = b
	case b >= ' ' && b <= '/':
		c.bad = c.bad || c.intermediate != 0
		c.intermediate = b
	case b >= '@' && b <= '~':
		c.final = b
		return true
	}
	return false
}

// numbers takes all parameters at once, as add does one by one. It reports false if there are too many.
func (c *controlSequence) numbers(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	value, given, sub := 0, false, false
	for _, b := range p {
		if b <= '9' {
			value, given = min(value*10+int(b-'0'), maxNumber), true
			continue
		}
		if !c.put(value, given, sub) {
			return false
		}
		value, given, sub = 0, false, b == ':'
	}
	return c.put(value, given, sub)
}

// put appends a parameter.
func (c *controlSequence) put(value int, given, sub bool) bool {
	if c.n == maxParams {
		return false
	}
	if !given {
		value = -1
	}
	c.params[c.n], c.sub[c.n] = value, sub
	c.n++
	return true
}

func (c *controlSequence) grow(sub bool) {
	if c.n == maxParams {
		c.overflow = true
		return
	}
	c.params[c.n], c.sub[c.n] = -1, sub
	c.n++
}

func (c *controlSequence) digit(d int) {
	if c.n == 0 {
		c.grow(false)
	}
	if c.overflow {
		return
	}
	p := &c.params[c.n-1]
	*p = min(max(*p, 0)*10+d, maxNumber)
}

// kind names the sequence: prefix<<16 | intermediate<<8 | final, as in '?'<<16 | 'h' or ' '<<8 | 'q'.
func (c *controlSequence) kind() int {
	if c.bad {
		return 0
	}
	return int(c.prefix)<<16 | int(c.intermediate)<<8 | int(c.final)
}

// param returns the i-th parameter, or missing if it was omitted.
func (c *controlSequence) param(i, missing int) int {
	if i >= c.n || c.params[i] < 0 {
		return missing
	}
	return c.params[i]
}

// each calls do with every parameter that was given.
func (c *controlSequence) each(do func(int)) {
	for _, p := range c.params[:c.n] {
		if p >= 0 {
			do(p)
		}
	}
}

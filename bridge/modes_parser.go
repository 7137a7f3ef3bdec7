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
		switch o.state {
		case stGround:
			p = o.text(p, m)
		case stOSC, stString:
			p = o.stringBytes(p, m)
		case stControl:
			p = o.controlBytes(p, m)
		default:
			o.step(p[0], m)
			p = p[1:]
		}
	}
}

// text passes over text to the byte after the next ESC.
func (o *outputParser) text(p []byte, m *Modes) (rest []byte) {
	before, after, ok := bytes.Cut(p, []byte{esc})
	run := p
	if ok {
		run, rest = before, after
		o.begin()
	}
	if !o.shifts {
		return rest
	}
	out, in := bytes.LastIndexByte(run, shiftOut), bytes.LastIndexByte(run, shiftIn)
	if out >= 0 {
		m.shift(true)
	}
	if in > out {
		m.shift(false)
	}
	return rest
}

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
	enders := "\x1b\x18\x1a" // ESC, CAN, SUB
	if o.state == stOSC {
		enders += "\a"
	}
	end := bytes.IndexAny(p, enders)
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

func (c *controlSequence) grow(sub bool) {
	if c.n == maxParams {
		c.overflow = true
		return
	}
	c.params[c.n], c.sub[c.n] = -1, sub
	c.n++
}

func (c *controlSequence) digit(d int) {
	const limit = 1 << 20 // beyond every number that means something
	if c.n == 0 {
		c.grow(false)
	}
	if c.overflow {
		return
	}
	p := &c.params[c.n-1]
	*p = min(max(*p, 0)*10+d, limit)
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

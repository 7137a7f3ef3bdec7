package firewall

import (
	"bytes"
	"strconv"
	"strings"
)

// verdict is what becomes of a CSI sequence.
type verdict uint8

const (
	drop verdict = iota
	pass
	rewrite // to Filter.scratch
)

// Numbers that are larger mean nothing, but may cost a terminal time or memory.
const (
	maxParam  = 1<<16 - 1
	maxRepeat = 9999
)

// control is a CSI sequence, taken apart.
type control struct {
	prefix byte   // one of < = > ?, or 0
	params []byte // digits, ; and :
	inter  byte   // an intermediate, or 0
	final  byte
}

// drawing are the final bytes that pass with any parameters if they stand alone: what moves the cursor, draws, erases,
// reports a state in numbers. They are the known ones: a strict filter passes no others.
var drawing = set("@ABCDEFGHIJKLMPSTWXZ`abcdefgmnqrsux")

// known are the sequences with a prefix or an intermediate that a strict filter passes.
var known = map[class]string{
	{'?', 0}: "JKSWchlmnrsu",      // selective erase, graphics limits, cursor of the Linux console, modes, keyboard
	{'>', 0}: "cfmnpqu",           // attributes and version of the terminal, keyboard and pointer resources
	{'<', 0}: "u", {'=', 0}: "cu", // keyboard protocol, unit id
	{0, ' '}: "@Aq", {0, '!'}: "p", {0, '"'}: "q", // scrolling sideways, cursor shape, soft reset, protection
	{0, '$'}:   "prtuvwxz{", // queries of modes, tabs and colours, rectangles
	{'?', '$'}: "p",
	{0, '\''}:  "wz{|}~",   // locator, columns
	{0, '*'}:   "x",        // what rectangles are
	{0, '%'}:   "m",        // nothing, by which vim tells terminals apart
	{0, '#'}:   "PQRpq{|}", // pushed attributes and colours
}

// refusedFinals are the sequences that no filter passes, by intermediate.
var refusedFinals = map[byte]string{
	0:   "iy[]", // print, self-test, keys of the Linux console, its settings
	'"': "p",    // another conformance level, which reads less
	'$': "|}~",  // columns of the page, status line
	'#': "y",    // what checksums are of
	' ': "prtuv}",
}

// refusedIntermediates are those whose sequences no filter passes but the known: checksums of the screen, macros, lines
// of the page (*), and the hardware of DEC's terminals, its keyboards, ports, sounds and clock.
var refusedIntermediates = set("*+,-./%&()")

// refused reports whether no filter passes a sequence that is not known.
func (c *control) refused() bool {
	switch {
	case c.prefix != 0 && c.inter != 0:
		return true // nothing uses both, and a terminal may overlook one of them
	case c.prefix != 0 && (c.final == 't' || c.final == 'T'):
		return true // how titles are coded: hexadecimal ones may hold controls
	}
	return refusedIntermediates[c.inter] || strings.IndexByte(refusedFinals[c.inter], c.final) >= 0
}

// parseControl takes seq, which is ESC, [, bytes from 0x20 to 0x3f and a final byte, apart.
func parseControl(seq []byte) (c control, ok bool) {
	body := seq[2 : len(seq)-1]
	c.final = seq[len(seq)-1]
	if len(body) > 0 && body[0] >= '<' {
		c.prefix, body = body[0], body[1:]
	}
	n := 0
	for n < len(body) && body[n] >= '0' && body[n] <= ';' {
		n++
	}
	c.params, body = body[:n], body[n:]
	if len(body) == 1 && body[0] < '0' {
		c.inter, body = body[0], nil
	}
	return c, len(body) == 0
}

// class is a prefix and an intermediate, or 0.
type class [2]byte

// first returns the first parameter, or 0.
func (c *control) first() int {
	n := 0
	for _, d := range c.params {
		if d > '9' {
			break
		}
		n = min(n*10+int(d-'0'), maxParam)
	}
	return n
}

// judge says what becomes of a complete CSI sequence. It has no effect but on scratch.
func (f *Filter) judge(seq []byte) verdict {
	c, ok := parseControl(seq)
	if !ok {
		return drop // terminals skip it, each to its own idea of the end
	}
	if c.inter == 0 {
		switch c.final {
		case 't':
			if c.prefix == 0 && !reportsWindow(&c) {
				return drop
			}
		case 'h', 'l', 'r':
			if c.prefix == '?' || c.prefix == 0 && c.final != 'r' {
				return f.judgeModes(&c)
			}
		}
	}
	switch {
	case c.prefix == 0 && c.inter == 0 && (drawing[c.final] || c.final == 't'):
	case strings.IndexByte(known[class{c.prefix, c.inter}], c.final) >= 0:
		if c.asksPasteEvents() {
			return drop // answered
		}
	case f.policy == Strict, c.refused():
		return drop
	}
	return f.bounded(seq, &c)
}

// bounded writes numbers anew that are too large.
func (f *Filter) bounded(seq []byte, c *control) verdict {
	limit := maxParam
	if c.final == 'b' && c.prefix == 0 && c.inter == 0 {
		limit = maxRepeat
	}
	out := f.scratch[:0]
	result := pass
	for i := 0; i < len(seq); {
		n := i
		for n < len(seq) && seq[n] >= '0' && seq[n] <= '9' {
			n++
		}
		if n-i < 5 || n-i == 5 && limit == maxParam && number(seq[i:n]) <= limit {
			n = max(n, i+1)
			out = append(out, seq[i:n]...)
		} else {
			out = strconv.AppendInt(out, int64(min(number(seq[i:n]), limit)), 10)
			result = rewrite
		}
		i = n
	}
	f.scratch = out
	return result
}

func number(digits []byte) int {
	n := 0
	for _, d := range digits {
		n = min(n*10+int(d-'0'), maxParam+1)
	}
	return n
}

// reportsWindow reports whether a CSI t asks for a size or position, or keeps a title on the terminal's stack. All
// others move, resize, raise, hide or close the window, or have it type its title.
func reportsWindow(c *control) bool {
	if bytes.IndexByte(c.params, ':') >= 0 {
		return false
	}
	switch c.first() {
	case 11, 13, 14, 15, 16, 18, 19, 22, 23:
		return true
	}
	return false
}

const (
	modePasteEvents = 5522 // pastes that are read from the clipboard by OSC 5522, which does not pass
	modeHighlight   = 1001 // of the mouse: a press hangs the terminal until the program answers
)

// refuses reports whether no filter lets the sequence set or reset a mode, or restore it to what it may have been.
func (c *control) refuses(mode int) bool {
	if c.final == 'r' && mode == modeHighlight {
		return false // mc restores it, and nothing that passes has switched it on
	}
	return refusedMode(c.prefix != 0, mode, c.final != 'l')
}

// refusedMode says which modes of SM and RM, or private ones of DECSET and DECRST, no filter passes.
func refusedMode(private bool, mode int, on bool) bool {
	if !private {
		return mode == 2 && on // KAM: a locked keyboard could not even end the session
	}
	switch mode {
	case 2, // DECANM: a VT52 reads everything else
		3: // DECCOLM: resizes the window
		return true
	case 38, // DECTEK: a Tektronix 4014 reads everything else
		40, // lets DECCOLM resize
		42, // DECNRCM: takes xterm out of UTF-8
		46, // logs to a file
		modeHighlight,
		1043, // raises the window at a bell
		modePasteEvents:
		return on
	}
	return false
}

// judgeModes takes refused modes out of a list.
func (f *Filter) judgeModes(c *control) verdict {
	if bytes.IndexByte(c.params, ':') >= 0 {
		return drop // no mode has subparameters: terminals differ in what they make of it
	}
	result, left := pass, 0
	out := append(f.scratch[:0], esc, '[')
	if c.prefix != 0 {
		out = append(out, c.prefix)
	}
	for rest, more := c.params, true; more; {
		var param []byte
		param, rest, more = bytes.Cut(rest, []byte{';'})
		mode := number(param)
		if c.refuses(mode) {
			result = rewrite
			continue
		}
		if left++; left > 1 {
			out = append(out, ';')
		}
		if len(param) > 5 || mode > maxParam {
			result = rewrite
			out = strconv.AppendInt(out, int64(min(mode, maxParam)), 10)
		} else {
			out = append(out, param...)
		}
	}
	f.scratch = append(out, c.final)
	if left == 0 {
		return drop
	}
	return result
}

// asksPasteEvents reports whether this is DECRQM for paste events.
func (c *control) asksPasteEvents() bool {
	return c.prefix == '?' && c.inter == '$' && c.final == 'p' && c.first() == modePasteEvents
}

// refuseControl counts and answers a CSI sequence that was dropped.
func (f *Filter) refuseControl(seq []byte) {
	c, ok := parseControl(seq)
	if !ok {
		return
	}
	switch {
	case c.final == 't' && c.prefix == 0 && c.inter == 0:
		switch c.first() {
		case 20:
			f.refuse(titleRead)
			f.answer("\x1b]L" + st)
		case 21:
			f.refuse(titleRead)
			f.answer("\x1b]l" + st)
		default:
			f.refuse(windowChange)
		}
	case c.final == 'i':
		f.refuse(printing)
	case c.final == 'y' && c.inter == '*':
		f.refuse(screenRead)
	case c.asksPasteEvents():
		f.answer("\x1b[?5522;0$y") // not known here
	}
}

package bridge

import "bytes"

// This file says what each control function means to the modes: xterm's ctlseqs, ECMA-48, the kitty protocols.

// escape follows ESC, an intermediate or 0, and a final byte.
func (m *Modes) escape(intermediate, final byte) {
	s := &m.now
	switch intermediate {
	case 0:
		switch final {
		case '=':
			s.keypad = true
		case '>':
			s.keypad = false
		case 'c':
			s.reset()
		case 'n', 'o': // LS2, LS3
			s.shifted = true
		default:
			return
		}
	case '(', ')', '*', '+':
		i := intermediate - '('
		s.charsets &^= 1 << i
		if final != 'B' {
			s.charsets |= 1 << i
			m.during.charsets |= 1 << i
		}
		return // the rest is as it was, and there are many of these
	case '-', '.', '/': // sets of 96 characters, for G1 to G3
		s.charsets |= 1 << (bytes.IndexByte([]byte("-./"), intermediate) + 1)
	case '%':
		s.otherCoding = final != 'G'
	case ' ':
		switch final {
		case 'F':
			s.eightBit = false
		case 'G':
			s.eightBit = true
		}
	}
	m.passed()
}

// shift follows SO and SI.
func (m *Modes) shift(out bool) {
	m.now.shifted = out
	m.passed()
}

// passed records the state after a control function.
func (m *Modes) passed() { m.during.merge(&m.now) }

// control follows a CSI sequence.
func (m *Modes) control(c *controlSequence) {
	s := &m.now
	switch c.kind() {
	case 'h', 'l':
		c.each(func(n int) { s.setANSI(n, c.final == 'h') })
	case '?'<<16 | 'h', '?'<<16 | 'l':
		c.each(func(n int) { s.setPrivate(n, c.final == 'h') })
	case '?'<<16 | 's':
		c.each(s.save)
	case '?'<<16 | 'r':
		c.each(s.restore)
	case 'r':
		s.margins = c.param(0, 1) > 1 || c.param(1, 0) > 0
	case 'm':
		m.setAttributes(s.attributes.after(c))
		return
	case '>'<<16 | 'm':
		s.modifyKeys = keyResource(s.modifyKeys, c)
	case '>'<<16 | 'n': // "disable", which for these resources is not the default
		s.modifyKeys |= bit(c.param(0, 2))
	case '>'<<16 | 'f':
		s.formatKeys = keyResource(s.formatKeys, c)
	case '>'<<16 | 'u', '<'<<16 | 'u', '='<<16 | 'u':
		s.keyboard[s.screen()].follow(c)
	case ' '<<8 | 'q':
		s.cursorShape = c.param(0, 0) != 0
	case '"'<<8 | 'q':
		s.protected = c.param(0, 0) == 1
	case '\''<<8 | 'z':
		s.locator = c.param(0, 0) != 0
	case 't':
		s.followTitle(c)
	default:
		return // what draws
	}
	m.passed()
}

// follow takes a push, a pop or a setting of the kitty keyboard protocol. A setting changes the topmost entry, which a
// later pop takes away.
func (k *keyboardStack) follow(c *controlSequence) {
	switch c.prefix {
	case '>':
		k.depth = min(k.depth+1, maxKeyboard)
	case '<':
		n := max(c.param(0, 1), 1)
		if n >= int(k.depth)+1 {
			k.base = false // popping the last entry resets all flags
		}
		k.depth -= uint8(min(n, int(k.depth)))
	case '=':
		if k.depth == 0 {
			k.base = c.param(0, 0) != 0 || (k.base && c.param(1, 1) != 1)
		}
	}
}

// keyResource follows XTMODKEYS and XTFMTKEYS: without a value, and for modifyOtherKeys with 0, it is the default;
// without a resource, all are.
func keyResource(set uint16, c *controlSequence) uint16 {
	resource := c.param(0, -1)
	if resource < 0 {
		return 0
	}
	const modifyOtherKeys = 4
	value := c.param(1, -1)
	if value < 0 || (value == 0 && resource == modifyOtherKeys) {
		return set &^ bit(resource)
	}
	return set | bit(resource)
}

// bit returns the n-th bit of a small set, or none if it has none.
func bit(n int) uint16 {
	if n < 0 || n > 15 {
		return 0
	}
	return 1 << n
}

// followTitle follows the pushes and pops of the title stack.
func (s *modeState) followTitle(c *controlSequence) {
	which := c.param(1, 0)
	if which > 2 {
		return
	}
	switch c.param(0, 0) {
	case 22:
		if s.titleDepth < maxTitles {
			s.titles[s.titleDepth] = uint8(which)
			s.titleDepth++
		}
	case 23:
		if s.titleDepth > 0 {
			s.titleDepth--
			s.titles[s.titleDepth] = 0
		}
	}
}

// operatingSystem follows an OSC string, of which body may be only the beginning.
func (m *Modes) operatingSystem(body []byte) {
	s := &m.now
	digits, rest, found := bytes.Cut(body, []byte(";"))
	n, ok := number(digits)
	if !ok {
		return
	}
	switch {
	case n == 4:
		s.palette = s.palette || (found && !bytes.HasSuffix(rest, []byte("?")))
	case n == 104:
		s.palette = s.palette && found && len(rest) > 0
	case n == 8:
		_, uri, _ := bytes.Cut(rest, []byte(";"))
		s.hyperlink = len(uri) > 0
	case n == 9:
		if state, ok := bytes.CutPrefix(rest, []byte("4;")); ok {
			s.progress = !bytes.HasPrefix(state, []byte("0"))
		}
	case n >= 10 && n <= 19:
		s.setColours(n, rest)
	case n == 22:
		s.setPointer(rest)
	case n >= 110 && n <= 119:
		s.dynamic &^= 1 << (n - 110)
	}
	m.passed()
}

// number reads the number of an OSC, which has no sign.
func number(digits []byte) (n int, ok bool) {
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = min(n*10+int(d-'0'), maxNumber)
	}
	return n, len(digits) > 0
}

// setColours follows OSC 10 to 19; further colours in one string are the following numbers'.
func (s *modeState) setColours(n int, specs []byte) {
	for spec := range bytes.SplitSeq(specs, []byte(";")) {
		if n > 19 {
			return
		}
		if len(spec) > 0 && spec[0] != '?' && n != 22 {
			s.dynamic |= 1 << (n - 10)
		}
		n++
	}
}

func (s *modeState) setPointer(shape []byte) {
	if len(shape) == 0 {
		s.pointer = false
		return
	}
	switch shape[0] {
	case '?':
	case '>':
		names := bytes.Count(shape, []byte(",")) + 1
		s.pointers = uint8(min(int(s.pointers)+names, maxPointers))
		s.pointer = true // terminals without a stack take it for a shape
	case '<':
		s.pointers -= min(s.pointers, 1)
	default:
		s.pointer = true
	}
}

// attributeSet is what SGR has switched on.
type attributeSet uint32

const (
	attrIntensity attributeSet = 1 << iota // bold and faint, which one code switches off
	attrItalic
	attrUnderline
	attrBlink
	attrInverse
	attrInvisible
	attrCrossed
	attrForeground
	attrBackground
	attrUnderlineColour
	attrFont
	attrProportional
	attrFrame
	attrOverline
	attrIdeogram
	attrScript
	attrUnknown // only SGR 0 switches it off
)

// attributes follows an SGR sequence, from behind ESC [ on. It is the short way for what programs write most, and the long
// one by [attributeSet.after] comes to the same end; it reports false, and does nothing, where that must be gone: for
// colons, large numbers, many of them.
func (m *Modes) attributes(p []byte) bool {
	if len(p) > 0 && p[0] == 'm' {
		m.setAttributes(0)
		return true
	}
	a, code, colour, n := m.now.attributes, 0, notColour, 0
	for _, c := range p {
		if c-'0' < 10 {
			if code = code*10 + int(c-'0'); code > 9999 {
				return false
			}
			continue
		}
		if n++; n > maxParams || c != ';' && c != 'm' {
			return false
		}
		if colour == notColour && code != 38 && code != 48 && code != 58 {
			a = a.with(code)
		} else {
			a, colour = a.withColour(code, colour)
		}
		if c == 'm' {
			m.setAttributes(a)
			return true
		}
		code = 0
	}
	return false
}

// How many parameters still belong to a colour; or that the next says how many.
const (
	notColour = 0
	itsKind   = -1
)

// with returns the set after a parameter that is neither a colour nor belongs to one.
func (a attributeSet) with(code int) attributeSet {
	switch {
	case code == 0:
		return 0
	case code < len(attributeCodes):
		return a&^attributeCodes[code].off | attributeCodes[code].on
	}
	return a
}

// withColour returns the set after a parameter that is a colour or belongs to one, and whether the next does.
func (a attributeSet) withColour(code, colour int) (after attributeSet, next int) {
	switch {
	case colour == notColour:
		return a | attributeCodes[code].on, itsKind
	case colour != itsKind:
		return a, colour - 1
	case code == 5:
		return a, 1
	case code == 2:
		return a, 3
	}
	return a, notColour
}

// setAttributes records the state after SGR. The rest is as it was, and there are many of these.
func (m *Modes) setAttributes(a attributeSet) {
	m.now.attributes = a
	m.during.attributes |= a
}

// after returns the set after an SGR sequence.
func (a attributeSet) after(c *controlSequence) attributeSet {
	if c.n == 0 {
		return 0
	}
	for i := 0; i < c.n; i++ {
		if c.sub[i] {
			continue // belongs to the parameter before
		}
		code := max(c.params[i], 0)
		off := i+1 < c.n && c.sub[i+1] && code == 4 && c.params[i+1] == 0 // 4:0
		switch {
		case off:
			a &^= attrUnderline
		case code == 38 || code == 48 || code == 58:
			a |= attributeOn(code)
			i += c.colourLength(i)
		case code == 0:
			a = 0
		case code < len(attributeCodes):
			a = a&^attributeCodes[code].off | attributeCodes[code].on
		}
	}
	if c.overflow {
		a |= attrUnknown
	}
	return a
}

// colourLength returns how many of the parameters after i, separated by semicolons, belong to its colour.
func (c *controlSequence) colourLength(i int) int {
	if i+1 >= c.n || c.sub[i+1] {
		return 0 // colons say by themselves what belongs together
	}
	switch c.params[i+1] {
	case 5:
		return 2
	case 2:
		return 4
	}
	return 1
}

// attributeCodes are what the codes of SGR switch on and off.
var attributeCodes = func() (codes [108]struct{ on, off attributeSet }) {
	for code := range codes {
		codes[code].on, codes[code].off = attributeOn(code), attributeOff(code)
	}
	return codes
}()

func attributeOn(code int) attributeSet {
	switch {
	case code == 1 || code == 2:
		return attrIntensity
	case code == 3:
		return attrItalic
	case code == 4 || code == 21:
		return attrUnderline
	case code == 5 || code == 6:
		return attrBlink
	case code == 7:
		return attrInverse
	case code == 8:
		return attrInvisible
	case code == 9:
		return attrCrossed
	case code >= 11 && code <= 20:
		return attrFont
	case code == 26:
		return attrProportional
	case code >= 30 && code <= 38, code >= 90 && code <= 97:
		return attrForeground
	case code >= 40 && code <= 48, code >= 100 && code <= 107:
		return attrBackground
	case code == 51 || code == 52:
		return attrFrame
	case code == 53:
		return attrOverline
	case code == 58:
		return attrUnderlineColour
	case code >= 60 && code <= 64:
		return attrIdeogram
	case code == 73 || code == 74:
		return attrScript
	}
	return 0
}

func attributeOff(code int) attributeSet {
	switch code {
	case 10:
		return attrFont
	case 22:
		return attrIntensity
	case 23:
		return attrItalic
	case 24:
		return attrUnderline
	case 25:
		return attrBlink
	case 27:
		return attrInverse
	case 28:
		return attrInvisible
	case 29:
		return attrCrossed
	case 39:
		return attrForeground
	case 49:
		return attrBackground
	case 50:
		return attrProportional
	case 54:
		return attrFrame
	case 55:
		return attrOverline
	case 59:
		return attrUnderlineColour
	case 65:
		return attrIdeogram
	case 75:
		return attrScript
	}
	return 0
}

package bridge

import (
	"bytes"
	"slices"
	"strconv"
)

// Modes follows a program's output and knows what brings the terminal back to its defaults: the modes, attributes and
// pushes that the program has switched on and not undone.
//
// Where terminals differ it errs towards undoing, which is harmless twice: a soft reset (DECSTR), which tmux ignores,
// undoes nothing here, and a restored private mode (XTRESTORE) is on if it may be.
type Modes struct {
	parser outputParser
	now    modeState
	during modeState // everything that was on at some point of the last write
	undo   []byte    // of now
	before []byte    // the value of undo before the last write; the memory is reused
}

// Feed follows p, which may be cut anywhere, and reports whether Undo has changed.
func (m *Modes) Feed(p []byte) (changed bool) {
	m.during = m.now
	if m.parser.state == stGround && bytes.IndexByte(p, esc) < 0 &&
		bytes.IndexByte(p, shiftOut) < 0 && bytes.IndexByte(p, shiftIn) < 0 {
		return false // text, most of the time
	}
	m.parser.feed(p, m)
	return m.renew()
}

// FeedMarked is Feed, to the same undo bytes, for output of which it is known where what may matter here begins, as
// [Filter] marks it: it looks at nothing else.
func (m *Modes) FeedMarked(p []byte, attributes, others []int) (changed bool) {
	if m.parser.state != stGround || resets(p, others) {
		return m.Feed(p) // what goes on from before has no mark; a full reset is one of attributes too
	}
	m.during = m.now
	if len(attributes)+len(others) == 0 {
		return false
	}
	m.followAttributes(p, attributes)
	for _, at := range others {
		m.parser.one(p[at:], m)
	}
	return m.renew()
}

// resets reports whether one of the marks is a full reset (RIS).
func resets(p []byte, marks []int) bool {
	return slices.ContainsFunc(marks, func(at int) bool { return bytes.HasPrefix(p[at:], []byte("\x1bc")) })
}

// followAttributes follows the SGR sequences at the marks. What comes before the last that switches all attributes off
// matters only until something was on, since one sequence undoes any of them.
func (m *Modes) followAttributes(p []byte, marks []int) {
	last := len(marks)
	for last > 0 && !resetsAttributes(p[marks[last-1]:]) {
		last--
	}
	for i, at := range marks {
		if i < last-1 && m.during.attributes != 0 {
			continue
		}
		if !m.attributes(p[min(at+2, len(p)):]) {
			m.parser.one(p[at:], m)
		}
	}
}

func resetsAttributes(p []byte) bool {
	return len(p) > 2 && p[2] == 'm' || len(p) > 3 && p[2] == '0' && p[3] == 'm'
}

// renew writes the undo bytes anew and reports whether they are others.
func (m *Modes) renew() (changed bool) {
	m.before = append(m.before[:0], m.undo...)
	m.undo = append(m.undo[:0], m.parser.abort()...)
	m.undo = m.now.appendUndo(m.undo)
	return !bytes.Equal(m.undo, m.before)
}

// Undo returns the bytes that undo what is on after the last Feed: none for a program that has switched nothing on.
// They are valid until the next Feed, and at most a few hundred.
func (m *Modes) Undo() []byte { return m.undo }

// UndoDuring returns bytes that undo whatever was on at any point of what was last fed, for the time while these bytes
// are being written and a kill may cut them. They are the caller's. A string or sequence cut in the middle is left to
// whoever knows of the cut.
func (m *Modes) UndoDuring() []byte { return m.during.appendUndo(nil) }

// modeState is what a terminal is to be relieved of. It is a plain value, so that a copy is a snapshot.
type modeState struct {
	private      modeSet // index into privateModes: differs from the default
	savedPrivate modeSet // what XTSAVE recorded
	ansi         uint8   // index into ansiModes
	keypad       bool    // DECKPAM
	margins      bool    // DECSTBM
	alternate    uint16  // the private mode that switched to the alternate screen; 0 on the main screen
	lastAlt      uint16  // the last such mode, to visit that screen again
	alternateRIS bool    // a full reset came on the alternate screen, which some terminals leave and some do not
	keyboard     [2]keyboardStack
	modifyKeys   uint16 // XTMODKEYS resources, a bit each
	formatKeys   uint16 // XTFMTKEYS
	charsets     uint8  // G0 to G3 designated other than ASCII, a bit each
	shifted      bool   // GL is not G0
	otherCoding  bool   // left UTF-8
	eightBit     bool   // S8C1T: replies come with 8-bit controls
	protected    bool   // DECSCA
	locator      bool   // DECELR
	attributes   attributeSet
	cursorShape  bool
	hyperlink    bool
	palette      bool
	dynamic      uint16 // OSC 10 to 19, a bit each
	pointer      bool
	pointers     uint8 // pushed pointer shapes
	progress     bool  // OSC 9;4
	titles       [maxTitles]uint8
	titleDepth   uint8
}

type modeSet uint64

const (
	maxTitles   = 10 // xterm keeps as many
	maxPointers = 16
	maxKeyboard = 99
)

// keyboardStack is the kitty keyboard protocol's state of one screen.
type keyboardStack struct {
	depth uint8 // pushes that no pop has undone
	base  bool  // flags set below all pushes
}

const (
	mainScreen = iota
	alternateScreen
)

// privateMode is a DEC private mode that outlives its program, and its default where terminals agree on it.
// Where they do not (alternate scroll, cursor blink, …), off is what programs restore.
type privateMode struct {
	number uint16
	on     bool
}

// In the order in which they are undone: reports first, so that no more of them arrive as typed text.
var privateModes = [...]privateMode{
	{number: 2026}, // synchronized output; undone before all else
	{number: 1003}, // mouse: any motion
	{number: 1002}, // mouse: motion with a button
	{number: 1001}, // mouse: highlight
	{number: 1000}, // mouse: buttons
	{number: 9},    // mouse: X10
	{number: 1005}, // mouse: UTF-8 coordinates
	{number: 1006}, // mouse: SGR
	{number: 1015}, // mouse: urxvt
	{number: 1016}, // mouse: SGR pixels
	{number: 1004}, // focus reports
	{number: 1007}, // wheel as arrow keys
	{number: 2004}, // bracketed paste
	{number: 5522}, // paste events
	{number: 2031}, // reports of the colour scheme
	{number: 2048}, // reports of the size
	{number: 9001}, // win32 keyboard
	{number: 1},    // application cursor keys
	{number: 66},   // application keypad
	{number: 67},   // backarrow sends backspace
	{number: 1034}, // 8-bit meta
	{number: 1039}, // alt sends escape
	{number: 1060}, // legacy keyboard
	{number: 1061}, // VT220 keyboard
	{number: 2027}, // grapheme clusters
	{number: 4},    // smooth scroll
	{number: 5},    // reverse video
	{number: 40},   // allow 132 columns
	{number: 45},   // reverse wrap
	{number: 80},   // sixel display
	{number: 8452}, // sixel leaves the cursor at its right
	{number: 1045}, // extended reverse wrap
	{number: 12},   // blinking cursor
	{number: 8, on: true},
	{number: 7, on: true},  // autowrap
	{number: 25, on: true}, // cursor visible; last, so that it does not wander about
	{number: 6},            // origin: undone with the margins, since it moves the cursor
	{number: 69},           // left and right margins: likewise
}

// ansiModes are the modes of SM and RM.
var ansiModes = [...]privateMode{
	{number: 2},            // keyboard locked
	{number: 4},            // insert
	{number: 12, on: true}, // no local echo
	{number: 20},           // LF is CR LF
}

const (
	modeSync   = 2026
	modeOrigin = 6
	modeSides  = 69
)

// privateIndex returns where number is in privateModes, or -1.
func privateIndex(number int) int {
	if number >= 0 && number < len(lowModes) {
		return int(lowModes[number])
	}
	return slices.IndexFunc(privateModes[:], func(m privateMode) bool { return int(m.number) == number })
}

// lowModes is privateIndex of the numbers that programs use most.
var lowModes = func() (index [2049]int8) {
	for n := range index {
		index[n] = int8(slices.IndexFunc(privateModes[:], func(m privateMode) bool { return int(m.number) == n }))
	}
	return index
}()

func (s *modeState) screen() int {
	if s.alternate != 0 {
		return alternateScreen
	}
	return mainScreen
}

// setPrivate follows DECSET and DECRST.
func (s *modeState) setPrivate(number int, on bool) {
	switch number {
	case 47, 1047, 1049:
		s.alternateRIS = false
		s.alternate = 0
		if on {
			s.alternate, s.lastAlt = uint16(number), uint16(number)
		}
		return
	}
	if i := privateIndex(number); i >= 0 {
		s.private.put(i, on != privateModes[i].on)
	}
}

// save and restore follow XTSAVE and XTRESTORE. tmux knows neither, so a restore never counts as undoing.
func (s *modeState) save(number int) {
	if i := privateIndex(number); i >= 0 {
		s.savedPrivate.put(i, s.private.has(i))
	}
}

func (s *modeState) restore(number int) {
	if i := privateIndex(number); i >= 0 && s.savedPrivate.has(i) {
		s.private.put(i, true)
	}
}

func (s *modeState) setANSI(number int, on bool) {
	for i, m := range ansiModes {
		if int(m.number) == number {
			s.ansi &^= 1 << i
			if on != m.on {
				s.ansi |= 1 << i
			}
		}
	}
}

// reset follows RIS. tmux stays on the alternate screen and keeps the cursor's shape; xterm keeps its title stack.
func (s *modeState) reset() {
	*s = modeState{
		alternateRIS: s.alternate != 0 || s.alternateRIS,
		cursorShape:  s.cursorShape,
		titles:       s.titles,
		titleDepth:   s.titleDepth,
	}
}

// merge adds what is on in other, an earlier or later state of the same terminal.
func (s *modeState) merge(other *modeState) {
	s.private |= other.private
	s.ansi |= other.ansi
	s.keypad = s.keypad || other.keypad
	s.margins = s.margins || other.margins
	s.alternateRIS = s.alternateRIS || other.alternateRIS
	if s.alternate == 0 {
		s.alternate = other.alternate
	}
	s.lastAlt = max(s.lastAlt, other.lastAlt)
	for i := range s.keyboard {
		s.keyboard[i].depth = max(s.keyboard[i].depth, other.keyboard[i].depth)
		s.keyboard[i].base = s.keyboard[i].base || other.keyboard[i].base
	}
	s.modifyKeys |= other.modifyKeys
	s.formatKeys |= other.formatKeys
	s.charsets |= other.charsets
	s.shifted = s.shifted || other.shifted
	s.otherCoding = s.otherCoding || other.otherCoding
	s.eightBit = s.eightBit || other.eightBit
	s.protected = s.protected || other.protected
	s.locator = s.locator || other.locator
	s.attributes |= other.attributes
	s.cursorShape = s.cursorShape || other.cursorShape
	s.hyperlink = s.hyperlink || other.hyperlink
	s.palette = s.palette || other.palette
	s.dynamic |= other.dynamic
	s.pointer = s.pointer || other.pointer
	s.pointers = max(s.pointers, other.pointers)
	s.progress = s.progress || other.progress
	if other.titleDepth > s.titleDepth {
		s.titles, s.titleDepth = other.titles, other.titleDepth
	}
}

func (m modeSet) has(i int) bool { return m&(1<<i) != 0 }

func (m *modeSet) put(i int, on bool) {
	*m &^= 1 << i
	if on {
		*m |= 1 << i
	}
}

// appendUndo adds what undoes s. The order matters: first what hides or multiplies the rest (synchronized output,
// reports), then what belongs to the alternate screen, then that screen, and what is left on the main screen after it.
func (s *modeState) appendUndo(b []byte) []byte {
	if i := privateIndex(modeSync); s.private.has(i) {
		b = appendPrivate(b, modeSync, false)
	}
	b = s.undoAlternate(b)
	b = s.keyboard[mainScreen].undo(b)
	b = s.undoModes(b)
	b = s.undoKeys(b)
	b = s.undoText(b)
	return s.undoWindow(b)
}

// undoAlternate undoes what the alternate screen keeps for itself and leaves it. Margins and origin mode go with it:
// undoing them moves the cursor, which leaving the screen puts back.
func (s *modeState) undoAlternate(b []byte) []byte {
	stack := s.keyboard[alternateScreen]
	switch {
	case s.alternate != 0:
		b = stack.undo(b)
		b = s.undoPointers(b)
		b = s.undoMargins(b, s.alternate == 1049)
		return appendPrivate(b, s.alternate, false)
	case stack != keyboardStack{}:
		// Left behind on a screen that the next program will use: visit it the way the program did.
		b = appendPrivate(b, s.lastAlt, true)
		b = stack.undo(b)
		b = appendPrivate(b, s.lastAlt, false)
	}
	if s.alternateRIS {
		b = appendPrivate(b, 47, false) // it neither clears nor moves the cursor where the screen was left already
	}
	b = s.undoPointers(b)
	return s.undoMargins(b, false)
}

func (k keyboardStack) undo(b []byte) []byte {
	if k.depth > 0 {
		b = append(b, "\x1b[<"...)
		b = strconv.AppendUint(b, uint64(k.depth), 10)
		b = append(b, 'u')
	}
	if k.base {
		b = append(b, "\x1b[=0;1u"...)
	}
	return b
}

// undoMargins resets the scroll region, which moves the cursor home. Unless that does not matter the cursor is put
// back; with origin mode on, whose undoing moves it too and which a saved cursor would bring back, to the last line.
func (s *modeState) undoMargins(b []byte, free bool) []byte {
	origin, sides := s.private.has(privateIndex(modeOrigin)), s.private.has(privateIndex(modeSides))
	if !origin && !sides && !s.margins {
		return b
	}
	save := !free && !origin
	if save {
		b = append(b, "\x1b7"...)
	}
	if origin {
		b = appendPrivate(b, modeOrigin, false)
	}
	if sides {
		b = appendPrivate(b, modeSides, false)
	}
	b = append(b, "\x1b[r"...)
	switch {
	case save:
		b = append(b, "\x1b8"...)
	case !free:
		b = append(b, "\x1b[9999;1H"...)
	}
	return b
}

func (s *modeState) undoModes(b []byte) []byte {
	for i, m := range privateModes {
		if s.private.has(i) && m.number != modeSync && m.number != modeOrigin && m.number != modeSides {
			b = appendPrivate(b, m.number, m.on)
		}
	}
	for i, m := range ansiModes {
		if s.ansi&(1<<i) != 0 {
			b = append(b, "\x1b["...)
			b = appendSwitch(b, m.number, m.on)
		}
	}
	return b
}

func (s *modeState) undoKeys(b []byte) []byte {
	if s.keypad {
		b = append(b, "\x1b>"...)
	}
	for i := range 16 {
		if s.modifyKeys&(1<<i) != 0 {
			b = append(strconv.AppendInt(append(b, "\x1b[>"...), int64(i), 10), 'm')
		}
		if s.formatKeys&(1<<i) != 0 {
			b = append(strconv.AppendInt(append(b, "\x1b[>"...), int64(i), 10), 'f')
		}
	}
	if s.locator {
		b = append(b, "\x1b[0'z"...)
	}
	if s.eightBit {
		b = append(b, "\x1b F"...)
	}
	return b
}

func (s *modeState) undoText(b []byte) []byte {
	if s.otherCoding {
		b = append(b, "\x1b%G"...)
	}
	if s.shifted {
		b = append(b, shiftIn)
	}
	for i := range 4 {
		if s.charsets&(1<<i) != 0 {
			b = append(b, esc, "()*+"[i], 'B')
		}
	}
	if s.attributes != 0 {
		b = append(b, "\x1b[m"...)
	}
	if s.protected {
		b = append(b, "\x1b[0\"q"...)
	}
	if s.hyperlink {
		b = appendOSC(b, "8;;")
	}
	return b
}

func (s *modeState) undoWindow(b []byte) []byte {
	if s.palette {
		b = appendOSC(b, "104")
	}
	for i := range 10 {
		if s.dynamic&(1<<i) != 0 {
			b = appendOSC(b, strconv.Itoa(110+i))
		}
	}
	if s.cursorShape {
		b = append(b, "\x1b[0 q"...)
	}
	if s.pointer {
		b = appendOSC(b, "22;")
	}
	if s.progress {
		b = appendOSC(b, "9;4;0")
	}
	for i := int(s.titleDepth) - 1; i >= 0; i-- {
		b = append(strconv.AppendInt(append(b, "\x1b[23;"...), int64(s.titles[i]), 10), 't')
	}
	return b
}

func (s *modeState) undoPointers(b []byte) []byte {
	for range s.pointers {
		b = appendOSC(b, "22;<")
	}
	return b
}

func appendPrivate(b []byte, number uint16, on bool) []byte {
	return appendSwitch(append(b, "\x1b[?"...), number, on)
}

func appendSwitch(b []byte, number uint16, on bool) []byte {
	b = strconv.AppendUint(b, uint64(number), 10)
	if on {
		return append(b, 'h')
	}
	return append(b, 'l')
}

func appendOSC(b []byte, body string) []byte {
	b = append(b, "\x1b]"...)
	b = append(b, body...)
	return append(b, "\x1b\\"...)
}

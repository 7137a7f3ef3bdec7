package screen

import "strconv"

func appendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }

// mode is a place in a modeSet.
type mode uint8

const (
	modeKeyboard mode = iota // KAM
	modeInsert               // IRM
	modeSendReceive
	modeNewline
	modeCursorKeys
	modeReverse // DECSCNM
	modeOrigin
	modeWrap
	modeAutoRepeat
	modeMouseX10
	modeBlink
	modeCursor // DECTCEM
	modeAllow132
	modeReverseWrap
	modeAlternate
	modeKeypad
	modeBackspace
	modeMargins // DECLRMM
	modeMouse
	modeMouseButton
	modeMouseAny
	modeFocus
	modeMouseUTF8
	modeMouseSGR
	modeAlternateScroll
	modeMouseURXVT
	modeMousePixels
	modeMetaEightBit
	modeMetaEscape
	modeAltEscape
	modePaste
	modeSynchronized
	modeColorScheme
	modeSixelDisplay // DECSDM
	modeSixelRight
)

// modeSet holds the modes that are on.
type modeSet uint64

const defaultModes = modeSet(1<<modeWrap | 1<<modeCursor | 1<<modeSendReceive | 1<<modeAutoRepeat | 1<<modeAlternateScroll)

func (m modeSet) has(mode mode) bool { return m&(1<<mode) != 0 }

func (m *modeSet) set(mode mode, on bool) {
	if on {
		*m |= 1 << mode
	} else {
		*m &^= 1 << mode
	}
}

// numbered is a mode by its number in SM and RM.
type numbered struct {
	number int
	mode   mode
	does   func(s *Screen, on bool) // beside being remembered
}

var ansiModes = [...]numbered{
	{2, modeKeyboard, nil},
	{4, modeInsert, nil},
	{12, modeSendReceive, nil},
	{20, modeNewline, nil},
}

var decModes = [...]numbered{
	{1, modeCursorKeys, nil},
	{5, modeReverse, nil},
	{6, modeOrigin, func(s *Screen, _ bool) { s.address(1, 1) }},
	{7, modeWrap, func(s *Screen, on bool) { s.pending = s.pending && on }},
	{8, modeAutoRepeat, nil},
	{9, modeMouseX10, nil},
	{12, modeBlink, nil},
	{25, modeCursor, nil},
	{40, modeAllow132, nil},
	{45, modeReverseWrap, nil},
	{66, modeKeypad, nil},
	{67, modeBackspace, nil},
	{69, modeMargins, func(s *Screen, _ bool) { s.left, s.right, s.pending = 0, s.cols-1, false }},
	{80, modeSixelDisplay, nil},
	{1000, modeMouse, nil},
	{1002, modeMouseButton, nil},
	{1003, modeMouseAny, nil},
	{1004, modeFocus, nil},
	{1005, modeMouseUTF8, nil},
	{1006, modeMouseSGR, nil},
	{1007, modeAlternateScroll, nil},
	{1015, modeMouseURXVT, nil},
	{1016, modeMousePixels, nil},
	{1034, modeMetaEightBit, nil},
	{1036, modeMetaEscape, nil},
	{1039, modeAltEscape, nil},
	{2004, modePaste, nil},
	{2026, modeSynchronized, nil},
	{2031, modeColorScheme, nil},
	{8452, modeSixelRight, nil},
}

// setModes is SM or RM, and with the DEC modes DECSET or DECRST.
func (s *Screen) setModes(p *params, known []numbered, on bool) {
	dec := len(known) == len(decModes)
	for i := range p.n {
		number := p.get(i, 0)
		if dec && s.setScreen(number, on) {
			continue
		}
		for _, m := range known {
			if m.number == number {
				s.setMode(m, on)
				break
			}
		}
	}
}

func (s *Screen) setMode(m numbered, on bool) {
	s.modes.set(m.mode, on)
	if m.does != nil {
		m.does(s, on)
	}
}

// setScreen is DECSET or DECRST of the modes that do something and are no mere mode: which screen is shown, and DECCOLM,
// which erases the screen but does not change its size, which is not the program's to choose.
func (s *Screen) setScreen(number int, on bool) bool {
	switch number {
	case 3:
		if s.modes.has(modeAllow132) {
			s.resetMargins()
			s.eraseDisplay(2, false)
			s.moveTo(0, 0)
		}
	case 47, 1047:
		s.showAlternate(on)
	case 1048:
		if on {
			s.saveCursor()
		} else {
			s.restoreCursor()
		}
	case 1049:
		if on {
			s.saveCursor()
			s.showAlternate(true)
			s.eraseDisplay(2, false)
		} else {
			s.showAlternate(false)
			s.restoreCursor()
		}
	default:
		return false
	}
	return true
}

// showAlternate switches the screen. The alternate one begins blank each time and is forgotten when it is left, with
// its saved cursor and its stack of keyboard modes.
func (s *Screen) showAlternate(on bool) {
	if on == s.Alternate() {
		return
	}
	s.pending = false
	s.modes.set(modeAlternate, on)
	if on {
		s.alt.rows = newRows(s.cols, s.rows)
		s.buf = &s.alt
		return
	}
	s.alt = buffer{}
	s.buf = &s.main
}

// known returns the DEC mode of a number.
func known(number int) (numbered, bool) {
	for _, m := range decModes {
		if m.number == number {
			return m, true
		}
	}
	return numbered{}, false
}

// saveModes is XTSAVE.
func (s *Screen) saveModes(p *params) {
	for i := range p.n {
		if m, ok := known(p.get(i, 0)); ok && m.mode != modeSynchronized {
			s.xtsaved.set(m.mode, s.modes.has(m.mode))
		}
	}
}

// restoreModes is XTRESTORE.
func (s *Screen) restoreModes(p *params) {
	for i := range p.n {
		if m, ok := known(p.get(i, 0)); ok {
			s.setMode(m, s.xtsaved.has(m.mode))
		}
	}
}

// Synchronized reports whether the program holds the picture back until it is complete (mode 2026).
func (s *Screen) Synchronized() bool { return s.modes.has(modeSynchronized) }

// Mode reports whether a DEC private mode is on, by its number: 1049 is the alternate screen, 2004 bracketed paste. Modes
// that are not known are off.
func (s *Screen) Mode(number int) bool {
	if number == 47 || number == 1047 || number == 1049 {
		return s.Alternate()
	}
	m, ok := known(number)
	return ok && s.modes.has(m.mode)
}

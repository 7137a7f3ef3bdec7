package screen

// control executes a C0 control.
func (s *Screen) control(b byte) {
	s.adjacent = false
	s.charsets.shifted = 0
	switch b {
	case bel:
		s.tell(Event{Kind: Bell})
	case '\b':
		s.backspace()
	case '\t':
		s.forwardTab(1)
	case '\n', '\v', '\f':
		s.index()
		if s.modes.has(modeNewline) {
			s.carriageReturn()
		}
	case '\r':
		s.carriageReturn()
	case 0x0e:
		s.charsets.locked = 1
	case 0x0f:
		s.charsets.locked = 0
	}
}

// dispatchEscape executes ESC, an intermediate if it is not 0, and a final byte.
func (s *Screen) dispatchEscape(inter, final byte) {
	s.adjacent = false
	s.charsets.shifted = 0
	switch inter {
	case 0:
		if f := escapes[final]; f != nil {
			f(s)
		}
	case '#':
		if final == '8' {
			s.alignmentTest()
		}
	case '(', ')', '*', '+':
		s.charsets.designate(inter, final)
	}
}

// escapes are the sequences of ESC and one byte.
var escapes = [128]func(*Screen){
	'6': (*Screen).backIndex,
	'7': (*Screen).saveCursor,
	'8': (*Screen).restoreCursor,
	'9': (*Screen).forwardIndex,
	'=': func(s *Screen) { s.modes.set(modeKeypad, true) },
	'>': func(s *Screen) { s.modes.set(modeKeypad, false) },
	'D': (*Screen).index,
	'E': func(s *Screen) { s.index(); s.carriageReturn() },
	'H': func(s *Screen) { s.tabs[s.x] = true },
	'M': (*Screen).reverseIndex,
	'N': func(s *Screen) { s.charsets.shifted = 2 },
	'O': func(s *Screen) { s.charsets.shifted = 3 },
	'Z': func(s *Screen) { s.reply(primaryAttributes) },
	'c': (*Screen).reset,
	'n': func(s *Screen) { s.charsets.locked = 2 },
	'o': func(s *Screen) { s.charsets.locked = 3 },
}

// alignmentTest is DECALN.
func (s *Screen) alignmentTest() {
	s.resetMargins()
	s.moveTo(0, 0)
	s.overwrite(0, 0, s.cols, s.rows)
	for _, r := range s.buf.rows {
		r.reset('E')
	}
}

// reset is RIS.
func (s *Screen) reset() {
	s.history.sever()
	s.powerOn()
}

// softReset is DECSTR.
func (s *Screen) softReset() {
	s.modes.set(modeCursor, true)
	s.modes.set(modeWrap, true)
	for _, m := range []mode{modeInsert, modeOrigin, modeCursorKeys, modeKeypad, modeKeyboard, modeMargins, modeReverseWrap} {
		s.modes.set(m, false)
	}
	s.resetMargins()
	s.pending = false
	s.charsets = charsets{}
	s.setPen(Style{})
	s.buf.saved = savedCursor{}
	s.buf.keys = keyStack{}
	s.modifyOther = 0
	s.extent = false
}

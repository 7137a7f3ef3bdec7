package screen

// dispatchCSI executes a control sequence.
func (s *Screen) dispatchCSI(prefix, inter, final byte) {
	// A change of mode writes and moves nothing: a character may still become a part of the one before.
	s.adjacent = s.adjacent && prefix == 0 && inter == 0 && (final == 'h' || final == 'l')
	s.charsets.shifted = 0
	if prefix == 0 && inter == 0 {
		if f := sequences[final]; f != nil {
			f(s, &s.parser.params)
		}
		return
	}
	if f := private[[3]byte{prefix, inter, final}]; f != nil {
		f(s, &s.parser.params)
	}
}

// sequences are the control sequences of parameters and a final byte.
var sequences = [128]func(*Screen, *params){
	'@': func(s *Screen, p *params) { s.insertChars(p.count(0)) },
	'A': func(s *Screen, p *params) { s.up(p.count(0)) },
	'B': func(s *Screen, p *params) { s.down(p.count(0)) },
	'C': func(s *Screen, p *params) { s.forward(p.count(0)) },
	'D': func(s *Screen, p *params) { s.back(p.count(0)) },
	'E': func(s *Screen, p *params) { s.down(p.count(0)); s.carriageReturn() },
	'F': func(s *Screen, p *params) { s.up(p.count(0)); s.carriageReturn() },
	'G': func(s *Screen, p *params) { s.columnAt(p.count(0)) },
	'H': func(s *Screen, p *params) { s.address(p.count(1), p.count(0)) },
	'I': func(s *Screen, p *params) { s.forwardTab(p.count(0)) },
	'J': func(s *Screen, p *params) { s.eraseDisplay(p.get(0, 0), false) },
	'K': func(s *Screen, p *params) { s.eraseLine(p.get(0, 0), false) },
	'L': func(s *Screen, p *params) { s.insertLines(p.count(0)) },
	'M': func(s *Screen, p *params) { s.deleteLines(p.count(0)) },
	'P': func(s *Screen, p *params) { s.deleteChars(p.count(0)) },
	'S': func(s *Screen, p *params) { s.pending = false; s.scrollUp(p.count(0)) },
	'T': func(s *Screen, p *params) {
		if p.n <= 1 { // more ask for mouse highlighting
			s.pending = false
			s.scrollDown(p.count(0))
		}
	},
	'X': func(s *Screen, p *params) { s.eraseChars(p.count(0)) },
	'Z': func(s *Screen, p *params) { s.backTab(p.count(0)) },
	'^': func(s *Screen, p *params) { s.pending = false; s.scrollDown(p.count(0)) },
	'`': func(s *Screen, p *params) { s.columnAt(p.count(0)) },
	'a': func(s *Screen, p *params) { s.forward(p.count(0)) },
	'b': func(s *Screen, p *params) { s.repeat(p.count(0)) },
	'c': func(s *Screen, p *params) { s.answerIf(p.get(0, 0) == 0, primaryAttributes) },
	'd': func(s *Screen, p *params) { s.lineAt(p.count(0)) },
	'e': func(s *Screen, p *params) { s.down(p.count(0)) },
	'f': func(s *Screen, p *params) { s.address(p.count(1), p.count(0)) },
	'g': func(s *Screen, p *params) { s.clearTabs(p.get(0, 0)) },
	'h': func(s *Screen, p *params) { s.setModes(p, ansiModes[:], true) },
	'l': func(s *Screen, p *params) { s.setModes(p, ansiModes[:], false) },
	'm': func(s *Screen, p *params) { s.setPen(s.pen.apply(p)) },
	'n': func(s *Screen, p *params) { s.reportStatus(p.get(0, 0)) },
	'r': func(s *Screen, p *params) { s.setRows(p.count(0), orAll(p.get(1, 0), s.rows)) },
	's': func(s *Screen, p *params) {
		if s.modes.has(modeMargins) {
			s.setColumns(p.count(0), orAll(p.get(1, 0), s.cols))
		} else {
			s.saveCursor()
		}
	},
	't': (*Screen).windowOperation,
	'u': func(s *Screen, _ *params) { s.restoreCursor() },
	'x': func(s *Screen, p *params) { s.reportParameters(p.get(0, 0)) },
}

// private are the control sequences with a prefix, an intermediate, or both.
var private = map[[3]byte]func(*Screen, *params){
	{'?', 0, 'J'}:   func(s *Screen, p *params) { s.eraseDisplay(p.get(0, 0), true) },
	{'?', 0, 'K'}:   func(s *Screen, p *params) { s.eraseLine(p.get(0, 0), true) },
	{'?', 0, 'W'}:   func(s *Screen, p *params) { s.defaultTabStops(p.get(0, 0)) },
	{'?', 0, 'h'}:   func(s *Screen, p *params) { s.setModes(p, decModes[:], true) },
	{'?', 0, 'l'}:   func(s *Screen, p *params) { s.setModes(p, decModes[:], false) },
	{'?', 0, 'm'}:   func(s *Screen, p *params) { s.reportModifyOtherKeys(p.get(0, 0)) },
	{'?', 0, 'n'}:   func(s *Screen, p *params) { s.reportPrivateStatus(p.get(0, 0)) },
	{'?', 0, 'r'}:   func(s *Screen, p *params) { s.restoreModes(p) },
	{'?', 0, 's'}:   func(s *Screen, p *params) { s.saveModes(p) },
	{'?', 0, 'u'}:   func(s *Screen, _ *params) { s.reportKeys() },
	{'=', 0, 'u'}:   func(s *Screen, p *params) { s.buf.keys.change(p.get(0, 0), p.get(1, 1)) },
	{'>', 0, 'u'}:   func(s *Screen, p *params) { s.buf.keys.push(p.get(0, 0)) },
	{'<', 0, 'u'}:   func(s *Screen, p *params) { s.buf.keys.pop(p.count(0)) },
	{'=', 0, 'c'}:   func(s *Screen, p *params) { s.answerIf(p.get(0, 0) == 0, tertiaryAttributes) },
	{'>', 0, 'c'}:   func(s *Screen, p *params) { s.answerIf(p.get(0, 0) == 0, secondaryAttributes) },
	{'>', 0, 'm'}:   func(s *Screen, p *params) { s.setModifyOtherKeys(p.get(0, 0), p.get(1, 0)) },
	{'>', 0, 'n'}:   func(s *Screen, p *params) { s.setModifyOtherKeys(p.get(0, 0), 0) },
	{'>', 0, 'q'}:   func(s *Screen, p *params) { s.answerIf(p.get(0, 0) == 0, dcs(">|"+s.opts.Name)) },
	{0, ' ', '@'}:   func(s *Screen, p *params) { s.shiftColumns(s.left, p.count(0), (*Screen).deleteColumns) },
	{0, ' ', 'A'}:   func(s *Screen, p *params) { s.shiftColumns(s.left, p.count(0), (*Screen).insertColumns) },
	{0, ' ', 'q'}:   func(s *Screen, p *params) { s.setCursorShape(p.get(0, 0)) },
	{0, '!', 'p'}:   func(s *Screen, _ *params) { s.softReset() },
	{0, '"', 'q'}:   func(s *Screen, p *params) { s.protect(p.get(0, 0)) },
	{0, '$', 'p'}:   func(s *Screen, p *params) { s.reportMode(p.get(0, 0), ansiModes[:], "") },
	{'?', '$', 'p'}: func(s *Screen, p *params) { s.reportMode(p.get(0, 0), decModes[:], "?") },
	{0, '$', 'r'}:   func(s *Screen, _ *params) { s.attributesOfRect(false) },
	{0, '$', 't'}:   func(s *Screen, _ *params) { s.attributesOfRect(true) },
	{0, '$', 'v'}:   func(s *Screen, _ *params) { s.copyRect() },
	{0, '$', 'x'}:   func(s *Screen, _ *params) { s.fillRect() },
	{0, '$', 'z'}:   func(s *Screen, _ *params) { s.eraseRect(false) },
	{0, '$', '{'}:   func(s *Screen, _ *params) { s.eraseRect(true) },
	{0, '*', 'x'}:   func(s *Screen, p *params) { s.extent = p.get(0, 0) == 2 },
	{0, '\'', '}'}:  func(s *Screen, p *params) { s.shiftColumns(s.x, p.count(0), (*Screen).insertColumns) },
	{0, '\'', '~'}:  func(s *Screen, p *params) { s.shiftColumns(s.x, p.count(0), (*Screen).deleteColumns) },
}

// orAll returns n, or all where 0 stands for it.
func orAll(n, all int) int {
	if n == 0 {
		return all
	}
	return n
}

// shiftColumns moves columns if the cursor is within the margins.
func (s *Screen) shiftColumns(x, n int, shift func(s *Screen, x, n int)) {
	if s.inMargins() {
		shift(s, x, n)
		s.pending = false
	}
}

// defaultTabStops is DECST8C.
func (s *Screen) defaultTabStops(what int) {
	if what == 5 {
		s.tabs = defaultTabs(s.cols)
	}
}

// setCursorShape is DECSCUSR.
func (s *Screen) setCursorShape(n int) {
	if n <= 6 {
		s.cursorShape = uint8(n)
	}
}

// protect is DECSCA.
func (s *Screen) protect(n int) {
	pen := s.pen
	switch n {
	case 0, 2:
		pen.Attrs &^= Protected
	case 1:
		pen.Attrs |= Protected
	}
	s.setPen(pen)
}

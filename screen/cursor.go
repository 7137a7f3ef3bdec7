package screen

// moveTo puts the cursor at a place of the screen, from 0.
func (s *Screen) moveTo(x, y int) {
	s.x = min(max(x, 0), s.cols-1)
	s.y = min(max(y, 0), s.rows-1)
	s.pending = false
}

// address puts the cursor at a column and row from 1, which origin mode counts within the margins.
func (s *Screen) address(col, row int) {
	if !s.modes.has(modeOrigin) {
		s.moveTo(col-1, row-1)
		return
	}
	s.moveTo(min(s.left+max(col, 1)-1, s.right), min(s.top+max(row, 1)-1, s.bottom))
}

// columnAt is CHA: the column as address counts it, the row stays.
func (s *Screen) columnAt(col int) {
	y := s.y
	s.address(col, 1)
	s.y = y
}

// lineAt is VPA: the row as address counts it, the column stays.
func (s *Screen) lineAt(row int) {
	x := s.x
	s.address(1, row)
	s.x = x
}

func (s *Screen) up(n int) {
	stop := 0
	if s.y >= s.top {
		stop = s.top
	}
	s.moveTo(s.x, max(s.y-n, stop))
}

func (s *Screen) down(n int) {
	stop := s.rows - 1
	if s.y <= s.bottom {
		stop = s.bottom
	}
	s.moveTo(s.x, min(s.y+n, stop))
}

func (s *Screen) forward(n int) {
	stop := s.cols - 1
	if s.x <= s.right {
		stop = s.right
	}
	s.moveTo(min(s.x+n, stop), s.y)
}

func (s *Screen) back(n int) {
	stop := 0
	if s.x >= s.left {
		stop = s.left
	}
	s.moveTo(max(s.x-n, stop), s.y)
}

// backspace is BS. With reverse wrap it returns to a row whose text goes on in this one.
func (s *Screen) backspace() {
	if s.modes.has(modeReverseWrap) && s.modes.has(modeWrap) && !s.pending && s.x == 0 && s.y > 0 && s.buf.rows[s.y-1].wrapped {
		s.moveTo(s.cols-1, s.y-1)
		return
	}
	s.back(1)
}

func (s *Screen) carriageReturn() {
	s.pending = false
	if s.x < s.left {
		s.x = 0
	} else {
		s.x = s.left
	}
}

// index is IND: down, and at the bottom margin the region scrolls.
func (s *Screen) index() {
	s.pending = false
	switch {
	case s.y != s.bottom:
		s.y = min(s.y+1, s.rows-1)
	case s.x >= s.left && s.x <= s.right:
		s.scrollUp(1)
	}
}

// reverseIndex is RI.
func (s *Screen) reverseIndex() {
	s.pending = false
	switch {
	case s.y != s.top:
		s.y = max(s.y-1, 0)
	case s.x >= s.left && s.x <= s.right:
		s.scrollDown(1)
	}
}

// forwardIndex is DECFI: right, and at the right margin the region moves left.
func (s *Screen) forwardIndex() {
	switch {
	case s.x != s.right:
		s.moveTo(s.x+1, s.y)
	case s.inMargins():
		s.deleteColumns(s.left, 1)
		s.pending = false
	}
}

// backIndex is DECBI.
func (s *Screen) backIndex() {
	switch {
	case s.x != s.left:
		s.moveTo(s.x-1, s.y)
	case s.inMargins():
		s.insertColumns(s.left, 1)
		s.pending = false
	}
}

// inMargins reports whether the cursor is within the margins, without which some functions do nothing.
func (s *Screen) inMargins() bool {
	return s.y >= s.top && s.y <= s.bottom && s.x >= s.left && s.x <= s.right
}

func (s *Screen) resetMargins() {
	s.top, s.bottom, s.left, s.right = 0, s.rows-1, 0, s.cols-1
}

// setRows is DECSTBM. A region has two rows at least.
func (s *Screen) setRows(top, bottom int) {
	bottom = min(bottom, s.rows)
	if top >= bottom {
		return
	}
	s.top, s.bottom = top-1, bottom-1
	s.address(1, 1)
}

// setColumns is DECSLRM.
func (s *Screen) setColumns(left, right int) {
	right = min(right, s.cols)
	if left >= right {
		return
	}
	s.left, s.right = left-1, right-1
	s.address(1, 1)
}

// saveCursor is DECSC. A wrap that waits is saved with it at the end of a line, but not at a margin, which may be gone
// when the cursor comes back.
func (s *Screen) saveCursor() {
	c := s.charsets
	c.shifted = 0
	s.buf.saved = savedCursor{s.x, s.y, s.pending && s.x == s.cols-1, s.modes.has(modeOrigin), s.pen, c}
}

// restoreCursor is DECRC. Margins that have changed meanwhile keep a cursor that is bound to them.
func (s *Screen) restoreCursor() {
	saved := s.buf.saved
	s.modes.set(modeOrigin, saved.origin)
	s.charsets = saved.charsets
	s.setPen(saved.pen)
	x, y := saved.x, saved.y
	if saved.origin {
		x, y = min(max(x, s.left), s.right), min(max(y, s.top), s.bottom)
	}
	s.moveTo(x, y)
	// A wrap waits behind a character at the end of a line only, and only where lines wrap.
	s.pending = saved.pending && s.modes.has(modeWrap) && s.x == saved.x && s.x == s.limit()-1 && !s.row().cells[s.x].erased()
}

const tabWidth = 8

func defaultTabs(cols int) []bool {
	tabs := make([]bool, cols)
	for i := tabWidth; i < cols; i += tabWidth {
		tabs[i] = true
	}
	return tabs
}

// forwardTab is CHT, or HT: to the n-th tab stop, not beyond the margin. A wrap that waits goes on waiting.
func (s *Screen) forwardTab(n int) {
	if s.pending {
		return
	}
	stop := s.limit() - 1
	x := s.x
	for ; n > 0 && x < stop; n-- {
		for x++; x < stop && !s.tabs[x]; x++ {
			continue
		}
	}
	s.x = x
}

// backTab is CBT.
func (s *Screen) backTab(n int) {
	stop := 0
	if s.modes.has(modeOrigin) {
		stop = s.left
	}
	x := s.x
	for ; n > 0 && x > stop; n-- {
		for x--; x > stop && !s.tabs[x]; x-- {
			continue
		}
	}
	s.moveTo(x, s.y)
}

// clearTabs is TBC.
func (s *Screen) clearTabs(what int) {
	switch what {
	case 0:
		s.tabs[s.x] = false
	case 3:
		clear(s.tabs)
	}
}

package screen

// scrollUp moves the text within the margins up by n; what leaves the screen at its top goes to the scrollback.
func (s *Screen) scrollUp(n int) { s.deleteRows(s.top, n, true) }

// scrollDown moves the text within the margins down by n.
func (s *Screen) scrollDown(n int) { s.insertRows(s.top, n) }

// deleteRows removes n rows from y to the bottom margin, and makes blank ones there.
func (s *Screen) deleteRows(y, n int, scroll bool) {
	n = min(n, s.bottom-y+1)
	blank := s.blank()
	if s.left > 0 || s.right < s.cols-1 {
		s.moveColumns(y, n, blank)
		return
	}
	rows := s.buf.rows
	kept := scroll && y == 0 && s.buf == &s.main && s.history.limit > 0
	if !kept {
		s.severBefore(y)
	}
	s.buf.images.move(y, s.bottom, -n)
	if n == 1 { // nearly always
		gone := rows[y]
		if kept {
			s.history.push(gone.cells[:gone.used], gone.wrapped)
		}
		if y == 0 && s.bottom == s.rows-1 {
			s.buf.scroll()
		} else {
			copy(rows[y:s.bottom], rows[y+1:s.bottom+1])
			rows[s.bottom] = gone
		}
		gone.reset(blank)
		return
	}
	rotate(rows[y:s.bottom+1], n)
	for _, gone := range rows[s.bottom+1-n : s.bottom+1] {
		if kept {
			s.history.push(gone.cells[:gone.used], gone.wrapped)
		}
		gone.reset(blank)
	}
}

// scroll moves the first row behind the others. The rows are a window that wanders through room for some screens, so that
// they have to be moved once a few screens only.
func (b *buffer) scroll() {
	const screens = 4
	n := len(b.rows)
	if cap(b.rows) == n {
		if len(b.room) != screens*n {
			b.room = make([]*row, screens*n)
		}
		b.rows = b.room[:copy(b.room, b.rows)]
	}
	b.rows = append(b.rows[1:], b.rows[0])
}

// insertRows moves the rows from y down by n, up to the bottom margin, and makes blank ones at y.
func (s *Screen) insertRows(y, n int) {
	n = min(n, s.bottom-y+1)
	blank := s.blank()
	if s.left > 0 || s.right < s.cols-1 {
		s.moveColumns(y, -n, blank)
		return
	}
	rows := s.buf.rows
	s.severBefore(y)
	s.buf.images.move(y, s.bottom, n)
	rotate(rows[y:s.bottom+1], s.bottom+1-y-n)
	for _, fresh := range rows[y : y+n] {
		fresh.reset(blank)
	}
	rows[s.bottom].wrapped = false // its text went on in a row that is gone
}

// severBefore says that the text above y does not go on in y, whose row changes.
func (s *Screen) severBefore(y int) {
	if y > 0 {
		s.buf.rows[y-1].wrapped = false
	} else if s.buf == &s.main {
		s.history.sever()
	}
}

// rotate moves the first n rows behind the others.
func rotate(rows []*row, n int) {
	if n == 0 || n == len(rows) {
		return
	}
	gone := append(make([]*row, 0, 64), rows[:n]...)
	copy(rows, rows[n:])
	copy(rows[len(rows)-n:], gone)
}

// moveColumns moves the text between the left and right margins, and y and the bottom margin, up by n, or down.
func (s *Screen) moveColumns(y, n int, blank cell) {
	rows := s.buf.rows
	s.overwrite(s.left, y, s.right+1, s.bottom+1)
	for i := y; i <= s.bottom; i++ {
		rows[i].split(s.left)
		rows[i].split(s.right + 1)
	}
	copyRow := func(to int) {
		from := to + n
		if from < y || from > s.bottom {
			rows[to].erase(s.left, s.right+1, blank)
			return
		}
		copy(rows[to].cells[s.left:s.right+1], rows[from].cells[s.left:s.right+1])
		rows[to].used = max(rows[to].used, min(rows[from].used, s.right+1))
		rows[to].wrapped = rows[to].wrapped && s.right < s.cols-1
	}
	if n > 0 {
		for i := y; i <= s.bottom; i++ {
			copyRow(i)
		}
		return
	}
	for i := s.bottom; i >= y; i-- {
		copyRow(i)
	}
}

// insertLines is IL.
func (s *Screen) insertLines(n int) {
	if s.inMargins() {
		s.insertRows(s.y, n)
		s.moveTo(s.left, s.y)
	}
}

// deleteLines is DL.
func (s *Screen) deleteLines(n int) {
	if s.inMargins() {
		s.deleteRows(s.y, n, false)
		s.moveTo(s.left, s.y)
	}
}

// insertChars is ICH.
func (s *Screen) insertChars(n int) {
	s.pending = false
	if s.x >= s.left && s.x <= s.right {
		s.overwrite(s.x, s.y, s.right+1, s.y+1)
		s.row().insert(s.x, n, s.right+1, s.blank())
	}
}

// deleteChars is DCH.
func (s *Screen) deleteChars(n int) {
	s.pending = false
	if s.x >= s.left && s.x <= s.right {
		s.overwrite(s.x, s.y, s.right+1, s.y+1)
		s.row().remove(s.x, n, s.right+1, s.blank())
	}
}

// eraseChars is ECH, which knows no margins.
func (s *Screen) eraseChars(n int) {
	s.pending = false
	s.overwrite(s.x, s.y, min(s.x+n, s.cols), s.y+1)
	s.row().erase(s.x, min(s.x+n, s.cols), s.blank())
}

// insertColumns is DECIC at column x.
func (s *Screen) insertColumns(x, n int) {
	s.overwrite(x, s.top, s.right+1, s.bottom+1)
	for _, r := range s.buf.rows[s.top : s.bottom+1] {
		r.insert(x, n, s.right+1, s.blank())
	}
}

// deleteColumns is DECDC at column x.
func (s *Screen) deleteColumns(x, n int) {
	s.overwrite(x, s.top, s.right+1, s.bottom+1)
	for _, r := range s.buf.rows[s.top : s.bottom+1] {
		r.remove(x, n, s.right+1, s.blank())
	}
}

// eraseLine is EL, or with selective DECSEL.
func (s *Screen) eraseLine(what int, selective bool) {
	x := s.x
	s.pending = false
	switch what {
	case 0:
		s.eraseIn(s.y, x, s.cols, selective)
	case 1:
		s.eraseIn(s.y, 0, x+1, selective)
	case 2:
		s.eraseIn(s.y, 0, s.cols, selective)
	}
}

// eraseDisplay is ED, or with selective DECSED.
func (s *Screen) eraseDisplay(what int, selective bool) {
	s.pending = false
	from, to := 0, s.rows
	switch what {
	case 0:
		s.eraseLine(0, selective)
		from = s.y + 1
	case 1:
		s.eraseLine(1, selective)
		to = s.y
	case 2:
		if !selective {
			s.buf.images.drop((*image).above) // as kitty does
		}
	case 3:
		if !selective {
			s.history.clear()
		}
		return
	default:
		return
	}
	for y := from; y < to; y++ {
		s.eraseIn(y, 0, s.cols, selective)
	}
}

// eraseIn erases cells of a row, with selective only those that DECSCA does not protect.
func (s *Screen) eraseIn(y, from, to int, selective bool) {
	s.overwrite(from, y, to, y+1)
	r, blank := s.buf.rows[y], s.blank()
	if !selective {
		r.erase(from, to, blank)
		return
	}
	for x := from; x < to; x++ {
		if !s.tab.styles.values[r.cells[x].style()].Has(Protected) {
			r.erase(x, x+1, blank)
		}
	}
}

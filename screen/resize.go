package screen

import "slices"

// Resize changes the size, as tmux does: lines that were too long for the old width are broken anew for the new one; rows
// that find no more room go to the scrollback, and come back from it. The alternate screen, whose program draws it anew,
// is cut or filled.
func (s *Screen) Resize(cols, rows int) {
	cols, rows = clampSize(cols), clampSize(rows)
	if cols == s.cols && rows == s.rows {
		return
	}
	s.adjacent = false
	if cols != s.cols {
		// Lines are broken anew, and what was cut off by the edge is cut elsewhere.
		s.main.images.shown, s.alt.images.shown = nil, nil
	}
	s.pixels.x, s.pixels.y = s.pixels.x*cols/s.cols, s.pixels.y*rows/s.rows
	here := place{s.x, s.y, s.pending}
	saved := func(b *buffer) *place { return &place{b.saved.x, b.saved.y, b.saved.pending} }
	main := &here
	if s.Alternate() {
		main = saved(&s.main) // where the cursor will be when its program has gone
		s.cut(cols, rows, &here)
	}
	s.main.resizeRows(s.cols, rows, main, &s.history)
	if cols != s.cols {
		s.reflow(cols, rows, main)
	}
	if rows != s.rows {
		s.top, s.bottom = 0, rows-1
	}
	if cols != s.cols {
		s.left, s.right = 0, cols-1
		s.resizeTabs(cols)
	}
	s.cols, s.rows = cols, rows
	s.x, s.y, s.pending = here.in(cols, rows, s.modes.has(modeWrap))
	for _, b := range []*buffer{&s.main, &s.alt} {
		at := saved(b)
		if b == &s.main && s.Alternate() {
			at = main
		}
		b.saved.x, b.saved.y, b.saved.pending = at.in(cols, rows, at.pending)
	}
	if s.modes.has(modeOrigin) {
		s.x, s.y = min(max(s.x, s.left), s.right), min(max(s.y, s.top), s.bottom)
	}
	s.pending = s.pending && s.x == s.limit()-1
}

// place is a cursor while its screen changes size.
type place struct {
	x, y    int
	pending bool
}

// in brings the place into a screen. One behind the last column waits there to wrap, if lines wrap.
func (p place) in(cols, rows int, wraps bool) (x, y int, pending bool) {
	if p.y < 0 {
		return 0, 0, false // its line has gone to the scrollback
	}
	pending = wraps && (p.x >= cols || p.pending && p.x == cols-1)
	return min(p.x, cols-1), min(p.y, rows-1), pending
}

// cut gives the alternate screen its new size. Rows go first from below the cursor, then from the top.
func (s *Screen) cut(cols, rows int, at *place) {
	s.alt.resizeRows(s.cols, rows, at, &history{})
	if cols != s.cols {
		for i, r := range s.alt.rows {
			s.alt.rows[i] = r.resized(cols)
		}
		at.pending = false
	}
}

// resized returns the row at another width, without breaking it.
func (r *row) resized(cols int) *row {
	n := newRow(cols)
	if cols < len(r.cells) {
		r.split(cols)
	}
	n.used = copy(n.cells, r.cells[:r.used])
	n.wrapped = false
	return n
}

// resizeRows gives the buffer its new number of rows. What is below the cursor is lost first; then the rows at the top
// go to the scrollback. A higher screen takes rows back from there.
func (b *buffer) resizeRows(cols, rows int, at *place, h *history) {
	if less := len(b.rows) - rows; less > 0 {
		below := min(less, max(len(b.rows)-1-at.y, 0))
		b.rows = b.rows[:len(b.rows)-below]
		for range less - below {
			r := b.rows[0]
			h.push(r.cells[:r.used], r.wrapped)
			b.rows = b.rows[1:]
			at.y--
		}
		b.rows[len(b.rows)-1].wrapped = false
		b.rows = slices.Clone(b.rows)
		b.images.resized(rows, below-less)
		return
	}
	more := rows - len(b.rows)
	var back []*row
	for more > 0 && h.count > 0 {
		l := h.pop()
		r := newRow(cols)
		r.used = copy(r.cells, l.cells())
		r.wrapped = l.wrapped
		back = append(back, r)
		more--
	}
	at.y += len(back)
	b.images.resized(rows, len(back))
	whole := make([]*row, 0, rows)
	for _, r := range slices.Backward(back) {
		whole = append(whole, r)
	}
	whole = append(whole, b.rows...)
	b.rows = append(whole, newRows(cols, more)...)
}

func (s *Screen) resizeTabs(cols int) {
	tabs := defaultTabs(cols)
	copy(tabs, s.tabs)
	s.tabs = tabs
}

// reflow breaks all lines of the main screen and the scrollback anew. The place stays with its character, or at the end
// of its line.
func (s *Screen) reflow(cols, rows int, at *place) {
	old := s.history
	f := folder{cols: cols, rows: rows}
	f.history = history{limit: old.limit, pushed: old.pushed - uint64(old.count), epoch: old.epoch + 1}
	l := joiner{cols: s.cols, line: make([]cell, 0, 2*s.cols)}
	cursor := -1
	for i := range old.count {
		row := old.line(i)
		l.add(row.cells(), row.wrapped)
		if !row.wrapped {
			f.fold(l.take(), -1)
		}
	}
	for y, r := range s.main.rows {
		start := l.add(r.cells[:r.used], r.wrapped)
		if y == at.y {
			cursor = start + at.x
			if cursor >= len(l.line) || at.pending {
				cursor = endOfLine
			}
		}
		if !r.wrapped {
			f.fold(l.take(), cursor)
			cursor = -1
		}
	}
	s.main.rows, s.history = f.finish()
	if f.found {
		at.x, at.y, at.pending = f.x, f.y-(f.total-rows), false
	}
}

// joiner makes rows of the old width whole lines again.
type joiner struct {
	cols int
	line []cell
	gap  bool // the last row ends with a blank that a wide character may have left over, because it did not fit
}

// add adds a row to the line, and returns where in it the row begins. What was erased at the end of a line is no part of
// it, whatever its background.
func (j *joiner) add(cells []cell, wrapped bool) int {
	for len(cells) > 0 && cells[len(cells)-1].erased() {
		cells = cells[:len(cells)-1]
	}
	if j.gap && (len(cells) == 0 || !cells[0].isLead()) {
		j.line = append(j.line, 0)
	}
	start := len(j.line)
	j.line = append(j.line, cells...)
	for n := len(cells); wrapped && n < j.cols-1; n++ {
		j.line = append(j.line, 0)
	}
	j.gap = wrapped && len(cells) < j.cols
	return start
}

// take returns the line, and begins the next. The line is valid until something is added.
func (j *joiner) take() []cell {
	line := j.line
	j.line, j.gap = line[:0], false
	return line
}

const endOfLine = 1 << 30

// folder collects lines as rows of a new width. The newest of them become the screen, the others the scrollback.
type folder struct {
	cols, rows int
	history    history
	pendingRow []*row // the newest rows, a screenful at most
	total      int    // rows so far
	found      bool
	x, y       int // the cursor, its row counted from the first
}

// fold breaks a line into rows. Cursor is a place in it, or endOfLine, or -1.
func (f *folder) fold(line []cell, cursor int) {
	for start := 0; ; {
		end := min(start+f.cols, len(line))
		if end < len(line) && line[end].isTail() {
			end-- // a wide character is not broken
		}
		if end == start && start < len(line) {
			end = start + 2 // it cannot be shown at this width
		}
		last := end >= len(line)
		f.add(line[start:end], !last)
		if cursor >= start && (cursor < end || last) {
			f.found = true
			f.x, f.y = min(cursor, end)-start, f.total-1
		}
		if last {
			return
		}
		start = end
	}
}

func (f *folder) add(cells []cell, wrapped bool) {
	var r *row
	if len(f.pendingRow) == f.rows {
		r = f.pendingRow[0]
		f.history.push(r.cells[:r.used], r.wrapped)
		copy(f.pendingRow, f.pendingRow[1:])
		f.pendingRow = f.pendingRow[:f.rows-1]
		r.reset(0)
	} else {
		r = newRow(f.cols)
	}
	if len(cells) <= f.cols {
		r.used = copy(r.cells, cells)
		r.wrapped = wrapped
	}
	f.pendingRow = append(f.pendingRow, r)
	f.total++
}

// finish returns the rows, filled up at the bottom, and the scrollback.
func (f *folder) finish() ([]*row, history) {
	f.pendingRow[len(f.pendingRow)-1].wrapped = false
	if f.total < f.rows {
		f.pendingRow = append(f.pendingRow, newRows(f.cols, f.rows-f.total)...)
		f.total = f.rows
	}
	return f.pendingRow, f.history
}

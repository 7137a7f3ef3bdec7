package screen

import "unicode/utf8"

// setPen changes how the next characters are rendered.
func (s *Screen) setPen(pen Style) {
	if pen != s.pen {
		s.pen = pen
		s.penCells.inked, s.penCells.blanked = false, false
	}
}

// styleNumber returns the number of a style. One too many becomes the default.
func (s *Screen) styleNumber(style Style) uint32 {
	n, _ := s.tab.styles.add(style, s.collect)
	return n
}

// penStyle returns the pen as a cell without text.
func (s *Screen) penStyle() cell {
	if p := &s.penCells; !p.inked {
		p.style = styled(s.styleNumber(s.pen))
		p.inked = true
	}
	return s.penCells.style
}

// blank returns the cell that erasing leaves behind: it keeps the pen's background (BCE).
func (s *Screen) blank() cell {
	if p := &s.penCells; !p.blanked {
		p.blank = 0
		if !s.pen.Background.IsDefault() {
			p.blank = styled(s.styleNumber(Style{Background: s.pen.Background}))
		}
		p.blanked = true
	}
	return s.penCells.blank
}

// limit returns the column at which a line ends that is written at the cursor: after the right margin, unless the cursor
// is beyond it.
func (s *Screen) limit() int {
	if s.x > s.right {
		return s.cols
	}
	return s.right + 1
}

// printASCII prints bytes from 0x20 to 0x7e.
func (s *Screen) printASCII(p []byte) {
	if !s.charsets.plain() || s.modes.has(modeInsert) {
		for _, b := range p {
			s.printRune(s.charsets.translate(b))
		}
		return
	}
	style := s.penStyle()
	for len(p) > 0 {
		if s.pending {
			s.wrap()
		}
		limit := s.limit()
		n := min(len(p), limit-s.x)
		s.overwrite(s.x, s.y, s.x+n, s.y+1)
		s.row().write(s.x, p[:n], style)
		p = p[n:]
		s.x += n
		if s.x < limit {
			continue
		}
		s.x = limit - 1
		s.pending = s.modes.has(modeWrap)
		if !s.pending && len(p) > 1 {
			p = p[len(p)-1:] // all are written to the last column, one over the other
		}
	}
	s.adjacent = true
}

// write puts ASCII into the row.
func (r *row) write(x int, p []byte, style cell) {
	if x < r.used { // beyond, there is nothing to be cut
		r.split(x)
		r.split(x + len(p))
	}
	cells := r.cells[x : x+len(p)]
	for i, b := range p {
		cells[i] = style | cell(b)
	}
	r.used = max(r.used, x+len(p))
}

func (s *Screen) row() *row { return s.buf.rows[s.y] }

// printRune prints any character, as a cell of its own or as part of the cluster before the cursor.
func (s *Screen) printRune(r rune) {
	s.charsets.shifted = 0
	class, width := lookup(r)
	if extends(class) {
		s.combine(r, class)
		return
	}
	if width == 0 {
		return
	}
	if s.adjacent && class != classOther {
		if x, ok := s.previous(); ok {
			if j := s.tab.joint(s.row().cells[x]); j.open() {
				if _, joins := j.join(r, class); joins {
					s.combine(r, class)
					return
				}
			}
		}
	}
	s.put(cell(r), width)
}

// put writes one cell's text at the cursor.
func (s *Screen) put(text cell, width int) {
	if s.pending {
		s.wrap()
	}
	limit := s.limit()
	if s.x+width > limit {
		if s.modes.has(modeWrap) {
			s.wrap()
			limit = s.limit()
		}
		if s.x+width > limit {
			return // half of it cannot be shown
		}
	}
	row, style := s.row(), s.penStyle()
	s.overwrite(s.x, s.y, s.x+width, s.y+1)
	if s.modes.has(modeInsert) {
		s.overwrite(s.x, s.y, limit, s.y+1)
		row.insert(s.x, width, limit, 0)
	}
	row.split(s.x)
	row.split(s.x + width)
	if width == 2 {
		row.cells[s.x] = style | text | wideLead
		row.cells[s.x+1] = style | wideTail
	} else {
		row.cells[s.x] = style | text
	}
	row.used = max(row.used, s.x+width)
	s.advance(s.x+width, limit)
}

// advance moves the cursor behind what was printed.
func (s *Screen) advance(x, limit int) {
	s.x, s.pending, s.adjacent = x, false, true
	if x >= limit {
		s.x = limit - 1
		s.pending = s.modes.has(modeWrap)
		s.adjacent = s.pending
	}
}

// wrap goes on in the next row, after a row is full.
func (s *Screen) wrap() {
	s.pending = false
	row := s.row()
	// Text that is broken by margins is no line that is too long for the terminal.
	whole := s.left == 0 && s.right == s.cols-1
	s.overwrite(s.x, s.y, s.x+1, s.y+1) // no text would go on behind an image
	switch {
	case s.y == s.bottom:
		if s.x >= s.left && s.x <= s.right {
			row.wrapped = row.wrapped || whole
			s.scrollUp(1)
		}
	case s.y < s.rows-1:
		row.wrapped = row.wrapped || whole
		s.y++
	}
	s.carriageReturn()
}

// previous returns the column of the character before the cursor: on its left, or under it if it could not move on.
func (s *Screen) previous() (int, bool) {
	cells := s.row().cells
	x := s.x - 1
	if s.pending || !s.modes.has(modeWrap) && s.x == s.limit()-1 && !cells[s.x].erased() {
		x = s.x
	}
	if x > 0 && cells[x].isTail() {
		x--
	}
	return x, x >= 0
}

// mayJoin reports whether a character that is no extender could become a part of the one before the cursor, now or after
// a joiner.
func (s *Screen) mayJoin() bool {
	if !s.adjacent {
		return false
	}
	x, ok := s.previous()
	return ok && s.tab.joint(s.row().cells[x]) != jointNone
}

// combine adds r to the cluster before the cursor. On an erased cell it takes a space as its base; where there is no
// cell, and where there is no room, it is dropped.
func (s *Screen) combine(r rune, class class) {
	x, ok := s.previous()
	if !ok {
		return
	}
	row := s.row()
	c := row.cells[x]
	var buf [maxClusterBytes + utf8.UTFMax]byte
	text := s.tab.appendText(buf[:0], c)
	if c.erased() {
		text = append(text, ' ')
	}
	widens := class == classVS16 && !c.isLead() && emojiBase(text)
	limit := s.limit()
	if widens && x+2 > limit {
		return // as narrow text it is still right, and half a character never is
	}
	text = utf8.AppendRune(text, r)
	if len(text) > maxClusterBytes {
		return
	}
	number, ok := s.tab.clusters.numbers[string(text)] // without a copy of text, mostly
	if !ok {
		if number, ok = s.tab.clusters.add(string(text), s.collect); !ok {
			return
		}
	}
	s.overwrite(x, s.y, x+1, s.y+1)
	row.cells[x] = c&^textMask | clusterCell(number)
	row.used = max(row.used, x+1)
	if widens {
		adjacent := s.adjacent
		s.overwrite(x+1, s.y, x+2, s.y+1)
		row.split(x + 2)
		row.cells[x] |= wideLead
		row.cells[x+1] = styled(c.style()) | wideTail
		row.used = max(row.used, x+2)
		s.advance(x+2, limit)
		s.adjacent = s.adjacent && adjacent
	}
}

// emojiBase reports whether VS16 makes text an emoji of two cells: a pictographic, or a key cap's digit.
func emojiBase(text []byte) bool {
	r, n := utf8.DecodeRune(text)
	if n != len(text) {
		return false
	}
	if r == '#' || r == '*' || r >= '0' && r <= '9' {
		return true
	}
	class, _ := lookup(r)
	return class == classPictographic
}

// repeat is REP: the character before the cursor, again.
func (s *Screen) repeat(n int) {
	x, ok := s.previous()
	if !ok {
		return
	}
	c := s.row().cells[x]
	if c.erased() {
		return
	}
	width := 1
	if c.isLead() {
		width = 2
	}
	// More than fill the screen change nothing but how long it takes, except where they end.
	for range min(n, s.cols*s.rows) {
		s.put(c&textMask, width)
	}
}

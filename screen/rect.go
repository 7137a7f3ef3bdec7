package screen

// rect is a rectangle of cells, its right and bottom exclusive.
type rect struct{ left, top, right, bottom int }

// rect returns the rectangle that parameters i to i+3 give: top, left, bottom, right, from 1, in the margins if origin
// mode is on.
func (s *Screen) rect(i int) (rect, bool) {
	p := &s.parser.params
	x, y, right, bottom := 0, 0, s.cols, s.rows
	if s.modes.has(modeOrigin) {
		x, y, right, bottom = s.left, s.top, s.right+1, s.bottom+1
	}
	r := rect{
		top:    y + p.count(i) - 1,
		left:   x + p.count(i+1) - 1,
		bottom: min(y+max(p.get(i+2, 0), 0), bottom),
		right:  min(x+max(p.get(i+3, 0), 0), right),
	}
	if p.get(i+2, 0) == 0 {
		r.bottom = bottom
	}
	if p.get(i+3, 0) == 0 {
		r.right = right
	}
	return r, r.left < r.right && r.top < r.bottom
}

// eraseRect is DECERA, or with selective DECSERA. It leaves the cursor alone, like all that change rectangles.
func (s *Screen) eraseRect(selective bool) {
	r, ok := s.rect(0)
	if !ok {
		return
	}
	for y := r.top; y < r.bottom; y++ {
		s.eraseIn(y, r.left, r.right, selective)
	}
}

// fillRect is DECFRA.
func (s *Screen) fillRect() {
	r, ok := s.rect(1)
	char := s.parser.params.get(0, 0)
	if !ok || char < 0x20 || char == del || char > 0x7e && char < 0xa0 || char > 0xff {
		return
	}
	c := s.penStyle() | cell(char)
	if char < del {
		g := s.charsets
		g.shifted = 0
		c = s.penStyle() | cell(g.translate(byte(char)))
	}
	s.overwrite(r.left, r.top, r.right, r.bottom)
	for _, row := range s.buf.rows[r.top:r.bottom] {
		row.split(r.left)
		row.split(r.right)
		fill(row.cells[r.left:r.right], c)
		row.used = max(row.used, r.right)
	}
}

// copyRect is DECCRA. The screen has one page.
func (s *Screen) copyRect() {
	from, ok := s.rect(0)
	if !ok {
		return
	}
	p := &s.parser.params
	x, y, right, bottom := 0, 0, s.cols, s.rows
	if s.modes.has(modeOrigin) {
		x, y, right, bottom = s.left, s.top, s.right+1, s.bottom+1
	}
	y, x = y+p.count(5)-1, x+p.count(6)-1
	width, height := min(from.right-from.left, right-x), min(from.bottom-from.top, bottom-y)
	if width <= 0 || height <= 0 {
		return
	}
	// The source may overlap the target, and half a wide character cannot be copied.
	cells := make([]cell, 0, width*height)
	for _, row := range s.buf.rows[from.top : from.top+height] {
		cells = append(cells, row.cells[from.left:from.left+width]...)
		part := cells[len(cells)-width:]
		if part[0].isTail() {
			part[0] = 0
		}
		if part[width-1].isLead() {
			part[width-1] = 0
		}
	}
	s.overwrite(x, y, x+width, y+height)
	for i, row := range s.buf.rows[y : y+height] {
		row.split(x)
		row.split(x + width)
		copy(row.cells[x:], cells[i*width:(i+1)*width])
		row.used = max(row.used, x+width)
		if row.cells[s.cols-1].erased() {
			row.wrapped = false
		}
	}
}

// attributesOfRect is DECCARA, or with reverse DECRARA: SGR parameters from the fifth on change the attributes of what is
// there. Unless DECSACE has chosen the rectangle, it is the text from its first place to its last, line by line.
func (s *Screen) attributesOfRect(reverse bool) {
	r, ok := s.rect(0)
	if !ok {
		return
	}
	for y := r.top; y < r.bottom; y++ {
		from, to := r.left, r.right
		if !s.extent {
			if y > r.top {
				from = 0
			}
			if y < r.bottom-1 {
				to = s.cols
			}
		}
		s.overwrite(from, y, to, y+1)
		s.restyle(s.buf.rows[y], from, to, reverse)
	}
}

func (s *Screen) restyle(r *row, from, to int, reverse bool) {
	// Both halves of a wide character have one style.
	if r.cells[from].isTail() {
		from--
	}
	if to < s.cols && r.cells[to].isTail() {
		to++
	}
	r.used = max(r.used, to)
	var last, became cell
	for x := from; x < to; x++ {
		c := r.cells[x]
		old := styled(c.style())
		if x == from || old != last {
			last = old
			became = styled(s.styleNumber(s.changed(s.tab.styles.values[c.style()], reverse)))
		}
		if c.erased() && became != old {
			c = ' ' // what has attributes is text
		}
		r.cells[x] = c.restyle(became)
	}
}

// changed applies the attributes of DECCARA or DECRARA to a style: bold, underline, blink and inverse only.
func (s *Screen) changed(style Style, reverse bool) Style {
	p := &s.parser.params
	if p.n <= 4 {
		return changeAttribute(style, 0, reverse)
	}
	for i := 4; i < p.n; i++ {
		style = changeAttribute(style, p.get(i, 0), reverse)
	}
	return style
}

const changeable = Bold | Blink | Inverse

func changeAttribute(style Style, n int, reverse bool) Style {
	switch {
	case n == 0 && reverse:
		style.Attrs ^= changeable
	case n == 0:
		style.Attrs &^= changeable
	case n < len(sgrOn) && reverse:
		style.Attrs ^= sgrOn[n] & changeable
	case n < len(sgrOn) && sgrOn[n] != 0:
		style.Attrs |= sgrOn[n] & changeable
	case n < len(sgrOff) && !reverse:
		style.Attrs &^= sgrOff[n] & changeable
	}
	underlined := style.Underline != UnderlineNone
	switch {
	case reverse && (n == 0 || n == 4):
		underlined = !underlined
	case n == 0 || n == 24 && !reverse:
		underlined = false
	case n == 4:
		underlined = true
	}
	switch {
	case !underlined:
		style.Underline = UnderlineNone
	case style.Underline == UnderlineNone:
		style.Underline = UnderlineSingle
	}
	return style
}

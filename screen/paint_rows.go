package screen

// wideSpace is a wide character that shows nothing.
const wideSpace = "\u3000"

// paintRows paints the rows of the screen that is shown. Lines go through it to the scrollback first: the screen shows
// the first of all rows, and scrolls until it shows the last.
func (p *painter) paintRows(rows []*row, lines []packedLine) {
	all := len(lines) + len(rows)
	at := func(i int) (cells []cell, wrapped bool) {
		if i < len(lines) {
			return lines[i].cells(), lines[i].wrapped
		}
		r := rows[i-len(lines)]
		return r.cells[:r.used], r.wrapped
	}
	last := len(rows) - 1
	for i := range all {
		y := min(i, last)
		if i > last {
			_, wrapped := at(i - 1)
			p.scroll(last, wrapped)
		}
		cells, wrapped := at(i)
		p.paintRow(y, cells, wrapped)
		if wrapped && y < last && !p.term.buf.rows[y].wrapped {
			p.wrap(y)
		}
	}
}

// scroll moves all rows up. If the text of the last one goes on in the row that appears, it must get there by wrapping.
func (p *painter) scroll(last int, wrapped bool) {
	if wrapped {
		p.wrap(last)
		return
	}
	if p.term.y != last {
		p.moveTo(0, last)
	}
	p.setBackground(0)
	p.emit("\r\n")
}

// wrap writes beyond the end of row y, so that its text goes on in the next row.
func (p *painter) wrap(y int) {
	r, end := p.term.buf.rows[y], p.term.cols-1
	p.setPen(Style{})
	if r.cells[end].erased() {
		// It is left over: what follows is a wide character, which did not fit.
		p.moveTo(end, y)
		p.emit(wideSpace)
		return
	}
	if p.term.y != y || !p.term.pending {
		p.paintCell(end, y)
		p.setPen(Style{})
	}
	p.emit(" ")
}

// paintCell writes what is at a place already once more, for what that does to the cursor.
func (p *painter) paintCell(x, y int) {
	r := p.term.buf.rows[y]
	if r.cells[x].isTail() {
		x--
	}
	c := r.cells[x]
	p.setPen(p.term.tab.styles.values[c.style()])
	p.place(x, y)
	p.emit(p.term.tab.text(c))
}

// place puts the cursor where the next character must not become a part of the one before it.
func (p *painter) place(x, y int) {
	p.moveTo(x, y)
	if p.term.adjacent {
		p.address(x, y)
	}
}

// setBackground sets what erasing leaves behind.
func (p *painter) setBackground(c Color) {
	if p.term.pen.Background != c {
		p.setPen(Style{Background: c})
	}
}

// paintRow makes row y what it shall be, wherever it is not.
func (p *painter) paintRow(y int, cells []cell, wrapped bool) {
	have := p.term.buf.rows[y]
	if have.wrapped && !wrapped {
		p.moveTo(p.term.cols-1, y)
		p.emit("\x1b[K")
	}
	want := func(x int) cell {
		if x < len(cells) {
			return p.cell(cells[x])
		}
		return 0
	}
	for x := 0; x < max(len(cells), have.used); {
		c := want(x)
		switch {
		case have.cells[x] == c:
			x++
		case c.erased():
			x = p.paintBlank(x, y, c, want)
		default:
			if c.isTail() {
				x--
			}
			x = p.paintText(x, y, want)
		}
	}
}

// paintBlank erases from x to where something else shall be, and returns that column.
func (p *painter) paintBlank(x, y int, c cell, want func(int) cell) int {
	end := x + 1
	for end < p.term.cols && want(end) == c && !p.term.pictured(end, y) {
		end++
	}
	p.setBackground(p.term.tab.styles.values[c.style()].Background)
	p.moveTo(x, y)
	if end == p.term.cols {
		p.emit("\x1b[K")
	} else {
		p.csi("", "X", end-x)
	}
	return end
}

// paintText writes from x to where nothing has to be changed, and returns that column. Between two changes a few
// characters are sooner written again than passed over.
func (p *painter) paintText(x, y int, want func(int) cell) int {
	const near = 4
	have := p.term.buf.rows[y].cells
	p.place(x, y)
	var before cell
	for same := 0; x < p.term.cols && same < near; {
		c := want(x)
		if c.erased() || before != 0 && p.term.tab.joins(before, c) {
			break
		}
		if have[x] == c {
			same++
		} else {
			same = 0
		}
		if styled(c.style()) != styled(before.style()) || before == 0 {
			if same > 0 {
				break
			}
			p.setPen(p.term.tab.styles.values[c.style()])
		}
		p.out = p.term.tab.appendText(p.out, c)
		before = c
		x++
		if c.isLead() {
			x++
		}
	}
	p.apply()
	return x
}

package screen

import "slices"

// painter finds the bytes that make a terminal show what a screen shows. It has a terminal of its own, to which all that
// it finds is written: so it compares with what is really there, not with what it believes.
type painter struct {
	term *Screen // what the viewer's terminal shows
	to   *Screen // what it shall show
	out  []byte
	seen int // how much of out term has been written

	without bool // images are left out

	lines    []packedLine // of the scrollback, that are to pass through the screen
	styles   []uint32     // of to, by their number: one more than the number in term, 0 if not known
	clusters []uint32     // the same
	links    []uint32     // the same
}

func newPainter(term, to *Screen, lines []packedLine) *painter {
	term.SetPixels(to.pixels.x, to.pixels.y)
	// Numbers must stay as they are while the painter knows them.
	term.tab.styles.limit, term.tab.clusters.limit, term.tab.links.limit = 8*maxStyles, 8*maxClusters, 8*maxLinks
	return &painter{
		term: term, to: to, lines: lines,
		styles:   make([]uint32, len(to.tab.styles.values)),
		clusters: make([]uint32, len(to.tab.clusters.values)),
		links:    make([]uint32, len(to.tab.links.values)),
	}
}

// emit appends a sequence and applies it.
func (p *painter) emit(sequence string) {
	p.out = append(p.out, sequence...)
	p.apply()
}

// apply brings the terminal up to date with the output.
func (p *painter) apply() {
	_, _ = p.term.Write(p.out[p.seen:])
	p.seen = len(p.out)
	p.term.events, p.term.replies = nil, nil
}

// csi emits a control sequence with parameters.
func (p *painter) csi(prefix string, final string, params ...int) {
	p.out = append(append(p.out, "\x1b["...), prefix...)
	for i, n := range params {
		if i > 0 {
			p.out = append(p.out, ';')
		}
		p.out = appendInt(p.out, n)
	}
	p.emit(final)
}

func (p *painter) setMode(prefix string, number int, on bool) {
	if on {
		p.csi(prefix, "h", number)
	} else {
		p.csi(prefix, "l", number)
	}
}

// paint does it all. What moves the cursor comes before what is set for good.
func (p *painter) paint() {
	p.neutral()
	if p.mainDiffers() {
		if p.term.Alternate() {
			p.emit("\x1b[?1049l")
			p.neutral()
		}
		p.paintBuffer(&p.to.main, p.lines)
	}
	switch {
	case p.to.Alternate():
		if !p.term.Alternate() {
			p.enterAlternate()
		}
		p.paintBuffer(&p.to.alt, nil)
	case p.term.Alternate():
		p.emit("\x1b[?1049l")
		p.neutral()
	}
	p.paintSettings()
	p.paintLoading()
	p.paintCursor()
	p.out = append(p.out, p.to.parser.unfinished()...)
}

// enterAlternate shows the alternate screen, if it can as programs do, by what saves the cursor: that must be saved then
// as it is already.
func (p *painter) enterAlternate() {
	p.emit("\x1b8")
	if p.term.pending == p.term.main.saved.pending {
		p.emit("\x1b[?1049h")
	} else { // the character is gone behind which the wrap waited
		p.emit("\x1b[?1047h")
	}
	p.neutral()
}

// mainDiffers reports whether there is anything to do on the main screen.
func (p *painter) mainDiffers() bool {
	have, want := &p.term.main, &p.to.main
	return len(p.lines) > 0 || have.saved != p.savedCursor(want.saved) || !have.keys.equal(&want.keys) ||
		!p.without && !have.images.equal(&want.images) ||
		!slices.EqualFunc(have.rows, want.rows, func(h, w *row) bool { return h.wrapped == w.wrapped && p.equal(h, w) })
}

func (p *painter) equal(have, want *row) bool {
	for x := range max(have.used, want.used) {
		if have.cells[x] != p.cell(want.cells[x]) {
			return false
		}
	}
	return true
}

// neutral ends what would disturb drawing: an unfinished sequence, margins, character sets, modes.
func (p *painter) neutral() {
	if !p.term.Ground() {
		p.emit("\x18")
	}
	if c := p.term.charsets; c.shifted != 0 || c.locked != 0 {
		p.emit("\x0f")
	}
	if p.term.charsets.g[0] != charsetASCII {
		p.emit("\x1b(B")
	}
	m := p.term.modes
	if m.has(modeInsert) {
		p.setMode("", 4, false)
	}
	if m.has(modeOrigin) {
		p.setMode("?", 6, false)
	}
	if !m.has(modeWrap) {
		p.setMode("?", 7, true)
	}
	if p.term.left > 0 || p.term.right < p.term.cols-1 {
		p.setMode("?", 69, false)
	}
	if p.term.top > 0 || p.term.bottom < p.term.rows-1 {
		p.emit("\x1b[r")
	}
}

// paintBuffer paints one of the two screens, which is shown, and what belongs to it.
func (p *painter) paintBuffer(to *buffer, lines []packedLine) {
	p.paintSaved(to.saved) // before the text, since it may have to write some
	p.paintRows(to.rows, lines)
	p.paintImages(&to.images)
	p.paintKeys(&to.keys)
}

// paintSaved saves the cursor as it is saved there.
func (p *painter) paintSaved(saved savedCursor) {
	saved = p.savedCursor(saved)
	if p.term.buf.saved == saved {
		return
	}
	if saved.origin {
		p.setMode("?", 6, true)
	}
	p.moveTo(saved.x, saved.y)
	if saved.pending {
		p.emit(" ")
	}
	p.designate(saved.charsets)
	p.setPen(saved.pen)
	p.emit("\x1b7")
	p.neutral()
}

func (p *painter) designate(to charsets) {
	for i, set := range to.g {
		if p.term.charsets.g[i] != set {
			p.emit("\x1b" + "()*+"[i:i+1] + map[charset]string{charsetASCII: "B", charsetGraphics: "0", charsetUK: "A"}[set])
		}
	}
	if p.term.charsets.locked != to.locked {
		p.emit(lockingShifts[to.locked])
	}
}

// savedCursor is a saved cursor with the numbers of the terminal.
func (p *painter) savedCursor(saved savedCursor) savedCursor {
	saved.pen = p.style(saved.pen)
	return saved
}

// moveTo puts the cursor at a place, in the shortest of the ways that every terminal understands.
func (p *painter) moveTo(x, y int) {
	t := p.term
	bound := t.modes.has(modeOrigin) || t.left > 0 || t.right < t.cols-1
	switch {
	case t.x == x && t.y == y && !t.pending:
	case x == 0 && y == t.y && !bound:
		p.emit("\r")
	case x == 0 && y == t.y+1 && y <= t.bottom && !bound:
		p.emit("\r\n")
	case x > t.x && y == t.y && !t.pending && !bound:
		p.csi("", "C", x-t.x)
	default:
		p.address(x, y)
	}
}

// address puts the cursor at a place by CUP.
func (p *painter) address(x, y int) {
	if p.term.modes.has(modeOrigin) {
		x, y = x-p.term.left, y-p.term.top
	}
	p.csi("", "H", y+1, x+1)
}

// cell returns a cell of the screen with the numbers of the terminal.
func (p *painter) cell(c cell) cell {
	if c>>styleShift == 0 && !c.isCluster() {
		return c
	}
	n := &p.styles[c.style()]
	if *n == 0 {
		number, _ := p.term.tab.styles.add(p.style(p.to.tab.styles.values[c.style()]), nil)
		*n = number + 1
	}
	c = c.restyle(styled(*n - 1))
	if c.isCluster() {
		n := &p.clusters[c.cluster()]
		if *n == 0 {
			number, _ := p.term.tab.clusters.add(p.to.tab.clusters.values[c.cluster()], nil)
			*n = number + 1
		}
		c = c&^textMask | clusterCell(*n-1)
	}
	return c
}

// style returns a style of the screen with the terminal's number of its link.
func (p *painter) style(st Style) Style {
	if st.link == 0 {
		return st
	}
	n := &p.links[st.link]
	if *n == 0 {
		number, _ := p.term.tab.links.add(p.to.tab.links.values[st.link], nil)
		*n = number + 1
	}
	st.link = *n - 1
	return st
}

// setPen changes the terminal's pen, to a style with its numbers.
func (p *painter) setPen(to Style) {
	from := p.term.pen
	if from == to {
		return
	}
	if from.link != to.link {
		l := p.term.tab.links.values[to.link]
		p.emit("\x1b]8;" + l.params + ";" + l.uri + "\x1b\\")
	}
	if (from.Attrs^to.Attrs)&Protected != 0 {
		p.emit(map[bool]string{true: "\x1b[1\"q", false: "\x1b[0\"q"}[to.Has(Protected)])
	}
	if changes := appendSGR(nil, p.term.pen, to); len(changes) > 0 {
		if string(changes) == ";0" {
			changes = changes[:1] // as everybody writes it
		}
		p.out = append(append(p.out, "\x1b["...), changes[1:]...)
		p.emit("m")
	}
}

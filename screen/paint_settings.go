package screen

import (
	"maps"
	"slices"
)

// paintSettings sets all that is neither text nor cursor.
func (p *painter) paintSettings() {
	p.paintTabs()
	p.paintTitles()
	p.paintPalette()
	if p.term.cwd != p.to.cwd {
		p.emit("\x1b]7;" + p.to.cwd + "\x1b\\")
	}
	if p.term.cursorShape != p.to.cursorShape {
		p.csi("", " q", int(p.to.cursorShape))
	}
	if p.term.modifyOther != p.to.modifyOther {
		p.csi(">", "m", 4, int(p.to.modifyOther))
	}
	if p.term.extent != p.to.extent {
		p.csi("", "*x", map[bool]int{true: 2, false: 1}[p.to.extent])
	}
	p.paintSavedModes()
	p.paintModes()
}

func (p *painter) paintTabs() {
	switch {
	case slices.Equal(p.term.tabs, p.to.tabs):
	case slices.Equal(p.to.tabs, defaultTabs(p.to.cols)):
		p.emit("\x1b[?5W")
	default:
		p.emit("\x1b[3g")
		for x, set := range p.to.tabs {
			if set {
				p.moveTo(x, p.term.y)
				p.emit("\x1bH")
			}
		}
	}
}

func (p *painter) paintTitles() {
	if !slices.Equal(p.term.titles, p.to.titles) {
		for range p.term.titles {
			p.emit("\x1b[23;0t")
		}
		for _, t := range p.to.titles {
			p.title(t.title, t.icon)
			p.emit("\x1b[22;0t")
		}
	}
	p.title(p.to.title, p.to.icon)
}

func (p *painter) title(title, icon string) {
	if title == icon && p.term.title != title && p.term.icon != icon {
		p.emit("\x1b]0;" + title + "\x1b\\")
	}
	if p.term.icon != icon {
		p.emit("\x1b]1;" + icon + "\x1b\\")
	}
	if p.term.title != title {
		p.emit("\x1b]2;" + title + "\x1b\\")
	}
}

func (p *painter) paintPalette() {
	for _, n := range slices.Sorted(maps.Keys(p.term.palette)) {
		if _, ok := p.to.palette[n]; ok {
			continue
		}
		if n < 256 {
			p.emit("\x1b]104;" + itoa(n) + "\x1b\\")
		} else {
			p.emit("\x1b]" + itoa(n-256+100) + "\x1b\\")
		}
	}
	for _, n := range slices.Sorted(maps.Keys(p.to.palette)) {
		c := p.to.palette[n]
		if have, ok := p.term.palette[n]; ok && have == c {
			continue
		}
		if n < 256 {
			p.emit("\x1b]4;" + itoa(n) + ";" + spec(c) + "\x1b\\")
		} else {
			p.emit("\x1b]" + itoa(n-256) + ";" + spec(c) + "\x1b\\")
		}
	}
}

func (p *painter) paintKeys(to *keyStack) {
	if p.term.buf.keys.equal(to) {
		return
	}
	if len(p.term.buf.keys.flags) > 0 {
		p.csi("<", "u", len(p.term.buf.keys.flags))
	}
	values := append(slices.Clone(to.flags), to.current)
	if p.term.buf.keys.current != values[0] {
		p.csi("=", "u", int(values[0]), 1)
	}
	for _, v := range values[1:] {
		p.csi(">", "u", int(v))
	}
}

func (k *keyStack) equal(other *keyStack) bool {
	return k.current == other.current && slices.Equal(k.flags, other.flags)
}

// paintSavedModes sets modes as they were when XTSAVE saved them, and saves them again.
func (p *painter) paintSavedModes() {
	for _, m := range decModes {
		saved := p.to.xtsaved.has(m.mode)
		if saved == p.term.xtsaved.has(m.mode) {
			continue
		}
		if p.term.modes.has(m.mode) != saved {
			p.setMode("?", m.number, saved)
		}
		p.csi("?", "s", m.number)
	}
}

// late are the modes that change how the cursor moves and what writing does: they are set with the cursor. The picture is
// never held back.
const late = modeSet(1<<modeOrigin | 1<<modeWrap | 1<<modeInsert | 1<<modeMargins | 1<<modeSynchronized | 1<<modeAlternate)

// paintModes switches modes off, then on: some terminals know only one mode of the mouse at a time.
func (p *painter) paintModes() {
	for _, on := range []bool{false, true} {
		for _, m := range ansiModes {
			p.paintMode("", m, on)
		}
		for _, m := range decModes {
			p.paintMode("?", m, on)
		}
	}
	if p.term.modes.has(modeSynchronized) {
		p.setMode("?", 2026, false)
	}
}

func (p *painter) paintMode(prefix string, m numbered, on bool) {
	if late.has(m.mode) || p.term.modes.has(m.mode) == on || p.to.modes.has(m.mode) != on {
		return
	}
	if m.mode == modeKeypad {
		p.emit(map[bool]string{true: "\x1b=", false: "\x1b>"}[on])
		return
	}
	p.setMode(prefix, m.number, on)
}

// paintCursor sets the margins, the modes that wait for them, the cursor and the pen.
func (p *painter) paintCursor() {
	t, to := p.term, p.to
	if t.modes.has(modeMargins) != to.modes.has(modeMargins) {
		p.setMode("?", 69, to.modes.has(modeMargins))
	}
	if t.top != to.top || t.bottom != to.bottom {
		p.csi("", "r", to.top+1, to.bottom+1)
	}
	if t.left != to.left || t.right != to.right {
		p.csi("", "s", to.left+1, to.right+1)
	}
	if t.modes.has(modeOrigin) != to.modes.has(modeOrigin) {
		p.setMode("?", 6, to.modes.has(modeOrigin))
	}
	if t.modes.has(modeWrap) != to.modes.has(modeWrap) {
		if t.pending { // what becomes of it without the mode, terminals do not agree on
			p.emit("\r")
		}
		p.setMode("?", 7, to.modes.has(modeWrap))
	}
	if to.pending && (t.x != to.x || t.y != to.y || !t.pending) {
		p.paintPending()
	} else if !to.pending {
		p.moveTo(to.x, to.y)
	}
	p.designate(to.charsets)
	p.setPen(p.style(to.pen))
	p.paintAdjacent()
	if t.modes.has(modeInsert) != to.modes.has(modeInsert) {
		p.setMode("", 4, to.modes.has(modeInsert)) // it would move what was written until now
	}
	if to.charsets.shifted != 0 {
		p.emit("\x1b" + "NO"[to.charsets.shifted-2:to.charsets.shifted-1])
	}
}

// paintPending puts the cursor at the end of a full line, where it can get by writing only.
func (p *painter) paintPending() {
	x, y := p.to.x, p.to.y
	c := p.term.buf.rows[y].cells[x]
	if !c.erased() {
		p.paintCell(x, y)
		return
	}
	// There is nothing any more: write something, and erase it by what does not move the cursor.
	p.setPen(p.term.tab.styles.values[c.style()])
	p.moveTo(x, y)
	p.emit(" ")
	row, col := p.to.position()
	p.csi("", "$z", row, col, row, col)
}

// lockingShifts are SI, SO, LS2 and LS3.
var lockingShifts = [...]string{"\x0f", "\x0e", "\x1bn", "\x1bo"}

// paintAdjacent decides whether the next character may become a part of the last one: it may if that was just written.
func (p *painter) paintAdjacent() {
	if !p.to.mayJoin() {
		if p.term.mayJoin() {
			p.emit(lockingShifts[p.to.charsets.locked]) // any control that does nothing
		}
		return
	}
	if p.term.mayJoin() {
		return // it was just written there too
	}
	x, _ := p.to.previous()
	c := p.term.buf.rows[p.to.y].cells[x]
	p.address(x, p.to.y)
	p.emit(p.term.tab.text(c))
}

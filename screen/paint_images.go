package screen

import (
	"fmt"
	"maps"
	"slices"
)

// paintImages shows the images of a buffer, after its text.
func (p *painter) paintImages(to *images) {
	if p.without {
		return
	}
	p.forgetStored(to)
	wanted := func(im *image) bool {
		return slices.ContainsFunc(to.shown, func(w image) bool { return w.same(im) })
	}
	have := &p.term.buf.images
	for _, im := range slices.Clone(have.shown) {
		if !wanted(&im) && have.has(&im) {
			p.removeImage(&im)
		}
	}
	p.paintStored(to)
	for i := range to.shown {
		if im := &to.shown[i]; !have.has(im) {
			p.showImage(im)
		}
	}
}

func (b *images) has(im *image) bool {
	return slices.ContainsFunc(b.shown, func(h image) bool { return h.same(im) })
}

// equal reports whether nothing is to be done. The order of images does not matter.
func (b *images) equal(other *images) bool {
	if len(b.shown) != len(other.shown) {
		return false
	}
	for i := range b.shown {
		if !other.has(&b.shown[i]) {
			return false
		}
	}
	return maps.EqualFunc(b.stored, other.stored, func(v, w stored) bool { return v.same(&w) })
}

// forgetStored has the terminal forget the images that it shall not know, under their numbers.
func (p *painter) forgetStored(to *images) {
	have := p.term.buf.images.stored
	for _, id := range slices.Sorted(maps.Keys(have)) {
		d := have[id]
		if want, ok := to.stored[id]; !ok || !d.begins(&want) {
			p.graphics(fmt.Sprintf("a=d,d=I,i=%d", id), nil)
		}
	}
}

// begins reports whether d is other, perhaps with less that placeholders refer to.
func (d *stored) begins(other *stored) bool {
	n := len(d.virtual)
	if n > len(other.virtual) {
		return false
	}
	part := *other
	part.virtual = other.virtual[:n]
	return d.same(&part)
}

// paintStored has the terminal know what it shall.
func (p *painter) paintStored(to *images) {
	have := &p.term.buf.images
	for _, id := range slices.Sorted(maps.Keys(to.stored)) {
		d := to.stored[id]
		if _, ok := have.stored[id]; !ok {
			p.graphics(fmt.Sprintf("a=t,i=%d%s", id, d.keys), d.pieces)
		}
		for _, keys := range d.virtual[len(have.stored[id].virtual):] {
			p.graphics(fmt.Sprintf("a=p,i=%d%s", id, keys), nil)
		}
	}
}

// graphics emits a command that is not answered.
func (p *painter) graphics(keys string, pieces [][]byte) {
	p.out = append(append(p.out, "\x1b_Gq=2,"...), keys...)
	for i, piece := range pieces {
		if i > 0 {
			p.out = append(p.out, "\x1b\\\x1b_Gq=2"...)
		}
		p.out = append(p.out, ",m="...)
		p.out = append(p.out, map[bool]string{true: "1;", false: "0;"}[i < len(pieces)-1]...)
		p.out = append(p.out, piece...)
	}
	p.emit("\x1b\\")
}

// removeImage has the terminal show an image no more.
func (p *painter) removeImage(im *image) {
	switch k := &im.kitty; {
	case !im.above():
		p.setBackground(0)
		for y := range im.rows {
			p.moveTo(im.x, im.y+y)
			p.csi("", "X", im.cols)
		}
	case k.id == 0: // it has no name; others that lie there are shown again
		p.graphics(fmt.Sprintf("a=d,d=p,x=%d,y=%d", im.x+1, im.y+1), nil)
	case k.number == 0:
		p.graphics(fmt.Sprintf("a=d,d=i,i=%d", k.id), nil)
	default:
		p.graphics(fmt.Sprintf("a=d,d=i,i=%d,p=%d", k.id, k.number), nil)
	}
}

// showImage sends an image again, at its place.
func (p *painter) showImage(im *image) {
	if p.term.modes.has(modeSixelDisplay) { // it would be shown elsewhere
		p.setMode("?", 80, false)
	}
	p.moveTo(im.x, im.y)
	switch {
	case !im.above():
		p.out = append(p.out, im.sequence...)
		p.apply()
		p.address(im.x, im.y) // terminals differ in where the cursor goes, and those without images leave it
	case im.kitty.id == 0:
		p.graphics("a=T,C=1"+im.kitty.data.keys+im.kitty.keys, im.kitty.data.pieces)
	default:
		p.graphics(fmt.Sprintf("a=p,C=1,i=%d%s", im.kitty.id, im.kitty.keys), nil)
	}
}

// paintLoading sends the pieces of an image that is not complete.
func (p *painter) paintLoading() {
	have, want := p.term.loading, p.to.loading
	if p.without || have.same(want) {
		return
	}
	if have != nil {
		p.graphics("a=d,d=i,i=4294967295", nil) // any command but a further piece gives it up
	}
	if want == nil {
		return
	}
	for i, piece := range want.pieces {
		p.out = append(p.out, "\x1b_G"...)
		if i == 0 {
			for _, key := range slices.Sorted(maps.Keys(want.first.keys)) {
				p.out = fmt.Appendf(p.out, "%c=%s,", key, want.first.keys[key])
			}
		}
		p.out = append(append(append(p.out, "m=1;"...), piece...), "\x1b\\"...)
	}
	p.apply()
}

func (l *loading) same(other *loading) bool {
	if l == nil || other == nil {
		return l == other
	}
	d, e := stored{pieces: l.pieces}, stored{pieces: other.pieces}
	return d.same(&e) && maps.Equal(l.first.keys, other.first.keys)
}

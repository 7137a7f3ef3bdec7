package screen

import (
	"bytes"
	"maps"
	"slices"
)

// Bounds of the images that a screen keeps. What does not fit is dropped.
const (
	maxImages     = 64      // that are shown, and as many that kitty's protocol has stored, of each buffer
	maxImage      = 2 << 20 // bytes of one image, as it was written
	maxImageBytes = 4 << 20 // of all images of both buffers
	imageOverhead = 64      // bytes that are counted for each image, and each piece of one, beside its data
)

// image is one that the screen shows: bytes that nobody here understands, and the cells that they cover. It lies wholly
// on the screen. One by sixels or of iTerm2 stands in the place of text: the cells below are blank, and it goes when one
// of them is written or erased. One of kitty lies above the text, and neither knows of the other.
type image struct {
	x, y, cols, rows int
	measured         bool   // in pixels: where cells have another size, it covers others
	sequence         []byte // of sixels or iTerm2, from ESC to its end; never changed
	kitty            placement
}

// above reports whether the image is one of kitty's protocol.
func (im *image) above() bool { return im.sequence == nil }

// bytes is what counts of an image for the bounds; what is stored under a number counts there.
func (im *image) bytes() int {
	n := len(im.sequence) + imageOverhead
	if im.above() && im.kitty.id == 0 {
		n += im.kitty.data.bytes
	}
	return n
}

func (im *image) intersects(left, top, right, bottom int) bool {
	return im.x < right && left < im.x+im.cols && im.y < bottom && top < im.y+im.rows
}

func (im *image) same(other *image) bool {
	return im.x == other.x && im.y == other.y && im.cols == other.cols && im.rows == other.rows && im.measured == other.measured &&
		bytes.Equal(im.sequence, other.sequence) && im.kitty.same(&other.kitty)
}

// images are those of one buffer.
type images struct {
	shown  []image
	stored map[uint32]stored // by the number of kitty's protocol
}

func (b *images) clone() images {
	return images{slices.Clone(b.shown), maps.Clone(b.stored)}
}

func (b *images) bytes() int {
	n := 0
	for i := range b.shown {
		n += b.shown[i].bytes()
	}
	for _, d := range b.stored {
		n += d.bytes
	}
	return n
}

// overwrite is told of cells that are written or erased; right and bottom are exclusive.
func (s *Screen) overwrite(left, top, right, bottom int) {
	if len(s.buf.images.shown) > 0 {
		s.buf.images.uncover(left, top, right, bottom)
	}
}

func (b *images) uncover(left, top, right, bottom int) {
	b.drop(func(im *image) bool { return !im.above() && im.intersects(left, top, right, bottom) })
}

// pictured reports whether a cell is blank because there is an image in its place.
func (s *Screen) pictured(x, y int) bool {
	return slices.ContainsFunc(s.buf.images.shown, func(im image) bool { return !im.above() && im.intersects(x, y, x+1, y+1) })
}

func (b *images) drop(is func(*image) bool) {
	b.shown = slices.DeleteFunc(b.shown, func(im image) bool { return is(&im) })
}

// move is told of rows, from top to bottom inclusive, that move down by n, or up. Images move with them, and are lost
// where they do not as a whole.
func (b *images) move(top, bottom, n int) {
	if len(b.shown) > 0 {
		b.shift(top, bottom, n)
	}
}

func (b *images) shift(top, bottom, n int) {
	b.shown = slices.DeleteFunc(b.shown, func(im image) bool {
		last := im.y + im.rows - 1
		within := im.y >= top && last <= bottom
		return im.intersects(0, top, MaxSize, bottom+1) && (!within || im.y+n < top || last+n > bottom)
	})
	for i := range b.shown {
		if im := &b.shown[i]; im.y >= top && im.y <= bottom {
			im.y += n
		}
	}
}

// resized is told that the buffer has another number of rows, of which the first are n rows further down.
func (b *images) resized(rows, n int) {
	for i := range b.shown {
		b.shown[i].y += n
	}
	b.drop(func(im *image) bool { return im.y < 0 || im.y+im.rows > rows })
}

// cellSize returns the width and height of a cell in pixels, or false if they are not known.
func (s *Screen) cellSize() (width, height int, ok bool) {
	width, height = s.pixels.x/s.cols, s.pixels.y/s.rows
	return width, height, width > 0 && height > 0
}

// ceil divides, and rounds up.
func ceil(n, by int) int { return (n + by - 1) / by }

// travel says where the cursor goes when an image is shown.
type travel uint8

const (
	stays     travel = iota
	goesBelow        // to the image's last row, in its first column
	goesAfter        // to the image's last row, right of it
)

// show puts an image of a known size at the cursor. Where there is no room below it, the text scrolls, if the cursor may
// move; what is right of the screen is not seen. An image that cannot be on the screen as a whole, or for which there is
// no memory, leaves its place blank.
func (s *Screen) show(im image, cursor travel, keep bool) {
	s.pending, s.adjacent = false, false
	im.x, im.y = s.x, s.y
	im.cols = min(im.cols, s.cols-s.x)
	if cursor != stays {
		scrolled, fits := s.descend(min(im.rows-1, s.rows))
		im.y -= scrolled
		keep = keep && fits && (scrolled == 0 || im.y >= s.top)
	}
	if !im.above() {
		s.vacate(im.x, max(im.y, 0), im.x+im.cols, min(im.y+im.rows, s.rows))
	}
	keep = keep && im.y >= 0 && im.y+im.rows <= s.rows && len(s.buf.images.shown) < maxImages
	if keep && !s.buf.images.has(&im) && s.room(im.bytes()) { // what is shown twice at a place is seen once
		s.buf.images.shown = append(s.buf.images.shown, im)
	}
	if cursor == goesAfter {
		s.x = min(s.x+im.cols, s.cols-1)
	}
}

// descend moves the cursor down by n rows as line feeds do. It returns by how many rows the text has moved up, and
// whether the cursor has come as far.
func (s *Screen) descend(n int) (scrolled int, arrived bool) {
	stop := s.rows - 1
	if s.y <= s.bottom {
		stop = s.bottom
	}
	steps := min(n, stop-s.y)
	s.y += steps
	scrolled = n - steps
	if scrolled == 0 {
		return 0, true
	}
	if s.y != s.bottom || s.x < s.left || s.x > s.right {
		return 0, false
	}
	s.scrollUp(scrolled)
	return scrolled, true
}

// vacate makes the place of an image blank.
func (s *Screen) vacate(left, top, right, bottom int) {
	s.overwrite(left, top, right, bottom)
	for y := top; y < bottom; y++ {
		s.buf.rows[y].erase(left, right, 0)
	}
}

// room reports whether there is memory for n more bytes of images. What kitty's protocol has stored and does not show
// makes room for it.
func (s *Screen) room(n int) bool {
	used := func() int { return s.main.images.bytes() + s.alt.images.bytes() + s.loading.bytes() }
	if used()+n <= maxImageBytes {
		return true
	}
	s.main.images.forgetUnused()
	s.alt.images.forgetUnused()
	return used()+n <= maxImageBytes
}

// cleanImage reports whether data has nothing in it but what images are coded by: others are for no terminal.
func cleanImage(data []byte) bool {
	for _, c := range data {
		if c < ' ' && c != '\n' && c != '\r' || c >= del {
			return false
		}
	}
	return true
}

// showSequence shows an image of so many pixels, or cells where that is more than 0.
func (s *Screen) showSequence(sequence []byte, e extent, cursor travel) {
	if !e.known() || len(sequence) > maxImage {
		return // nobody can say which cells it covers
	}
	s.show(image{cols: e.cols, rows: e.rows, measured: e.measured, sequence: sequence}, cursor, !e.relative && cleanImage(sequence[1:len(sequence)-2]))
}

// extent is how many cells an image covers, 0 if it is not known.
type extent struct {
	cols, rows int
	measured   bool // from a size in pixels
	relative   bool // to the size of the screen
}

func (e extent) known() bool { return e.cols > 0 && e.rows > 0 }

// inPixels returns the cells that so many pixels touch.
func (s *Screen) inPixels(width, height int) extent {
	w, h, ok := s.cellSize()
	if !ok || width <= 0 || height <= 0 {
		return extent{}
	}
	return extent{cols: ceil(width, w), rows: ceil(height, h), measured: true}
}

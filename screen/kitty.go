package screen

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// This file is the graphics protocol of kitty (https://sw.kovidgoyal.net/kitty/graphics-protocol/): images are sent in
// pieces, kept under numbers that the program chooses, placed, and deleted. Files and shared memory are not looked at,
// nor numbers that the terminal chooses (I), animations, and placements relative to others: the terminals that know them
// would take them for something else when they are sent again.

// stored is an image as it was sent. It is never changed.
type stored struct {
	keys          string   // how it is coded
	pieces        [][]byte // base64
	width, height int      // in pixels; 0 is unknown
	virtual       []string // keys of the placements that placeholders in the text show (U=1)
	bytes         int      // what it counts for the bounds
}

func (d *stored) same(other *stored) bool {
	return d.keys == other.keys && slices.EqualFunc(d.pieces, other.pieces, bytes.Equal) && slices.Equal(d.virtual, other.virtual)
}

// placement says what an image of this protocol shows.
type placement struct {
	id, number uint32 // i and p; 0 is none
	z          int
	keys       string // of what is shown, and how large
	data       stored // if it has no id
}

func (p *placement) same(other *placement) bool {
	return p.id == other.id && p.number == other.number && p.keys == other.keys && p.data.same(&other.data)
}

// Keys that say how an image is coded, and how it is shown.
const (
	codingKeys  = "fosv"
	showingKeys = "UXYchprwxyz"
)

// command is one graphics command.
type command struct {
	keys    map[byte]string
	payload []byte
}

// parseCommand takes what stands behind ESC _ G apart: keys, each with its value, a semicolon, and the payload.
func parseCommand(text []byte) (c command, ok bool) {
	keys, payload, _ := bytes.Cut(text, []byte{';'})
	c = command{make(map[byte]string), payload}
	for pair := range bytes.SplitSeq(keys, []byte{','}) {
		if len(pair) == 0 {
			continue
		}
		if len(pair) < 3 || len(pair) > 24 || pair[1] != '=' || !isKey(pair[0]) {
			return c, false
		}
		for _, v := range pair[2:] {
			if !isKey(v) && !isDigit(v) && v != '-' && v != '+' {
				return c, false
			}
		}
		c.keys[pair[0]] = string(pair[2:])
	}
	for _, b := range payload {
		if !isKey(b) && !isDigit(b) && b != '+' && b != '/' && b != '=' {
			return c, false
		}
	}
	return c, true
}

func isKey(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

// number returns the value of a key, 0 if it has none.
func (c *command) number(key byte) int {
	n, err := strconv.ParseInt(c.keys[key], 10, 64)
	if err != nil || n > 1<<32-1 || n < -1<<31 {
		return 0
	}
	return int(n)
}

// id returns the number of the image, 0 if it has none.
func (c *command) id() uint32 { return uint32(max(c.number('i'), 0)) }

// among returns the keys of a set, as they are written.
func (c *command) among(set string) string {
	var b strings.Builder
	for _, key := range []byte(set) {
		if v, ok := c.keys[key]; ok {
			b.WriteString("," + string(key) + "=" + v)
		}
	}
	return b.String()
}

// continues reports whether the command is a further piece of an image, which has no keys but m and q.
func (c *command) continues() bool {
	for key := range c.keys {
		if key != 'm' && key != 'q' {
			return false
		}
	}
	return len(c.keys) > 0
}

// loading is an image of which pieces are still to come.
type loading struct {
	first  command
	pieces [][]byte // more are only ever appended, so that copies may share them
	size   int      // what it counts for the bounds
}

func (l *loading) bytes() int {
	if l == nil {
		return 0
	}
	return l.size
}

func (l *loading) clone() *loading {
	if l == nil {
		return nil
	}
	c := *l
	c.pieces = slices.Clip(l.pieces)
	return &c
}

// image returns what has come.
func (l *loading) image() stored {
	d := stored{keys: l.first.among(codingKeys), pieces: l.pieces, width: l.first.number('s'), height: l.first.number('v'), bytes: l.size}
	if l.first.number('f') == 100 {
		d.width, d.height = sizeOfPNG(l.pieces[0])
	}
	return d
}

// graphics executes a command. Nothing is answered: who looks at the screen has a terminal that does, and while nobody
// looks there are no images.
func (s *Screen) graphics(text []byte) {
	c, ok := parseCommand(text)
	if ok && c.continues() {
		if s.loading != nil {
			s.load(s.loading.first, c)
		}
		return
	}
	s.loading = nil // it was given up
	if !ok || c.keys['I'] != "" {
		return
	}
	switch action := c.keys['a']; action {
	case "", "t", "T":
		if medium := c.keys['t']; medium == "" || medium == "d" {
			s.load(c, c)
		}
	case "p":
		s.place(c, nil)
	case "d":
		s.deleteImages(c)
	}
}

// load takes a piece of the image that first began.
func (s *Screen) load(first, piece command) {
	first.payload = nil
	l := loading{first: first, size: imageOverhead + len(first.among(codingKeys))}
	if s.loading != nil {
		l = *s.loading
	}
	l.pieces = append(l.pieces, bytes.Clone(piece.payload))
	l.size += len(piece.payload) + imageOverhead
	if l.size > maxImage || !s.room(l.size-s.loading.bytes()) {
		s.loading = nil // what follows is passed over: it begins nothing
		return
	}
	s.loading = nil
	if piece.number('m') == 1 {
		s.loading = &l
		return
	}
	d := l.image()
	id := first.id()
	if id != 0 {
		s.buf.images.forget(id)
		if !s.buf.images.store(id, d) {
			return
		}
	}
	if first.keys['a'] == "T" {
		s.place(first, &d)
	}
}

// sizeOfPNG reads the size at the beginning of a PNG file in base64.
func sizeOfPNG(data []byte) (width, height int) {
	const head, whole = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", 24
	var b [whole]byte
	if len(data) < whole/3*4 {
		return 0, 0
	}
	if n, err := base64.StdEncoding.Decode(b[:], data[:whole/3*4]); err != nil || n < whole || string(b[:len(head)]) != head {
		return 0, 0
	}
	return int(binary.BigEndian.Uint32(b[16:])), int(binary.BigEndian.Uint32(b[20:]))
}

// store keeps an image under its number.
func (b *images) store(id uint32, d stored) bool {
	if len(b.stored) >= maxImages {
		b.forgetUnused()
	}
	if len(b.stored) >= maxImages {
		return false
	}
	if b.stored == nil {
		b.stored = make(map[uint32]stored)
	}
	b.stored[id] = d
	return true
}

// forget loses an image and what is shown of it.
func (b *images) forget(id uint32) {
	delete(b.stored, id)
	b.drop(func(im *image) bool { return im.above() && im.kitty.id == id })
}

// forgetUnused loses the images that are not shown.
func (b *images) forgetUnused() {
	for id, d := range b.stored {
		if !b.shows(id) && len(d.virtual) == 0 {
			delete(b.stored, id)
		}
	}
}

func (b *images) shows(id uint32) bool {
	return slices.ContainsFunc(b.shown, func(im image) bool { return im.above() && im.kitty.id == id })
}

// place shows an image: one that was stored, or data.
func (s *Screen) place(c command, data *stored) {
	id, number := c.id(), uint32(max(c.number('p'), 0))
	d, ok := s.buf.images.stored[id]
	if id == 0 && data != nil {
		d, ok = *data, true
	}
	if !ok || c.keys['P'] != "" || c.keys['Q'] != "" {
		return
	}
	if c.number('U') == 1 {
		s.placeVirtual(id, d, c)
		return
	}
	e := s.placedExtent(&c, &d)
	if !e.known() {
		return
	}
	if id != 0 && number != 0 { // there is one of each number
		s.buf.images.drop(func(im *image) bool { return im.above() && im.kitty.id == id && im.kitty.number == number })
	}
	im := image{cols: e.cols, rows: e.rows, measured: e.measured, kitty: placement{id: id, number: number, z: c.number('z'), keys: c.among(showingKeys)}}
	if id == 0 {
		im.kitty.data = d
	}
	if c.number('C') == 1 {
		s.show(im, stays, true)
		return
	}
	full := s.x+im.cols >= s.cols
	s.show(im, goesAfter, true)
	if full { // the cursor was to leave the screen, so it goes to the next line
		s.x = s.left
		s.descend(1)
	}
}

// placeVirtual keeps what placeholders in the text refer to.
func (s *Screen) placeVirtual(id uint32, d stored, c command) {
	keys := c.among(showingKeys)
	if id == 0 || slices.Contains(d.virtual, keys) || len(d.virtual) >= maxImages || !s.room(len(keys)+imageOverhead) {
		return
	}
	d.virtual = append(slices.Clip(d.virtual), keys)
	d.bytes += len(keys) + imageOverhead
	s.buf.images.stored[id] = d
}

// placedExtent returns the cells of a placement: those that it asks for, with the aspect of the image if it asks for
// columns or rows only, or those that the pixels touch.
func (s *Screen) placedExtent(c *command, d *stored) extent {
	const limit = 1 << 16
	cols, rows := min(c.number('c'), limit), min(c.number('r'), limit)
	if cols > 0 && rows > 0 {
		return extent{cols: cols, rows: rows}
	}
	cw, ch, ok := s.cellSize()
	width, height := part(c, 'x', 'w', d.width), part(c, 'y', 'h', d.height)
	if !ok || width <= 0 || height <= 0 || max(width, height) > limit || cols < 0 || rows < 0 {
		return extent{}
	}
	switch {
	case cols > 0:
		height = ceil(height*cols*cw, width)
		width = cols * cw
	case rows > 0:
		width = ceil(width*rows*ch, height)
		height = rows * ch
	default:
		width += min(max(c.number('X'), 0), cw)
		height += min(max(c.number('Y'), 0), ch)
	}
	return s.inPixels(width, height)
}

// part returns how many pixels are shown in one direction: from an offset on, a length, or to the end.
func part(c *command, offset, length byte, all int) int {
	from := c.number(offset)
	if n := c.number(length); n > 0 {
		return min(n, all-from)
	}
	return all - from
}

// deleteImages executes a=d. A capital letter also frees the data of what is no longer shown.
func (s *Screen) deleteImages(c command) {
	what := c.keys['d']
	if what == "" {
		what = "a"
	}
	lower := what[0] | 0x20
	hit := s.deletes(lower, &c)
	if len(what) != 1 || hit == nil {
		return
	}
	b := &s.buf.images
	touched := make(map[uint32]bool)
	b.drop(func(im *image) bool {
		if !im.above() || !hit(im) {
			return false
		}
		touched[im.kitty.id] = true
		return true
	})
	if lower == 'i' || lower == 'r' {
		b.deleteVirtual(lower, &c, touched)
	}
	if what[0] != lower {
		for id := range touched {
			if !b.shows(id) && len(b.stored[id].virtual) == 0 {
				delete(b.stored, id)
			}
		}
	}
}

// deleteVirtual forgets what placeholders refer to, by the images' numbers, and counts these as touched.
func (b *images) deleteVirtual(what byte, c *command, touched map[uint32]bool) {
	for id, d := range b.stored {
		if !namesImage(what, c, id) {
			continue
		}
		touched[id] = true
		number := ""
		if what == 'i' && c.number('p') != 0 {
			number = ",p=" + strconv.Itoa(c.number('p')) + ","
		}
		d.virtual = slices.DeleteFunc(slices.Clone(d.virtual), func(keys string) bool {
			gone := strings.Contains(keys+",", number)
			if gone {
				d.bytes -= len(keys) + imageOverhead
			}
			return gone
		})
		b.stored[id] = d
	}
}

// namesImage reports whether d=i or d=r names an image by its number.
func namesImage(what byte, c *command, id uint32) bool {
	if what == 'i' {
		return id != 0 && int(id) == c.number('i')
	}
	return int(id) >= max(c.number('x'), 1) && int(id) <= c.number('y')
}

// deletes returns which images are meant by a letter.
func (s *Screen) deletes(what byte, c *command) func(*image) bool {
	at := func(x, y int) func(*image) bool {
		return func(im *image) bool { return im.intersects(x, y, x+1, y+1) }
	}
	x, y, z := c.number('x')-1, c.number('y')-1, c.number('z')
	switch what {
	case 'a':
		return func(*image) bool { return true }
	case 'i':
		p := uint32(max(c.number('p'), 0))
		return func(im *image) bool { return namesImage(what, c, im.kitty.id) && (p == 0 || im.kitty.number == p) }
	case 'r':
		return func(im *image) bool { return namesImage(what, c, im.kitty.id) }
	case 'c':
		return at(s.x, s.y)
	case 'p':
		return at(x, y)
	case 'q':
		return func(im *image) bool { return at(x, y)(im) && im.kitty.z == z }
	case 'x':
		return func(im *image) bool { return im.intersects(x, 0, x+1, s.rows) }
	case 'y':
		return func(im *image) bool { return im.intersects(0, y, s.cols, y+1) }
	case 'z':
		return func(im *image) bool { return im.kitty.z == z }
	}
	return nil
}

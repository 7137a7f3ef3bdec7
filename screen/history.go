package screen

// history is the scrollback: lines that left the screen at its top, the oldest first. They are packed, without their
// blank ends, into chunks that are used again when their lines are forgotten.
type history struct {
	limit  int
	ring   []packedLine
	head   int
	count  int
	chunk  *chunk // where the next line goes
	spare  []*chunk
	pushed uint64 // lines that ever came, less those that went back
	epoch  uint64 // changes when lines are lost or changed other than by the bound
}

const chunkCells = 16 << 10

type chunk struct {
	cells []cell // its length grows up to its capacity
	lines int    // that are in use
}

type packedLine struct {
	chunk    *chunk
	from, to uint32
	wrapped  bool
}

func (l packedLine) cells() []cell { return l.chunk.cells[l.from:l.to] }

// line returns line i, from 0, the oldest.
func (h *history) line(i int) packedLine { return h.ring[(h.head+i)%len(h.ring)] }

// push adds a line.
func (h *history) push(cells []cell, wrapped bool) {
	if h.limit == 0 {
		h.pushed++ // of a clone that goes on without scrollback, for Diff
		return
	}
	if h.count == h.limit {
		h.drop()
	}
	if h.count == len(h.ring) {
		h.grow()
	}
	cells = cells[:trimmed(cells)]
	if h.chunk == nil || len(h.chunk.cells)+len(cells) > cap(h.chunk.cells) {
		h.nextChunk()
	}
	from := len(h.chunk.cells)
	h.chunk.cells = append(h.chunk.cells, cells...)
	h.chunk.lines++
	at := h.head + h.count
	if at >= len(h.ring) {
		at -= len(h.ring)
	}
	h.ring[at] = packedLine{h.chunk, uint32(from), uint32(from + len(cells)), wrapped}
	h.count++
	h.pushed++
}

// drop forgets the oldest line.
func (h *history) drop() {
	h.release(h.ring[h.head].chunk)
	h.ring[h.head] = packedLine{}
	h.head++
	if h.head == len(h.ring) {
		h.head = 0
	}
	h.count--
}

// pop takes the newest line back. Its cells are valid until the next push.
func (h *history) pop() packedLine {
	at := (h.head + h.count - 1) % len(h.ring)
	l := h.ring[at]
	h.ring[at] = packedLine{}
	h.count--
	h.pushed--
	h.epoch++
	if l.chunk == h.chunk {
		l.chunk.cells = l.chunk.cells[:l.from]
		l.chunk.lines--
		return packedLine{&chunk{cells: l.chunk.cells[:l.to]}, l.from, l.to, l.wrapped}
	}
	h.release(l.chunk)
	return packedLine{&chunk{cells: l.chunk.cells[:l.to:l.to]}, l.from, l.to, l.wrapped}
}

// release counts a line of c out; a chunk without lines is kept for the next.
func (h *history) release(c *chunk) {
	c.lines--
	if c.lines == 0 && c != h.chunk && len(h.spare) < 2 {
		h.spare = append(h.spare, c)
	}
}

func (h *history) nextChunk() {
	if last := len(h.spare) - 1; last >= 0 {
		h.chunk, h.spare = h.spare[last], h.spare[:last]
		h.chunk.cells = h.chunk.cells[:0]
		return
	}
	h.chunk = &chunk{cells: make([]cell, 0, chunkCells)}
}

func (h *history) grow() {
	ring := make([]packedLine, min(h.limit, max(64, 2*len(h.ring))))
	for i := range h.count {
		ring[i] = h.line(i)
	}
	h.ring, h.head = ring, 0
}

// clear forgets all lines.
func (h *history) clear() {
	*h = history{limit: h.limit, pushed: h.pushed, epoch: h.epoch + 1}
}

// sever says that the newest line does not go on in the screen's first row.
func (h *history) sever() {
	if h.count > 0 {
		if last := &h.ring[(h.head+h.count-1)%len(h.ring)]; last.wrapped {
			last.wrapped = false
			h.epoch++
		}
	}
}

func (h *history) clone() history {
	c := history{limit: h.limit}
	for i := range h.count {
		l := h.line(i)
		c.push(l.cells(), l.wrapped)
	}
	c.pushed, c.epoch = h.pushed, h.epoch
	return c
}

package screen

// cell is one place of the grid: its text in the low half, the number of its style in the high one. The zero cell is
// erased and has the default style. A wide character takes two cells, a lead that has the text and a tail that has
// none; both have its style.
type cell uint64

const (
	textMask    cell = 1<<22 - 1 // a rune, or with clusterFlag the number of a cluster
	clusterFlag cell = 1 << 21
	wideLead    cell = 1 << 22
	wideTail    cell = 1 << 23
	contentMask cell = 1<<24 - 1
	styleShift       = 32
)

func (c cell) style() uint32         { return uint32(c >> styleShift) }
func (c cell) erased() bool          { return c&contentMask == 0 }
func (c cell) isLead() bool          { return c&wideLead != 0 }
func (c cell) isTail() bool          { return c&wideTail != 0 }
func (c cell) isCluster() bool       { return c&clusterFlag != 0 }
func (c cell) cluster() uint32       { return uint32(c & (clusterFlag - 1)) }
func (c cell) rune() rune            { return rune(c & (clusterFlag - 1)) }
func (c cell) restyle(s cell) cell   { return c&contentMask | s }
func styled(style uint32) cell       { return cell(style) << styleShift }
func clusterCell(number uint32) cell { return clusterFlag | cell(number) }

// row is one line of the grid. From used on, all cells are zero.
type row struct {
	cells   []cell
	used    int
	wrapped bool // the text goes on in the next row: it was broken by the width, not by a newline
}

func newRow(cols int) *row { return &row{cells: make([]cell, cols)} }

func newRows(cols, n int) []*row {
	rows := make([]*row, n)
	for i := range rows {
		rows[i] = newRow(cols)
	}
	return rows
}

// erase makes [from, to) blank. A row whose end is erased goes on nowhere.
func (r *row) erase(from, to int, blank cell) {
	if from >= to {
		return
	}
	r.split(from)
	r.split(to)
	if to == len(r.cells) {
		r.wrapped = false
	}
	if blank != 0 {
		r.used = max(r.used, to)
		fill(r.cells[from:to], blank)
		return
	}
	clear(r.cells[from:max(from, min(to, r.used))])
	if to >= r.used {
		r.used = min(r.used, from)
	}
}

// reset makes the whole row blank.
func (r *row) reset(blank cell) {
	if blank != 0 {
		fill(r.cells, blank)
		r.used = len(r.cells)
	} else {
		clear(r.cells[:r.used])
		r.used = 0
	}
	r.wrapped = false
}

func fill(cells []cell, c cell) {
	for i := range cells {
		cells[i] = c
	}
}

// split erases a wide character that lies across the border before x, so that what is on either side can be changed.
func (r *row) split(x int) {
	if x > 0 && x < r.used && r.cells[x].isTail() {
		r.cells[x-1], r.cells[x] = 0, 0
	}
}

// insert moves the cells from x on by n to the right, up to the border at limit, where they are lost.
func (r *row) insert(x, n, limit int, blank cell) {
	n = min(n, limit-x)
	r.split(x)
	r.split(limit)
	r.split(limit - n)
	copy(r.cells[x+n:limit], r.cells[x:limit-n])
	r.used = min(max(r.used, min(r.used+n, limit)), len(r.cells))
	fill(r.cells[x:x+n], blank)
	r.used = max(r.used, x+n)
	r.wrapped = r.wrapped && !r.cells[len(r.cells)-1].erased()
}

// remove moves the cells right of x+n to x, and makes blank what is vacant before limit.
func (r *row) remove(x, n, limit int, blank cell) {
	n = min(n, limit-x)
	r.split(x)
	r.split(limit)
	r.split(x + n)
	copy(r.cells[x:limit-n], r.cells[x+n:limit])
	if blank != 0 || r.used > limit {
		r.used = max(r.used, limit)
	}
	fill(r.cells[limit-n:limit], blank)
	r.wrapped = r.wrapped && limit < len(r.cells)
}

// trimmed returns how many cells there are up to the last one that is not zero.
func trimmed(cells []cell) int {
	n := len(cells)
	for n > 0 && cells[n-1] == 0 {
		n--
	}
	return n
}

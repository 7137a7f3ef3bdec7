package screen

import "slices"

// MaxSize bounds the columns and the rows of a screen. Larger sizes are cut to it.
const MaxSize = 2048

// Options are what a terminal is by its configuration, not by what is written to it.
type Options struct {
	// Scrollback is the number of lines kept after they have left the screen at its top; 0 keeps none.
	Scrollback int
	// Name is the answer to XTVERSION, without a control character. The default is "snug".
	Name string
	// Foreground, Background and Cursor answer OSC 10, 11 and 12 until a program sets other colours. Each is made by
	// [RGB]; the default is light grey on black.
	Foreground, Background, Cursor Color
}

// Screen is a terminal without a window: bytes are written to it, and it shows the screen that they draw. It is not safe
// for concurrent use.
type Screen struct {
	opts       Options
	cols, rows int
	pixels     struct{ x, y int }

	parser parser
	tab    tables

	main, alt buffer
	buf       *buffer // the one of them that is shown
	history   history

	x, y     int
	pending  bool // the cursor's column is full: the next character wraps first (xterm's do_wrap)
	adjacent bool // the last thing written was the character before the cursor

	top, bottom, left, right int // margins, inclusive

	pen      Style
	penCells struct { // the pen with its numbers in the tables, as far as they are known
		style, blank   cell // text of the pen has the one; what it erases is the other, and keeps only the background
		inked, blanked bool
	}
	charsets charsets
	modes    modeSet
	xtsaved  modeSet // by XTSAVE
	tabs     []bool
	extent   bool // DECSACE: attributes of rectangles change in the rectangle, not in the stream of text

	title, icon string
	titles      []titles // pushed by XTWINOPS 22
	cwd         string   // as told by OSC 7
	palette     map[int]Color
	cursorShape uint8 // the parameter of DECSCUSR
	modifyOther uint8 // modifyOtherKeys
	loading     *loading
	replies     []byte
	events      []Event
}

// buffer is one of the two screens with what belongs to it.
type buffer struct {
	rows   []*row
	room   []*row // that rows wander through
	saved  savedCursor
	keys   keyStack
	images images
}

// savedCursor is what DECSC saves.
type savedCursor struct {
	x, y     int
	pending  bool
	origin   bool
	pen      Style
	charsets charsets
}

type titles struct{ title, icon string }

// New returns a terminal of the given size, as it is when it has just been switched on.
func New(cols, rows int, opts Options) *Screen {
	if opts.Name == "" {
		opts.Name = "snug"
	}
	opts.Scrollback = max(opts.Scrollback, 0)
	if opts.Foreground.IsDefault() {
		opts.Foreground = RGB(0xd0, 0xd0, 0xd0)
	}
	if opts.Background.IsDefault() {
		opts.Background = RGB(0, 0, 0)
	}
	if opts.Cursor.IsDefault() {
		opts.Cursor = opts.Foreground
	}
	s := &Screen{opts: opts, cols: clampSize(cols), rows: clampSize(rows), tab: newTables()}
	s.history.limit = opts.Scrollback
	s.powerOn()
	return s
}

func clampSize(n int) int { return min(max(n, 1), MaxSize) }

// powerOn is the state that RIS returns to. The parser, what waits to be taken, and the scrollback stay as they are.
func (s *Screen) powerOn() {
	s.main = buffer{rows: newRows(s.cols, s.rows)}
	s.alt = buffer{}
	s.buf = &s.main
	s.x, s.y, s.pending, s.adjacent = 0, 0, false, false
	s.resetMargins()
	s.setPen(Style{})
	s.charsets = charsets{}
	s.modes, s.xtsaved = defaultModes, defaultModes
	s.tabs = defaultTabs(s.cols)
	s.extent = false
	s.title, s.icon, s.titles, s.cwd = "", "", nil, ""
	s.palette = nil
	s.cursorShape, s.modifyOther = 0, 0
	s.loading = nil
}

// Size returns the columns and rows.
func (s *Screen) Size() (cols, rows int) { return s.cols, s.rows }

// SetPixels tells the size of the screen in pixels, which XTWINOPS 14 and 16 ask for, and by which images are measured; 0
// is unknown and not answered. A screen that is resized keeps the size of its cells until it is told another.
func (s *Screen) SetPixels(x, y int) {
	w, h, _ := s.cellSize()
	s.pixels.x, s.pixels.y = max(x, 0), max(y, 0)
	if nw, nh, _ := s.cellSize(); nw != w || nh != h { // what was measured covers other cells now
		for _, b := range []*buffer{&s.main, &s.alt} {
			b.images.drop(func(im *image) bool { return im.measured })
		}
	}
}

// Alternate reports whether the alternate screen is shown.
func (s *Screen) Alternate() bool { return s.buf == &s.alt }

// Title returns the window's title.
func (s *Screen) Title() string { return s.title }

// IconName returns the title of the window's icon or tab.
func (s *Screen) IconName() string { return s.icon }

// WorkingDirectory returns the folder that OSC 7 told, a file URL.
func (s *Screen) WorkingDirectory() string { return s.cwd }

// Cursor is where the next character goes, and how that place is shown.
type Cursor struct {
	Col, Row    int  // from 0
	PendingWrap bool // the column is full, and the next character goes to the next row
	Visible     bool
	Shape       int // the parameter of DECSCUSR: 0 default, 1-2 block, 3-4 underline, 5-6 bar; odd ones blink
}

// Cursor returns the cursor.
func (s *Screen) Cursor() Cursor {
	return Cursor{s.x, s.y, s.pending, s.modes.has(modeCursor), int(s.cursorShape)}
}

// Cell is one place of the screen.
type Cell struct {
	Text  string // one grapheme cluster; empty where nothing was written, and in the second cell of a wide one
	Width int    // cells that Text takes: 1, or 2; 0 is the second cell of a wide one
	Style Style
	Link  string // target of OSC 8
}

// Cell returns the place at a column and row of the screen, from 0. Row -1 is the newest line of the scrollback. What
// is outside is an empty cell.
func (s *Screen) Cell(col, row int) Cell {
	cells, _ := s.line(row)
	if col < 0 || col >= len(cells) {
		return Cell{Width: 1}
	}
	return s.cell(cells[col])
}

func (s *Screen) cell(c cell) Cell {
	style := s.tab.styles.values[c.style()]
	out := Cell{Text: s.tab.text(c), Width: 1, Style: style, Link: s.tab.links.values[style.link].uri}
	switch {
	case c.isLead():
		out.Width = 2
	case c.isTail():
		out.Width = 0
	}
	return out
}

// Wrapped reports whether the text of a row, numbered as in [Screen.Cell], goes on in the next row.
func (s *Screen) Wrapped(row int) bool {
	_, wrapped := s.line(row)
	return wrapped
}

// line returns the cells of a row or, counted down from -1, of the scrollback.
func (s *Screen) line(y int) ([]cell, bool) {
	switch {
	case y >= s.rows || y < -s.history.count:
		return nil, false
	case y < 0:
		l := s.history.line(s.history.count + y)
		return l.cells(), l.wrapped
	}
	r := s.buf.rows[y]
	return r.cells[:r.used], r.wrapped
}

// Scrollback returns the number of lines that are kept above the screen.
func (s *Screen) Scrollback() int { return s.history.count }

// Clone returns a copy that shares nothing with s. With scrollback false the copy has, and keeps, none.
func (s *Screen) Clone(scrollback bool) *Screen {
	c := *s
	c.parser.text = slices.Clone(s.parser.text)
	c.tab = s.tab.clone()
	c.main, c.alt = s.main.clone(), s.alt.clone()
	c.buf = &c.main
	if s.Alternate() {
		c.buf = &c.alt
	}
	if scrollback {
		c.history = s.history.clone()
	} else {
		c.opts.Scrollback = 0
		c.history = history{pushed: s.history.pushed, epoch: s.history.epoch}
	}
	c.tabs = slices.Clone(s.tabs)
	c.titles = slices.Clone(s.titles)
	c.palette = clonePalette(s.palette)
	c.replies = slices.Clone(s.replies)
	c.events = slices.Clone(s.events)
	c.loading = s.loading.clone()
	return &c
}

func (b *buffer) clone() buffer {
	c := *b
	c.rows, c.room = make([]*row, len(b.rows)), nil
	for i, r := range b.rows {
		copied := *r
		copied.cells = slices.Clone(r.cells)
		c.rows[i] = &copied
	}
	c.keys.flags = slices.Clone(b.keys.flags)
	c.images = b.images.clone()
	return c
}

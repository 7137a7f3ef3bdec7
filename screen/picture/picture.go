// Package picture draws a [screen.Screen] as SVG or PNG.
//
// A cell is 12 pixels wide and 26 high. Lines, blocks, braille and the symbols of status lines are drawn, not set in a
// font: so they meet from cell to cell. In a PNG, text is set in Go Mono, and what that has not, Chinese, Japanese and
// Korean above all, in the bitmaps of bitmapfont at twice their size. Emoji are those of Noto Emoji, in the colour of the
// text; of a sequence the first is drawn, and of a flag its letters. What none of these has is an empty frame of the
// right width. An SVG names fonts, and its viewer has the glyphs. Images are not drawn.
package picture

import (
	"image/color"

	"github.com/snugvm/snug/screen"
)

// Options say how a screen is drawn.
type Options struct {
	Cursor  bool // whether the cursor is shown, if the program shows it
	Padding int  // pixels around the cells
}

// The size of a cell, and where text stands in it.
const (
	cellWidth  = 12
	cellHeight = 26
	baseline   = 20
	fontSize   = 20
)

// drawing is what SVG and PNG have in common: the cells of a screen with their colours.
type drawing struct {
	s          *screen.Screen
	opts       Options
	cols, rows int
	reverse    bool // the whole screen is (DECSCNM)
}

func newDrawing(s *screen.Screen, opts Options) *drawing {
	cols, rows := s.Size()
	return &drawing{s: s, opts: opts, cols: cols, rows: rows, reverse: s.Mode(5)}
}

func (d *drawing) size() (width, height int) {
	return d.cols*cellWidth + 2*d.opts.Padding, d.rows*cellHeight + 2*d.opts.Padding
}

// origin returns the upper left corner of a cell.
func (d *drawing) origin(col, row int) (x, y int) {
	return d.opts.Padding + col*cellWidth, d.opts.Padding + row*cellHeight
}

// look is what remains of a style when its colours are resolved.
type look struct {
	fg, bg, line color.RGBA // of the text, behind it, and of its underline
	attrs        screen.Attr
	underline    screen.Underline
}

func (d *drawing) background() color.RGBA {
	if d.reverse {
		return d.rgba(d.s.Foreground())
	}
	return d.rgba(d.s.Background())
}

func (d *drawing) look(st screen.Style) look {
	fg, bg := d.color(st.Foreground, d.s.Foreground()), d.color(st.Background, d.s.Background())
	if st.Has(screen.Inverse) != d.reverse {
		fg, bg = bg, fg
	}
	if st.Has(screen.Faint) {
		fg = blend(fg, bg, 0.5)
	}
	line := fg
	if !st.UnderlineColor.IsDefault() {
		line = d.color(st.UnderlineColor, 0)
	}
	return look{fg, bg, line, st.Attrs, st.Underline}
}

func (d *drawing) color(c, def screen.Color) color.RGBA {
	if c.IsDefault() {
		c = def
	}
	return d.rgba(c)
}

func (d *drawing) rgba(c screen.Color) color.RGBA {
	if n, ok := c.Index(); ok {
		c = d.s.Palette(n)
	}
	r, g, b, _ := c.RGB()
	return color.RGBA{r, g, b, 0xff}
}

// blend returns the colour that covers bg with so much of fg.
func blend(fg, bg color.RGBA, much float64) color.RGBA {
	mix := func(f, b uint8) uint8 { return uint8(float64(f)*much + float64(b)*(1-much) + 0.5) }
	return color.RGBA{mix(fg.R, bg.R), mix(fg.G, bg.G), mix(fg.B, bg.B), 0xff}
}

// block reports whether the cursor is a block on this cell, which then is drawn inversely.
func (d *drawing) block(col, row int) bool {
	c := d.s.Cursor()
	return d.opts.Cursor && c.Visible && c.Shape <= 2 && c.Col == col && c.Row == row
}

// cell returns a cell and how it looks.
func (d *drawing) cell(col, row int) (screen.Cell, look) {
	c := d.s.Cell(col, row)
	l := d.look(c.Style)
	if d.block(col, row) || c.Width == 2 && d.block(col+1, row) {
		l.fg, l.bg = l.bg, d.rgba(d.s.CursorColor())
	}
	return c, l
}

// marks returns the lines that go with a cell of text: underlines, strikethrough, overline, and a cursor that is a line.
func (d *drawing) marks(col, row, width int, l look) (under, over []shape) {
	w := float64(width * cellWidth)
	under = underline(l.underline, w)
	if l.attrs&screen.Strikethrough != 0 {
		over = append(over, rect(0, 13, w, 15))
	}
	if l.attrs&screen.Overline != 0 {
		over = append(over, rect(0, 0, w, 2))
	}
	if c := d.s.Cursor(); d.opts.Cursor && c.Visible && c.Col == col && c.Row == row {
		switch c.Shape {
		case 3, 4:
			over = append(over, rect(0, cellHeight-3, w, cellHeight))
		case 5, 6:
			over = append(over, rect(0, 0, 2, cellHeight))
		}
	}
	return under, over
}

func underline(u screen.Underline, width float64) []shape {
	const top, bottom = 22, 24
	var shapes []shape
	switch u {
	case screen.UnderlineSingle:
		shapes = append(shapes, rect(0, top, width, bottom))
	case screen.UnderlineDouble:
		shapes = append(shapes, rect(0, top-1, width, top), rect(0, bottom-1, width, bottom))
	case screen.UnderlineCurly:
		for x := 0.0; x < width; x += 6 { // a wave of straight pieces, which at this size is one
			shapes = append(shapes, thick(point{x, top - 0.5}, point{x + 3, bottom + 0.5}, 1.5), thick(point{x + 3, bottom + 0.5}, point{x + 6, top - 0.5}, 1.5))
		}
	case screen.UnderlineDotted:
		for x := 1.0; x < width; x += 4 {
			shapes = append(shapes, rect(x, top, x+2, bottom))
		}
	case screen.UnderlineDashed:
		for x := 0.0; x < width; x += 12 {
			shapes = append(shapes, rect(x+1, top, x+7, bottom))
		}
	}
	return shapes
}

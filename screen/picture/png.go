package picture

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
	"golang.org/x/text/unicode/norm"

	"github.com/snugvm/snug/screen"
)

// PNG writes the screen as a PNG image.
func PNG(w io.Writer, s *screen.Screen, opts Options) error {
	img, err := Image(s, opts)
	if err != nil {
		return err
	}
	return png.Encode(w, img)
}

// Image draws the screen. The error would be one of the fonts that are built in.
func Image(s *screen.Screen, opts Options) (*image.RGBA, error) {
	faces, err := loadFaces()
	if err != nil {
		return nil, err
	}
	d := newDrawing(s, opts)
	width, height := d.size()
	r := &raster{drawing: d, img: image.NewRGBA(image.Rect(0, 0, width, height)), faces: faces, edges: vector.NewRasterizer(0, 0)}
	r.fill(r.img.Bounds(), d.background())
	for row := range d.rows {
		for col := range d.cols {
			r.backdrop(col, row)
		}
	}
	for row := range d.rows {
		for col := range d.cols {
			r.foreground(col, row)
		}
	}
	return r.img, nil
}

type raster struct {
	*drawing
	img   *image.RGBA
	faces *faces
	edges *vector.Rasterizer
}

func (r *raster) fill(area image.Rectangle, c color.RGBA) {
	draw.Draw(r.img, area, image.NewUniform(c), image.Point{}, draw.Src)
}

func (r *raster) backdrop(col, row int) {
	_, l := r.cell(col, row)
	if l.bg != r.background() {
		x, y := r.origin(col, row)
		r.fill(image.Rect(x, y, x+cellWidth, y+cellHeight), l.bg)
	}
}

func (r *raster) foreground(col, row int) {
	c, l := r.cell(col, row)
	if c.Width == 0 {
		return
	}
	x, y := r.origin(col, row)
	under, over := r.marks(col, row, c.Width, l)
	r.shapes(x, y, c.Width, under, l.line)
	if c.Text != "" && c.Text != " " && l.attrs&screen.Invisible == 0 {
		r.text(x, y, c, l)
	}
	r.shapes(x, y, c.Width, over, l.fg)
}

// text draws a cluster: its characters, composed as far as Unicode does, one over the other.
func (r *raster) text(x, y int, c screen.Cell, l look) {
	first, n := utf8.DecodeRuneInString(c.Text)
	if n == len(c.Text) {
		if shapes := drawn(first); shapes != nil {
			r.shapes(x, y, c.Width, shapes, l.fg)
			return
		}
	}
	face := r.faces.styled(l.attrs)
	if letters, ok := country(c.Text); ok {
		r.outline(x, y, face, letters[0], l.fg)
		r.outline(x+cellWidth, y, face, letters[1], l.fg)
		return
	}
	if mask, ok := emojiMask(first); ok && c.Width == 2 { // what joins it is not seen
		const top = (cellHeight - emojiSize) / 2
		at := image.Rect(x, y+top, x+emojiSize, y+top+emojiSize)
		draw.DrawMask(r.img, at, image.NewUniform(l.fg), image.Point{}, mask, image.Point{}, draw.Over)
		return
	}
	for i, char := range norm.NFC.String(c.Text) {
		switch {
		case r.faces.has(char):
			r.outline(x, y, face, char, l.fg)
		case r.bitmap(x, y, char, l):
		case i == 0:
			r.frame(x, y, c.Width, l.fg)
			return // what joins it could not be seen to do so
		}
	}
}

func (r *raster) outline(x, y int, face font.Face, char rune, c color.RGBA) {
	drawer := font.Drawer{Dst: r.img, Src: image.NewUniform(c), Face: face, Dot: fixed.P(x, y+baseline)}
	drawer.DrawString(string(char))
}

// bitmap draws a character of the bitmap font at twice its size, and reports whether there is one. Bold is twice, a
// pixel apart.
func (r *raster) bitmap(x, y int, char rune, l look) bool {
	const scale, ascent = 2, 10
	area, mask, at, _, ok := r.faces.bitmap.Glyph(fixed.P(0, ascent), char)
	if !ok {
		return false
	}
	width := scale
	if l.attrs&screen.Bold != 0 {
		width++
	}
	found := false // the font has empty glyphs for what it only knows of
	for dy := range area.Dy() {
		for dx := range area.Dx() {
			if _, _, _, alpha := mask.At(at.X+dx, at.Y+dy).RGBA(); alpha > 0x7fff {
				px, py := x+(area.Min.X+dx)*scale, y+(area.Min.Y+dy)*scale
				r.fill(image.Rect(px, py, px+width, py+scale).Intersect(r.img.Bounds()), l.fg)
				found = true
			}
		}
	}
	return found
}

// frame stands for a character that no font here has.
func (r *raster) frame(x, y, width int, c color.RGBA) {
	w := float64(width * cellWidth)
	r.shapes(x, y, width, []shape{rect(1, 4, w-1, 5), rect(1, 21, w-1, 22), rect(1, 5, 2, 21), rect(w-2, 5, w-1, 21)}, c)
}

// shapes draws within the cells of one character: what is drawn beyond them is cut off.
func (r *raster) shapes(x, y, width int, shapes []shape, c color.RGBA) {
	for _, s := range shapes {
		r.edges.Reset(width*cellWidth, cellHeight)
		for i, p := range s.points {
			if i == 0 {
				r.edges.MoveTo(float32(p.x), float32(p.y))
			} else {
				r.edges.LineTo(float32(p.x), float32(p.y))
			}
		}
		r.edges.ClosePath()
		a := uint32(s.alpha*255 + 0.5)
		part := func(v uint8) uint8 { return uint8(uint32(v) * a / 255) }
		src := image.NewUniform(color.RGBA{part(c.R), part(c.G), part(c.B), uint8(a)})
		r.edges.Draw(r.img, image.Rect(x, y, x+width*cellWidth, y+cellHeight), src, image.Point{})
	}
}

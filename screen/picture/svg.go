package picture

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/snugvm/snug/screen"
)

const fonts = "ui-monospace,'Cascadia Mono','JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,'Noto Sans Mono CJK SC',monospace"

// SVG writes the screen as an SVG image.
func SVG(w io.Writer, s *screen.Screen, opts Options) error {
	d := newDrawing(s, opts)
	b := &svg{drawing: d}
	width, height := d.size()
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="%s" font-size="%d">`+"\n",
		width, height, fonts, fontSize)
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" fill="%s"/>`+"\n", css(d.background()))
	for row := range d.rows {
		b.backgrounds(row)
	}
	for row := range d.rows {
		b.texts(row)
	}
	b.WriteString("</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}

type svg struct {
	*drawing
	bytes.Buffer
}

// backgrounds writes a rectangle for each run of cells whose background is not that of the screen.
func (b *svg) backgrounds(row int) {
	for col := 0; col < b.cols; {
		_, l := b.cell(col, row)
		end := col + 1
		for end < b.cols {
			if _, next := b.cell(end, row); next.bg != l.bg {
				break
			}
			end++
		}
		if l.bg != b.background() {
			x, y := b.origin(col, row)
			fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", x, y, (end-col)*cellWidth, cellHeight, css(l.bg))
		}
		col = end
	}
}

// texts writes the text of a row: runs of one look, which are stretched to their cells whatever font there is. A
// character that no font can be trusted with stands alone.
func (b *svg) texts(row int) {
	for col := 0; col < b.cols; {
		c, l := b.cell(col, row)
		x, y := b.origin(col, row)
		under, over := b.marks(col, row, max(c.Width, 1), l)
		b.shapes(x, y, under, l.line)
		b.shapes(x, y, over, l.fg)
		col++
		if c.Text == "" || c.Text == " " || l.attrs&screen.Invisible != 0 {
			continue
		}
		if r, n := utf8.DecodeRuneInString(c.Text); n == len(c.Text) {
			if shapes := drawn(r); shapes != nil {
				b.shapes(x, y, shapes, l.fg)
				continue
			}
		}
		text, width := c.Text, max(c.Width, 1)
		for plain(c.Text) && col < b.cols {
			next, nl := b.cell(col, row)
			if nl != l || next.Link != c.Link || !plain(next.Text) {
				break
			}
			under, over := b.marks(col, row, 1, nl)
			nx, _ := b.origin(col, row)
			b.shapes(nx, y, under, l.line)
			b.shapes(nx, y, over, l.fg)
			text += next.Text
			width++
			col++
		}
		b.text(x, y, text, width, c.Link, l)
	}
}

// plain reports whether text is ASCII, which every monospaced font has at the same width.
func plain(text string) bool { return len(text) == 1 }

func (b *svg) text(x, y int, text string, width int, link string, l look) {
	text = strings.TrimRight(text, " ")
	if href := safe(link); href != "" {
		b.WriteString(`<a href="`)
		_ = xml.EscapeText(b, []byte(href))
		b.WriteString(`">`)
		defer b.WriteString("</a>\n")
	}
	length := width
	if plain(text[:1]) && len(text) < width {
		length = len(text)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" textLength="%d" lengthAdjust="spacingAndGlyphs" xml:space="preserve" fill="%s"`, x, y+baseline, length*cellWidth, css(l.fg))
	if l.attrs&screen.Bold != 0 {
		b.WriteString(` font-weight="bold"`)
	}
	if l.attrs&screen.Italic != 0 {
		b.WriteString(` font-style="italic"`)
	}
	b.WriteByte('>')
	_ = xml.EscapeText(b, []byte(text))
	b.WriteString("</text>\n")
}

// safe returns a link that may be followed from a picture.
func safe(link string) string {
	for _, scheme := range []string{"https://", "http://", "mailto:"} {
		if strings.HasPrefix(link, scheme) {
			return link
		}
	}
	return ""
}

func (b *svg) shapes(x, y int, shapes []shape, fill color.RGBA) {
	for _, s := range shapes {
		b.WriteString(`<path d="M`)
		for i, p := range s.points {
			if i > 0 {
				b.WriteByte('L')
			}
			fmt.Fprintf(b, "%.4g %.4g", float64(x)+p.x, float64(y)+p.y)
		}
		fmt.Fprintf(b, `Z" fill="%s"`, css(fill))
		if s.alpha < 1 {
			fmt.Fprintf(b, ` fill-opacity="%g"`, s.alpha)
		}
		b.WriteString("/>\n")
	}
}

func css(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

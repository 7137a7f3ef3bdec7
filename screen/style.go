package screen

// Color is a colour of text: the terminal's default (the zero value), one of its palette, or RGB.
type Color uint32

const (
	colorIndexed Color = 1 << 24
	colorRGB     Color = 2 << 24
	colorKind    Color = 3 << 24
)

// Indexed is colour n of the palette: 0 to 15 are the ANSI colours, 16 to 231 a cube, 232 to 255 greys.
func Indexed(n uint8) Color { return colorIndexed | Color(n) }

// RGB is a colour by its parts.
func RGB(r, g, b uint8) Color { return colorRGB | Color(r)<<16 | Color(g)<<8 | Color(b) }

// IsDefault reports whether c is the terminal's own foreground or background.
func (c Color) IsDefault() bool { return c&colorKind == 0 }

// Index returns the place in the palette, and whether c has one.
func (c Color) Index() (uint8, bool) { return uint8(c), c&colorKind == colorIndexed }

// RGB returns the parts, and whether c has them.
func (c Color) RGB() (r, g, b uint8, ok bool) {
	return uint8(c >> 16), uint8(c >> 8), uint8(c), c&colorKind == colorRGB
}

// Attr is a set of renditions that are on or off.
type Attr uint16

// The renditions of SGR, and the protection of DECSCA.
const (
	Bold Attr = 1 << iota
	Faint
	Italic
	Blink
	RapidBlink
	Inverse
	Invisible
	Strikethrough
	Overline
	Protected // from selective erase
)

// Underline is a style of underline, by its number in SGR 4:n.
type Underline uint8

// The styles of underline.
const (
	UnderlineNone Underline = iota
	UnderlineSingle
	UnderlineDouble
	UnderlineCurly
	UnderlineDotted
	UnderlineDashed
)

// Style is how a cell is rendered.
type Style struct {
	Foreground     Color
	Background     Color
	UnderlineColor Color // the default is the foreground
	Attrs          Attr
	Underline      Underline
	link           uint32 // in the screen's table of links, 0 for none
}

// Has reports whether all of attrs are on.
func (s Style) Has(attrs Attr) bool { return s.Attrs&attrs == attrs }

// link is the target of OSC 8.
type link struct{ params, uri string }

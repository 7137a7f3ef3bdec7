package screen

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// dynamic is the place in the palette's map of the colour that OSC n sets: 10 is the foreground, 11 the background, 12
// the cursor.
func dynamic(n int) int { return 256 + n }

func clonePalette(p map[int]Color) map[int]Color { return maps.Clone(p) }

// paletteColors is OSC 4: pairs of an index and a colour, or a question mark.
func (s *Screen) paletteColors(text, st string) {
	parts := strings.Split(text, ";")
	for i := 0; i+1 < len(parts); i += 2 {
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 0 || n > 255 {
			continue
		}
		if parts[i+1] == "?" {
			s.reply("\x1b]4;" + itoa(n) + ";" + spec(s.Palette(uint8(n))) + st)
		} else if c, ok := parseColor(parts[i+1]); ok {
			s.setPalette(n, c)
		}
	}
}

func (s *Screen) setPalette(n int, c Color) {
	if s.palette == nil {
		s.palette = map[int]Color{}
	}
	s.palette[n] = c
}

// resetPalette is OSC 104.
func (s *Screen) resetPalette(text string) {
	for n := range 256 {
		if text == "" || slices.Contains(strings.Split(text, ";"), itoa(n)) {
			delete(s.palette, n)
		}
	}
}

// dynamicColors is OSC 10 and those after it: each further colour is for the next number.
func (s *Screen) dynamicColors(n int, text, st string) {
	for part := range strings.SplitSeq(text, ";") {
		if n > 19 {
			return
		}
		if part == "?" {
			if c, ok := s.dynamicColor(n); ok {
				s.reply("\x1b]" + itoa(n) + ";" + spec(c) + st)
			}
		} else if c, ok := parseColor(part); ok {
			s.setPalette(dynamic(n), c)
		}
		n++
	}
}

// dynamicColor returns the colour that OSC n asks for.
func (s *Screen) dynamicColor(n int) (Color, bool) {
	if c, ok := s.palette[dynamic(n)]; ok {
		return c, true
	}
	switch n {
	case 10:
		return s.opts.Foreground, true
	case 11:
		return s.opts.Background, true
	case 12:
		return s.opts.Cursor, true
	}
	return 0, false
}

// Foreground returns the colour of text that has none of its own, as RGB.
func (s *Screen) Foreground() Color { c, _ := s.dynamicColor(10); return c }

// Background returns the colour behind text that has none of its own, as RGB.
func (s *Screen) Background() Color { c, _ := s.dynamicColor(11); return c }

// CursorColor returns the colour of the cursor, as RGB.
func (s *Screen) CursorColor() Color { c, _ := s.dynamicColor(12); return c }

// dark reports whether the background is darker than the text.
func (s *Screen) dark() bool { return luminance(s.Background()) < luminance(s.Foreground()) }

func luminance(c Color) int {
	r, g, b, _ := c.RGB()
	return 3*int(r) + 6*int(g) + int(b)
}

// Palette returns colour n of the palette, as RGB: xterm's, or what OSC 4 made of it.
func (s *Screen) Palette(n uint8) Color {
	if c, ok := s.palette[int(n)]; ok {
		return c
	}
	switch {
	case n < 16:
		return ansiColors[n]
	case n < 232:
		level := func(i uint8) uint8 {
			if i == 0 {
				return 0
			}
			return 55 + 40*i
		}
		n -= 16
		return RGB(level(n/36), level(n/6%6), level(n%6))
	}
	grey := 8 + 10*(n-232)
	return RGB(grey, grey, grey)
}

// ansiColors are those of xterm.
var ansiColors = [16]Color{
	RGB(0, 0, 0), RGB(205, 0, 0), RGB(0, 205, 0), RGB(205, 205, 0),
	RGB(0, 0, 238), RGB(205, 0, 205), RGB(0, 205, 205), RGB(229, 229, 229),
	RGB(127, 127, 127), RGB(255, 0, 0), RGB(0, 255, 0), RGB(255, 255, 0),
	RGB(92, 92, 255), RGB(255, 0, 255), RGB(0, 255, 255), RGB(255, 255, 255),
}

// spec writes a colour as programs expect it in an answer: 16 bits for each part.
func spec(c Color) string {
	r, g, b, _ := c.RGB()
	return fmt.Sprintf("rgb:%02x%02x/%02x%02x/%02x%02x", r, r, g, g, b, b)
}

// parseColor reads a colour in X's numeric forms: rgb:r/g/b with one to four digits each, or #rgb and its longer ones.
func parseColor(text string) (Color, bool) {
	var parts []string
	if digits, ok := strings.CutPrefix(text, "#"); ok {
		n := len(digits) / 3
		if n < 1 || n > 4 || len(digits) != 3*n {
			return 0, false
		}
		parts = []string{digits[:n], digits[n : 2*n], digits[2*n:]}
		for i, p := range parts {
			parts[i] = p[:min(2, n)]
			if n == 1 {
				parts[i] = p + "0" // #rgb gives the high bits only
			}
		}
	} else if values, ok := strings.CutPrefix(text, "rgb:"); ok {
		parts = strings.Split(values, "/")
	}
	if len(parts) != 3 {
		return 0, false
	}
	var rgb [3]uint8
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 16, 16)
		if err != nil || len(p) > 4 {
			return 0, false
		}
		full := uint64(1)<<(4*len(p)) - 1
		rgb[i] = uint8((v*255 + full/2) / full)
	}
	return RGB(rgb[0], rgb[1], rgb[2]), true
}

package picture

import "math"

type point struct{ x, y float64 }

// shape is a filled polygon within a cell, in pixels from its upper left corner.
type shape struct {
	points []point
	alpha  float64 // how much it covers what is behind it
}

func rect(x0, y0, x1, y1 float64) shape {
	return polygon(point{x0, y0}, point{x1, y0}, point{x1, y1}, point{x0, y1})
}

func polygon(points ...point) shape { return shape{points, 1} }

// thick is a straight line of some width.
func thick(a, b point, width float64) shape {
	dx, dy := b.x-a.x, b.y-a.y
	n := width / 2 / math.Hypot(dx, dy)
	nx, ny := -dy*n, dx*n
	return polygon(point{a.x + nx, a.y + ny}, point{b.x + nx, b.y + ny}, point{b.x - nx, b.y - ny}, point{a.x - nx, a.y - ny})
}

// The middle of a cell, and half the width of a light line.
const (
	middleX, middleY = cellWidth / 2.0, cellHeight / 2.0
	half             = 1.0
)

// drawn returns what a character looks like that is drawn and not set in a font, or nil.
func drawn(r rune) []shape {
	switch {
	case r >= 0x2500 && r < 0x2580:
		return boxDrawing(r)
	case r >= 0x2580 && r < 0x25a0:
		return blockElement(r)
	case r >= 0x2800 && r < 0x2900:
		return braille(r)
	case r >= 0x23ba && r <= 0x23bd: // scan lines 1, 3, 7 and 9
		y := []float64{0, 6, 18, 24}[r-0x23ba]
		return []shape{rect(0, y, cellWidth, y+2)}
	case r >= 0xe0b0 && r <= 0xe0b3:
		return powerline(r)
	}
	return nil
}

// blockElement draws U+2580 to U+259F.
func blockElement(r rune) []shape {
	const w, h = float64(cellWidth), float64(cellHeight)
	one := func(s shape) []shape { return []shape{s} }
	n := float64(r - 0x2580)
	switch {
	case r == 0x2580:
		return one(rect(0, 0, w, h/2))
	case r <= 0x2588: // lower eighths
		return one(rect(0, h-math.Round(h*n/8), w, h))
	case r <= 0x258f: // left eighths
		return one(rect(0, 0, math.Round(w*(8-(n-8))/8), h))
	case r == 0x2590:
		return one(rect(w/2, 0, w, h))
	case r <= 0x2593: // shades
		s := rect(0, 0, w, h)
		s.alpha = float64(r-0x2590) / 4
		return one(s)
	case r == 0x2594:
		return one(rect(0, 0, w, 3))
	case r == 0x2595:
		return one(rect(w-2, 0, w, h))
	}
	var shapes []shape
	for i, part := range []shape{rect(0, 0, w/2, h/2), rect(w/2, 0, w, h/2), rect(0, h/2, w/2, h), rect(w/2, h/2, w, h)} {
		if quadrants[r-0x2596]>>i&1 != 0 {
			shapes = append(shapes, part)
		}
	}
	return shapes
}

// quadrants of U+2596 to U+259F: bit 0 is the upper left, 1 the upper right, 2 the lower left, 3 the lower right one.
var quadrants = [...]uint8{4, 8, 1, 13, 9, 7, 11, 2, 6, 14}

// braille draws U+2800 to U+28FF, whose low byte says which dots there are.
func braille(r rune) []shape {
	shapes := []shape{} // an empty pattern is drawn too
	for i, at := range [...]point{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {0, 3}, {1, 3}} {
		if r>>i&1 != 0 {
			x, y := 2+at.x*5, 3+at.y*6
			shapes = append(shapes, rect(x, y, x+3, y+3))
		}
	}
	return shapes
}

// powerline draws the arrows of status lines, filled and not.
func powerline(r rune) []shape {
	const w, h = float64(cellWidth), float64(cellHeight)
	switch r {
	case 0xe0b0:
		return []shape{polygon(point{0, 0}, point{w, h / 2}, point{0, h})}
	case 0xe0b1:
		return []shape{thick(point{0, 0}, point{w - 1, h / 2}, 2), thick(point{w - 1, h / 2}, point{0, h}, 2)}
	case 0xe0b2:
		return []shape{polygon(point{w, 0}, point{0, h / 2}, point{w, h})}
	}
	return []shape{thick(point{w, 0}, point{1, h / 2}, 2), thick(point{1, h / 2}, point{w, h}, 2)}
}

package picture

import "math"

// arms are, for each of U+2500 to U+257F, the weights of the lines from the middle up, right, down and left: 0 none, 1
// light, 2 heavy, 3 double. Dashes, arcs and diagonals have dots.
const arms = "" +
	"0101 0202 1010 2020 .... .... .... .... .... .... .... .... 0110 0210 0120 0220 " +
	"0011 0012 0021 0022 1100 1200 2100 2200 1001 1002 2001 2002 1110 1210 2110 1120 " +
	"2120 2210 1220 2220 1011 1012 2011 1021 2021 2012 1022 2022 0111 0112 0211 0212 " +
	"0121 0122 0221 0222 1101 1102 1201 1202 2101 2102 2201 2202 1111 1112 1211 1212 " +
	"2111 1121 2121 2112 2211 1122 1221 2212 1222 2122 2221 2222 .... .... .... .... " +
	"0303 3030 0310 0130 0330 0013 0031 0033 1300 3100 3300 1003 3001 3003 1310 3130 " +
	"3330 1013 3031 3033 0313 0131 0333 1303 3101 3303 1313 3131 3333 .... .... .... " +
	".... .... .... .... 0001 1000 0100 0010 0002 2000 0200 0020 0201 1020 0102 2010 "

const (
	none = iota
	light
	heavy
	double
)

// gap is how far the middle of each of two lines is from the middle of the cell.
const gap = 2.0

// boxDrawing draws U+2500 to U+257F.
func boxDrawing(r rune) []shape {
	i := int(r-0x2500) * 5
	if arms[i] == '.' {
		return boxSpecial(r)
	}
	weight := func(n int) int { return int(arms[i+n] - '0') }
	up, right, down, left := weight(0), weight(1), weight(2), weight(3)
	var shapes []shape
	// Each arm is drawn as one that goes right, and turned to where it goes.
	add := func(own, before, opposite, after int, turn func(x, y float64) point, length float64) {
		for _, l := range arm(own, before, opposite, after) {
			a, b := turn(l.from, l.at-l.width/2), turn(length, l.at+l.width/2)
			shapes = append(shapes, rect(min(a.x, b.x), min(a.y, b.y), max(a.x, b.x), max(a.y, b.y)))
		}
	}
	add(right, up, left, down, func(x, y float64) point { return point{middleX + x, middleY + y} }, middleX)
	add(down, right, up, left, func(x, y float64) point { return point{middleX - y, middleY + x} }, middleY)
	add(left, down, right, up, func(x, y float64) point { return point{middleX - x, middleY - y} }, middleX)
	add(up, left, down, right, func(x, y float64) point { return point{middleX + y, middleY - x} }, middleY)
	return shapes
}

// stroke is a line along an arm: where it begins, seen from the middle and in the arm's direction, how far beside the
// middle it runs, positive to the right of the direction, and its width.
type stroke struct{ from, at, width float64 }

// arm returns the strokes of an arm. Before is the arm a quarter turn back, after the one a quarter turn on.
func arm(own, before, opposite, after int) []stroke {
	switch own {
	case none:
		return nil
	case double:
		return []stroke{{doubleStart(before, after, opposite), -gap, 2}, {doubleStart(after, before, opposite), gap, 2}}
	}
	width := 2.0 * float64(own)
	switch {
	case before == double && after == double:
		if opposite == none {
			return []stroke{{gap - half, 0, width}} // it ends at the nearer of two lines
		}
		return []stroke{{0, 0, width}}
	case before == double || after == double:
		return []stroke{{-gap - half, 0, width}}
	}
	return []stroke{{-halfWidth(max(before, after)), 0, width}}
}

func halfWidth(weight int) float64 {
	switch weight {
	case light:
		return half
	case heavy:
		return 2 * half
	}
	return 0
}

// doubleStart is where one of two strokes begins: near is the arm on its side, far the one on the other.
func doubleStart(near, far, opposite int) float64 {
	switch {
	case near == double:
		return gap - half // inside the corner
	case near != none:
		return -halfWidth(near)
	case far == double && opposite == none:
		return -gap - half // around the corner
	case far == double:
		return 0
	}
	return -halfWidth(far)
}

// boxSpecial draws the dashes, arcs and diagonals.
func boxSpecial(r rune) []shape {
	const w, h = float64(cellWidth), float64(cellHeight)
	switch {
	case r >= 0x256d && r <= 0x2570:
		return arc(r)
	case r == 0x2571:
		return []shape{thick(point{0, h}, point{w, 0}, 2)}
	case r == 0x2572:
		return []shape{thick(point{0, 0}, point{w, h}, 2)}
	case r == 0x2573:
		return []shape{thick(point{0, h}, point{w, 0}, 2), thick(point{0, 0}, point{w, h}, 2)}
	}
	d := dashes[r]
	var shapes []shape
	length := w
	if d.vertical {
		length = h
	}
	step := length / float64(d.count)
	for i := range d.count {
		a, b := math.Round(float64(i)*step+step/6), math.Round(float64(i+1)*step-step/6)
		if d.vertical {
			shapes = append(shapes, rect(middleX-d.half, a, middleX+d.half, b))
		} else {
			shapes = append(shapes, rect(a, middleY-d.half, b, middleY+d.half))
		}
	}
	return shapes
}

var dashes = map[rune]struct {
	count    int
	half     float64
	vertical bool
}{
	0x2504: {3, 1, false}, 0x2505: {3, 2, false}, 0x2506: {3, 1, true}, 0x2507: {3, 2, true},
	0x2508: {4, 1, false}, 0x2509: {4, 2, false}, 0x250a: {4, 1, true}, 0x250b: {4, 2, true},
	0x254c: {2, 1, false}, 0x254d: {2, 2, false}, 0x254e: {2, 1, true}, 0x254f: {2, 2, true},
}

// arc draws a rounded corner: straight pieces to the edges, and a quarter of a circle between them.
func arc(r rune) []shape {
	const radius = middleX
	toRight := r == 0x256d || r == 0x2570
	toBottom := r == 0x256d || r == 0x256e
	place := func(x, y float64) point { // drawn as ╭, and mirrored
		if !toRight {
			x = cellWidth - x
		}
		if !toBottom {
			y = cellHeight - y
		}
		return point{x, y}
	}
	const steps = 8
	var outer, inner []point
	for i := range steps + 1 {
		sin, cos := math.Sincos(math.Pi / 2 * float64(i) / steps)
		cx, cy := middleX+radius, middleY+radius
		outer = append(outer, place(cx-(radius+half)*cos, cy-(radius+half)*sin))
		inner = append([]point{place(cx-(radius-half)*cos, cy-(radius-half)*sin)}, inner...)
	}
	return []shape{
		polygon(append(outer, inner...)...),
		polygon(place(middleX-half, middleY+radius), place(middleX+half, middleY+radius), place(middleX+half, cellHeight), place(middleX-half, cellHeight)),
	}
}

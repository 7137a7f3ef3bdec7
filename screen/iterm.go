package screen

import (
	"bytes"
	"encoding/base64"
	stdimage "image"
	"strconv"
	"strings"

	// The formats whose size is read.
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
)

// itermFile begins an image of iTerm2 (https://iterm2.com/documentation-images.html), in an OSC.
const itermFile = "1337;File="

// inlineImage is OSC 1337;File: arguments, a colon, and a file in base64. Without inline=1 it is a file for the user, and
// nothing is shown. The cursor goes to the right of the last row, and not beyond the last column.
func (s *Screen) inlineImage(text []byte) {
	arguments, data, ok := bytes.Cut(text[len(itermFile):], []byte{':'})
	args := make(map[string]string)
	for arg := range strings.SplitSeq(string(arguments), ";") {
		key, value, _ := strings.Cut(arg, "=")
		args[key] = value
	}
	if !ok || args["inline"] != "1" {
		return
	}
	cursor := goesAfter
	if args["doNotMoveCursor"] == "1" { // of wezterm
		cursor = stays
	}
	sequence := append(append([]byte("\x1b]"), text...), "\x1b\\"...)
	s.showSequence(sequence, s.inlineExtent(args["width"], args["height"], args["preserveAspectRatio"] != "0", data), cursor)
}

// inlineExtent returns the cells of an image whose width and height are given in cells (N), pixels (Npx), percent of the
// screen (N%), or not at all (auto). If its aspect ratio is kept it fills as much as it can of that.
func (s *Screen) inlineExtent(width, height string, keepAspect bool, data []byte) extent {
	w, h := dimension(width), dimension(height)
	if w.unit == cells && h.unit == cells && !keepAspect {
		return extent{cols: w.n, rows: h.n}
	}
	cw, ch, ok := s.cellSize()
	config, _, err := stdimage.DecodeConfig(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(data)))
	if !ok || err != nil || config.Width <= 0 || config.Height <= 0 || max(config.Width, config.Height) > 1<<16 {
		return extent{}
	}
	x, y := w.pixels(cw, s.cols), h.pixels(ch, s.rows)
	switch {
	case x == 0 && y == 0:
		x, y = config.Width, config.Height
	case y == 0:
		y = ceil(x*config.Height, config.Width)
	case x == 0:
		x = ceil(y*config.Width, config.Height)
	case keepAspect:
		x, y = min(x, y*config.Width/config.Height), min(y, x*config.Height/config.Width)
	}
	const limit = 1 << 24
	if x, y = min(x, limit), min(y, limit); x > s.cols*cw {
		x, y = s.cols*cw, ceil(y*s.cols*cw, x)
	}
	e := s.inPixels(max(x, 1), max(y, 1))
	e.relative = w.unit == percent || h.unit == percent
	return e
}

// size is a width or height, in some unit.
type size struct {
	n    int
	unit unit
}

type unit uint8

const (
	auto unit = iota
	cells
	pixels
	percent
)

func dimension(text string) size {
	n, suffix := 0, strings.TrimLeft(text, "0123456789")
	if digits := text[:len(text)-len(suffix)]; digits != "" {
		n, _ = strconv.Atoi(digits[:min(len(digits), 6)])
		n = min(n, maxParam)
	}
	units := map[string]unit{"": cells, "px": pixels, "%": percent}
	u, ok := units[suffix]
	if n == 0 || !ok {
		return size{}
	}
	return size{n, u}
}

// pixels returns the size in pixels, 0 for auto, where cells have one of their own and there are so many of them.
func (d size) pixels(cell, many int) int {
	switch d.unit {
	case cells:
		return d.n * cell
	case pixels:
		return d.n
	case percent:
		return max(d.n*cell*many/100, 1)
	}
	return 0
}

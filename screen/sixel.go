package screen

// sixel is the image of a DCS with the final q (DEC STD 070; xterm). The cursor goes to the row of its last pixel, as in
// xterm; in sixel display mode (80) it stays, and the image is in the corner of the screen.
func (s *Screen) sixel(data []byte) {
	width, height := measureSixels(data)
	sequence := append(append(s.parser.appendHeader([]byte("\x1bP")), 'q'), data...)
	sequence = append(sequence, "\x1b\\"...)
	cursor := goesBelow
	if s.modes.has(modeSixelRight) {
		cursor = goesAfter
	}
	if !s.modes.has(modeSixelDisplay) {
		s.showSequence(sequence, s.inPixels(width, height), cursor)
		return
	}
	x, y := s.x, s.y
	s.x, s.y = 0, 0
	s.showSequence(sequence, s.inPixels(width, height), stays)
	s.x, s.y = x, y
}

// measureSixels returns the size in pixels: what is said by raster attributes, or is drawn beyond.
func measureSixels(data []byte) (width, height int) {
	const limit = 1 << 20
	x, band := 0, 0
	number := func(i int) (int, int) {
		n := 0
		for ; i < len(data) && isDigit(data[i]); i++ {
			n = min(n*10+int(data[i]-'0'), limit)
		}
		return n, i
	}
	for i := 0; i < len(data); i++ {
		repeat, c := 1, data[i]
		switch c {
		case '"': // Pan; Pad; Ph; Pv
			var raster [4]int
			for n := range raster {
				raster[n], i = number(i + 1)
				if i >= len(data) || data[i] != ';' {
					break
				}
			}
			i--
			width, height = max(width, raster[2]), max(height, raster[3])
		case '!':
			if repeat, i = number(i + 1); i == len(data) {
				return width, height
			}
			repeat, c = max(repeat, 1), data[i]
		case '$':
			x = 0
		case '-':
			x, band = 0, min(band+1, limit)
		}
		if c < '?' || c > '~' {
			continue
		}
		x = min(x+repeat, limit)
		if bits := c - '?'; bits != 0 {
			width = max(width, x)
			lowest := 0
			for bits>>lowest > 1 {
				lowest++
			}
			height = max(height, band*6+lowest+1)
		}
	}
	return width, height
}

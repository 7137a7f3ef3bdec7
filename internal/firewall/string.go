package firewall

import "bytes"

// This file takes strings apart: OSC, DCS, APC and screen's title. Most are held until they are complete, then judged
// and passed or dropped whole. Pictures pass as they come once their introducer has been judged.

// collect takes a byte of a string that is held.
func (f *Filter) collect(c byte) {
	switch {
	case c == esc:
		f.state = inStringEsc
	case c == can || c == sub:
		f.state = ground
	case c == bel && f.kind == ']':
		f.finish("\a")
	case len(f.held) == 2 && f.kind == ']' && (c == 'P' || c == 'R'):
		f.consolePalette(c)
	case len(f.held) >= f.limit():
		f.tooLong()
	default:
		f.held = append(f.held, c)
		f.header(c)
	}
}

// header judges what introduces a string, where that can be told before its end.
func (f *Filter) header(c byte) {
	switch f.kind {
	case 'P':
		f.deviceHeader(c)
	case '_':
		f.applicationHeader(c)
	case ']':
		f.commandHeader(c)
	}
}

// limit is how much is held of the string.
func (f *Filter) limit() int {
	if f.kind == ']' && bytes.HasPrefix(f.held, []byte("\x1b]52;")) {
		return maxClipboard
	}
	return maxCommand
}

// tooLong drops the rest of a string.
func (f *Filter) tooLong() {
	if f.limit() == maxClipboard {
		f.refuse(clipboardWrite)
	}
	f.state = skipping
}

// consolePalette takes the Linux console's ESC ] R, and what begins ESC ] P nrrggbb. Neither has an end that is marked,
// so another terminal would take what follows for a string and wait for its end.
func (f *Filter) consolePalette(c byte) {
	f.state = ground
	if c == 'P' {
		f.state, f.palette = inPalette, 7
	}
}

func (f *Filter) paletteDigit(c byte) (taken bool) {
	if !hexadecimal[c] {
		f.state = ground
		return false
	}
	if f.palette--; f.palette == 0 {
		f.state = ground
	}
	return true
}

// afterEscape takes the byte after ESC in a string, which ends it in any case; it is complete only with ST.
func (f *Filter) afterEscape(c byte) (taken bool) {
	switch {
	case f.state == streamingEsc:
		f.emit([]byte(st))
	case f.state == inStringEsc && c == '\\':
		f.finish(st)
		return true
	}
	if c == '\\' {
		f.state = ground
		return true
	}
	f.begin()
	return false
}

// finish judges a complete string by what kind it is.
func (f *Filter) finish(end string) {
	f.state = ground
	body := f.held[2:]
	switch f.kind {
	case ']':
		f.command(body, end)
	case 'P':
		f.device(body)
	case '_':
		if len(body) > 0 && body[0] == 'G' && f.graphics(body[1:]) {
			f.passString(end)
		}
	case 'k':
		f.passTitle(f.held[:2], body, st)
	}
}

// passString passes the string that is held.
func (f *Filter) passString(end string) {
	f.emitMarked(f.held)
	f.emit([]byte(end))
}

// startStreaming passes what is held, and the rest of the string as it comes.
func (f *Filter) startStreaming() {
	f.emitMarked(f.held)
	f.state, f.streamed = streaming, 0
}

// pictureBytes are what the data of pictures consists of: sixels, or base64 in lines.
var pictureBytes = func() (s [256]bool) {
	for c := byte(' '); c < del; c++ {
		s[c] = true
	}
	s['\n'], s['\r'] = true, true
	return s
}()

// stream passes a string on to its end. One that ends otherwise than by ST, or BEL where that is one, is ended here:
// terminals differ in what else ends it.
func (f *Filter) stream(i int) int {
	p := f.in
	j := i
	for end := min(len(p), i+maxPicture-f.streamed); j < end && pictureBytes[p[j]]; {
		j++
	}
	f.streamed += j - i
	if j == len(p) {
		return j
	}
	switch c := p[j]; {
	case c == bel && f.kind == ']':
		f.state = ground
		return j + 1 // passes with the rest
	case c == esc:
		f.cut(j, j+1)
		f.state = streamingEsc
		return j + 1
	case c == can || c == sub:
		f.state = ground
	default:
		f.state = skipping
	}
	f.cut(j, j+1)
	f.emit([]byte(st))
	return j + 1
}

// skip drops a string to its end.
func (f *Filter) skip(i int) int {
	p := f.in
	for ; i < len(p); i++ {
		switch c := p[i]; {
		case c == esc:
			f.state = skippingEsc
		case c == can || c == sub || c == bel && f.kind == ']':
			f.state = ground
		default:
			continue
		}
		i++
		break
	}
	f.from = i
	return i
}

package screen

// apply returns the style after an SGR with these parameters.
func (st Style) apply(p *params) Style {
	if p.n == 0 {
		return st.plain()
	}
	for i := 0; i < p.n; {
		end := i + 1
		for p.joined(end) {
			end++
		}
		switch n := p.get(i, 0); n {
		case 4:
			st.Underline = underline(p, i, end)
		case 38, 48, 58:
			var c Color
			var ok bool
			if c, end, ok = extendedColor(p, i, end); ok {
				st.setColor(n, c)
			}
		default:
			if end == i+1 { // no other one has parts
				st = st.attribute(n)
			}
		}
		i = end
	}
	return st
}

// plain is SGR 0: it ends neither a hyperlink nor protection.
func (st Style) plain() Style { return Style{Attrs: st.Attrs & Protected, link: st.link} }

// underline is SGR 4, or 4:n.
func underline(p *params, i, end int) Underline {
	if end == i+1 {
		return UnderlineSingle
	}
	if n := p.get(i+1, 0); n <= int(UnderlineDashed) {
		return Underline(n)
	}
	return UnderlineSingle
}

func (st *Style) setColor(which int, c Color) {
	switch which {
	case 38:
		st.Foreground = c
	case 48:
		st.Background = c
	case 58:
		st.UnderlineColor = c
	}
}

// extendedColor reads the colour of SGR 38, 48 or 58 at i, either with colons (ISO 8613-6, with or without its colour
// space) or, as most programs write it, with semicolons. It returns the parameter after the colour.
func extendedColor(p *params, i, end int) (c Color, next int, ok bool) {
	if end > i+1 {
		c, ok = colorParts(p, i+1, end)
		return c, end, ok
	}
	switch p.get(i+1, 0) {
	case 5:
		next = i + 3
	case 2:
		next = i + 5
	default:
		return 0, i + 2, false
	}
	if next > p.n {
		return 0, p.n, false
	}
	c, ok = colorParts(p, i+1, next)
	return c, next, ok
}

func colorParts(p *params, i, end int) (Color, bool) {
	kind := p.get(i, 0)
	switch {
	case kind == 5 && end > i+1:
		n := p.get(i+1, 0)
		return Indexed(uint8(n)), n < 256
	case kind == 2 && end > i+3:
		i++
		if end > i+3 && p.joined(i) { // the colour space
			i++
		}
		r, g, b := p.get(i, 0), p.get(i+1, 0), p.get(i+2, 0)
		return RGB(uint8(r), uint8(g), uint8(b)), r < 256 && g < 256 && b < 256
	}
	return 0, false
}

// sgrOn are the attributes by the parameter that sets them.
var sgrOn = [...]Attr{
	1: Bold, 2: Faint, 3: Italic, 5: Blink, 6: RapidBlink, 7: Inverse, 8: Invisible, 9: Strikethrough, 53: Overline,
}

// sgrOff are the attributes by the parameter that takes them back.
var sgrOff = [...]Attr{
	22: Bold | Faint, 23: Italic, 25: Blink | RapidBlink, 27: Inverse, 28: Invisible, 29: Strikethrough, 55: Overline,
}

// attribute returns the style after one parameter without parts.
func (st Style) attribute(n int) Style {
	if n < len(sgrOn) && sgrOn[n] != 0 {
		st.Attrs |= sgrOn[n]
		return st
	}
	if n < len(sgrOff) && sgrOff[n] != 0 {
		st.Attrs &^= sgrOff[n]
		return st
	}
	switch {
	case n == 0:
		st = st.plain()
	case n == 21:
		st.Underline = UnderlineDouble
	case n == 24:
		st.Underline = UnderlineNone
	case n >= 30 && n < 38:
		st.Foreground = Indexed(uint8(n - 30))
	case n == 39:
		st.Foreground = 0
	case n >= 40 && n < 48:
		st.Background = Indexed(uint8(n - 40))
	case n == 49:
		st.Background = 0
	case n == 59:
		st.UnderlineColor = 0
	case n >= 90 && n < 98:
		st.Foreground = Indexed(uint8(n - 90 + 8))
	case n >= 100 && n < 108:
		st.Background = Indexed(uint8(n - 100 + 8))
	}
	return st
}

// appendSGR appends the shortest parameters that turn style from into to, with a separator before each. Protection and
// links are not of SGR.
func appendSGR(b []byte, from, to Style) []byte {
	whole := appendChanges(append(make([]byte, 0, 64), ";0"...), Style{}, to)
	at := len(b)
	b = appendChanges(b, from, to)
	if len(b)-at > len(whole) {
		b = append(b[:at], whole...)
	}
	return b
}

func appendChanges(b []byte, from, to Style) []byte {
	gone := from.Attrs &^ to.Attrs
	for n, attrs := range sgrOff {
		if gone&attrs != 0 {
			b = appendParam(b, n)
			from.Attrs &^= attrs
		}
	}
	for n, attr := range sgrOn {
		if attr != 0 && to.Attrs&attr != 0 && from.Attrs&attr == 0 {
			b = appendParam(b, n)
		}
	}
	if from.Underline != to.Underline {
		switch to.Underline {
		case UnderlineNone:
			b = append(b, ";24"...)
		case UnderlineSingle:
			b = append(b, ";4"...)
		default:
			b = append(b, ";4:"...)
			b = append(b, '0'+byte(to.Underline))
		}
	}
	b = appendColor(b, from.Foreground, to.Foreground, 30)
	b = appendColor(b, from.Background, to.Background, 40)
	return appendColor(b, from.UnderlineColor, to.UnderlineColor, 50)
}

// appendColor appends a colour whose parameters begin at base: 30, 40, or 50 for underlines, which have no short form.
func appendColor(b []byte, from, to Color, base int) []byte {
	if from == to {
		return b
	}
	if to.IsDefault() {
		return appendParam(b, base+9)
	}
	n, indexed := to.Index()
	switch {
	case indexed && n < 8 && base < 50:
		return appendParam(b, base+int(n))
	case indexed && n < 16 && base < 50:
		return appendParam(b, base+60+int(n)-8)
	}
	// An underline's colour is written with colons: who does not know it must not take its parts for attributes.
	separator := byte(';')
	if base == 50 {
		separator = ':'
	}
	b = appendParam(b, base+8)
	part := func(n int) { b = appendInt(append(b, separator), n) }
	if indexed {
		part(5)
		part(int(n))
		return b
	}
	part(2)
	if base == 50 {
		b = append(b, separator)
	}
	red, green, blue, _ := to.RGB()
	part(int(red))
	part(int(green))
	part(int(blue))
	return b
}

func appendParam(b []byte, n int) []byte { return appendInt(append(b, ';'), n) }

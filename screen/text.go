package screen

import "strings"

// Text returns what the screen shows, a line for each row, without the spaces at their ends. Rows whose text goes on in
// the next one are lines of their own, as they are seen.
func (s *Screen) Text() string {
	var b strings.Builder
	var line []byte
	for _, r := range s.buf.rows {
		line = line[:0]
		for _, c := range r.cells[:r.used] {
			switch {
			case c.erased():
				line = append(line, ' ')
			case !c.isTail():
				line = s.tab.appendText(line, c)
			}
		}
		b.WriteString(strings.TrimRight(string(line), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// ANSI returns what the screen shows as text with SGR and hyperlinks and no other sequences, a line for each row: it can
// be printed on any terminal, or kept in a file. Colours that programs have redefined appear as the viewer has them.
func (s *Screen) ANSI() string {
	var b []byte
	for _, r := range s.buf.rows {
		var pen Style
		var before cell
		end := r.used
		for end > 0 && s.invisible(r.cells[end-1]) {
			end--
		}
		for _, c := range r.cells[:end] {
			if c.isTail() {
				continue
			}
			if !before.erased() && s.tab.joins(before, c) { // as two cells they are two characters: keep them apart
				b = append(s.appendPen(b, pen, Style{}), "\x1b[0m"...)
				pen = Style{}
			}
			b = s.appendPen(b, pen, s.tab.styles.values[c.style()])
			pen, before = s.tab.styles.values[c.style()], c
			if c.erased() {
				b = append(b, ' ')
			} else {
				b = s.tab.appendText(b, c)
			}
		}
		b = append(s.appendPen(b, pen, Style{}), '\n')
	}
	return string(b)
}

// invisible reports whether a cell shows nothing at all.
func (s *Screen) invisible(c cell) bool {
	style := s.tab.styles.values[c.style()]
	return (c.erased() || c&contentMask == ' ') && style.Background.IsDefault() && style.Underline == UnderlineNone &&
		style.Attrs&(Inverse|Strikethrough|Overline) == 0 && style.link == 0
}

func (s *Screen) appendPen(b []byte, from, to Style) []byte {
	if from.link != to.link {
		l := s.tab.links.values[to.link]
		b = append(b, "\x1b]8;"+l.params+";"+l.uri+"\x1b\\"...)
	}
	if changes := appendSGR(nil, from, to); len(changes) > 0 {
		b = append(append(append(b, "\x1b["...), changes[1:]...), 'm')
	}
	return b
}

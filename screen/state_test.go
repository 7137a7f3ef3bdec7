package screen

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// state writes down all that decides what a screen shows and how it goes on, in a form in which equal states are equal
// text. Numbers of styles, clusters and links are not part of it, nor is mode 2026.
func (s *Screen) state() string {
	var b strings.Builder
	fmt.Fprintf(&b, "size %dx%d alternate %v\n", s.cols, s.rows, s.Alternate())
	fmt.Fprintf(&b, "cursor %d,%d pending %v margins rows %d-%d columns %d-%d\n", s.x, s.y, s.pending, s.top, s.bottom, s.left, s.right)
	fmt.Fprintf(&b, "pen %s charsets %v shape %d modifyOther %d extent %v\n", s.describe(s.pen), s.charsets, s.cursorShape, s.modifyOther, s.extent)
	sync := modeSet(1 << modeSynchronized)
	fmt.Fprintf(&b, "modes %#x saved %#x\n", s.modes&^sync, s.xtsaved)
	fmt.Fprintf(&b, "title %q icon %q stack %q folder %q\n", s.title, s.icon, s.titles, s.cwd)
	for _, n := range slices.Sorted(maps.Keys(s.palette)) {
		fmt.Fprintf(&b, "colour %d %#x\n", n, s.palette[n])
	}
	b.WriteString("tabs")
	for x, set := range s.tabs {
		if set {
			fmt.Fprintf(&b, " %d", x)
		}
	}
	fmt.Fprintf(&b, "\nunfinished %q\n", s.parser.unfinished())
	fmt.Fprintf(&b, "the next character may join %v\n", s.mayJoin())
	for i := range s.history.count {
		l := s.history.line(i)
		s.describeRow(&b, fmt.Sprintf("history %d", i), l.cells(), l.wrapped)
	}
	for _, buf := range []*buffer{&s.main, &s.alt} {
		sv := buf.saved
		fmt.Fprintf(&b, "saved %d,%d pending %v origin %v pen %s charsets %v keys %v\n",
			sv.x, sv.y, sv.pending, sv.origin, s.describe(sv.pen), sv.charsets, buf.keys)
		for y, r := range buf.rows {
			s.describeRow(&b, fmt.Sprintf("row %d", y), r.cells, r.wrapped)
		}
	}
	return b.String()
}

func (s *Screen) describe(st Style) string {
	l := s.tab.links.values[st.link]
	st.link = 0
	return fmt.Sprintf("%x,%x,%x,%x,%d,%q", uint32(st.Foreground), uint32(st.Background), uint32(st.UnderlineColor), st.Attrs, st.Underline, l)
}

func (s *Screen) describeRow(b *strings.Builder, name string, cells []cell, wrapped bool) {
	cells = cells[:trimmed(cells)]
	fmt.Fprintf(b, "%s wrapped %v", name, wrapped)
	last := ""
	for _, c := range cells {
		if style := s.describe(s.tab.styles.values[c.style()]); style != last {
			fmt.Fprintf(b, " {%s}", style)
			last = style
		}
		switch {
		case c.erased():
			b.WriteString(" _")
		case c.isTail():
			b.WriteString(" <")
		default:
			fmt.Fprintf(b, " %q", s.tab.text(c))
		}
	}
	b.WriteByte('\n')
}

// check fails unless the screen is one that could be: halves of wide characters stand together, nothing lies beyond what
// is marked as used, cursor and margins are within the screen.
func (s *Screen) check() error {
	if s.x < 0 || s.x >= s.cols || s.y < 0 || s.y >= s.rows {
		return fmt.Errorf("the cursor is at %d,%d", s.x, s.y)
	}
	if s.pending && s.x != s.limit()-1 {
		return fmt.Errorf("a wrap waits in column %d", s.x)
	}
	if s.top < 0 || s.bottom >= s.rows || s.top > s.bottom || s.left < 0 || s.right >= s.cols || s.left > s.right {
		return fmt.Errorf("margins are rows %d-%d, columns %d-%d", s.top, s.bottom, s.left, s.right)
	}
	for _, buf := range []*buffer{&s.main, &s.alt} {
		if buf.rows == nil {
			continue
		}
		if len(buf.rows) != s.rows {
			return fmt.Errorf("there are %d rows", len(buf.rows))
		}
		for y, r := range buf.rows {
			if err := s.checkRow(r); err != nil {
				return fmt.Errorf("row %d: %w", y, err)
			}
		}
		if buf.rows[s.rows-1].wrapped {
			return fmt.Errorf("the last row goes on")
		}
	}
	return nil
}

func (s *Screen) checkRow(r *row) error {
	if len(r.cells) != s.cols {
		return fmt.Errorf("%d columns", len(r.cells))
	}
	for x, c := range r.cells {
		if x >= r.used && c != 0 {
			return fmt.Errorf("column %d is in use, %d were said to be", x, r.used)
		}
		if c.isLead() && (x+1 == s.cols || !r.cells[x+1].isTail()) || c.isTail() && (x == 0 || !r.cells[x-1].isLead()) {
			return fmt.Errorf("half a character in column %d", x)
		}
		if c.isTail() && c.style() != r.cells[x-1].style() {
			return fmt.Errorf("two styles of one character in column %d", x)
		}
	}
	return nil
}

// written returns a screen to which text was written.
func written(t testing.TB, cols, rows int, text string) *Screen {
	t.Helper()
	s := New(cols, rows, Options{Scrollback: 100})
	s.write(t, text)
	return s
}

func (s *Screen) write(t testing.TB, text string) {
	t.Helper()
	_, _ = s.Write([]byte(text))
	if err := s.check(); err != nil {
		t.Fatalf("%v after %q", err, text)
	}
}

// difference shows the lines in which two states differ.
func difference(got, want string) string {
	var b strings.Builder
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		var left, right string
		if i < len(g) {
			left = g[i]
		}
		if i < len(w) {
			right = w[i]
		}
		if left != right {
			fmt.Fprintf(&b, "  got  %s\n  want %s\n", left, right)
		}
	}
	return b.String()
}

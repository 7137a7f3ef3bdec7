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
	if s.loading != nil {
		fmt.Fprintf(&b, "loading %v %q\n", s.loading.first.keys, s.loading.pieces)
	}
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
		buf.images.describe(&b)
	}
	return b.String()
}

// describe writes down images in an order of its own: theirs does not matter.
func (b *images) describe(to *strings.Builder) {
	var lines []string
	for _, im := range b.shown {
		k := im.kitty
		lines = append(lines, fmt.Sprintf("image %d,%d %dx%d measured %v %q, kitty %d,%d z %d %s %s\n",
			im.x, im.y, im.cols, im.rows, im.measured, im.sequence, k.id, k.number, k.z, k.keys, k.data.describe()))
	}
	slices.Sort(lines)
	for _, line := range lines {
		to.WriteString(line)
	}
	for _, id := range slices.Sorted(maps.Keys(b.stored)) {
		fmt.Fprintf(to, "stored %d %s\n", id, b.stored[id].describe())
	}
}

func (d stored) describe() string {
	return fmt.Sprintf("%s %q %dx%d %q %d bytes", d.keys, d.pieces, d.width, d.height, d.virtual, d.bytes)
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
		if err := s.checkImages(buf); err != nil {
			return err
		}
	}
	return nil
}

// checkImages fails unless images are on the screen, and those that stand in the place of text have it for themselves.
func (s *Screen) checkImages(buf *buffer) error {
	shown := buf.images.shown
	for i, im := range shown {
		if im.x < 0 || im.y < 0 || im.cols < 1 || im.rows < 1 || im.x+im.cols > s.cols || im.y+im.rows > s.rows {
			return fmt.Errorf("an image of %dx%d is at %d,%d", im.cols, im.rows, im.x, im.y)
		}
		if im.above() {
			continue
		}
		for y := im.y; y < im.y+im.rows; y++ {
			if slices.ContainsFunc(buf.rows[y].cells[im.x:im.x+im.cols], func(c cell) bool { return c != 0 }) {
				return fmt.Errorf("something is below the image at %d,%d, in row %d", im.x, im.y, y)
			}
		}
		for _, other := range shown[:i] {
			if !other.above() && other.intersects(im.x, im.y, im.x+im.cols, im.y+im.rows) {
				return fmt.Errorf("images lie over each other at %d,%d", im.x, im.y)
			}
		}
	}
	if len(shown) > maxImages || len(buf.images.stored) > maxImages || buf.images.bytes()+s.loading.bytes() > maxImageBytes {
		return fmt.Errorf("%d images, %d stored, %d bytes", len(shown), len(buf.images.stored), buf.images.bytes())
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

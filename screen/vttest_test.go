package screen

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// vttest runs one test of vttest's menu and returns the pages that it shows. The pages say themselves what is right, so
// that a test needs no other emulator; tmux 3.3a fails the one of wrapping.
func vttest(t *testing.T, choice string) (shown []string) {
	t.Helper()
	const menu, next = "Enter choice number (0 - 12):", "Push <RETURN>"
	p := play(t, "vttest", "24x80.80")
	p.typing("", menu)
	for keys := choice + "\r"; ; keys = "\r" {
		before := p.seen
		p.console.Send(keys)
		wrote := func(what string) bool { return bytes.Contains(p.console.Output()[before:], []byte(what)) }
		for deadline := time.Now().Add(20 * time.Second); !wrote(next) && !wrote(menu); time.Sleep(5 * time.Millisecond) {
			if p.shows(""); time.Now().After(deadline) {
				t.Fatalf("no page after\n%s", p.screen.Text())
			}
		}
		p.shows("")
		if wrote(menu) {
			p.cast("0\r")
			return shown
		}
		shown = append(shown, p.screen.Text())
	}
}

// page is the first one that has a text on it.
func page(t *testing.T, pages []string, text string) []string {
	t.Helper()
	i := slices.IndexFunc(pages, func(p string) bool { return strings.Contains(p, text) })
	if i < 0 {
		t.Fatalf("no page says %q", text)
	}
	return strings.Split(pages[i], "\n")[:castRows]
}

func TestVttestIsContent(t *testing.T) {
	if testing.Short() {
		t.Skip("needs vttest")
	}
	cursor, features := vttest(t, "1"), vttest(t, "2")

	frame := page(t, cursor, "unbroken bor-")
	for y, row := range frame {
		want := "*+" + row[2:78] + "+*"
		switch y {
		case 0, castRows - 1:
			want = strings.Repeat("*", castCols)
		case 1, castRows - 2:
			want = "*" + strings.Repeat("+", castCols-2) + "*"
		case 8, 15:
			want = "*+        " + strings.Repeat("E", 60) + "        +*"
		}
		if row != want {
			t.Errorf("the frame is broken in row %d: %q", y, row)
		}
	}

	// "The left/right margins should have letters in order"
	letters := page(t, cursor, "autowrap")[2:20]
	for i, row := range letters {
		letter := string(rune('I' + i))
		if want := letter + strings.Repeat(" ", castCols-2) + strings.ToLower(letter); row != want {
			t.Errorf("wrapping: row %d is %q, want %q", i, row, want)
		}
	}

	for _, tt := range []struct {
		pages      []string
		text, line string
		times      int
	}{
		{cursor, "four identical lines", "A B C D E F G H I", 4},
		{cursor, "leading zeros", "This is a correct sentence", 1},
		{features, "three identical lines", strings.Repeat("*", castCols), 3},
		{features, "TAB setting/resetting", "      *" + strings.Repeat("     *", 12), 2},
	} {
		n := 0
		for _, row := range page(t, tt.pages, tt.text) {
			if row == tt.line {
				n++
			}
		}
		if n != tt.times {
			t.Errorf("%s: %d rows are %q, not %d", tt.text, n, tt.line, tt.times)
		}
	}
}

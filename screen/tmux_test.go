package screen

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/test/ptytest"
)

// oracle is a real tmux, an emulator written by others. What is fed to it arrives byte for byte in its only pane.
type oracle struct {
	t          testing.TB
	tmux       *ptytest.Tmux
	cols, rows int
	feed       *os.File
	fed        int
}

func startOracle(t *testing.T, cols, rows int) *oracle {
	t.Helper()
	if testing.Short() {
		t.Skip("needs tmux")
	}
	fifo := filepath.Join(t.TempDir(), "feed")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	tmux := ptytest.StartTmux(t, cols, rows, "sh", "-c", `stty raw -echo && printf ready && exec cat "$0"`, fifo)
	tmux.WaitText("ready")
	feed, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { feed.Close() })
	return &oracle{t: t, tmux: tmux, cols: cols, rows: rows, feed: feed}
}

// reset brings both emulators to the same beginning, whatever they have been through.
const reset = "\x18\x1b\\\x1b[?1049l\x1bc\x1b7\x1b[H\x1b[2J"

// write feeds output and waits until tmux has interpreted all of it.
func (o *oracle) write(output string) {
	o.t.Helper()
	o.fed++
	mark := fmt.Sprintf("fed%d", o.fed)
	if _, err := o.feed.WriteString(output + "\x1b]2;" + mark + "\x1b\\"); err != nil {
		o.t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); o.tmux.Format("#{pane_title}") != mark; {
		if time.Now().After(deadline) {
			o.t.Fatalf("tmux did not come to the end of %q", output)
		}
	}
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;:]*m")

// compare returns how the screen and cursor of tmux differ from those of s.
func (o *oracle) compare(s *Screen) string {
	o.t.Helper()
	return o.compareText(s) + o.compareCursor(s)
}

func (o *oracle) compareText(s *Screen) string {
	o.t.Helper()
	shown := New(s.cols, s.rows, Options{})
	lines := strings.Split(strings.TrimSuffix(o.tmux.CaptureCells(), "\n"), "\n")
	// Line drawing is captured as characters of G1, and overline, by a mistake of tmux, as 5:3.
	captured := sgr.ReplaceAllStringFunc(strings.Join(lines, "\r\n"), func(s string) string { return strings.ReplaceAll(s, "5:3", "53") })
	_, _ = shown.Write([]byte("\x1b)0" + captured))
	var b strings.Builder
	for y := range s.rows {
		theirs, ours := visible(shown, y), visible(s, y)
		if theirs != ours {
			fmt.Fprintf(&b, "row %d\n  tmux %s\n  ours %s\n", y, theirs, ours)
		}
	}
	return b.String()
}

func (o *oracle) compareCursor(s *Screen) string {
	o.t.Helper()
	col, row := o.tmux.Cursor()
	x := s.x
	if s.pending {
		x++ // tmux has a place behind the last column
	}
	if col == x && row == s.y {
		return ""
	}
	return fmt.Sprintf("cursor\n  tmux %d,%d\n  ours %d,%d\n", col, row, x, s.y)
}

// visible writes down what can be seen of a row. What was erased looks like a space.
func visible(s *Screen, y int) string {
	var b strings.Builder
	last := ""
	cells := s.buf.rows[y].cells
	end := len(cells)
	for end > 0 && s.empty(cells[end-1]) {
		end--
	}
	for _, c := range cells[:end] {
		if c.isTail() {
			continue
		}
		st := s.tab.styles.values[c.style()]
		st.Attrs &^= Protected
		st.link = 0
		if st.Has(RapidBlink) { // tmux knows one speed
			st.Attrs = st.Attrs&^RapidBlink | Blink
		}
		text := s.tab.text(c)
		if c.erased() {
			text = " "
		}
		if style := s.describe(st); style != last {
			fmt.Fprintf(&b, "{%s}", strings.TrimSuffix(style, `,{"" ""}`))
			last = style
		}
		b.WriteString(text)
	}
	return b.String()
}

// empty reports whether a cell has neither text nor attributes. Its background does not count: tmux does not capture it
// at the end of a row that was erased.
func (s *Screen) empty(c cell) bool {
	style := s.tab.styles.values[c.style()]
	return (c.erased() || c&contentMask == ' ') && style.Underline == UnderlineNone && style.Attrs&(Inverse|Strikethrough|Overline) == 0
}

// common is the grammar of what tmux and xterm agree on.
var common = []func(*grammar) string{
	wordToken, wordToken, wordToken, wordToken, wideToken, wideToken,
	func(g *grammar) string { return g.pick("e\u0301", "o\u0308", "\u0301") },
	commonSGR, commonSGR, commonMove, commonMove, commonMove,
	func(g *grammar) string {
		if g.IntN(2) == 0 {
			return "\x1b[r"
		}
		return fmt.Sprintf("\x1b[%d;%dr", g.row(), g.row())
	},
	func(g *grammar) string {
		return "\x1b[?" + g.pick("6", "7", "25", "2004", "1000") + g.pick("h", "h", "l")
	},
	func(g *grammar) string { return g.pick("\x1b[?1049h", "\x1b[?1049l", "\x1b7", "\x1b8") },
	func(g *grammar) string { return g.pick("\x1b(0", "\x1b(B", "\x1b)0", "\x0e", "\x0f") },
	func(g *grammar) string { return g.pick("\x1bH", "\x1b[g", "\x1b[3g", "\x1b[4h", "\x1b[4l", "\x1b#8") },
	csiToken(1, "J", "K", "X", "1J", "1K", "2K"),
	csiToken(1, "@", "P", "L", "M", "S", "T"),
}

func commonSGR(g *grammar) string {
	n := g.pick("", "0", "1", "2", "3", "4", "4:3", "5", "7", "8", "9", "22", "24", "27", "31", "42", "39", "49", "53", "95", "104",
		"38;5;123", "48;5;7", "38;2;1;2;3", "48:2::9:8:7", "58:5:9", "59", "1;31;44", "38:5:200")
	return "\x1b[" + n + "m"
}

func commonMove(g *grammar) string {
	switch g.IntN(6) {
	case 0:
		return fmt.Sprintf("\x1b[%d;%dH", g.row(), g.col())
	case 1:
		return fmt.Sprintf("\x1b[%dG", g.col())
	case 2:
		return fmt.Sprintf("\x1b[%dd", g.row())
	case 3:
		return g.pick("\r", "\n", "\r\n", "\b", "\t", "\x1bM", "\x1bD", "\x1bE", "\v")
	}
	return "\x1b[" + g.few() + g.pick("A", "B", "C", "D", "E", "F", "`", "Z")
}

func TestRandomOutputLooksAsInTmux(t *testing.T) {
	const cols, rows = 20, 6
	o := startOracle(t, cols, rows)
	differs := func(tokens []string) string {
		output := portable(cols, rows, tokens)
		s := New(cols, rows, Options{})
		_, _ = s.Write([]byte(output))
		o.write(reset + output)
		return o.compare(s)
	}
	// Each is a matter of milliseconds, not of microseconds: 200 by default, 100,000 in make soak.
	for trial := range max(200, *trials**trials**trials/80) {
		g := newGrammar(uint64(trial), cols, rows, common)
		tokens := g.output(1 + g.IntN(40))
		if differs(tokens) == "" {
			continue
		}
		tokens = shrink(tokens, func(rest []string) bool { return differs(rest) != "" })
		t.Fatalf("seed %d, output %q, written as %q:\n%s", trial, tokens, portable(cols, rows, tokens), differs(tokens))
	}
}

// lines are grammars of what shells print. Wide characters and going back do not come together: of a row that a wide
// character did not fit into, and whose next row no longer begins with one, tmux remembers that its last cell was never
// written; to the screen that is a blank like any other.
var lines = [][]func(*grammar) string{
	append(printed, wideToken, wideToken),
	append(printed, func(g *grammar) string { return g.pick("\x1b[A", "\x1b[H", "\x1b[3;3H", "x") }),
}

var printed = []func(*grammar) string{
	wordToken, wordToken, wordToken, commonSGR,
	func(*grammar) string { return "\r\n" },
	func(*grammar) string { return "\r\n" },
	func(g *grammar) string { return strings.Repeat("long line ", g.IntN(8)) },
}

func TestAResizedScreenLooksAsInTmux(t *testing.T) {
	const cols, rows = 20, 6
	sizes := [][2]int{{30, 6}, {10, 6}, {20, 12}, {20, 3}, {13, 9}, {33, 4}}
	o := startOracle(t, cols, rows)
	differs := func(tokens []string, resizes [][2]int, wide bool) string {
		output := portable(cols, rows, tokens)
		s := New(cols, rows, Options{Scrollback: 2000})
		o.tmux.ResizeWindow(cols, rows)
		o.write(reset)
		o.tmux.ClearHistory()
		o.write(output)
		_, _ = s.Write([]byte(output))
		for _, size := range resizes {
			o.tmux.ResizeWindow(size[0], size[1])
			s.Resize(size[0], size[1])
			d := o.compareText(s)
			if !wide { // where a line is broken before a wide character, tmux miscounts the cells before the cursor
				d += o.compareCursor(s)
			}
			if d != "" {
				return fmt.Sprintf("resized to %v:\n%s", size, d)
			}
		}
		return ""
	}
	for trial := range *trials * 2 {
		wide := trial%2 == 0
		g := newGrammar(uint64(trial), cols, rows, lines[trial%2])
		tokens := g.output(1 + g.IntN(40))
		// After lines were broken anew, tmux takes none of those back that went to the scrollback by that when the
		// screen becomes higher; the screen does. So there is one new width at most, and it comes last.
		resizes := [][2]int{{cols, 3 + g.IntN(10)}, {cols, 3 + g.IntN(10)}, sizes[g.IntN(len(sizes))]}
		if differs(tokens, resizes, wide) == "" {
			continue
		}
		tokens = shrink(tokens, func(rest []string) bool { return differs(rest, resizes, wide) != "" })
		t.Fatalf("seed %d, output %q, written as %q:\n%s", trial, tokens, portable(cols, rows, tokens), differs(tokens, resizes, wide))
	}
}

// What the screen makes of itself must work on terminals that are not this one.
func TestSnapshotsAndDifferencesWorkInTmux(t *testing.T) {
	const cols, rows = 20, 6
	o := startOracle(t, cols, rows)
	for trial := range *trials * 4 {
		g := newGrammar(uint64(trial), cols, rows, common)
		tokens := g.output(1 + g.IntN(60))
		from := New(cols, rows, Options{})
		_, _ = from.Write([]byte(portable(cols, rows, tokens[:len(tokens)/2])))
		snapshot := from.Snapshot(SnapshotOptions{})
		o.write(reset + string(snapshot))
		if d := o.compare(from); d != "" {
			t.Fatalf("seed %d, output %q, snapshot %q:\n%s", trial, tokens[:len(tokens)/2], snapshot, d)
		}
		to := New(cols, rows, Options{})
		_, _ = to.Write([]byte(portable(cols, rows, tokens)))
		missed := Diff(from, to, 0)
		o.write(string(missed))
		if d := o.compare(to); d != "" {
			t.Fatalf("seed %d, output %q, difference %q:\n%s", trial, tokens, missed, d)
		}
	}
}

package bridge

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func undoOf(output string) string {
	var m Modes
	m.Feed([]byte(output))
	return string(m.Undo())
}

// Each mode: the output that switches it on, what undoes it, and the output that switches it off itself.
var modeTests = []struct{ name, on, undo, off string }{
	{"application cursor keys", "\x1b[?1h", "\x1b[?1l", "\x1b[?1l"},
	{"application keypad", "\x1b=", "\x1b>", "\x1b>"},
	{"numeric keypad mode 66", "\x1b[?66h", "\x1b[?66l", "\x1b[?66l"},
	{"no autowrap", "\x1b[?7l", "\x1b[?7h", "\x1b[?7h"},
	{"hidden cursor", "\x1b[?25l", "\x1b[?25h", "\x1b[?25h"},
	{"blinking cursor", "\x1b[?12h", "\x1b[?12l", "\x1b[?12l"},
	{"reverse video", "\x1b[?5h", "\x1b[?5l", "\x1b[?5l"},
	{"no autorepeat", "\x1b[?8l", "\x1b[?8h", "\x1b[?8h"},
	{"alternate screen", "\x1b[?1049h", "\x1b[?1049l", "\x1b[?1049l"},
	{"alternate screen 1047", "\x1b[?1047h", "\x1b[?1047l", "\x1b[?1049l"},
	{"alternate screen 47", "\x1b[?47h", "\x1b[?47l", "\x1b[?47l"},
	{"mouse X10", "\x1b[?9h", "\x1b[?9l", "\x1b[?9l"},
	{"mouse buttons", "\x1b[?1000h", "\x1b[?1000l", "\x1b[?1000l"},
	{"mouse highlight", "\x1b[?1001h", "\x1b[?1001l", "\x1b[?1001l"},
	{"mouse drag", "\x1b[?1002h", "\x1b[?1002l", "\x1b[?1002l"},
	{"mouse motion", "\x1b[?1003h", "\x1b[?1003l", "\x1b[?1003l"},
	{"focus", "\x1b[?1004h", "\x1b[?1004l", "\x1b[?1004l"},
	{"mouse UTF-8", "\x1b[?1005h", "\x1b[?1005l", "\x1b[?1005l"},
	{"mouse SGR", "\x1b[?1006h", "\x1b[?1006l", "\x1b[?1006l"},
	{"alternate scroll", "\x1b[?1007h", "\x1b[?1007l", "\x1b[?1007l"},
	{"mouse urxvt", "\x1b[?1015h", "\x1b[?1015l", "\x1b[?1015l"},
	{"mouse SGR pixels", "\x1b[?1016h", "\x1b[?1016l", "\x1b[?1016l"},
	{"bracketed paste", "\x1b[?2004h", "\x1b[?2004l", "\x1b[?2004l"},
	{"synchronized output", "\x1b[?2026h", "\x1b[?2026l", "\x1b[?2026l"},
	{"colour scheme reports", "\x1b[?2031h", "\x1b[?2031l", "\x1b[?2031l"},
	{"size reports", "\x1b[?2048h", "\x1b[?2048l", "\x1b[?2048l"},
	{"several in one sequence", "\x1b[?1000;1006h", "\x1b[?1000l\x1b[?1006l", "\x1b[?1000;1006l"},
	{"origin", "\x1b[?6h", "\x1b[?6l\x1b[r\x1b[9999;1H", "\x1b[?6l"},
	{"side margins", "\x1b[?69h", "\x1b7\x1b[?69l\x1b[r\x1b8", "\x1b[?69l"},
	{"scroll region", "\x1b[3;10r", "\x1b7\x1b[r\x1b8", "\x1b[r"},
	{"insert", "\x1b[4h", "\x1b[4l", "\x1b[4l"},
	{"new line", "\x1b[20h", "\x1b[20l", "\x1b[20l"},
	{"locked keyboard", "\x1b[2h", "\x1b[2l", "\x1b[2l"},
	{"local echo", "\x1b[12l", "\x1b[12h", "\x1b[12h"},
	{"kitty keyboard pushed", "\x1b[>1u", "\x1b[<1u", "\x1b[<u"},
	{"kitty keyboard pushed thrice, popped once", "\x1b[>1u\x1b[>3u\x1b[>u\x1b[<u", "\x1b[<2u", "\x1b[<2u"},
	{"kitty keyboard set", "\x1b[=5;1u", "\x1b[=0;1u", "\x1b[=0;1u"},
	{"kitty keyboard set below a push", "\x1b[=1u\x1b[>1u", "\x1b[<1u\x1b[=0;1u", "\x1b[<9u"},
	{"kitty keyboard on the alternate screen", "\x1b[?1049h\x1b[>1u", "\x1b[<1u\x1b[?1049l", "\x1b[<u\x1b[?1049l"},
	{"kitty keyboard on both screens", "\x1b[>1u\x1b[?1049h\x1b[>1u", "\x1b[<1u\x1b[?1049l\x1b[<1u", "\x1b[<u\x1b[?1049l\x1b[<u"},
	{"kitty keyboard left on the alternate screen", "\x1b[?1049h\x1b[>1u\x1b[?1049l", "\x1b[?1049h\x1b[<1u\x1b[?1049l", "\x1b[?1049h\x1b[<u\x1b[?1049l"},
	{"modifyOtherKeys", "\x1b[>4;2m", "\x1b[>4m", "\x1b[>4;0m"},
	{"modifyOtherKeys, off by an empty value", "\x1b[>4;1m", "\x1b[>4m", "\x1b[>4;m"},
	{"modifyCursorKeys", "\x1b[>1;3m", "\x1b[>1m", "\x1b[>1m"},
	{"function keys unmodified", "\x1b[>2n", "\x1b[>2m", "\x1b[>m"},
	{"formatOtherKeys", "\x1b[>4;1f", "\x1b[>4f", "\x1b[>4f"},
	{"locator", "\x1b[1;2'z", "\x1b[0'z", "\x1b[0'z"},
	{"8-bit replies", "\x1b G", "\x1b F", "\x1b F"},
	{"line drawing in G0", "\x1b(0", "\x1b(B", "\x1b(B"},
	{"line drawing in G1", "\x1b)0", "\x1b)B", "\x1b)B"},
	{"shift out", "\x0e", "\x0f", "\x0f"},
	{"out of UTF-8", "\x1b%@", "\x1b%G", "\x1b%G"},
	{"bold", "\x1b[1m", "\x1b[m", "\x1b[22m"},
	{"colour", "\x1b[31m", "\x1b[m", "\x1b[39m"},
	{"256 colours", "\x1b[38;5;1;48;5;2m", "\x1b[m", "\x1b[39;49m"},
	{"true colour with colons", "\x1b[38:2::1:2:3m", "\x1b[m", "\x1b[39m"},
	{"curly underline", "\x1b[4:3m", "\x1b[m", "\x1b[4:0m"},
	{"underline colour", "\x1b[58;2;1;2;3m", "\x1b[m", "\x1b[59m"},
	{"all attributes", "\x1b[1;3;4;5;7;8;9;33;44;53m", "\x1b[m", "\x1b[0m"},
	{"protected", "\x1b[1\"q", "\x1b[0\"q", "\x1b[0\"q"},
	{"cursor shape", "\x1b[6 q", "\x1b[0 q", "\x1b[ q"},
	{"hyperlink", "\x1b]8;id=1;https://example.org\x1b\\", "\x1b]8;;\x1b\\", "\x1b]8;;\a"},
	{"a hyperlink longer than what is kept", "\x1b]8;;" + strings.Repeat("x", 5000) + "\a", "\x1b]8;;\x1b\\", "\x1b]8;;\a"},
	{"palette", "\x1b]4;1;#fff\a", "\x1b]104\x1b\\", "\x1b]104\a"},
	{"foreground", "\x1b]10;#fff\a", "\x1b]110\x1b\\", "\x1b]110\a"},
	{"foreground and background", "\x1b]10;#fff;#000\a", "\x1b]110\x1b\\\x1b]111\x1b\\", "\x1b]110\a\x1b]111\a"},
	{"cursor colour", "\x1b]12;red\a", "\x1b]112\x1b\\", "\x1b]112\a"},
	{"pointer", "\x1b]22;wait\a", "\x1b]22;\x1b\\", "\x1b]22;\a"},
	{"pushed pointers", "\x1b]22;>wait,text\a", "\x1b]22;<\x1b\\\x1b]22;<\x1b\\\x1b]22;\x1b\\", "\x1b]22;<\a\x1b]22;<\a\x1b]22;\a"},
	{"progress", "\x1b]9;4;1;50\a", "\x1b]9;4;0\x1b\\", "\x1b]9;4;0;\a"},
	{"title stack", "\x1b[22;0t\x1b[22;2t", "\x1b[23;2t\x1b[23;0t", "\x1b[23;2t\x1b[23;0t"},
	{"reset by RIS", "\x1b[?1000h\x1b[31m\x1b[>1u", "\x1b[?1000l\x1b[m", "\x1bc"},
}

func TestModesAreUndone(t *testing.T) {
	for _, tt := range modeTests {
		t.Run(tt.name, func(t *testing.T) {
			var m Modes
			want := tt.undo
			if tt.name == "reset by RIS" {
				want = "\x1b[<1u" + want
			}
			if changed := m.Feed([]byte("text" + tt.on + "text")); !changed || string(m.Undo()) != want {
				t.Errorf("%q: Undo = %q, changed %v; want %q", tt.on, m.Undo(), changed, want)
			}
			if m.Feed([]byte("text" + tt.on[:0])) {
				t.Error("text changes the undo bytes")
			}
			if changed := m.Feed([]byte(tt.off)); !changed || len(m.Undo()) > 0 {
				t.Errorf("after %q: Undo = %q, changed %v; want none", tt.off, m.Undo(), changed)
			}
		})
	}
}

func TestUndoBytesUndo(t *testing.T) {
	for _, tt := range modeTests {
		undo := undoOf(tt.on)
		if left := undoOf(tt.on + undo); left != "" {
			t.Errorf("%s: after its own undo bytes %q there is %q to undo", tt.name, undo, left)
		}
	}
}

func TestPlainProgramsGetNothingAdded(t *testing.T) {
	for _, output := range []string{
		"", "hello\r\n", "äöü€😀\xff\xfe\n", "\x1b[31mred\x1b[0m\n", "\x1b[1mb\x1b[22m", "\x1b[2J\x1b[H", "\x1b[10;20H",
		"\x1b]0;title\a", "\x1b]10;?\a", "\x1b]4;1;?\a", "\x1b]22;?__current__\a", "\x1b]133;A\a", "\x1b]9;done\a",
		"\x1b[6n", "\x1b[c", "\x1b[?u", "\x1b[?25h", "\x1b[?1000l", "\x1b7\x1b8", "\x1b[s\x1b[u", "\x1b[?1s", "\x1b[?1r",
		"\x1b(B\x1b)B\x0f", "\x1bP+q544e\x1b\\", "\x1b_Gi=1;AAAA\x1b\\", "\x1b[3g\x1bH", "\x1b[>c", "\x1b[?1049l", "\x1b[18t",
	} {
		if undo := undoOf(output); undo != "" {
			t.Errorf("%q: Undo = %q, want none", output, undo)
		}
	}
}

func TestWhatBreaksOffIsAborted(t *testing.T) {
	for output, want := range map[string]string{
		"\x1b":                       "\x18",
		"\x1b[":                      "\x18",
		"\x1b[?10":                   "\x18",
		"\x1b(":                      "\x18",
		"\x1b]0;half a tit":          "\x18\x1b\\",
		"\x1b]0;title\x1b":           "\x18\x1b\\",
		"\x1bPq#0":                   "\x18\x1b\\",
		"\x1b_Ga=T":                  "\x18\x1b\\",
		"\x1b[?2026h\x1b[31m\x1b]0;": "\x18\x1b\\\x1b[?2026l\x1b[m",
		"\x1b]0;t\x18":               "",
		"\x1b[31\x1a":                "",
		"\x1b]0;t\x1b[?1000h":        "\x1b[?1000l",
	} {
		if undo := undoOf(output); undo != want {
			t.Errorf("%q: Undo = %q, want %q", output, undo, want)
		}
	}
}

func TestTheOrderOfUndoing(t *testing.T) {
	output := "\x1b[31m\x1b[>1u\x1b[?1049h\x1b[>3u\x1b[2;5r\x1b[?25l\x1b[?2026h\x1b[?1003h\x1b[?2004h"
	want := "\x1b[?2026l" + "\x1b[<1u" + "\x1b[r" + "\x1b[?1049l" + "\x1b[<1u" + "\x1b[?1003l\x1b[?2004l\x1b[?25h" + "\x1b[m"
	if undo := undoOf(output); undo != want {
		t.Errorf("Undo = %q, want %q", undo, want)
	}
}

// tmux ignores a soft reset and XTRESTORE, and stays on the alternate screen at a full one.
func TestWhereTerminalsDifferMoreIsUndone(t *testing.T) {
	for output, want := range map[string]string{
		"\x1b[?25l\x1b[!p":                      "\x1b[?25h",
		"\x1b[?1h\x1b[?1s\x1b[?1l\x1b[?1r":      "\x1b[?1l",
		"\x1b[?1s\x1b[?1h\x1b[?1r":              "\x1b[?1l",
		"\x1b[?1049h\x1bc":                      "\x1b[?47l",
		"\x1b[?1049h\x1bc\x1b[?1049l":           "",
		"\x1b[6 q\x1bc":                         "\x1b[0 q",
		"\x1b[22;2t\x1b[?1000h\x1b=\x1b[r\x1bc": "\x1b[23;2t",
	} {
		if undo := undoOf(output); undo != want {
			t.Errorf("%q: Undo = %q, want %q", output, undo, want)
		}
	}
}

func TestUndoDuringCoversWhatPassed(t *testing.T) {
	var m Modes
	m.Feed([]byte("\x1b[?1000h"))
	m.Feed([]byte("\x1b[?1000l\x1b[?2004h\x1b[31m\x1b[0m\x1b[?2004l"))
	if len(m.Undo()) != 0 {
		t.Errorf("Undo = %q, want none", m.Undo())
	}
	if got, want := string(m.UndoDuring()), "\x1b[?1000l\x1b[?2004l\x1b[m"; got != want {
		t.Errorf("UndoDuring = %q, want %q", got, want)
	}
	m.Feed([]byte("text"))
	if got := m.UndoDuring(); len(got) != 0 {
		t.Errorf("UndoDuring of text = %q, want none", got)
	}
}

func TestAnyCutGivesTheSameUndo(t *testing.T) {
	var all strings.Builder
	for _, tt := range modeTests {
		all.WriteString(tt.on)
	}
	for _, output := range append([]string{all.String()}, ons()...) {
		if len(output) > 2000 && !strings.Contains(output, "?1049h") {
			continue
		}
		want := undoOf(output)
		for i := range len(output) {
			var m Modes
			m.Feed([]byte(output[:i]))
			m.Feed([]byte(output[i:]))
			if got := string(m.Undo()); got != want {
				t.Fatalf("cut at %d of %.60q: %q, want %q", i, output, got, want)
			}
		}
	}
}

func ons() (all []string) {
	for _, tt := range modeTests {
		all = append(all, tt.on)
	}
	return all
}

func FuzzModes(f *testing.F) {
	for _, tt := range modeTests {
		f.Add([]byte(tt.on+tt.off), []byte{0})
		f.Add([]byte(tt.on), []byte{1, 5})
	}
	f.Fuzz(func(t *testing.T, output, plan []byte) {
		whole := undoOf(string(output))
		var m Modes
		for _, p := range cut(output, plan) {
			before := string(m.Undo())
			changed := m.Feed(p)
			if changed != (before != string(m.Undo())) {
				t.Fatalf("changed = %v from %q to %q", changed, before, m.Undo())
			}
		}
		if got := string(m.Undo()); got != whole {
			t.Fatalf("in pieces %q, whole %q", got, whole)
		}
		if len(whole) > maxUndoLength {
			t.Fatalf("%d bytes to undo", len(whole))
		}
		m.Feed(m.UndoDuring())
		m.Feed(bytes.Clone(m.Undo()))
		m.Feed(bytes.Clone(m.Undo()))
		if left := string(m.Undo()); left != "" {
			t.Fatalf("undoing leaves %q", left)
		}
	})
}

// maxUndoLength is a good part of what a guardian keeps.
const maxUndoLength = 2048

func BenchmarkModes(b *testing.B) {
	for name, output := range map[string]string{
		"text":    strings.Repeat("all work and no play makes a dull terminal\r\n", 700),
		"colours": strings.Repeat("\x1b[38;5;12mall work\x1b[0m and no \x1b[1mplay\x1b[22m\r\n", 600),
	} {
		b.Run(name, func(b *testing.B) {
			var m Modes
			p := []byte(output)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				m.Feed(p)
			}
		})
	}
}

func ExampleModes() {
	var m Modes
	m.Feed([]byte("\x1b[?1049h\x1b[?25l"))
	fmt.Printf("%q\n", m.Undo())
	// Output: "\x1b[?1049l\x1b[?25h"
}

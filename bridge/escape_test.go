package bridge

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// typed splits text into reads of one byte each.
func typed(text string) (reads []string) {
	for i := range len(text) {
		reads = append(reads, text[i:i+1])
	}
	return reads
}

func TestEscapes(t *testing.T) {
	join := func(parts ...[]string) (all []string) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for _, tt := range []struct {
		name    string
		reads   []string
		out     string
		actions []Action
	}{
		{"end at the session's start", typed("~."), "", []Action{EndAction}},
		{"end after CR", typed("ls\r~."), "ls\r", []Action{EndAction}},
		{"detach after LF", typed("ls\n~d"), "ls\n", []Action{Detach}},
		{"help leaves the line's start", typed("~?~d"), "", []Action{ShowHelp, Detach}},
		{"a doubled character is one", typed("\r~~."), "\r~.", nil},
		{"after a doubled one the line has begun", typed("~~~."), "~~.", nil},
		{"no escape in the middle of a line", typed("cd ~."), "cd ~.", nil},
		{"another key sends both", typed("~/x"), "~/x", nil},
		{"CR after the character starts a line", typed("~\r~."), "~\r", []Action{EndAction}},
		{"pasted in one read", []string{"~."}, "~.", nil},
		{"pasted after a line", []string{"\r~."}, "\r~.", nil},
		{"held, then a read of several bytes", []string{"\r", "~", ".\r"}, "\r~.\r", nil},
		{"a read that ends a line", []string{"ls\r", "~", "."}, "ls\r", []Action{EndAction}},
		{"within a bracketed paste, byte by byte", typed(pasteStart + "\r~." + pasteEnd), pasteStart + "\r~." + pasteEnd, nil},
		{"after a paste's end in a new line", typed(pasteStart + "x" + pasteEnd + "\r~."), pasteStart + "x" + pasteEnd + "\r", []Action{EndAction}},
		{"a paste's mark split in reads", []string{"\r\x1b[2", "00~\r", "~", ".", "\x1b[20", "1~\r", "~", "."}, "\r\x1b[200~\r~.\x1b[201~\r", []Action{EndAction}},
		{"a start within a paste is text", typed(pasteStart + pasteStart + pasteEnd + "\r~."), pasteStart + pasteStart + pasteEnd + "\r", []Action{EndAction}},
		{"an interrupted mark counts from its new start", typed("\x1b[20\x1b[200~\r~."), "\x1b[20\x1b[200~\r~.", nil},
		{"mouse and focus leave the line's start", join(typed("\r"), []string{"\x1b[I", "\x1b[<35;10;5M\x1b[<0;1;1m"}, typed("~.")), "\r\x1b[I\x1b[<35;10;5M\x1b[<0;1;1m", []Action{EndAction}},
		{"what the terminal answers leaves it too", join(typed("\r"), []string{"\x1b[12;40R\x1b[?62;22c", "\x1b[>41;380;0c", "\x1b[?2026;2$y\x1b[?1u",
			"\x1b]11;rgb:0000/0000/0000\a\x1b]10;rgb:ffff/ffff/ffff\x1b\\", "\x1bP>|XTerm(380)\x1b\\"}, typed("~.")),
			"\r\x1b[12;40R\x1b[?62;22c\x1b[>41;380;0c\x1b[?2026;2$y\x1b[?1u\x1b]11;rgb:0000/0000/0000\a\x1b]10;rgb:ffff/ffff/ffff\x1b\\\x1bP>|XTerm(380)\x1b\\",
			[]Action{EndAction}},
		{"a function key does not", join(typed("\r"), []string{"\x1b[1;2R"}, typed("~.")), "\r\x1b[1;2R~.", nil},
		{"an arrow does not", join(typed("\r"), []string{"\x1b[A"}, typed("~.")), "\r\x1b[A~.", nil},
		{"an answer that is cut does not", join(typed("\r"), []string{"\x1b]11;rgb:00", "00\a"}, typed("~.")), "\r\x1b]11;rgb:0000\a~.", nil},
		{"a mouse report within an escape ends it", []string{"~", "\x1b[<35;10;5M", "."}, "~\x1b[<35;10;5M.", nil},
		{"an arrow key begins the line", []string{"\r", "\x1b[A", "~", "."}, "\r\x1b[A~.", nil},
		{"empty reads are nothing", []string{"~", "", "."}, "", []Action{EndAction}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, actions := feedEscapes(DefaultEscape, tt.reads)
			if out != tt.out || fmt.Sprint(actions) != fmt.Sprint(tt.actions) {
				t.Errorf("%q gives %q, %v; want %q, %v", tt.reads, out, actions, tt.out, tt.actions)
			}
		})
	}
}

func feedEscapes(char EscapeChar, reads []string) (out string, actions []Action) {
	e := NewEscapes(char)
	for _, r := range reads {
		o, a := e.Feed([]byte(r))
		out += string(o)
		if a != NoAction {
			actions = append(actions, a)
		}
	}
	return out + string(e.Flush()), actions
}

func TestTheCharacterIsForwardedWithTheNextByte(t *testing.T) {
	e := NewEscapes(DefaultEscape)
	if out, _ := e.Feed([]byte("~")); len(out) != 0 {
		t.Errorf("the character was passed on as %q before it is known what it is", out)
	}
	if out, _ := e.Feed([]byte("a")); string(out) != "~a" {
		t.Errorf("out = %q, want ~a at once", out)
	}
	e.Feed([]byte("\r"))
	e.Feed([]byte("~"))
	if out := e.Flush(); string(out) != "~" {
		t.Errorf("Flush = %q, want ~", out)
	}
	if out := e.Flush(); out != nil {
		t.Errorf("second Flush = %q", out)
	}
}

func TestOtherEscapeCharacters(t *testing.T) {
	if out, actions := feedEscapes('^'-0x40, typed("\x1e.")); out != "" || len(actions) != 1 {
		t.Errorf("control character: %q, %v", out, actions)
	}
	if out, actions := feedEscapes(NoEscape, typed("~.\r~d")); out != "~.\r~d" || actions != nil {
		t.Errorf("none: %q, %v", out, actions)
	}
}

func TestParseEscapeChar(t *testing.T) {
	for s, want := range map[string]EscapeChar{"none": NoEscape, "~": '~', "%": '%', "^A": 1, "^]": 0, "^b": 2} {
		got, err := ParseEscapeChar(s)
		if s == "^]" {
			if err == nil {
				t.Errorf("%q is accepted", s)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
		if again, err := ParseEscapeChar(got.String()); err != nil || again != got {
			t.Errorf("%q does not survive String: %q", s, got)
		}
	}
	for _, s := range []string{"", "~~", "ä", " ", "\x7f", "\x1b", "^M", "^j", "d", ".", "?", "None"} {
		if _, err := ParseEscapeChar(s); err == nil || !strings.Contains(err.Error(), "escape character") {
			t.Errorf("%q: %v, want an error", s, err)
		}
	}
	c := DefaultEscape
	if c.Set("bad") == nil || c != DefaultEscape || c.Set("none") != nil || c != NoEscape {
		t.Errorf("Set leaves %v", c)
	}
}

// cut splits data into reads whose lengths the bytes of plan give.
func cut(data, plan []byte) (reads [][]byte) {
	for i := 0; len(data) > 0; i++ {
		n := len(data)
		if len(plan) > 0 {
			n = min(int(plan[i%len(plan)])%8+1, n)
		}
		reads = append(reads, data[:n])
		data = data[n:]
	}
	return reads
}

// Whatever comes: put the completed escapes back where they were taken out, and the input is whole.
func FuzzEscapesLoseNothing(f *testing.F) {
	f.Add([]byte("ls\r~.~~d~?"), []byte{0})
	f.Add([]byte("\x1b[200~\r~.\x1b[201~\r~?~~"), []byte{0, 3, 1})
	f.Fuzz(func(t *testing.T, data, plan []byte) {
		e := NewEscapes(DefaultEscape)
		var out, expect []byte
		var held []byte
		for _, read := range cut(data, plan) {
			o, a := e.Feed(bytes.Clone(read))
			out = append(out, o...)
			switch {
			case a != NoAction:
				if string(held) != "~" || len(read) != 1 || strings.IndexByte(".d?", read[0]) < 0 {
					t.Fatalf("action %v from %q and %q", a, held, read)
				}
				held = nil
			case string(held) == "~" && string(read) == "~":
				held = nil
				expect = append(expect, '~')
			default:
				if len(o) == 0 {
					held = append(held, read...)
				} else {
					expect = append(append(expect, held...), read...)
					held = nil
				}
			}
			if len(held) > 1 {
				t.Fatalf("%q is held back", held)
			}
			if !bytes.Equal(out, expect) {
				t.Fatalf("out %q, want %q", out, expect)
			}
		}
		if got := e.Flush(); !bytes.Equal(got, held) {
			t.Fatalf("Flush %q, want %q", got, held)
		}
	})
}

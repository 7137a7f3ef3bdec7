package terminal

import (
	"bytes"
	"testing"
)

func TestInputIsTakenApart(t *testing.T) {
	type piece struct {
		kind Input
		text string
	}
	for input, want := range map[string][]piece{
		"ls\r":                        {{Typed, "ls\r"}},
		"\x1b":                        {{Typed, "\x1b"}},
		"\x1b[A\x1bOP\x1b[15;2~":      {{Typed, "\x1b[A\x1bOP\x1b[15;2~"}},
		"\x1b[1;2R":                   {{Typed, "\x1b[1;2R"}}, // Shift-F3
		"a\x1b[12;3Rb":                {{Typed, "a"}, {Answer, "\x1b[12;3R"}, {Typed, "b"}},
		"\x1b[I\x1b[O":                {{Pointer, "\x1b[I"}, {Pointer, "\x1b[O"}},
		"\x1b[<0;3;4M\x1b[<0;3;4mx":   {{Pointer, "\x1b[<0;3;4M"}, {Pointer, "\x1b[<0;3;4m"}, {Typed, "x"}},
		"\x1b[M !!q":                  {{Pointer, "\x1b[M !!"}, {Typed, "q"}},
		"\x1b[?62;22c\x1b[>41;354;0c": {{Answer, "\x1b[?62;22c"}, {Answer, "\x1b[>41;354;0c"}},
		"\x1b[0n\x1b[?2026;2$y":       {{Answer, "\x1b[0n"}, {Answer, "\x1b[?2026;2$y"}},
		"\x1b[8;41;137t":              {{Answer, "\x1b[8;41;137t"}},
		"\x1b]11;rgb:0/0/0\x07\x1bP>|tmux 3.3\x1b\\": {{Answer, "\x1b]11;rgb:0/0/0\x07"}, {Answer, "\x1bP>|tmux 3.3\x1b\\"}},
		"\x1b[97;5u":                    {{Typed, "\x1b[97;5u"}}, // a key of kitty's protocol
		"\x1b[?1u":                      {{Answer, "\x1b[?1u"}},  // which flags of it are on
		"\x1b[12;":                      {{Typed, "\x1b[12;"}},
		"\x1b]11;rgb":                   {{Typed, "\x1b]11;rgb"}},
		"\x1b[200~a\x1b[3;4Rb\x1b[201~": {{Typed, "\x1b[200~a"}, {Answer, "\x1b[3;4R"}, {Typed, "b\x1b[201~"}},
	} {
		var got []piece
		for p := []byte(input); len(p) > 0; {
			kind, n := NextInput(p)
			got = append(got, piece{kind, string(p[:n])})
			p = p[n:]
		}
		if len(got) != len(want) {
			t.Errorf("%q: %+v, want %+v", input, got, want)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q: piece %d is %+v, want %+v", input, i, got[i], want[i])
			}
		}
	}
}

func FuzzNextInput(f *testing.F) {
	f.Add([]byte("a\x1b[12;3R\x1b[I"))
	f.Fuzz(func(t *testing.T, input []byte) {
		var all []byte
		for p := input; len(p) > 0; {
			_, n := NextInput(p)
			if n < 1 || n > len(p) {
				t.Fatalf("%d of %d bytes", n, len(p))
			}
			all = append(all, p[:n]...)
			p = p[n:]
		}
		if !bytes.Equal(all, input) {
			t.Fatalf("%q became %q", input, all)
		}
	})
}

package screen

import (
	"strings"
	"testing"
)

func TestTextIsWhatIsSeen(t *testing.T) {
	s := written(t, 10, 3, "ab  \x1b[1;31mc\x1b[0m   \r\n世界e\u0301\x1b[3;5Hx")
	if got, want := s.Text(), "ab  c\n世界e\u0301\n    x\n"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestANSIHasAttributesAndNothingElse(t *testing.T) {
	tests := map[string]struct{ output, want string }{
		"attributes end with the line":       {"a\x1b[1;31mb\r\nc", "a\x1b[1;31mb\x1b[0m\n\x1b[1;31mc\x1b[0m\n\n"},
		"changes are short":                  {"\x1b[31ma\x1b[32mb\x1b[39mc", "\x1b[31ma\x1b[32mb\x1b[0mc\n\n\n"},
		"a background reaches to the end":    {"\x1b[44m\x1b[K", "\x1b[44m          \x1b[0m\n\n\n"},
		"links":                              {"\x1b]8;;https://a/\x1b\\x\x1b]8;;\x1b\\y", "\x1b]8;;https://a/\x1b\\x\x1b]8;;\x1b\\y\n\n\n"},
		"underlines keep style and colour":   {"\x1b[4:3;58:2::1:2:3mx", "\x1b[4:3;58:2::1:2:3mx\x1b[0m\n\n\n"},
		"spaces without attributes are left": {"x   ", "x\n\n\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := written(t, 10, 3, tt.output)
			if got := s.ANSI(); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// Whatever random output has drawn, its ANSI text printed on another terminal looks the same.
func TestANSIPrintedLooksTheSame(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error {
		s := run(cols, rows, output)
		shown := New(cols, rows, Options{})
		_, _ = shown.Write([]byte(strings.ReplaceAll(strings.TrimSuffix(s.ANSI(), "\n"), "\n", "\r\n")))
		return looksLike(shown, s)
	})
}

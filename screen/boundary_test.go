package screen

import (
	"fmt"
	"strings"
	"testing"
)

func TestABoundaryIsWhereTheScreenIsBetweenSequences(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error {
		text := []byte(strings.Join(output, ""))
		return boundariesAgree(text, 1+len(text)%7)
	})
}

// boundariesAgree compares what Scan says of text, in pieces of n bytes, with a screen that is asked after every byte.
func boundariesAgree(text []byte, n int) error {
	s := New(80, 24, Options{})
	var b Boundary
	for at := 0; at < len(text); at += n {
		piece := text[at:min(at+n, len(text))]
		want := -1
		if s.Ground() {
			want = 0
		}
		for i := range piece {
			_, _ = s.Write(piece[i : i+1])
			if s.Ground() {
				want = i + 1
			}
		}
		if got := b.Scan(piece); got != want || b.Ground() != s.Ground() {
			return fmt.Errorf("after %q, Scan(%q) = %d, want %d; Ground() = %v, want %v", text[:at], piece, got, want, b.Ground(), s.Ground())
		}
	}
	return nil
}

package bench

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/clipperhouse/uax29/v2/graphemes"

	"github.com/snugvm/snug/screen"
)

// pieces are code points of all classes that clusters are made of.
var pieces = []string{
	"a", "1", "é", "\u0301", "\u0308", "\u200d", "\ufe0f", "\ufe0e", "👩", "🚀", "❤", "👍", "🏽", "🇩", "🇪", "ᄒ", "ᅡ", "ᆫ", "가", "한", "क", "त", "\u094d", "ि",
	"世", "ก", "ำ", "\u20e3", "©",
}

// A cell of the screen is a cluster of UAX #29, where the screen has room for it.
func TestCellsAreTheClustersOfUnicode(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		var b strings.Builder
		b.WriteString("x") // a cluster cannot begin with an extender: a cell that holds nothing takes none
		for range 1 + r.IntN(8) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		text := b.String()
		s := screen.New(80, 1, screen.Options{})
		_, _ = s.Write([]byte(text))
		var got, want []string
		for col := range 80 {
			if c := s.Cell(col, 0); c.Text != "" {
				got = append(got, c.Text)
			}
		}
		tokens := graphemes.FromString(text)
		for tokens.Next() {
			want = append(want, tokens.Value())
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Fatalf("%+q: cells %+q, clusters %+q", text, got, want)
		}
	}
}

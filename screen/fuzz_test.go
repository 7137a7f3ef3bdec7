package screen

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// FuzzWrite gives the screen any bytes: it must stay sound, answer within bounds, and hold all that the random outputs
// of the grammar do.
func FuzzWrite(f *testing.F) {
	for seed := range uint64(20) {
		g := newGrammar(seed, 20, 6, everything)
		var text []byte
		for _, token := range g.output(30) {
			text = append(text, token...)
		}
		f.Add(text, uint8(20), uint8(6))
	}
	f.Fuzz(func(t *testing.T, text []byte, cols, rows uint8) {
		if len(text) > 4096 {
			return
		}
		s := measured(int(cols%50), int(rows%20))
		half := len(text) / 2
		_, _ = s.Write(text[:half])
		from := s.Clone(true)
		_, _ = s.Write(text[half:])
		if err := s.check(); err != nil {
			t.Fatal(err)
		}
		if err := restores(s); err != nil {
			t.Fatal(err)
		}
		if err := leads(from, s); err != nil {
			t.Fatal(err)
		}
		if err := boundariesAgree(text, 1+int(cols)%9); err != nil {
			t.Fatal(err)
		}
		s.Resize(int(rows), int(cols%60))
		if err := s.check(); err != nil {
			t.Fatal(err)
		}
		if err := restores(s); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzCut gives the screen the same bytes whole and in pieces.
func FuzzCut(f *testing.F) {
	f.Add([]byte("a\xe4\xb8\x96\x1b[1;2H\x1b]0;title\x1b\\e\xcc\x81"), uint64(1))
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		whole, cut := measured(20, 6), measured(20, 6)
		_, _ = whole.Write(text)
		r := rand.New(rand.NewPCG(seed, 0))
		for rest := text; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			_, _ = cut.Write(rest[:n])
			rest = rest[n:]
		}
		if d := difference(cut.state(), whole.state()); d != "" {
			t.Fatalf("cut into pieces:\n%s", d)
		}
		if !bytes.Equal(cut.TakeReplies(), whole.TakeReplies()) {
			t.Fatal("cut into pieces: other replies")
		}
	})
}

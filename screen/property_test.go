package screen

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

var trials = flag.Int("trials", 20, "how often a test that repeats does so")

// sizes are those of the random screens: small ones, whose borders are near everywhere.
var sizes = [][2]int{{20, 6}, {10, 4}, {7, 3}, {2, 2}, {1, 1}, {1, 3}, {40, 10}, {13, 2}}

// repetitions is how often random output is tried: 1000 times by default, 100,000 in make soak.
func repetitions() int { return *trials * *trials * 5 / 2 }

// hold runs a property on random outputs, and shows the shortest output found that breaks it.
func hold(t *testing.T, tokens []func(*grammar) string, property func(cols, rows int, output []string) error) {
	t.Helper()
	for trial := range repetitions() {
		size := sizes[trial%len(sizes)]
		g := newGrammar(uint64(trial), size[0], size[1], tokens)
		output := g.output(1 + g.IntN(60))
		if property(size[0], size[1], output) == nil {
			continue
		}
		output = shrink(output, func(o []string) bool { return property(size[0], size[1], o) != nil })
		t.Fatalf("seed %d, %dx%d, output %q:\n%v", trial, size[0], size[1], output, property(size[0], size[1], output))
	}
}

// measured is a new screen, with cells of 10x20 pixels.
func measured(cols, rows int) *Screen {
	s := New(cols, rows, Options{Scrollback: 30})
	s.SetPixels(10*s.cols, 20*s.rows)
	return s
}

func run(cols, rows int, output []string) *Screen {
	s := measured(cols, rows)
	_, _ = s.Write([]byte(strings.Join(output, "")))
	return s
}

func TestAScreenIsSoundAfterAnyOutput(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error { return run(cols, rows, output).check() })
}

func TestOutputMayBeCutAnywhere(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error {
		whole := run(cols, rows, output)
		cut := measured(cols, rows)
		text := []byte(strings.Join(output, ""))
		r := rand.New(rand.NewPCG(uint64(len(text)), 1))
		for len(text) > 0 {
			n := 1 + r.IntN(min(len(text), 3))
			_, _ = cut.Write(text[:n])
			text = text[n:]
		}
		if d := difference(cut.state(), whole.state()); d != "" {
			return fmt.Errorf("cut into pieces:\n%s", d)
		}
		if got, want := string(cut.TakeReplies()), string(whole.TakeReplies()); got != want {
			return fmt.Errorf("cut into pieces: replies %q, not %q", got, want)
		}
		if got, want := fmt.Sprint(cut.TakeEvents()), fmt.Sprint(whole.TakeEvents()); got != want {
			return fmt.Errorf("cut into pieces: events %v, not %v", got, want)
		}
		return nil
	})
}

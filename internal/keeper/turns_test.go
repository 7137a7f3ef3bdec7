//go:build linux

package keeper

import (
	"strings"
	"testing"

	"github.com/snugvm/snug/internal/wire"
)

// Each case is what happens around a query, and what of it the screen answers.
func TestTheScreenAnswersWhatNoViewerHas(t *testing.T) {
	a, b := new(wire.Attachment), new(wire.Attachment)
	look := func(t *turns) { t.lookers[a] = &viewer{} }
	asked := func(end uint64, text string) func(*turns) {
		return func(t *turns) { t.replied(reply{end, []byte(text)}) }
	}
	typed := func(text string, sent, shown uint64) func(*turns) {
		return func(t *turns) {
			if v := t.lookers[a]; v != nil {
				v.shown[wire.Stdout] = shown
			}
			t.heard(a, []byte(text), sent)
		}
	}
	left := func(t *turns) { t.left(a) }
	for name, c := range map[string]struct {
		events []func(*turns)
		want   string
	}{
		"nobody looks":                         {[]func(*turns){asked(10, "A"), asked(20, "B")}, "AB"},
		"a viewer looks":                       {[]func(*turns){look, asked(10, "A")}, ""},
		"it went before it was shown anything": {[]func(*turns){look, asked(10, "A"), left}, "A"},
		"its answer came":                      {[]func(*turns){look, asked(10, "A"), typed("\x1b[1;1R", 10, 10), left}, ""},
		"its answer came before it was acked":  {[]func(*turns){look, asked(10, "A"), typed("\x1b[1;1R", 10, 0), left}, ""},
		"its answer came before the screen":    {[]func(*turns){look, typed("\x1b[1;1R", 10, 0), asked(10, "A"), left}, ""},
		"somebody typed after it was shown":    {[]func(*turns){look, asked(10, "A"), typed("x", 10, 10), left}, ""},
		"somebody typed before it was shown":   {[]func(*turns){look, asked(10, "A"), typed("x", 10, 9), left}, "A"},
		"one was answered, one was not sent":   {[]func(*turns){look, asked(10, "A"), asked(20, "B"), typed("\x1b[0n", 15, 15), left}, "B"},
		"one came before it went, one after":   {[]func(*turns){look, asked(10, "A"), left, asked(20, "B")}, "AB"},
		"who left is not heard":                {[]func(*turns){look, left, typed("\x1b[0n", 10, 10), asked(10, "A")}, "A"},
		"another one still looks": {[]func(*turns){look, func(t *turns) { t.lookers[b] = &viewer{} },
			asked(10, "A"), left}, ""},
	} {
		turns := newTurns()
		for _, event := range c.events {
			event(&turns)
		}
		if len(turns.wake) != min(len(c.want), 1) {
			t.Errorf("%s: woken %d times", name, len(turns.wake))
		}
		if got := string(turns.take()); got != c.want {
			t.Errorf("%s: the screen answers %q, want %q", name, got, c.want)
		}
	}
}

func TestAnswersThatWaitAreBounded(t *testing.T) {
	for _, looked := range []bool{false, true} {
		turns := newTurns()
		a := new(wire.Attachment)
		if looked {
			turns.lookers[a] = &viewer{}
		}
		answer := strings.Repeat("x", 1000)
		for n := range 1000 {
			turns.replied(reply{uint64(n + 1), []byte(answer)})
		}
		turns.left(a)
		if got := len(turns.take()); got > maxAnswers || got < maxAnswers-1000 || turns.size != 0 {
			t.Errorf("looked at %v: %d bytes wait, and %d are counted after that", looked, got, turns.size)
		}
	}
}

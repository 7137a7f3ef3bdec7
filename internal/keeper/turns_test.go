//go:build linux

package keeper

import (
	"strings"
	"testing"

	"github.com/snugvm/snug/internal/wire"
)

// Each case is what happens around a query, and what of it the screen answers.
func TestTheScreenAnswersWhatNoViewerHas(t *testing.T) {
	a, b := &view{a: new(wire.Attachment)}, &view{a: new(wire.Attachment)}
	look := func(t *turns) {
		a.run = run{end: never}
		t.looks(a)
	}
	asked := func(end uint64, text string) func(*turns) {
		return func(t *turns) { t.replied(reply{end, []byte(text)}) }
	}
	typed := func(answer bool, sent, shown uint64) func(*turns) {
		return func(t *turns) {
			a.sent, a.acked = sent, shown
			t.heard(a, answer)
		}
	}
	left := func(t *turns) { t.looks(nil) }
	another := func(t *turns) { t.looks(b) }
	skipped := func(from, to uint64) func(*turns) { return func(t *turns) { t.skipped(a, from, to) } }
	for name, c := range map[string]struct {
		events []func(*turns)
		want   string
	}{
		"nobody looks":                         {[]func(*turns){asked(10, "A"), asked(20, "B")}, "AB"},
		"a viewer looks":                       {[]func(*turns){look, asked(10, "A")}, ""},
		"it went before it was shown anything": {[]func(*turns){look, asked(10, "A"), left}, "A"},
		"its answer came":                      {[]func(*turns){look, asked(10, "A"), typed(true, 10, 10), left}, ""},
		"its answer came before it was acked":  {[]func(*turns){look, asked(10, "A"), typed(true, 10, 0), left}, ""},
		"its answer came before the screen":    {[]func(*turns){look, typed(true, 10, 0), asked(10, "A"), left}, ""},
		"somebody typed after it was shown":    {[]func(*turns){look, asked(10, "A"), typed(false, 10, 10), left}, ""},
		"somebody typed before it was shown":   {[]func(*turns){look, asked(10, "A"), typed(false, 10, 9), left}, "A"},
		"one was answered, one was not sent":   {[]func(*turns){look, asked(10, "A"), asked(20, "B"), typed(true, 15, 15), left}, "B"},
		"one came before it went, one after":   {[]func(*turns){look, asked(10, "A"), left, asked(20, "B")}, "AB"},
		"who left is not heard":                {[]func(*turns){look, left, typed(true, 10, 10), asked(10, "A")}, "A"},
		"another one leads after it was asked": {[]func(*turns){look, asked(10, "A"), another, asked(20, "B")}, "A"},
		"it was not shown some":                {[]func(*turns){look, asked(10, "A"), asked(20, "B"), asked(30, "C"), skipped(10, 20)}, "B"},
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
		if looked {
			turns.looks(&view{a: new(wire.Attachment)})
		}
		answer := strings.Repeat("x", 1000)
		for n := range 1000 {
			turns.replied(reply{uint64(n + 1), []byte(answer)})
		}
		turns.looks(nil)
		if got := len(turns.take()); got > maxAnswers || got < maxAnswers-1000 || turns.size != 0 {
			t.Errorf("looked at %v: %d bytes wait, and %d are counted after that", looked, got, turns.size)
		}
	}
}

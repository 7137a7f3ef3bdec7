//go:build linux

package keeper

import (
	"maps"
	"testing"

	"github.com/snugvm/snug/internal/sessionlog"
)

// Input that is lost with a keeper is logged once more when it comes again. A
// keeper later on knows it from what has arrived by what the one between learnt.
func TestInputThatWasLostWithAKeeperDoesNotCount(t *testing.T) {
	p := &past{awaited: make(map[string]bool), typed: make(map[string]uint64), ended: make(map[string]bool)}
	typed := func(by string, n uint64) { p.note(sessionlog.Input{Viewer: by, N: n}) }
	typed("a", 5)
	typed("b", 4) // of which 1 arrived before the first keeper died
	p.note(sessionlog.Arrived{Input: sessionlog.Totals{All: 6, By: map[string]uint64{"a": 5, "b": 1}}})
	typed("b", 3) // again
	typed("c", 2)
	p.note(sessionlog.Input{Viewer: "c", N: 7, Ignored: true})
	p.count(11)
	if want := map[string]uint64{"a": 5, "b": 4, "c": 9}; !maps.Equal(p.typed, want) {
		t.Errorf("arrived of each viewer: %v, want %v", p.typed, want)
	}
}

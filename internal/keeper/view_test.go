//go:build linux

package keeper

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
)

// shows fails the test unless a viewer's terminal shows what the session's screen
// does at that size.
func (l *looker) same(t *testing.T, what string) {
	t.Helper()
	want, _ := l.s.follow.stand(true, nil)
	want.Resize(int(l.size.Cols), int(l.size.Rows))
	if got, want := l.shows.Snapshot(screen.SnapshotOptions{}), want.Snapshot(screen.SnapshotOptions{}); string(got) != string(want) {
		t.Errorf("%s: the terminal is at %.300q\nwant %.300q", what, got, want)
	}
}

// Viewers that take what they get at any speed, on terminals of any size, one of
// which the session has at any time.
func TestViewersOfAnySpeedAndSizeEndWithTheScreen(t *testing.T) {
	sizes := []wire.Size{size, {Rows: 24, Cols: 80}, {Rows: 7, Cols: 33}}
	for trial := range 6 {
		r := rand.New(rand.NewPCG(uint64(trial), 3))
		s := ptySession(t)
		var wg sync.WaitGroup
		var all []*looker
		for n := range 6 {
			l := look(s, sizes[n%len(sizes)])
			all = append(all, l)
			wg.Go(func() {
				for l.read([]int{1 << 20, 1000, 37}[n/2]) {
				}
			})
		}
		for range 60 {
			agentSide{s}.Output(wire.Stdout, output(r, 1+r.IntN(6000)))
			if r.IntN(4) == 0 {
				resize(s, sizes[r.IntN(len(sizes))])
			}
		}
		s.out.End()
		s.moved.Broadcast()
		wg.Wait()
		for n, l := range all {
			l.same(t, fmt.Sprintf("trial %d, viewer %d", trial, n))
		}
	}
}

// The stalled viewer has some that was live, and is shown the difference when it
// reads again: how much it missed does not count.
func TestAStalledViewerHoldsUpNobodyAndIsShownTheDifference(t *testing.T) {
	s := ptySession(t)
	fast, slow := look(s, size), look(s, size)
	for _, l := range []*looker{fast, slow} {
		for l.Next() == 0 || !l.live {
			l.read(100_000)
		}
	}
	line := []byte("a line that is the same as the one before it\r\n")
	const lines = 20_000_000 / 46
	for n := range lines {
		agentSide{s}.Output(wire.Stdout, line)
		if n%100 == 0 {
			fast.read(1 << 20)
		}
	}
	agentSide{s}.Output(wire.Stdout, []byte("the last line"))
	s.out.End()
	for fast.read(1 << 20) {
	}
	fast.same(t, "the viewer that kept up")
	if kept := s.out.Base(); kept+ahead < 20_000_000 {
		t.Errorf("output from %d on is kept for the viewer that stalls", kept)
	}
	before := slow.Next()
	for slow.read(1 << 20) {
	}
	slow.same(t, "the viewer that stalled")
	if sent := slow.Next() - before; sent > 2*wire.Credit {
		t.Errorf("%d bytes were sent to one that stalled", sent)
	}
}

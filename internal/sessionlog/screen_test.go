package sessionlog

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/snugvm/snug/screen"
)

// pieces are what the output of the test is made of: sequences that have state, cut anywhere by the test.
var pieces = []string{
	"plain text ", "\r\n", "\n", "\x1b[1;31m", "\x1b[m", "\x1b[?1049h", "\x1b[?1049l", "\x1b[5;3H", "\x1b[2J", "\x1b[K", "\x1b[?2004h",
	"\x1b[3;8r", "\x1b[r", "\x1b7", "\x1b8", "世界", "e\u0301", "👩‍👩‍👧", "\x1b]2;title\x07", "\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\", "\x1b(0lqk\x1b(B",
	"\x1bH\t", "\x1b[4h", "\x1b[4l", "\x1b[38;2;1;2;3m", "\x1b[?25l", "\x1b[2 q", "\x1b[>1u", "\x1bM", "\x1b[3L", "\x1b[2P", "\xff\xfe", "\x1bc",
}

// A session's screen is the last checkpoint's and what came after it, whatever the program wrote.
func TestACheckpointAndWhatFollowsGiveTheScreen(t *testing.T) {
	for trial := range 40 {
		rng := rand.New(rand.NewPCG(uint64(trial), 9))
		size := Size{Rows: 6, Cols: 20}
		whole := newScreen(size)
		l, dir := create(t, Options{SegmentSize: 400, Limit: 4000})
		for range 200 {
			if rng.IntN(20) == 0 {
				size = Size{Rows: uint16(1 + rng.IntN(10)), Cols: uint16(1 + rng.IntN(30))}
				whole.Resize(int(size.Cols), int(size.Rows))
				_, err := l.Resize(size)
				must(t, err)
			}
			for p := []byte(pieces[rng.IntN(len(pieces))]); len(p) > 0; {
				n := 1 + rng.IntN(len(p))
				_, _ = whole.Write(p[:n])
				must(t, l.Output(p[:n]))
				p = p[n:]
				if l.Due() {
					must(t, l.Checkpoint(Checkpoint{
						Offset: l.Offset(), Size: size, Snapshot: whole.Snapshot(screen.SnapshotOptions{Scrollback: -1}),
					}))
				}
			}
		}
		must(t, l.Close())
		_, s := reopen(t, dir, Options{})
		again := newScreen(s.Checkpoint.Size)
		_, _ = again.Write(s.Checkpoint.Snapshot)
		for rec, err := range s.Records() {
			must(t, err)
			switch e := rec.Event.(type) {
			case Output:
				_, _ = again.Write(e.Data)
			case Resize:
				again.Resize(int(e.Size.Cols), int(e.Size.Rows))
			}
		}
		if got, want := describe(again), describe(whole); got != want {
			t.Fatalf("trial %d: the screen is\n%s\nwant\n%s", trial, got, want)
		}
	}
}

func newScreen(s Size) *screen.Screen {
	return screen.New(int(s.Cols), int(s.Rows), screen.Options{Scrollback: 50})
}

// describe is all of a screen that a terminal can be brought to.
func describe(s *screen.Screen) string {
	return fmt.Sprintf("%s\n%q", s.Text(), s.Snapshot(screen.SnapshotOptions{Scrollback: -1}))
}

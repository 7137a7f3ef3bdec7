package keeper

import "time"

const (
	// openingWindow is how much may be under way to a terminal of which nothing
	// is known yet.
	openingWindow = 4 << 10
	// leastWindow is how much may be under way to the slowest one. Less would be
	// packets that are more frame than content.
	leastWindow = 1 << 10
	// breath is for how long a terminal may have to show what is under way to
	// it: so old is a screen, at most, when it begins to be painted.
	breath = time.Second
	// lagging is how long rounds take altogether that make a slow terminal, with
	// no more than surely taken quickly since.
	lagging = 3 * breath
	// surely is how much is taken quickly by a fast terminal, before the window
	// doubles; and it is some windows' worth. Less may only have gone to a buffer
	// on the way: the kernel takes 18 KiB for a pseudo-terminal at once, and then
	// nothing until all of that was read.
	surely, someWindows = 32 << 10, 4
	// fewBreaths is how many windows of output may be left for a slow terminal
	// to show before it is shown the screen in their place.
	fewBreaths = 4
)

// pace is how fast a viewer's terminal takes what it is sent. It follows from
// the viewer's acknowledgements, in rounds: from when something is sent to when
// that is acknowledged, and with it all that was under way before.
//
// The window, which is how much may be under way, doubles where much was taken in
// rounds of no more than half a breath each, and becomes what is taken in a breath
// where a round took longer than that. So it is all of the credit within some
// milliseconds on a terminal that is fast, and never holds that back. On one that
// takes 1 KB a second it is what is shown in a second, where all of the credit
// would be two minutes of the past.
type pace struct {
	window, most int
	mark         uint64 // the offset whose acknowledgement ends the round; 0 between rounds
	began        time.Time
	flight       uint64        // what was under way when it began, with what began it
	quick        uint64        // what was taken quickly since the window is as it is
	lagged       time.Duration // that rounds took which were not quick
	rate         float64       // bytes a second, of the fastest of the last rounds; 0 before the first
}

func newPace(most int) *pace { return &pace{window: min(openingWindow, most), most: most} }

// room is how many of n bytes may be sent while others are under way. It is half
// a window at most, so that one half is acknowledged while the other is shown.
func (p *pace) room(n int, underWay uint64) int {
	return max(0, min(n, p.window/2, p.window-int(underWay)))
}

// sent is told when bytes were sent that end before an offset, while all before
// another one was acknowledged.
func (p *pace) sent(end, acked uint64, now time.Time) {
	if p.mark == 0 {
		p.mark, p.flight, p.began = end, end-acked, now
	}
}

// acked is told when all before an offset is acknowledged.
func (p *pace) acked(offset uint64, now time.Time) {
	if p.mark == 0 || offset < p.mark {
		return
	}
	took := max(now.Sub(p.began), time.Microsecond)
	p.mark = 0
	p.rate = max(p.rate/2, float64(p.flight)/took.Seconds())
	if took > breath/2 {
		p.quick = 0
		p.lagged += took
		if taken := float64(p.flight) * float64(breath) / float64(took); took > breath {
			p.window = max(leastWindow, min(p.window, int(taken)))
		}
		return
	}
	if p.quick += p.flight; p.quick < uint64(max(surely, someWindows*p.window)) {
		return
	}
	p.lagged = 0
	if 2*p.flight >= uint64(p.window) { // less in a moment says nothing of more
		p.window, p.quick = min(2*p.window, p.most), 0
	}
}

// takes reports whether the terminal takes so many bytes within a time, as far as
// can be known.
func (p *pace) takes(n int, within time.Duration) bool {
	return p.rate == 0 || float64(n) <= p.rate*within.Seconds()
}

// slow reports whether the window is all that the terminal takes in a breath.
func (p *pace) slow() bool { return p.lagged >= lagging }

// tooMuch reports whether so many bytes, shown one after the other, would be no
// more than the past by the time that the terminal has them.
func (p *pace) tooMuch(n uint64) bool { return p.slow() && n > uint64(fewBreaths*p.window) }

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
	// lagging is how many rounds in a row make a slow terminal. One may be a
	// moment in which nobody read.
	lagging = 3
	// fewBreaths is how many windows of output may be left for a slow terminal
	// to show before it is shown the screen in their place.
	fewBreaths = 4
)

// pace is how fast a viewer's terminal takes what it is sent. It follows from
// the viewer's acknowledgements, in rounds: from when something is sent to when
// that is acknowledged, and with it all that was under way before.
//
// The window, which is how much may be under way, doubles where a window's
// worth took no more than half a breath, and becomes what is taken in a breath
// where a round took longer than that. So it is all of the credit within some
// milliseconds on a terminal that is fast, and never holds that back. On one that
// takes 1 KB a second it is what is shown in a second, where all of the credit
// would be two minutes of the past.
type pace struct {
	window, most int
	mark         uint64 // the offset whose acknowledgement ends the round; 0 between rounds
	began        time.Time
	flight       uint64 // what was under way when it began, with what began it
	lags         int    // rounds in a row that took longer than half a breath
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
	took := now.Sub(p.began)
	p.mark = 0
	switch full := 2*p.flight >= uint64(p.window); {
	case took > breath:
		taken := float64(p.flight) * float64(breath) / float64(took)
		p.window = max(leastWindow, min(p.window, int(taken)))
		p.lags++
	case took > breath/2:
		p.lags++
	case full: // less than that in a moment says nothing of more
		p.window = min(2*p.window, p.most)
		p.lags = 0
	}
}

// slow reports whether the window is all that the terminal takes in a breath.
func (p *pace) slow() bool { return p.lags >= lagging }

// tooMuch reports whether so many bytes, shown one after the other, would be no
// more than the past by the time that the terminal has them.
func (p *pace) tooMuch(n uint64) bool { return p.slow() && n > uint64(fewBreaths*p.window) }

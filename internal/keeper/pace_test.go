package keeper

import (
	"testing"
	"time"

	"github.com/snugvm/snug/internal/wire"
)

// taker is a terminal that takes so many bytes a second, and acknowledges each piece that
// it is sent this long after it has taken it.
type taker struct {
	*pace
	rate, sent, acked int
	delay             time.Duration
	now               time.Time
	free              time.Time // when it has shown all
	under             []piece
}

// piece ends before an offset, and is acknowledged at a time.
type piece struct {
	end int
	at  time.Time
}

func newTaker(rate int, delay time.Duration) *taker {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &taker{pace: newPace(wire.Credit), rate: rate, delay: delay, now: now, free: now}
}

// show sends n bytes as soon as there is room for them, and returns how old they
// were at most when they were shown.
func (m *taker) show(n int) (oldest time.Duration) {
	for n > 0 {
		room := m.room(n, uint64(m.sent-m.acked))
		if room == 0 {
			m.ack()
			continue
		}
		m.sent += room
		n -= room
		m.free = later(m.free, m.now).Add(time.Duration(room) * time.Second / time.Duration(m.rate))
		m.under = append(m.under, piece{m.sent, m.free.Add(m.delay)})
		m.pace.sent(uint64(m.sent), uint64(m.acked), m.now)
		oldest = max(oldest, m.free.Sub(m.now))
	}
	return oldest
}

// ack waits for the next acknowledgement.
func (m *taker) ack() {
	first := m.under[0]
	m.under = m.under[1:]
	m.now, m.acked = later(m.now, first.at), first.end
	m.pace.acked(uint64(m.acked), m.now)
}

// rest waits for all of them.
func (m *taker) rest() {
	for len(m.under) > 0 {
		m.ack()
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestAFastTerminalHasAllOfTheCreditAtOnce(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Millisecond, 200 * time.Millisecond} {
		m := newTaker(100<<20, delay)
		m.show(5 * wire.Credit)
		if m.window != wire.Credit || m.slow() {
			t.Errorf("acknowledged after %v: the window is %d", delay, m.window)
		}
		if took, most := m.now.Sub(newTaker(1, 0).now), 30*delay+10*time.Millisecond; took > most {
			t.Errorf("acknowledged after %v: that took %v", delay, took)
		}
	}
}

func TestWhatIsUnderWayIsShownInASecondOrTwo(t *testing.T) {
	for _, rate := range []int{1000, 3000, 10_000, 50_000, 120_000} {
		m := newTaker(rate, 10*time.Millisecond)
		if first := m.show(8 * rate); first > time.Duration(openingWindow)*time.Second/time.Duration(rate)+2*time.Second {
			t.Errorf("%d bytes a second: the first are shown %v late", rate, first)
		}
		if oldest := m.show(20 * rate); oldest > 2*time.Second {
			t.Errorf("%d bytes a second: they are shown %v late, with a window of %d", rate, oldest, m.window)
		}
		if m.window < rate/3 {
			t.Errorf("%d bytes a second: the window is only %d", rate, m.window)
		}
	}
}

func TestASlowTerminalIsKnownAfterSomeSeconds(t *testing.T) {
	m := newTaker(3000, 0)
	m.show(openingWindow)
	m.rest()
	if m.slow() {
		t.Error("it is slow after what may have been a moment in which nobody read")
	}
	m.rate = 1000
	m.show(6 * leastWindow)
	m.rest()
	if !m.slow() || m.window != leastWindow {
		t.Errorf("with a window of %d it is not slow", m.window)
	}
	if m.tooMuch(fewBreaths*leastWindow) || !m.tooMuch(fewBreaths*leastWindow+1) {
		t.Error("too much is not what is more than it takes in a few seconds")
	}
	// Keys that are echoed say nothing of how it would take more.
	for range 100 {
		m.show(1)
		m.rest()
	}
	if !m.slow() || m.window != leastWindow {
		t.Errorf("echoes made it a fast one, of window %d", m.window)
	}
}

// So a kernel does with a pseudo-terminal that is read slowly.
func TestABufferThatIsFilledAtOnceAndThenReadSlowlyMakesNoFastTerminal(t *testing.T) {
	m := newTaker(100<<20, 0)
	m.show(openingWindow)
	for range 5 {
		m.show(18 << 10)
		m.rest()
		m.free = m.now.Add(18 * time.Second)
		if m.window > openingWindow {
			t.Fatalf("the window is %d", m.window)
		}
	}
	if !m.slow() {
		t.Error("it is a fast terminal")
	}
}

func TestATerminalsRateIsThatOfItsFastestRoundOfLate(t *testing.T) {
	if p := newPace(wire.Credit); !p.takes(1<<20, time.Second) {
		t.Error("a terminal of which nothing is known is taken for a slow one")
	}
	m := newTaker(1000, 0)
	m.show(100)
	m.rest()
	if !m.takes(1900, 2*time.Second) || m.takes(2100, 2*time.Second) {
		t.Errorf("at 1000 bytes a second it has a rate of %v", m.pace.rate)
	}
	m.rate = 100 << 20
	m.show(100)
	m.rest()
	if !m.takes(1<<20, time.Second) {
		t.Errorf("now that it is fast it has a rate of %v", m.pace.rate)
	}
}

func TestATerminalThatWasStoppedIsAFastOneAgain(t *testing.T) {
	m := newTaker(100<<20, time.Millisecond)
	m.show(wire.Credit)
	m.free = m.now.Add(time.Hour)
	m.show(6 * wire.Credit)
	if m.window != wire.Credit || m.tooMuch(10*wire.Credit) {
		t.Errorf("its window is %d", m.window)
	}
}

func TestATerminalThatBecomesSlowIsFollowed(t *testing.T) {
	m := newTaker(100<<20, time.Millisecond)
	m.show(5 * wire.Credit)
	m.rest()
	m.rate = 1000
	m.show(2 * wire.Credit)
	if m.window > 2*leastWindow || !m.slow() {
		t.Errorf("its window is %d", m.window)
	}
	m.rest()
	m.rate = 100 << 20
	m.show(6 * wire.Credit)
	if m.window != wire.Credit || m.slow() {
		t.Errorf("its window stays %d", m.window)
	}
}

func TestNothingIsSentBeyondTheWindow(t *testing.T) {
	p := newPace(wire.Credit)
	for underWay := range uint64(2 * openingWindow) {
		if n := p.room(1<<20, underWay); n < 0 || n > 0 && int(underWay)+n > openingWindow {
			t.Fatalf("%d bytes may be sent while %d are under way", n, underWay)
		}
	}
}

package keeper

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
)

const (
	// behind is how much output any viewer's terminal may have left to show
	// before it is shown the screen in its place: 1 MiB. For a slow one it is
	// less (pace).
	behind = 1 << 20
	// quickly is how soon a terminal takes a whole credit, going by what was
	// under way to it when it fell behind, if it is a fast one that the program
	// was too fast for. Then the lines that it missed pass through it, for its
	// scrollback; elsewhere they would only keep it behind.
	quickly = time.Second
)

// never is an offset that no stream reaches.
const never = math.MaxUint64

// view is one viewer's way through a session on a PTY. It implements
// wire.OutputReader: what it reads is the viewer's own stream, with offsets of
// its own.
//
// While the viewer keeps up, and its terminal has the session's size, that
// stream is the program's output, byte for byte: the view is live. Else it is
// painted: each time that the terminal has shown all that was sent, it is sent
// the difference from that to the screen as it is then. So a viewer holds up
// nobody, whatever it is behind, and costs no more than a screen and what is
// under way to it.
//
// What is painted depends on what the terminal shows, which is known exactly
// where the view was live before (follower.cut), or was painted. A terminal
// that has just come, or has changed its own size, is painted from nothing.
//
// All fields are the session's, under its mu.
type view struct {
	s        *session
	a        *wire.Attachment
	readOnly bool
	size     wire.Size // of its terminal; empty until that is known
	back     bool      // it was a viewer of the keeper before this one
	gone     bool      // it has left, though input of its may still be on its way
	closed   bool
	turn     uint64 // when a person last typed in it, on the session's counter
	typed    uint64 // input of its that is safe
	// inputEnded says that its input has come to an end.
	inputEnded bool
	shown      [wire.Exited]uint64 // output on pipes that it has

	sent, acked uint64 // of its own stream
	pace        *pace  // nil for a viewer that acknowledges nothing
	pending     []byte // what is sent next

	live    bool
	in      *wire.BufferReader // of the program's output, while live
	stop    uint64             // where it ceases to be live, as the session has another size from there on
	cutting bool               // what its terminal shows is being found out
	cutAt   time.Time          // when it fell behind; zero if it did not
	cutWith uint64             // what was under way then

	shows      *screen.Screen // what its terminal shows once all is acked; nil if that is not known
	showsAt    uint64         // the output that this is the screen of
	showsSizes int            // and the sizes, by their count
	flushTo    uint64         // output before it is not wanted any more
	unsure     bool           // its terminal has changed its size while live, and what it made of that nobody knows
	forgot     int            // how often what it shows was forgotten
	clear      []byte         // goes before a painting from nothing
	history    int            // lines above the screen that such a painting begins with

	run run
}

// run is the last stretch of the view's stream that was the program's output.
type run struct {
	view uint64 // where it begins in the view's stream
	raw  uint64 // and in the program's output
	end  uint64 // where it ended there, or never
}

// at returns which output of the program stands before an offset of the view's
// stream.
func (r run) at(view uint64) uint64 {
	if view < r.view {
		return r.raw
	}
	return min(r.raw+(view-r.view), r.end)
}

// Read waits for something to send.
func (v *view) Read(p []byte) (int, error) {
	s := v.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if v.closed {
			return 0, wire.ErrClosed
		}
		room := v.room(len(p))
		switch {
		case len(v.pending) > 0:
			if n := copy(p[:room], v.pending); n > 0 {
				v.pending = v.pending[n:]
				v.sending(n)
				return n, nil
			}
		case v.live && (v.flushTo > v.in.Next() || v.lags()):
			v.endLive(s)
			continue
		case v.live:
			n, err := v.readLive(p[:room])
			if n > 0 || err != nil {
				return n, err
			}
			if v.live && v.in.Next() == v.stop {
				v.endLive(s)
				continue
			}
		case v.due():
			v.paint()
			continue
		case v.complete():
			return 0, io.EOF
		}
		s.moved.Wait()
	}
}

// room is how much may be sent.
func (v *view) room(n int) int {
	if v.pace == nil {
		return n
	}
	return v.pace.room(n, v.sent-v.acked)
}

// sending counts what is sent.
func (v *view) sending(n int) {
	v.sent += uint64(n)
	if v.pace != nil && n > 0 {
		v.pace.sent(v.sent, v.acked, time.Now())
	}
}

// lags reports whether what a live view has left to show is more than its
// terminal takes in a few seconds.
func (v *view) lags() bool {
	end, _ := v.s.out.Offset()
	return v.pace != nil && v.pace.tooMuch(end-v.in.Next()+v.sent-v.acked)
}

// readLive reads the program's output.
func (v *view) readLive(p []byte) (int, error) {
	end, eof := v.s.out.Offset()
	next := v.in.Next()
	if eof && next == end && next != v.stop {
		return 0, io.EOF
	}
	n := v.in.TryRead(p[:min(uint64(len(p)), v.stop-next)])
	v.sending(n)
	return n, nil
}

// endLive leaves the live stream, and finds out what the terminal shows. The
// caller holds s.mu, which is let go of meanwhile.
func (v *view) endLive(s *session) {
	v.beginCut(time.Time{})
	s.mu.Unlock()
	s.follow.cutOne(v)
	s.mu.Lock()
}

// beginCut ends the live stream where it is. The follower then finds out what
// the terminal shows there.
func (v *view) beginCut(behindSince time.Time) {
	v.live, v.cutting, v.cutAt, v.cutWith = false, true, behindSince, v.sent-v.acked
	v.run.end = v.in.Next()
}

// Flushed is told when nobody wants to see output before an offset any more: who
// has not been sent it yet is shown the screen in its place.
func (a agentSide) Flushed(offset uint64) {
	s := a.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.views {
		if v.live && s.follow != nil {
			v.flushTo = offset
		}
	}
	s.moved.Broadcast()
}

// forget ends the live stream, and forgets what the terminal shows.
func (v *view) forget() {
	if v.live {
		v.live = false
		v.run.end = v.in.Next()
	}
	v.cutting = false
	v.shows, v.pending = nil, nil
	v.clear, v.history = screen.Reset(), 0
	v.forgot++
}

// due reports whether the terminal is to be painted now.
func (v *view) due() bool {
	if v.cutting || v.size.Empty() || v.sent != v.acked {
		return false
	}
	end, eof := v.s.out.Offset()
	if end < v.flushTo && !eof {
		return false // it is about to come
	}
	return v.shows == nil || v.showsAt != end || v.showsSizes != v.s.sizes || v.fits(v.s.size)
}

func (v *view) fits(size wire.Size) bool { return v.size.Rows == size.Rows && v.size.Cols == size.Cols }

// complete reports whether all has been shown that there will ever be.
func (v *view) complete() bool {
	end, eof := v.s.out.Offset()
	return eof && !v.cutting && v.shows != nil && v.showsAt == end && v.sent == v.acked
}

// paint sends what brings the terminal to the screen, and goes live from there
// on if the sizes are the same. The caller holds s.mu, which is let go of
// meanwhile.
func (v *view) paint() {
	s := v.s
	from, size, before, history, forgot := v.shows, v.size, v.clear, v.history, v.forgot
	lines := v.missed(time.Now())
	var speed pace // of which nothing is known, if there is none
	if v.pace != nil {
		speed = *v.pace
	}
	s.mu.Unlock()
	to, _ := s.follow.stand(true, v.join)
	if cols, rows := to.Size(); cols != int(size.Cols) || rows != int(size.Rows) {
		to.Resize(int(size.Cols), int(size.Rows))
	}
	var painting []byte
	if from == nil {
		painting = append(slices.Clone(before), to.Snapshot(screen.SnapshotOptions{Scrollback: history})...)
	} else {
		painting = screen.Diff(from, to, lines)
		if lines > 0 && !speed.takes(len(painting), 2*quickly) {
			painting = screen.Diff(from, to, 0)
		}
	}
	to = to.Clone(false)
	s.mu.Lock()
	if v.forgot != forgot {
		return // its size is another one by now
	}
	v.pending, v.shows, v.unsure = painting, to, false
	if v.live || v.cutting {
		v.run.view = v.sent + uint64(len(painting))
	}
}

// missed is how many of the lines that the view has missed pass through its
// terminal when it is painted.
func (v *view) missed(now time.Time) int {
	took := now.Sub(v.cutAt)
	if v.cutAt.IsZero() || took >= quickly {
		return 0
	}
	if v.pace != nil {
		took = took * time.Duration(v.pace.most) / time.Duration(max(v.cutWith, openingWindow))
	}
	if took >= quickly {
		return 0
	}
	return scrollback
}

// join has the view go on behind an offset, at which the screen stands. The
// caller holds the follower's mu.
func (v *view) join(offset uint64) {
	s := v.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns.skipped(v, v.run.end, offset)
	v.showsAt, v.showsSizes, v.cutAt = offset, s.sizes, time.Time{}
	v.run = run{view: never, raw: offset, end: offset}
	if !v.fits(s.follow.size) || v.closed {
		return
	}
	v.in, _ = s.out.Reader(offset, 0) // the follower is there, so it is held
	v.live, v.stop, v.run.end = true, never, never
	for _, m := range s.marks { // sizes that are still to come
		v.stopAt(m)
	}
	s.follow.anchor(offset)
}

// stopAt ends the live stream where the session takes another size than the
// viewer's terminal has.
func (v *view) stopAt(m mark) {
	if v.live && !v.fits(m.size) {
		v.stop = min(v.stop, m.at)
	}
}

// Ack takes note of what the viewer's terminal has.
func (v *view) Ack(offset uint64) error {
	s := v.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset > v.sent {
		return fmt.Errorf("acknowledged %d of %d bytes sent", offset, v.sent)
	}
	v.acked = max(v.acked, offset)
	if v.pace != nil {
		v.pace.acked(v.acked, time.Now())
	}
	s.moved.Broadcast()
	return nil
}

// Next returns the offset, in the view's own stream, of what Read returns next.
func (v *view) Next() uint64 {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return v.sent
}

// Close wakes a Read that waits.
func (v *view) Close() {
	s := v.s
	s.mu.Lock()
	defer s.mu.Unlock()
	v.close()
	s.moved.Broadcast()
}

// close ends the view. The caller holds the session's mu.
func (v *view) close() {
	v.closed, v.cutting = true, false
	if v.live {
		v.live = false
		v.run.end = v.in.Next()
	}
}

// scrollAway moves what a terminal shows to its scrollback.
func scrollAway(rows uint16) []byte {
	return append([]byte("\x18\x1b[r\x1b[999H"), bytes.Repeat([]byte("\n"), int(rows))...)
}

package keeper

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
)

const (
	// scrollback is how many lines are kept that have left a screen at its top.
	scrollback = 10_000
	// maxMarks bounds the sizes that wait for the screen to reach the output
	// before them.
	maxMarks = 64
	// anchorEvery is how much output lies between two anchors.
	anchorEvery = 512 << 10
)

// follower keeps the screen of a session on a PTY.
//
// It is one more reader of the session's output: the same buffer that live
// views read from is its queue, so the bytes are in the viewers' reach before it
// sees them, there is no second copy, and nothing is ever missing. A goroutine of
// its own reads. What it has not seen stays in the buffer, and the program is
// held back only once it is a whole buffer ahead: a screen takes its output
// faster than links bring it, so this happens when the processor is wanted
// elsewhere. A view that is further behind than a part of the buffer is cut off
// from it, so no viewer holds the program back.
//
// Whoever wants the screen does not wait for the goroutine: under mu, they
// write themselves what has come. So a screen is always that of all output so
// far, and the offset at which it stands is exact.
//
// What the terminal of a view shows that is cut off is the screen at an earlier
// offset. For that the follower keeps anchors, and with them the output behind
// the last one that is before all live views.
type follower struct {
	session *session

	mu      sync.Mutex // taken before session.mu
	screen  *screen.Screen
	size    wire.Size // of the screen, as the last mark has it
	in      *wire.BufferReader
	buf     []byte
	anchors []anchor // in the order of their offsets
}

// anchor is the screen at an offset, without scrollback.
type anchor struct {
	at     uint64
	screen *screen.Screen
}

// mark is a size, and the output that came before it. Where the program has
// seen the size, nobody but the program knows; but what it draws for that size
// comes later.
type mark struct {
	at   uint64
	size wire.Size
}

// reply is what the screen answers to a query, which ends before an offset.
type reply struct {
	end  uint64
	text []byte
}

func newFollower(s *session, size wire.Size) *follower {
	if size.Empty() {
		size = wire.Size{Rows: 24, Cols: 80}
	}
	f := &follower{
		session: s, buf: make([]byte, 32<<10), size: size,
		screen: screen.New(int(size.Cols), int(size.Rows), screen.Options{Scrollback: scrollback}),
	}
	f.screen.SetPixels(int(size.XPixel), int(size.YPixel))
	return f
}

// begin has the follower go on at the session's output so far.
func (f *follower) begin() {
	at, _ := f.session.out.Offset()
	f.in, _ = f.session.out.Reader(at, 0)
	f.anchor(at)
}

// run follows the output to its end.
func (f *follower) run() {
	for f.in.Wait() == nil {
		f.mu.Lock()
		f.step()
		f.tend()
		f.mu.Unlock()
		f.session.checkpoint()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tend()
}

// anchor keeps the screen as it is at an offset, at which it stands.
func (f *follower) anchor(at uint64) {
	f.anchors = append(f.anchors, anchor{at, f.screen.Clone(false)})
}

// tend cuts off the views that are too far behind, and gives up output that
// nobody needs. The caller holds mu.
func (f *follower) tend() {
	for _, v := range f.session.late(f.in.Next()) {
		f.cut(v)
	}
	lowest, live := f.session.lowest()
	if !live {
		f.anchors = f.anchors[:0]
		_ = f.session.out.Release(lowest)
		return
	}
	n := 0
	for n+1 < len(f.anchors) && f.anchors[n+1].at <= lowest {
		n++
	}
	f.anchors = append(f.anchors[:0], f.anchors[n:]...)
	if len(f.anchors) > 0 && f.anchors[0].at <= lowest {
		_ = f.session.out.Release(f.anchors[0].at)
	}
	if end := f.in.Next(); len(f.anchors) == 0 || end-f.anchors[len(f.anchors)-1].at >= anchorEvery {
		f.anchor(end)
	}
}

// cutOne finds out what a view's terminal shows.
func (f *follower) cutOne(v *view) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut(v)
}

// cut finds out what a view's terminal shows whose live stream has ended. The
// caller holds mu.
func (f *follower) cut(v *view) {
	s := f.session
	s.mu.Lock()
	cutting, at, size, unsure := v.cutting, v.run.end, v.size, v.unsure
	s.mu.Unlock()
	if !cutting {
		return
	}
	var shows *screen.Screen
	if !unsure {
		shows = f.screenAt(at, size)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.cutting {
		v.cutting, v.shows, v.showsAt, v.showsSizes = false, shows, at, -1
		if shows == nil {
			v.clear, v.history = screen.Reset(), 0
		}
	}
	s.moved.Broadcast()
}

// screenAt returns the screen of that size at an offset that live views may
// stand at; nil if there was none.
func (f *follower) screenAt(at uint64, size wire.Size) *screen.Screen {
	for _, a := range slices.Backward(f.anchors) {
		cols, rows := a.screen.Size()
		if a.at > at || cols != int(size.Cols) || rows != int(size.Rows) {
			continue
		}
		in, err := f.session.out.Reader(a.at, 0)
		if err != nil {
			return nil
		}
		to := a.screen.Clone(false)
		for buf := make([]byte, 32<<10); in.Next() < at; {
			n := in.TryRead(buf[:min(uint64(len(buf)), at-in.Next())])
			if n == 0 {
				return nil
			}
			_, _ = to.Write(buf[:n])
			to.TakeEvents()
			to.TakeReplies()
		}
		return to
	}
	return nil
}

// step takes some of the output that waits, and the sizes among it. It returns
// how many bytes it took; the caller holds mu.
func (f *follower) step() int {
	n := f.in.TryRead(f.buf)
	end := f.in.Next()
	at, p := end-uint64(n), f.buf[:n]
	var replies []reply
	for _, m := range f.session.takeMarks(end) {
		if m.at > at {
			replies = f.write(replies, p[:m.at-at], at)
			at, p = m.at, p[m.at-at:]
		}
		f.resize(m)
	}
	replies = f.write(replies, p, at)
	f.session.followed(f.screen.Title(), calls(f.screen.TakeEvents()), replies)
	return n
}

// resize gives the screen another size. Views that are live at that size go on
// from there.
func (f *follower) resize(m mark) {
	f.size = m.size
	f.screen.Resize(int(m.size.Cols), int(m.size.Rows))
	f.screen.SetPixels(int(m.size.XPixel), int(m.size.YPixel))
	f.anchor(m.at)
}

// calls tells whether the program has called for a person.
func calls(events []screen.Event) bool {
	return slices.ContainsFunc(events, func(e screen.Event) bool {
		return e.Kind == screen.Bell || e.Kind == screen.Notification
	})
}

// write writes output that begins at an offset, and appends what the screen
// answers. It writes from one ESC to the next, so that an answer's place is
// known to within the text that follows the query.
func (f *follower) write(replies []reply, p []byte, at uint64) []reply {
	for len(p) > 0 {
		n := len(p)
		if i := bytes.IndexByte(p[1:], '\x1b'); i >= 0 {
			n = i + 1
		}
		_, _ = f.screen.Write(p[:n]) // never fails
		at, p = at+uint64(n), p[n:]
		if text := f.screen.TakeReplies(); len(text) > 0 {
			replies = append(replies, reply{at, text})
		}
	}
	return replies
}

// snapshotAt returns the screen as bytes, with the size that they are for, and
// the offset at which live output goes on: a viewer that shows the one and then
// what the buffer holds from there has neither a gap nor anything twice. Join,
// unless nil, is called while the screen stands at that offset and before any
// of the output behind it is given up; it must not block, and may take the
// session's lock.
func (s *session) snapshotAt(opts screen.SnapshotOptions, join func(offset uint64)) wire.Snapshot {
	at, offset := s.follow.stand(opts.Scrollback != 0 || opts.Cols > 0 || opts.Rows > 0, join)
	cols, rows := at.Size()
	if opts.Cols > 0 {
		cols = opts.Cols
	}
	if opts.Rows > 0 {
		rows = opts.Rows
	}
	return wire.Snapshot{Offset: offset, Cols: uint32(cols), Rows: uint32(rows), Bytes: at.Snapshot(opts)}
}

// stand returns a copy of the screen after all output so far, and the offset of
// that. To copy is quick; what is made of the copy holds nobody up.
func (f *follower) stand(history bool, join func(offset uint64)) (*screen.Screen, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.tend()
	now, _ := f.session.out.Offset()
	for f.step() > 0 && f.in.Next() < now { // one step at least, for sizes
	}
	offset := f.in.Next()
	if join != nil {
		join(offset)
	}
	return f.screen.Clone(history), offset
}

// takeMarks returns the sizes up to an offset, in their order.
func (s *session) takeMarks(end uint64) []mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.marks) && s.marks[n].at <= end {
		n++
	}
	taken := s.marks[:n]
	s.marks = s.marks[n:]
	return taken
}

// setSize gives the session's terminal a size, which the screen takes when it has
// seen the output so far. Of sizes with nothing between them the last one counts.
// Views of another size are live up to there. The caller holds mu.
func (s *session) setSize(size wire.Size) {
	if size.Empty() || size == s.size {
		return
	}
	s.size = size
	s.sizes++
	at := s.journal.resize(size)
	if n := len(s.marks); n > 0 && (s.marks[n-1].at == at || n == maxMarks) {
		s.marks = s.marks[:n-1]
	}
	s.marks = append(s.marks, mark{at, size})
	for _, v := range s.views {
		v.stopAt(mark{at, size})
	}
	s.near.Resize(size)
	s.moved.Broadcast()
}

// followed notes what the screen has become, and what it answers.
func (s *session) followed(title string, calls bool, replies []reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.title = title
	s.attention = s.attention || calls
	for _, r := range replies {
		s.turns.replied(r)
	}
	s.moved.Broadcast()
}

// late begins to cut off the views that are too far behind the screen.
func (s *session) late(seen uint64) (all []*view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.views {
		if v.live && seen > v.in.Next()+behind {
			v.beginCut(time.Now())
			all = append(all, v)
		}
	}
	return all
}

// lowest returns the least offset at which a view is live, or was until what its
// terminal shows is known; and whether there is one. Else it is that of the
// screen.
func (s *session) lowest() (offset uint64, live bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	offset = s.follow.in.Next()
	if !s.met {
		return 0, true // its first viewer is about to come
	}
	for _, v := range s.views {
		switch {
		case v.live:
			offset, live = min(offset, v.in.Next()), true
		case v.cutting:
			offset, live = min(offset, v.run.end), true
		}
	}
	return offset, live
}

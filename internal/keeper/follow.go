package keeper

import (
	"bytes"
	"sync"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
)

const (
	// scrollback is how many lines are kept that have left a screen at its top.
	scrollback = 10_000
	// maxMarks bounds the sizes that wait for the screen to reach the output
	// before them.
	maxMarks = 64
)

// follower keeps the screen of a session on a PTY.
//
// It is one more reader of the session's output: the same buffer that viewers
// read from is its queue, so the bytes are in the viewers' reach before it sees
// them, there is no second copy, and nothing is ever missing. A goroutine of
// its own reads. What it has not seen stays in the buffer, as with a viewer
// that lags, and likewise the program is held back only once it is a whole
// buffer ahead: a screen takes its output faster than links bring it, so this
// happens when the processor is wanted elsewhere. What the screen has seen and
// all viewers have shown is given up.
//
// Whoever wants the screen does not wait for the goroutine: under mu, they
// write themselves what has come. So a screen is always that of all output so
// far, and the offset at which it stands is exact.
type follower struct {
	session *session

	mu     sync.Mutex // taken before session.mu
	screen *screen.Screen
	in     *wire.BufferReader
	buf    []byte
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
		session: s, buf: make([]byte, 32<<10),
		screen: screen.New(int(size.Cols), int(size.Rows), screen.Options{Scrollback: scrollback}),
	}
	f.screen.SetPixels(int(size.XPixel), int(size.YPixel))
	f.in, _ = s.out.Reader(0, 0) // the buffer is new
	return f
}

// run follows the output to its end.
func (f *follower) run() {
	for f.in.Wait() == nil {
		f.mu.Lock()
		f.step()
		f.mu.Unlock()
	}
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
		f.screen.Resize(int(m.size.Cols), int(m.size.Rows))
		f.screen.SetPixels(int(m.size.XPixel), int(m.size.YPixel))
	}
	replies = f.write(replies, p, at)
	f.screen.TakeEvents() // nobody is told of them yet
	f.session.followed(end, f.screen.Title(), replies)
	return n
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

// markSize has the screen take a size when it has seen the output so far. Of
// sizes with nothing between them the last one counts.
func (s *session) markSize(size wire.Size) {
	if s.follow == nil || size.Empty() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at, _ := s.out.Offset()
	if n := len(s.marks); n > 0 && (s.marks[n-1].at == at || n == maxMarks) {
		s.marks = s.marks[:n-1]
	}
	s.marks = append(s.marks, mark{at, size})
}

// followed notes that the screen has seen output before an offset.
func (s *session) followed(end uint64, title string, replies []reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = end
	s.title = title
	for _, r := range replies {
		s.turns.replied(r)
	}
	s.releaseSafe(wire.Stdout)
}

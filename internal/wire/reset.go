package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"sync"
)

// A reset mark opens every connection on a link. It is a machine's secret,
// so nothing that a program prints or a person types can forge one.
const (
	markLen  = 32
	nonceLen = 16
)

// Mark is a machine's reset mark.
type Mark [markLen]byte

// NewMark returns a fresh random mark.
func NewMark() Mark {
	var m Mark
	_, _ = rand.Read(m[:]) // crypto/rand.Read never fails
	return m
}

// ParseMark checks the length of a mark that came from elsewhere.
func ParseMark(b []byte) (Mark, error) {
	var m Mark
	if len(b) != markLen {
		return m, fmt.Errorf("reset mark has %d bytes, want %d", len(b), markLen)
	}
	copy(m[:], b)
	return m, nil
}

// matcher finds a pattern in a stream that arrives in pieces (Knuth, Morris
// and Pratt). It never holds a byte back: holding back the tail of a packet
// that happens to begin like the pattern would stall the connection.
type matcher struct {
	pattern []byte
	fail    []int
	n       int // bytes of pattern matched so far
}

func newMatcher(pattern []byte) *matcher {
	m := &matcher{pattern: pattern, fail: make([]int, len(pattern))}
	for i, k := 1, 0; i < len(pattern); i++ {
		for k > 0 && pattern[i] != pattern[k] {
			k = m.fail[k-1]
		}
		if pattern[i] == pattern[k] {
			k++
		}
		m.fail[i] = k
	}
	return m
}

// scan returns how many bytes of p end the first occurrence of the pattern,
// or -1 if p does not complete one.
func (m *matcher) scan(p []byte) int {
	for i := 0; i < len(p); i++ {
		if m.n == 0 {
			j := bytes.IndexByte(p[i:], m.pattern[0])
			if j < 0 {
				return -1
			}
			i += j
		}
		for m.n > 0 && p[i] != m.pattern[m.n] {
			m.n = m.fail[m.n-1]
		}
		if p[i] == m.pattern[m.n] {
			m.n++
		}
		if m.n == len(m.pattern) {
			m.n = 0
			return i + 1
		}
	}
	return -1
}

// Reset opens a new connection on a link whose state is unknown: it sends the
// mark with a fresh nonce, discards what the agent said to an earlier
// connection, and returns once the agent has echoed both. Cancelling ctx
// closes the link.
func Reset(ctx context.Context, link io.ReadWriteCloser, mark Mark) (net.Conn, error) {
	hello := make([]byte, markLen+nonceLen)
	copy(hello, mark[:])
	_, _ = rand.Read(hello[markLen:])

	stop := context.AfterFunc(ctx, func() { _ = link.Close() })
	defer stop()

	// The write runs beside the read: an agent that is blocked on writing to
	// the old connection reads nothing until somebody takes what it wrote.
	sent := make(chan error, 1)
	go func() {
		_, err := link.Write(hello)
		sent <- err
	}()
	r := bufio.NewReaderSize(link, 64<<10)
	err := discardThrough(r, hello)
	if err != nil {
		_ = link.Close()
	}
	if werr := <-sent; werr != nil && err == nil {
		err = werr
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = link.Close()
		return nil, fmt.Errorf("no hello from the agent: %w", err)
	}
	return &streamConn{Reader: r, Writer: link, Closer: link}, nil
}

// discardThrough reads r up to and with the first occurrence of pattern.
func discardThrough(r *bufio.Reader, pattern []byte) error {
	m := newMatcher(pattern)
	for {
		if _, err := r.Peek(1); err != nil {
			return err
		}
		p, _ := r.Peek(r.Buffered())
		if n := m.scan(p); n >= 0 {
			_, err := r.Discard(n)
			return err
		}
		if _, err := r.Discard(len(p)); err != nil {
			return err
		}
	}
}

// Listener is the agent's end of a link: it turns one byte stream into
// connections, one after another. Each reset mark ends the connection before
// it, whatever state that one was in.
type Listener struct {
	link   io.ReadWriteCloser
	accept chan *linkConn
	done   chan struct{} // closed when the reader has ended

	writing sync.Mutex // held across a write to link; taken before mu
	mu      sync.Mutex
	current *linkConn // the one connection that may write
	err     error     // why the reader ended
}

// Listen starts to read link. The listener owns link from then on.
func Listen(link io.ReadWriteCloser, mark Mark) *Listener {
	l := &Listener{link: link, accept: make(chan *linkConn), done: make(chan struct{})}
	go l.read(mark)
	return l
}

// Accept waits for the next connection. It returns an error once the link is
// at its end.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.done:
		l.mu.Lock()
		defer l.mu.Unlock()
		return nil, l.err
	}
}

// Close closes the link and ends the current connection.
func (l *Listener) Close() error {
	err := l.link.Close()
	l.replace(nil)
	return err
}

// read is the one reader of the link. It passes every byte on at once and
// watches for the mark beside that, also within what may be a nonce: a link
// can be torn there too.
func (l *Listener) read(mark Mark) {
	defer close(l.done)
	m := newMatcher(mark[:])
	r := bufio.NewReaderSize(l.link, 64<<10)
	var hello []byte // the mark and what has come of its nonce; nil outside
	for {
		if _, err := r.Peek(1); err != nil {
			l.replace(nil)
			l.mu.Lock()
			l.err = fmt.Errorf("link ended: %w", err)
			l.mu.Unlock()
			return
		}
		p, _ := r.Peek(r.Buffered())
		if hello != nil {
			p = p[:min(len(p), cap(hello)-len(hello))]
		}
		n := m.scan(p)
		switch {
		case n >= 0:
			// What stood before the mark belongs to a connection that
			// is over; it need not be delivered.
			hello = append(make([]byte, 0, markLen+nonceLen), mark[:]...)
			p = p[:n]
		case hello == nil:
			l.feed(p)
		default:
			hello = append(hello, p...)
			if len(hello) == cap(hello) {
				l.open(hello)
				hello = nil
			}
		}
		_, _ = r.Discard(len(p))
	}
}

// open begins a connection with the echo of its hello.
func (l *Listener) open(hello []byte) {
	c := &linkConn{l: l, in: newFeed()}
	l.replace(c)
	// The echo must not hold up the reader: a host that died leaves a full
	// link behind, and a later mark must still be seen.
	go func() {
		if _, err := c.Write(hello); err != nil {
			return
		}
		select {
		case l.accept <- c:
		case <-c.in.closed:
		case <-l.done:
		}
	}()
}

func (l *Listener) feed(p []byte) {
	l.mu.Lock()
	c := l.current
	l.mu.Unlock()
	if c != nil {
		c.in.write(p)
	}
}

// replace makes c the only connection that may read and write.
func (l *Listener) replace(c *linkConn) {
	l.mu.Lock()
	old := l.current
	l.current = c
	l.mu.Unlock()
	if old != nil {
		old.in.close()
	}
}

// linkConn is one connection of a Listener.
type linkConn struct {
	unaddressed
	l  *Listener
	in *feed
}

func (c *linkConn) Read(p []byte) (int, error) { return c.in.read(p) }

func (c *linkConn) Write(p []byte) (int, error) {
	c.l.writing.Lock()
	defer c.l.writing.Unlock()
	c.l.mu.Lock()
	live := c.l.current == c
	c.l.mu.Unlock()
	if !live {
		return 0, net.ErrClosed
	}
	return c.l.link.Write(p)
}

// Close ends this connection; the link stays for the next one.
func (c *linkConn) Close() error {
	c.l.mu.Lock()
	if c.l.current == c {
		c.l.current = nil
	}
	c.l.mu.Unlock()
	c.in.close()
	return nil
}

// feed is a bounded pipe between the link's reader and a connection. A
// connection that is closed swallows what still comes.
type feed struct {
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex
	cond *sync.Cond
	buf  bytes.Buffer
	end  bool
}

// feedLimit bounds what waits for a connection that is busy. It is above what
// the sessions of a machine may have under way together: a reader that waits
// here, while the connection waits to write and the host to be read, would
// never see anything again.
const feedLimit = 16 << 20

func newFeed() *feed {
	f := &feed{closed: make(chan struct{})}
	f.cond = sync.NewCond(&f.mu)
	return f
}

func (f *feed) write(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.buf.Len() > feedLimit && !f.end {
		f.cond.Wait()
	}
	if !f.end {
		f.buf.Write(p)
		f.cond.Broadcast()
	}
}

func (f *feed) read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.buf.Len() == 0 && !f.end {
		f.cond.Wait()
	}
	if f.end {
		return 0, io.EOF
	}
	n, _ := f.buf.Read(p)
	if f.buf.Len() == 0 && f.buf.Cap() > keepRing {
		f.buf = bytes.Buffer{}
	}
	f.cond.Broadcast()
	return n, nil
}

func (f *feed) close() {
	f.once.Do(func() { close(f.closed) })
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end = true
	f.cond.Broadcast()
}

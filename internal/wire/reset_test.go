package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"
)

// cuts splits b at random into pieces, as a stream may.
func cuts(b []byte) (pieces [][]byte) {
	for len(b) > 0 {
		n := 1 + rand.N(min(len(b), 1+rand.N(40)))
		pieces, b = append(pieces, b[:n]), b[n:]
	}
	return pieces
}

// find is what matcher does, of a stream that is there as a whole: where the
// first occurrence ends, where the first one after it does, and so on.
func find(stream, pattern []byte) (ends []int) {
	for at := 0; ; {
		i := bytes.Index(stream[at:], pattern)
		if i < 0 {
			return ends
		}
		at += i + len(pattern)
		ends = append(ends, at)
	}
}

// matches runs a matcher over a stream in pieces.
func matches(pattern []byte, pieces [][]byte) (ends []int) {
	m, at := newMatcher(pattern), 0
	for _, p := range pieces {
		for len(p) > 0 {
			n := m.scan(p)
			if n < 0 {
				at += len(p)
				break
			}
			at, p = at+n, p[n:]
			ends = append(ends, at)
		}
	}
	return ends
}

func TestMatcherFindsWhatAWholeSearchFinds(t *testing.T) {
	for range 500 * *trials {
		letters := func(n int) []byte { // of two letters: patterns overlap themselves
			b := make([]byte, n)
			for i := range b {
				b[i] = "ab"[rand.N(2)]
			}
			return b
		}
		pattern, stream := letters(1+rand.N(8)), letters(rand.N(200))
		if got, want := matches(pattern, cuts(stream)), find(stream, pattern); !slices.Equal(got, want) {
			t.Fatalf("%s in %s ends at %v, want %v", pattern, stream, got, want)
		}
	}
}

func FuzzMatcher(f *testing.F) {
	f.Add([]byte("aab"), []byte("aaabaab"), byte(2))
	f.Add([]byte("abab"), []byte("abaabababab"), byte(1))
	f.Fuzz(func(t *testing.T, pattern, stream []byte, step byte) {
		if len(pattern) == 0 {
			return
		}
		pieces := slices.Collect(slices.Chunk(stream, 1+int(step)))
		if got, want := matches(pattern, pieces), find(stream, pattern); !slices.Equal(got, want) {
			t.Errorf("%q in %q ends at %v, want %v", pattern, stream, got, want)
		}
	})
}

func TestMarkHasItsLength(t *testing.T) {
	m := NewMark()
	if got, err := ParseMark(m[:]); err != nil || got != m {
		t.Errorf("%v, %v", got, err)
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := ParseMark(make([]byte, n)); err == nil {
			t.Errorf("a mark of %d bytes was taken", n)
		}
	}
}

// halfLink is a link whose far end is a test: it gives what stands in it and
// takes everything.
type halfLink struct {
	io.Reader
	said   chan []byte
	closed chan struct{}
}

func (l *halfLink) Write(p []byte) (int, error) { l.said <- bytes.Clone(p); return len(p), nil }
func (l *halfLink) Close() error                { close(l.closed); return nil }

// Whatever an agent had said to an earlier host, up to and within an echo to
// that host, is not part of the new connection, of which every byte is.
func TestHostDiscardsWhatCameBeforeTheEcho(t *testing.T) {
	mark := NewMark()
	for range 5 * *trials {
		stale := bytes.Repeat([]byte("output of an earlier session "), rand.N(100))
		switch rand.N(4) {
		case 0: // an echo of an earlier hello
			stale = append(append(stale, mark[:]...), make([]byte, nonceLen)...)
		case 1: // one that was cut
			stale = append(stale, mark[:rand.N(markLen+1)]...)
		case 2:
			stale = append(append(stale, mark[:]...), make([]byte, rand.N(nonceLen))...)
		}
		r, w := io.Pipe()
		link := &halfLink{Reader: r, said: make(chan []byte, 1), closed: make(chan struct{})}
		const fresh = "SSH-2.0-fresh\r\n"
		go func() {
			hello := <-link.said
			for _, piece := range cuts(slices.Concat(stale, hello, []byte(fresh))) {
				_, _ = w.Write(piece)
			}
			_ = w.Close()
		}()
		c, err := Reset(t.Context(), link, mark)
		must(t, err)
		if got, err := io.ReadAll(c); string(got) != fresh || err != nil {
			t.Fatalf("after %d stale bytes the connection begins with %.60q, %v", len(stale), got, err)
		}
		if err := c.SetDeadline(time.Now()); err == nil {
			t.Error("a stream without deadlines takes one")
		}
	}
}

func TestResetEndsWithItsContextOrItsLink(t *testing.T) {
	host, agent := net.Pipe() // nobody answers
	defer agent.Close()
	cause := errors.New("no patience")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, cause)
	defer cancel()
	if _, err := Reset(ctx, host, NewMark()); !errors.Is(err, cause) {
		t.Errorf("without an answer: %v", err)
	}
	if _, err := host.Write(nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the link was left open (%v)", err)
	}

	host, agent = net.Pipe()
	_ = agent.Close()
	if _, err := Reset(t.Context(), host, NewMark()); err == nil {
		t.Error("a connection on a dead link")
	}
}

// guestLink is a Listener and the host's end of its link.
type guestLink struct {
	t    *testing.T
	l    *Listener
	host net.Conn
	mark Mark
}

func newGuestLink(t *testing.T) *guestLink {
	host, guest := net.Pipe()
	must(t, host.SetDeadline(time.Now().Add(patience)))
	g := &guestLink{t: t, host: host, mark: NewMark()}
	g.l = Listen(guest, g.mark)
	t.Cleanup(func() {
		_ = g.l.Close()
		<-g.l.done
	})
	return g
}

// hello is a mark with a nonce of its own.
func (g *guestLink) hello(nonce string) []byte {
	return append(g.mark[:], (nonce + "................")[:nonceLen]...)
}

// send writes to the agent, in pieces.
func (g *guestLink) send(b []byte) {
	g.t.Helper()
	for _, p := range cuts(b) {
		if _, err := g.host.Write(p); err != nil {
			g.t.Fatal(err)
		}
	}
}

// accept waits for the echo of hello, after whatever else, and the connection.
func (g *guestLink) accept(hello []byte) net.Conn {
	g.t.Helper()
	for got := []byte(nil); !bytes.HasSuffix(got, hello); {
		p := make([]byte, 1)
		if _, err := g.host.Read(p); err != nil {
			g.t.Fatalf("%v; the agent said %q", err, got)
		}
		got = append(got, p...)
	}
	// An earlier connection may be accepted first; it is over.
	for {
		c, err := g.l.Accept()
		must(g.t, err)
		if live := c.(*linkConn); !live.over() {
			return c
		}
	}
}

func (c *linkConn) over() bool {
	select {
	case <-c.in.closed:
		return true
	default:
		return false
	}
}

// A host that dies anywhere in its hello, and its successors, find an agent
// that listens: also where the mark begins within what should be a nonce.
func TestMarkIsSeenWhereverTheOneBeforeItWasCut(t *testing.T) {
	for cut := range markLen + nonceLen + 1 {
		g := newGuestLink(t)
		first, second := g.hello("first"), g.hello("second")
		g.send(first[:cut])
		g.send(append(second, "data"...))
		c := g.accept(second)
		p := make([]byte, 4)
		if _, err := io.ReadFull(c, p); err != nil || string(p) != "data" {
			t.Fatalf("hello cut after %d bytes: the next connection begins with %q, %v", cut, p, err)
		}
	}
}

func TestNewMarkEndsTheConnectionBeforeIt(t *testing.T) {
	g := newGuestLink(t)
	g.send(g.hello("first"))
	old := g.accept(g.hello("first"))
	g.send([]byte("for the first"))
	p := make([]byte, len("for the first"))
	_, err := io.ReadFull(old, p)
	must(t, err)

	g.send([]byte("lost with it"))
	g.send(g.hello("second"))
	c := g.accept(g.hello("second"))
	if got, err := io.ReadAll(old); err != nil || !bytes.HasPrefix([]byte("lost with it"+string(g.hello(""))), got) {
		t.Errorf("the first connection read %q, %v", got, err)
	}
	if _, err := old.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the first connection writes: %v", err)
	}
	g.send([]byte("for the second"))
	must(t, old.Close()) // which is nothing to the second
	p = make([]byte, len("for the second"))
	if _, err := io.ReadFull(c, p); err != nil || string(p) != "for the second" {
		t.Errorf("the second connection read %q, %v", p, err)
	}
	go func() { _, _ = c.Write([]byte("answer")) }()
	p = make([]byte, len("answer"))
	if _, err := io.ReadFull(g.host, p); err != nil || string(p) != "answer" {
		t.Errorf("the host read %q, %v", p, err)
	}
}

// A host that takes nothing any more holds up neither the reader nor its
// successor.
func TestMarkIsSeenWhileTheLastConnectionIsBlocked(t *testing.T) {
	g := newGuestLink(t)
	g.send(g.hello("first"))
	old := g.accept(g.hello("first"))
	wrote := make(chan error, 1)
	go func() { _, err := old.Write(bytes.Repeat([]byte("x"), 64<<10)); wrote <- err }()
	eventually(t, "the write is blocked", func() bool {
		free := g.l.writing.TryLock()
		if free {
			g.l.writing.Unlock()
		}
		return !free
	})
	g.send(bytes.Repeat([]byte("unread"), 1<<10))
	g.send(g.hello("second"))
	g.accept(g.hello("second"))
	if err := await(t, "the blocked write's end", wrote); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("the blocked write: %v", err)
	}
}

func TestListenerEndsWithItsLink(t *testing.T) {
	g := newGuestLink(t)
	g.send(g.hello("first"))
	c := g.accept(g.hello("first"))
	_ = g.host.Close()
	if _, err := g.l.Accept(); err == nil {
		t.Error("a connection on a link that ended")
	}
	if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
		t.Errorf("the connection read %q, %v", got, err)
	}
}

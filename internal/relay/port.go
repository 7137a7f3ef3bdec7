package relay

import (
	"io"
	"net"
	"sync"
	"time"
)

// port is the agent's end of the link: one stream, whichever relay carries it
// at the moment. While none is there, reads and writes wait.
type port struct {
	mu      sync.Mutex
	change  *sync.Cond
	conn    net.Conn  // the current relay, or nil
	left    time.Time // when the last relay went, or the port was made
	leaving bool      // the current relay is the last
	closed  bool
}

var _ io.ReadWriteCloser = (*port)(nil)

func newPort() *port {
	p := &port{left: time.Now()}
	p.change = sync.NewCond(&p.mu)
	return p
}

// greeting is the first byte to a relay: it has been accepted, not only been
// queued at the socket of an agent that is about to end.
const greeting = '+'

// attach gives the port to a newer relay and cuts the older one off. A host that
// dials again knows that its last link is dead; the socket may not know it for
// hours.
func (p *port) attach(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.leaving {
		_ = conn.Close()
		return
	}
	// Into an empty socket buffer, so this does not wait.
	if _, err := conn.Write([]byte{greeting}); err != nil {
		_ = conn.Close()
		return
	}
	if p.conn != nil {
		_ = p.conn.Close()
	}
	p.conn = conn
	p.change.Broadcast()
}

// Read waits for bytes from whichever relay comes. It returns io.EOF only once
// no relay will come any more.
func (p *port) Read(b []byte) (int, error) {
	for {
		conn, err := p.wait()
		if err != nil {
			return 0, err
		}
		if n, err := conn.Read(b); n > 0 || err == nil {
			return n, nil
		}
		p.drop(conn)
	}
}

// Write gives b to the relay that is there, or waits for one. What a relay took
// with it when it went is lost, which the host's next connection makes good.
func (p *port) Write(b []byte) (int, error) {
	conn, err := p.wait()
	if err != nil {
		return 0, err
	}
	if _, err := conn.Write(b); err != nil {
		p.drop(conn)
	}
	return len(b), nil
}

// Close ends everything that waits.
func (p *port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
	p.change.Broadcast()
	return nil
}

// leave makes the current relay the last one: the port ends with it.
func (p *port) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaving = true
	p.change.Broadcast()
}

// alone returns for how long no relay has been there; 0 if one is.
func (p *port) alone() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		return 0
	}
	return time.Since(p.left)
}

func (p *port) wait() (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.conn == nil && !p.closed && !p.leaving {
		p.change.Wait()
	}
	if p.conn == nil {
		return nil, io.EOF
	}
	return p.conn, nil
}

func (p *port) drop(conn net.Conn) {
	_ = conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == conn {
		p.conn, p.left = nil, time.Now()
		p.change.Broadcast()
	}
}

// Package port is the link of a machine whose agent runs in this process.
package port

import (
	"errors"
	"io"
	"net"
	"sync"
)

// Port is a virtio-serial port without the virtio: a guest's end that stays,
// and a host's end that is dialled again and again, one host at a time. While
// no host is there the guest's reads and writes wait, as the kernel's do.
type Port struct {
	mu     sync.Mutex
	change *sync.Cond
	conn   net.Conn // the guest's end of the current connection
	keep   bool
	closed bool
}

// New returns a port that no host has opened.
func New() *Port {
	p := &Port{}
	p.change = sync.NewCond(&p.mu)
	return p
}

// KeepUnread says what becomes of bytes that the guest is writing when a host
// leaves: they go to the next host, or they are lost. QEMU does either, by
// how far they had come.
func (p *Port) KeepUnread(keep bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keep = keep
}

// Dial connects a host and cuts the one before it off.
func (p *Port) Dial() (net.Conn, error) {
	guest, host := net.Pipe()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("the machine is gone")
	}
	if p.conn != nil {
		_ = p.conn.Close()
	}
	p.conn = guest
	p.change.Broadcast()
	return host, nil
}

// Guest returns the guest's end. Closing it is the end of the machine.
func (p *Port) Guest() io.ReadWriteCloser { return guestEnd{p} }

type guestEnd struct{ p *Port }

func (g guestEnd) Read(b []byte) (int, error) {
	for {
		conn, err := g.p.wait()
		if err != nil {
			return 0, err
		}
		if n, err := conn.Read(b); n > 0 || err == nil {
			return n, nil
		}
		g.p.drop(conn)
	}
}

// Write sends b to the host that is there, and says that all of it was sent
// also when the host left before it had taken it.
func (g guestEnd) Write(b []byte) (int, error) {
	for sent := 0; ; {
		conn, err := g.p.wait()
		if err != nil {
			return sent, err
		}
		n, err := conn.Write(b[sent:])
		if err == nil || !g.p.drop(conn) {
			return len(b), nil
		}
		sent += n
	}
}

func (g guestEnd) Close() error {
	g.p.mu.Lock()
	defer g.p.mu.Unlock()
	g.p.closed = true
	if g.p.conn != nil {
		_ = g.p.conn.Close()
	}
	g.p.change.Broadcast()
	return nil
}

// wait returns the current connection, once there is one.
func (p *Port) wait() (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.conn == nil && !p.closed {
		p.change.Wait()
	}
	if p.closed {
		return nil, io.EOF
	}
	return p.conn, nil
}

// drop forgets a connection that is over, and reports whether what was not
// taken from it is kept.
func (p *Port) drop(conn net.Conn) (keep bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == conn {
		p.conn = nil
	}
	return p.keep
}

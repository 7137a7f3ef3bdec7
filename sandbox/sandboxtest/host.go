package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
	"golang.org/x/crypto/ssh"
)

// Host is the host's side of a machine as a test needs it: one link, brought
// up again whenever it is lost, and the sessions that it carries.
type Host struct {
	t       testing.TB
	ctx     context.Context
	machine sandbox.Machine
	peer    wire.Peer
	timeout time.Duration
	running sync.WaitGroup

	mu    sync.Mutex
	cuts  func(link int) (toGuest, toHost int) // nil for whole links
	conn  ssh.Conn
	links []*Cut
}

// NewHost returns the host's side of machine. Each wait is bounded by
// timeout. The test's end closes the link and joins all sessions.
func NewHost(t testing.TB, machine sandbox.Machine, peer wire.Peer, timeout time.Duration) *Host {
	ctx, cancel := context.WithCancel(context.Background())
	h := &Host{t: t, ctx: ctx, machine: machine, peer: peer, timeout: timeout}
	t.Cleanup(func() {
		cancel()
		h.mu.Lock()
		if h.conn != nil {
			_ = h.conn.Close()
		}
		h.mu.Unlock()
		h.running.Wait()
	})
	return h
}

// CutLinks tears links from now on. cuts is asked once for each link, counted
// from 0, how many bytes it carries to the guest and to the host, or Whole.
func (h *Host) CutLinks(cuts func(link int) (toGuest, toHost int)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hangUp()
	h.cuts, h.links = cuts, nil
}

// Links returns the links since CutLinks.
func (h *Host) Links() []*Cut {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*Cut(nil), h.links...)
}

// hangUp closes the link; the caller holds mu.
func (h *Host) hangUp() {
	if h.conn != nil {
		_ = h.conn.Close()
		_ = h.conn.Wait()
		h.conn = nil
	}
}

// connection returns the connection that replaces dead, opened if nobody has
// done that yet.
func (h *Host) connection(dead ssh.Conn) (ssh.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conn != nil && h.conn != dead {
		return h.conn, nil
	}
	h.hangUp()
	for {
		conn, err := h.dial()
		if err == nil {
			h.conn = conn
			return conn, nil
		}
		last := h.links[len(h.links)-1]
		if !last.spent() {
			return nil, err
		}
	}
}

func (h *Host) dial() (ssh.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(h.ctx, h.timeout, fmt.Errorf("no connection within %v", h.timeout))
	defer cancel()
	link, err := h.machine.Dial(ctx)
	if err != nil {
		return nil, err
	}
	toGuest, toHost := Whole, Whole
	if h.cuts != nil {
		toGuest, toHost = h.cuts(len(h.links))
	}
	cut := NewCut(link, toGuest, toHost)
	h.links = append(h.links, cut)
	return wire.Connect(ctx, cut, h.peer)
}

// spent reports whether the link was torn on purpose.
func (c *Cut) spent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.toGuest.carried == c.toGuest.limit || c.toHost.carried == c.toHost.limit
}

// Start starts a program under a fresh id.
func (h *Host) Start(s wire.Start) *Process { return h.StartAs(wire.NewID(), s) }

// StartAs starts a program under id, or joins the one that has it.
func (h *Host) StartAs(id string, s wire.Start) *Process {
	p := &Process{h: h, arrived: make(chan struct{})}
	p.Session = wire.NewSession(id, s, p)
	p.carried = make(chan struct{})
	h.running.Go(func() {
		defer close(p.carried)
		h.carry(p.Session)
	})
	return p
}

// carry runs a session over as many connections as it takes.
func (h *Host) carry(s *wire.Session) {
	var conn ssh.Conn
	for {
		var err error
		conn, err = h.connection(conn)
		if err != nil {
			s.Fail(&wire.Failure{Status: 255, Message: "the link cannot be opened: " + err.Error()})
			return
		}
		if s.Run(conn) == nil {
			return
		}
		select {
		case <-s.Done():
			return
		case <-h.ctx.Done():
			s.Fail(&wire.Failure{Status: 255, Message: "the test is over"})
			return
		default:
		}
	}
}

// Request makes a global request on the link and waits for the answer.
func (h *Host) Request(name string) (ok bool, err error) {
	conn, err := h.connection(nil)
	if err != nil {
		return false, err
	}
	late := time.AfterFunc(h.timeout, func() { _ = conn.Close() })
	defer late.Stop()
	ok, _, err = conn.SendRequest(name, true, nil)
	return ok, err
}

// deadline bounds a wait that has no other bound.
func (h *Host) deadline() (<-chan time.Time, func()) {
	t := time.NewTimer(h.timeout)
	return t.C, func() { t.Stop() }
}

var errTimeout = errors.New("nothing came in time")

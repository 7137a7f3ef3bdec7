//go:build linux

package agent

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/snugvm/snug/internal/wire"
)

// agentSocket is where one program, and what it starts, finds the SSH agent of
// the viewer that has asked for it. It ends with the program.
type agentSocket struct {
	agent    *Agent
	dir      string
	listener net.Listener
	wg       sync.WaitGroup
}

// lend makes the socket of a program that is to have an SSH agent, and names it
// to the program. The notice says why there is none.
func (p *program) lend(s *wire.Start) (notice string) {
	if !p.start.ForwardAgent {
		return ""
	}
	if p.agent.proxy != nil {
		return noAgent("agent forwarding").Error()
	}
	socket, err := p.agent.openAgentSocket(p.id)
	if err != nil {
		return "no agent forwarding: " + err.Error()
	}
	p.socket = socket
	s.Env = append(slices.Clip(s.Env), wire.Env{Name: "SSH_AUTH_SOCK", Value: socket.listener.Addr().String()})
	return ""
}

// openAgentSocket makes a socket in a folder that is closed to all but the
// machine's user.
func (a *Agent) openAgentSocket(session string) (s *agentSocket, err error) {
	s = &agentSocket{agent: a}
	for _, parent := range []string{os.TempDir(), "/tmp", a.cfg.Scratch} {
		if parent == "" {
			continue
		}
		if err = s.open(parent); err == nil {
			s.wg.Go(func() { s.serve(wire.MarshalAgentOf(session)) })
			return s, nil
		}
	}
	return nil, err
}

func (s *agentSocket) open(parent string) error {
	err := s.agent.asUser(func() (err error) {
		s.dir, err = os.MkdirTemp(parent, "snug-ssh-")
		return err
	})
	if err != nil {
		return err
	}
	if s.listener, err = s.agent.listenUnix(filepath.Join(s.dir, "agent")); err != nil {
		s.remove()
	}
	return err
}

func (s *agentSocket) remove() {
	_ = s.agent.asUser(func() error { return os.RemoveAll(s.dir) })
}

// serve carries connections to the keeper that is there.
func (s *agentSocket) serve(payload []byte) {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		if f := s.agent.current(); f == nil || !f.offer(c, wire.ChannelAgentOf, payload) {
			_ = c.Close()
		}
	}
}

// close ends the socket. Connections that are there end by themselves. It may
// be called of none.
func (s *agentSocket) close() {
	if s == nil {
		return
	}
	_ = s.agent.asUser(s.listener.Close)
	s.remove()
	s.wg.Wait()
}

// current is what forwards over the link that is up, or nil.
func (a *Agent) current() *forwards {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.forwarding
}

func (a *Agent) setCurrent(f *forwards) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forwarding = f
}

// offer carries a connection to the keeper, if there is a place for it.
func (f *forwards) offer(c net.Conn, kind string, payload []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return false
	}
	select {
	case f.places <- struct{}{}:
	default:
		return false
	}
	f.wg.Go(func() {
		defer func() { <-f.places }()
		f.take(c, kind, payload)
	})
	return true
}

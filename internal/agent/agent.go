//go:build linux

package agent

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/snugvm/snug/internal/wire"
)

// Agent keeps the programs of one machine. It implements wire.Host.
type Agent struct {
	cfg      Config
	terminfo terminfo
	goodbye  func() // called when the host has asked for the end; may be nil
	proxy    Proxy  // nil: programs run themselves

	mu         sync.Mutex
	programs   map[string]*program
	forwarding *forwards // over the link that is up, or nil
}

// Serve is New and Agent.Serve.
func Serve(ctx context.Context, link io.ReadWriteCloser, cfg Config) error {
	return New(cfg, nil).Serve(ctx, link)
}

// New returns an agent without programs. When the host asks for the end
// (wire.RequestShutdown), goodbye, if there is one, is called after the last
// program has ended and before the host is answered.
func New(cfg Config, goodbye func()) *Agent {
	if cfg.Inherit {
		cfg.User = inheritedUser()
	}
	return &Agent{cfg: cfg, goodbye: goodbye, terminfo: terminfo{scratch: cfg.Scratch}, programs: make(map[string]*program)}
}

// Serve answers the keeper on link until ctx is done or the link is at its
// end, which for a link that outlives its hosts is never. Programs go on
// between connections.
func (a *Agent) Serve(ctx context.Context, link io.ReadWriteCloser) error {
	peer, err := a.cfg.Peer()
	if err != nil {
		return err
	}
	key := ed25519.NewKeyFromSeed(a.cfg.HostKey)
	l := wire.Listen(link, peer.Mark)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	defer a.terminfo.remove()
	defer a.killAll()
	for {
		conn, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept a connection: %w", err)
		}
		// One after another: what a connection had received when it was
		// torn reaches its programs before the next one hears how far they
		// are, or never. The next reset mark ends this one, and how it ends
		// is nothing to report.
		_ = wire.Server(conn, key, a.forwards())
	}
}

// Find returns the program that runs, or has ended, under id.
func (a *Agent) Find(id string) wire.Program {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.programs[id]; p != nil {
		return p
	}
	return nil
}

// Join is not for an agent, whose host is the only one.
func (a *Agent) Join(string, wire.Join) wire.Program { return nil }

// Start starts a program unless the id has one.
func (a *Agent) Start(id string, s wire.Start) wire.Program {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.programs[id]; p != nil {
		return p
	}
	p := newProgram(a, id, s)
	a.programs[id] = p
	go p.run() // ends with the program; killAll and forget join it
	return p
}

// Request answers what concerns the machine as a whole.
func (a *Agent) Request(name string, _ []byte) (bool, []byte) {
	switch name {
	case wire.RequestPrograms:
		return true, wire.MarshalPrograms(a.held())
	case wire.RequestShutdown:
	default:
		return false, nil
	}
	a.killAll()
	if !a.cfg.Inherit { // else the disks are not ours, and outlive us
		syncDisks()
	}
	if a.goodbye != nil {
		a.goodbye()
	}
	return true, nil
}

// held are the names of the programs that run, or have ended and whose end no
// host has acknowledged, each with the first output that is held of it.
func (a *Agent) held() map[string]uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[string]uint64)
	for id, p := range a.programs {
		all[id] = p.out.Base()
	}
	return all
}

// Programs returns how many programs run, and how many have ended whose end no
// host has acknowledged.
func (a *Agent) Programs() (running, kept int) {
	a.mu.Lock()
	all := slices.Collect(maps.Values(a.programs))
	a.mu.Unlock()
	for _, p := range all {
		if p.over() {
			kept++
		} else {
			running++
		}
	}
	return running, kept
}

// forget drops a program whose exit status is safe.
func (a *Agent) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.programs, id)
}

// killAll ends every program and waits until they are reaped.
func (a *Agent) killAll() {
	a.mu.Lock()
	var all []*program
	for _, p := range a.programs {
		all = append(all, p)
	}
	a.mu.Unlock()
	for _, p := range all {
		p.kill()
	}
	for _, p := range all {
		<-p.ended
	}
}

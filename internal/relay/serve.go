//go:build linux

package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/snugvm/snug/internal/agent"
)

// How long an agent stays without a relay. One whose programs run stays for
// ever: that is what it is for. These only see to it that nothing is left behind
// when the host is never heard of again.
const (
	// idleEmpty is for an agent that has nothing: its host died between the
	// agent's start and the first program, or before it could say goodbye.
	idleEmpty = time.Minute
	// idleKept is for one that holds the exit status of a program.
	idleKept = 24 * time.Hour
	// farewell is how long the last relay may take to go after the goodbye.
	farewell = 2 * time.Second
)

// idle are these times, for tests to shorten.
type idle struct{ empty, kept time.Duration }

// Serve is the agent of a folder: it keeps programs and takes relays, one after
// the other, until the host asks for the end, ctx is done, or nobody has use for
// it. It returns ErrLive, wrapped, if the folder has an agent. Ready is called
// once relays are taken. The folder is gone when Serve returns.
func Serve(ctx context.Context, folder string, cfg agent.Config, ready func()) error {
	return serve(ctx, folder, cfg, ready, idle{idleEmpty, idleKept})
}

func serve(ctx context.Context, folder string, cfg agent.Config, ready func(), limits idle) error {
	lock, err := takeLock(folder)
	if err != nil {
		return err
	}
	defer func() {
		cleanUp(folder)
		_ = lock.Close()
	}()
	if err := lock.Truncate(0); err == nil {
		_, _ = lock.WriteAt(strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
	}
	// A socket without its agent is of one that was killed.
	socket := filepath.Join(folder, socketName)
	_ = os.Remove(socket)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return fmt.Errorf("agent's socket: %w", err)
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	p := newPort()
	cfg.Scratch = folder
	a := agent.New(cfg, func() { sayGoodbye(l, p) })
	wg.Go(func() { accept(l, p) })
	wg.Go(func() { watchIdle(ctx, cancel, p, a, limits) })
	ready()
	err = a.Serve(ctx, p)
	cancel()
	_ = l.Close()
	_ = p.Close()
	return err
}

// sayGoodbye takes the socket away before the host hears that its request is
// met: from then on its relay knows that there is no agent any more, and who
// comes now starts another one.
func sayGoodbye(l *net.UnixListener, p *port) {
	_ = l.Close()
	p.leave()
	// A relay that does not go is cut off. Nothing waits for this: the process
	// is about to end, and closing a port twice does no harm.
	time.AfterFunc(farewell, func() { _ = p.Close() })
}

func accept(l *net.UnixListener, p *port) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: the next relay may find one
			time.Sleep(10 * time.Millisecond)
			continue
		}
		p.attach(conn)
	}
}

// watchIdle ends an agent that nobody has use for.
func watchIdle(ctx context.Context, end func(), p *port, a *agent.Agent, limits idle) {
	tick := time.NewTicker(max(limits.empty/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		running, kept := a.Programs()
		limit := limits.empty
		if kept > 0 {
			limit = limits.kept
		}
		if running == 0 && p.alone() > limit {
			end()
			return
		}
	}
}

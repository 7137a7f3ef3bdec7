package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
	"golang.org/x/crypto/ssh"
)

// How long a machine may take to answer: from its start, and again after its
// link was lost. Both are far beyond what a machine that lives needs, and a
// network that is away is another matter: that can be for as long as a laptop
// needs to find another one, and the sessions go on meanwhile.
const (
	bootPatience   = 2 * time.Minute
	redialPatience = 30 * time.Second
	awayPatience   = time.Hour
)

// The wait between two tries to dial grows from the one to the other, not to
// spin on a socket that refuses, nor on a network that is away for long.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// link keeps one connection to the agent, and makes a new one when it is lost.
type link struct {
	log  *slog.Logger
	away func(error) bool // Config.Away
	wg   sync.WaitGroup
	over chan struct{} // closed when no connection comes any more

	mu     sync.Mutex
	conn   ssh.Conn
	change chan struct{} // closed, and replaced, when conn changes
	err    error         // why it is over
}

var errStopped = errors.New("nobody waits for the link any more")

func newLink(log *slog.Logger) *link {
	return &link{log: log, away: func(error) bool { return false }, over: make(chan struct{}), change: make(chan struct{})}
}

// keep dials the machine's agent, and again whenever the connection ends,
// until the machine is gone, the agent does not answer, or ctx is done. It
// returns at once; join waits for the end of what it started.
func (l *link) keep(ctx context.Context, machine sandbox.Machine, peer wire.Peer) {
	l.wg.Go(func() {
		cause := machine.Wait()
		if cause == nil {
			cause = errors.New("the machine was ended")
		}
		l.fail(cause)
	})
	l.wg.Go(func() {
		patience := bootPatience
		for {
			conn, err := l.dial(ctx, machine, peer, patience)
			if err != nil {
				l.fail(fmt.Errorf("the link to the machine was lost: %w", err))
				return
			}
			l.set(conn)
			l.log.Debug("link up")
			err = conn.Wait()
			l.log.Debug("link down", "error", err)
			if l.ended() {
				return
			}
			patience = redialPatience
		}
	})
}

// dial tries until an agent answers or patience ends. A try can end early by
// itself only when the machine or the agent's last host is about to go, which
// the next try waits out; so tries are few.
func (l *link) dial(ctx context.Context, machine sandbox.Machine, peer wire.Peer, patience time.Duration) (ssh.Conn, error) {
	begun := time.Now()
	var last error // of a try that ended by itself
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		try, cancel := context.WithDeadline(ctx, begun.Add(patience))
		tried := time.Now()
		conn, err := dialOnce(try, machine, peer)
		if err == nil {
			cancel()
			return conn, nil
		}
		cutShort := try.Err() != nil && time.Since(tried) < patience/2
		if try.Err() == nil {
			last = err
		}
		cancel()
		l.log.Debug("dial", "error", err)
		if !cutShort && l.away(err) { // what was given no time says nothing
			patience = max(patience, awayPatience)
		}
		left := time.Until(begun.Add(patience))
		if left <= 0 {
			return nil, because(fmt.Errorf("no answer from the agent within %v", patience), last)
		}
		select {
		case <-ctx.Done():
			return nil, because(context.Cause(ctx), last)
		case <-l.over:
			return nil, err
		case <-time.After(min(pause, left)):
		}
	}
}

// because adds to an error what led to it, if that is known.
func because(err, cause error) error {
	if cause == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

func dialOnce(ctx context.Context, machine sandbox.Machine, peer wire.Peer) (ssh.Conn, error) {
	stream, err := machine.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return wire.Connect(ctx, stream, peer)
}

func (l *link) set(conn ssh.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		_ = conn.Close()
		return
	}
	l.conn = conn
	close(l.change)
	l.change = make(chan struct{})
}

// next waits for a connection other than last. The error says why none comes.
func (l *link) next(last ssh.Conn) (ssh.Conn, error) { return l.nextUnless(last, nil) }

// nextUnless is next, until stop is closed.
func (l *link) nextUnless(last ssh.Conn, stop <-chan struct{}) (ssh.Conn, error) {
	for {
		l.mu.Lock()
		conn, change, err := l.conn, l.change, l.err
		l.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case conn != nil && conn != last:
			return conn, nil
		}
		select {
		case <-change:
		case <-stop:
			return nil, errStopped
		}
	}
}

// fail ends the link for good. The first cause stands.
func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = err
	close(l.over) // first: who sees the connection end must not dial again
	if l.conn != nil {
		_ = l.conn.Close()
	}
	close(l.change)
	l.change = make(chan struct{})
}

func (l *link) ended() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// farewell asks the guest to write its files back. A guest that does not
// answer is killed all the same.
func (l *link) farewell(ctx context.Context) {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn == nil || l.ended() {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_, _, err := conn.SendRequest(wire.RequestShutdown, true, nil)
	l.log.Debug("farewell", "error", err)
	l.fail(errors.New("the machine was ended"))
}

// join waits for what keep started. The machine must be gone.
func (l *link) join() { l.wg.Wait() }

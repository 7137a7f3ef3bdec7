package keeper

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/snugvm/snug/internal/sessionlog"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
)

// farewell bounds how long a guest may take to write its files back before
// its machine is killed.
const farewell = 5 * time.Second

// Config is what a keeper is told before it starts.
type Config struct {
	// Boot brings the machine up and returns what is known of its agent. It
	// says through progress what it waits for. An error that is a
	// *wire.Failure reaches the viewers as it is.
	Boot func(ctx context.Context, progress func(wire.Notice)) (sandbox.Machine, wire.Peer, error)
	// HostKey is the key that the keeper shows to viewers.
	HostKey ed25519.PrivateKey
	// Adopt says that Boot takes over a machine that another keeper held, with
	// the sessions that it logged.
	Adopt bool
	// Adopted, unless nil, is called once all has been taken over.
	Adopted func() error
	// Away says of an error of the machine's Dial that the network is to blame,
	// and not the machine. Nil is never.
	Away func(error) bool
	// Stay says that the machine outlives its last session.
	Stay bool
	// Logs is the folder for the sessions' logs; "" is for none.
	Logs       string
	LogOptions sessionlog.Options
	// Lost says, of an end of the machine or by Serve's context, that nobody has
	// asked for it, as where QEMU is killed or the host goes down: then the logs of
	// the sessions that it ends stay. Nil is never.
	Lost func() bool
	// Reachable tells whether a viewer that comes now finds the machine. Once it
	// does not, the machine ends with its last viewer, and the sessions' logs stay.
	// It is asked when a viewer has left, and when Moved says so. Nil is always.
	Reachable func() bool
	// Moved tells that Reachable may have changed. Nil is never.
	Moved <-chan struct{}
	// Cleanup removes what the machine left on the host, once it is gone.
	// Viewers are cut off only then, and so know that nothing is left.
	Cleanup func() error
	// Log takes what a developer wants to know.
	Log *slog.Logger
}

// Keeper holds one machine. It implements wire.Host for viewers.
type Keeper struct {
	cfg  Config
	link *link
	fwd  *forwards
	idle chan struct{} // closed when nobody has use for the machine any more
	left chan struct{} // tells that a viewer has left
	lost atomic.Bool   // the logs of sessions that end now stay

	mu       sync.Mutex
	sessions map[string]*session // by their own name
	names    map[string]*session // by those of viewers that have joined them
	viewers  map[net.Conn]bool
	users    int  // sessions, and viewers that have not begun
	started  bool // the first viewer, whoever started the keeper, has come
	notice   wire.Notice
	last     uint32 // number of the session that was started last
}

// New returns a keeper that has not begun. It waits for its first viewer.
func New(cfg Config) *Keeper {
	l := newLink(cfg.Log)
	k := &Keeper{
		cfg: cfg, link: l, fwd: newForwards(l, cfg.Log), idle: make(chan struct{}), left: make(chan struct{}, 1), users: 1,
		sessions: make(map[string]*session), names: make(map[string]*session), viewers: make(map[net.Conn]bool),
	}
	if cfg.Away != nil {
		l.away = cfg.Away
	}
	if cfg.Stay {
		k.users++
	}
	return k
}

// Serve brings the machine up, serves viewers on l, and ends the machine when
// its last session has ended and was delivered, or when ctx is done. It
// returns when the machine is gone and l is closed.
func (k *Keeper) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var machine sandbox.Machine
	booted := make(chan struct{})
	wg.Go(func() {
		defer close(booted)
		machine = k.boot(ctx)
		if k.cfg.Adopt {
			k.restore(ctx)
			if err := k.adopted(); err != nil {
				k.cfg.Log.Error("adopted", "error", err)
			}
			wg.Go(func() { k.accept(l) }) // meanwhile viewers wait in the socket
		}
	})
	if !k.cfg.Adopt {
		wg.Go(func() { k.accept(l) })
	}

	k.await(ctx)
	_ = l.Close() // a viewer that comes now finds no machine
	cancel()
	<-booted
	err := errors.Join(k.end(machine), k.cfg.Cleanup())
	k.dismiss()
	wg.Wait()
	k.fwd.join()
	return err
}

// await waits until the machine has no use any more.
func (k *Keeper) await(ctx context.Context) {
	for {
		select {
		case <-k.idle:
			return
		case <-ctx.Done():
			k.lost.Store(k.unasked())
			return
		case <-k.left:
		case <-k.cfg.Moved:
		}
		if k.abandoned() {
			k.lost.Store(true)
			return
		}
	}
}

// abandoned reports whether no viewer is there, and none can come.
func (k *Keeper) abandoned() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.started && len(k.viewers) == 0 && k.cfg.Reachable != nil && !k.cfg.Reachable()
}

func (k *Keeper) adopted() error {
	if k.cfg.Adopted == nil {
		return nil
	}
	return k.cfg.Adopted()
}

// boot brings the machine up and starts to keep its link.
func (k *Keeper) boot(ctx context.Context) sandbox.Machine {
	machine, peer, err := k.cfg.Boot(ctx, k.tell)
	if err != nil {
		k.cfg.Log.Info("no machine", "error", err)
		k.link.fail(err)
		return nil
	}
	peer.Accept = k.fwd.accept
	k.link.keep(ctx, machine, peer)
	return machine
}

// end takes the machine down: politely, then surely.
func (k *Keeper) end(machine sandbox.Machine) error {
	if machine == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	k.link.farewell(ctx)
	err := machine.Kill()
	k.link.join()
	if err != nil {
		return fmt.Errorf("end the machine: %w", err)
	}
	return nil
}

// accept serves viewers until l is closed and all of them have left.
func (k *Keeper) accept(l net.Listener) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				k.cfg.Log.Error("accept", "error", err)
			}
			return
		}
		if !k.use(conn) {
			_ = conn.Close() // it came too late: the machine is about to be gone
			continue
		}
		wg.Go(func() {
			v := &viewerHost{Keeper: k}
			if err := wire.Server(conn, k.cfg.HostKey, v); err != nil {
				k.cfg.Log.Info("viewer gone", "error", err)
			}
			v.begin()
			k.mu.Lock()
			delete(k.viewers, conn)
			k.mu.Unlock()
			select {
			case k.left <- struct{}{}:
			default: // somebody's leaving is still to be heeded
			}
		})
	}
}

// viewerHost is the keeper as one connection sees it. The connection is a use
// of the machine until it has a session, or has gone: so a viewer that was let
// in finds the machine alive.
type viewerHost struct {
	*Keeper
	begun sync.Once
	party *party // for forward.go
}

func (v *viewerHost) begin() { v.begun.Do(v.release) }

// Start is the keeper's.
func (v *viewerHost) Start(id string, start wire.Start) wire.Program {
	defer v.begin()
	v.lend(id, start)
	return v.Keeper.Start(id, start)
}

// Find is the keeper's.
func (v *viewerHost) Find(id string) wire.Program {
	p := v.Keeper.Find(id)
	if p != nil {
		v.begin()
	}
	return p
}

// Join is the keeper's.
func (v *viewerHost) Join(id string, j wire.Join) wire.Program {
	p := v.Keeper.Join(id, j)
	if p != nil {
		v.begin()
	}
	return p
}

// use counts a viewer's connection, unless the machine has no use any more.
func (k *Keeper) use(conn net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.users == 0 {
		return false
	}
	if k.started {
		k.users++
	}
	k.started = true
	k.viewers[conn] = true
	return true
}

// dismiss cuts the viewers off.
func (k *Keeper) dismiss() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for conn := range k.viewers {
		_ = conn.Close()
	}
}

// tell shows a notice to those who wait for a program, and to later ones.
func (k *Keeper) tell(n wire.Notice) {
	k.mu.Lock()
	k.notice = n
	var all []*session
	for _, s := range k.sessions {
		all = append(all, s)
	}
	k.mu.Unlock()
	for _, s := range all {
		s.Notice(n)
	}
}

// Find returns the session of that id.
func (k *Keeper) Find(id string) wire.Program {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.sessions[id]; s != nil {
		return s
	}
	if s := k.names[id]; s != nil {
		return s
	}
	return nil
}

// Join finds the session of a number for a viewer.
func (k *Keeper) Join(id string, j wire.Join) wire.Program {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.sessions {
		if s.memo.Number == j.Number && s.memo.Pty {
			k.names[id] = s
			return s
		}
	}
	return nil
}

// unname forgets a viewer's name for a session.
func (k *Keeper) unname(s *session, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.names[id] == s {
		delete(k.names, id)
	}
}

// Start starts a session unless the id has one. Its program starts as soon as
// the machine can.
func (k *Keeper) Start(id string, start wire.Start) wire.Program {
	s, isNew, late := k.session(id, start)
	switch {
	case late:
		s.near.Fail(&wire.Failure{Status: 125, Message: "the machine is about to be gone: try again"})
		s.end()
	case isNew:
		go s.carry() // ends when the session does, at the latest with the link
	}
	return s
}

// session returns the session of that id, or a new one. Where the machine has
// no use any more it is late: then the session is none of the machine's.
func (k *Keeper) session(id string, start wire.Start) (s *session, isNew, late bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.sessions[id]; s != nil {
		return s, false, false
	}
	m := memo{ID: id, Number: k.last + 1, Program: programOf(start), Pty: start.Pty != nil, Started: time.Now()}
	if start.Pty != nil {
		m.Term = start.Pty.Term
	}
	if k.users == 0 {
		s = blankSession(k, m)
		s.journal = &journal{}
		s.near = wire.NewSession(id, start, agentSide{s})
		return s, false, true
	}
	s = newSession(k, m, start, k.notice)
	k.last++
	k.sessions[id] = s
	k.users++
	return s, true, false
}

// Request answers a viewer that asks whether the machine ends with it, or what
// sessions there are.
func (k *Keeper) Request(name string, payload []byte) (bool, []byte) {
	switch name {
	case wire.RequestLeave:
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.users == 0, nil
	case wire.RequestSessions:
		return true, wire.MarshalSessions(k.Sessions())
	case wire.RequestDetach, wire.RequestKill, wire.RequestForget:
		return k.command(name, payload), nil
	}
	return false, nil
}

// command does something with one session, as a command asks.
func (k *Keeper) command(name string, payload []byte) bool {
	c, err := wire.ParseControl(payload)
	if err != nil {
		return false
	}
	all := k.all()
	i := slices.IndexFunc(all, func(s *session) bool { return s.memo.Number == c.Session })
	if i < 0 {
		return false
	}
	s := all[i]
	switch name {
	case wire.RequestDetach:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.memo.Pty {
			s.sendAway("detached by a command: the session goes on")
		}
		return s.memo.Pty
	case wire.RequestKill:
		ended := s.hasEnded()
		s.Signal(c.Signal)
		return !ended
	}
	return s.discard()
}

// forget drops a session that has ended and was delivered, with its log.
func (k *Keeper) forget(s *session) {
	k.mu.Lock()
	known := k.sessions[s.memo.ID] == s
	if known {
		delete(k.sessions, s.memo.ID)
	}
	for name, of := range k.names {
		if of == s {
			delete(k.names, name)
		}
	}
	k.mu.Unlock()
	if !known {
		return
	}
	close(s.settled)
	k.fwd.takeBack(s.memo.ID)
	if s.past != nil {
		s.past.timer.Stop()
	}
	dir := k.cfg.log(s.memo.Number)
	if k.lost.Load() || s.isStranded() {
		dir = ""
	}
	if err := s.journal.close(dir); err != nil {
		k.cfg.Log.Error("forget a session", "error", err)
	}
	k.release()
}

// strands reports whether the machine is gone, and nobody has asked for that.
func (k *Keeper) strands() bool { return k.link.ended() && k.unasked() }

// unasked reports whether nobody has asked for an end that comes now.
func (k *Keeper) unasked() bool { return k.cfg.Lost != nil && k.cfg.Lost() }

// log is the folder of a session's log.
func (c *Config) log(number uint32) string {
	if c.Logs == "" {
		return ""
	}
	return filepath.Join(c.Logs, strconv.Itoa(int(number)))
}

// release gives one use of the machine back.
func (k *Keeper) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users--
	if k.users == 0 {
		close(k.idle)
	}
}

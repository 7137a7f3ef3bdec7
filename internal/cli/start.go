package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
	"github.com/snugvm/snug/sandbox/command"
	"github.com/snugvm/snug/sandbox/qemu"
	"golang.org/x/crypto/ssh"
)

// The descriptors that a keeper inherits.
const (
	keeperLockFD = 3 + iota
	keeperListenerFD
)

// endingPatience bounds the wait for a name whose machine is about to be gone.
const endingPatience = 10 * time.Second

// kept is a machine that has a keeper, and a connection to it.
type kept struct {
	machine state.Machine
	spec    *machineSpec
	conn    ssh.Conn
	keeper  *os.Process // if this process has started it

	mu sync.Mutex // for conn, which is replaced when the keeper is
}

// naming is how a machine that is about to start gets its name.
type naming struct {
	name string             // the one that it must have, or
	next func(n int) string // the first of these that is free
}

// startKeeper claims a name, starts a keeper for it and connects to it. The
// socket listens, and the connection waits in it, before anybody else can see
// it and before the keeper runs: there is no moment at which nobody is there,
// and none at which nobody is wanted.
func (a *app) startKeeper(ctx context.Context, n naming, spec *machineSpec) (*kept, error) {
	m, lock, err := a.claim(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }()
	if err := m.WriteConfig(spec); err != nil {
		return nil, err
	}
	if spec.Tool != nil {
		if err := m.SetElsewhere(); err != nil {
			return nil, err
		}
	}
	listener, conn, err := listen(m.SSHSocket())
	if err != nil {
		return nil, fmt.Errorf("keeper's socket: %w", err)
	}
	defer func() { _ = listener.Close() }()
	keeper, err := spawnKeeper(m, false, lock, listener)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = listener.Close() // the keeper's death is to be the connection's
	k := &kept{machine: m, spec: spec, keeper: keeper}
	if k.conn, err = greetKeeper(ctx, conn, spec); err != nil {
		return nil, cmp.Or(context.Cause(ctx), errors.New(keeperGone(m)))
	}
	return k, nil
}

// listen makes a socket with a connection in it. It is for whoever holds the
// keeper's lock: one who held it before may have been killed in the middle of this.
func listen(name string) (listener *os.File, conn net.Conn, err error) {
	hidden := name + ".new"
	if err := os.Remove(hidden); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: hidden, Net: "unix"})
	if err != nil {
		return nil, nil, err
	}
	l.SetUnlinkOnClose(false)
	defer func() { _ = l.Close() }()
	if err = os.Chmod(hidden, 0o600); err != nil {
		return nil, nil, err
	}
	if conn, err = net.Dial("unix", hidden); err != nil {
		return nil, nil, err
	}
	if err = os.Rename(hidden, name); err == nil {
		listener, err = l.File()
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return listener, conn, nil
}

// rejoinPatience bounds how long a viewer looks for another keeper once its own
// is gone.
const rejoinPatience = 30 * time.Second

// errEnded says of a machine that no keeper will have it any more.
var errEnded = errors.New("has ended")

// reach is join for a machine that was just seen: its keeper may have died since,
// or the machine may be about to end.
func (a *app) reach(ctx context.Context, m state.Machine, patience time.Duration) (*kept, error) {
	for deadline := time.Now().Add(patience); ; {
		k, err := a.join(ctx, m)
		if err == nil || time.Now().After(deadline) {
			return k, err
		}
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		if err := a.succeed(ctx, m); err != nil {
			return nil, err
		}
		time.Sleep(20 * time.Millisecond) // another process is at work, which tells nobody
	}
}

// succeed starts a keeper for a machine whose keeper died, unless somebody else
// does. It returns errEnded, wrapped, where there is no machine any more.
func (a *app) succeed(ctx context.Context, m state.Machine) error {
	life, err := m.Life(ctx)
	switch {
	case err != nil:
		return err
	case life == state.Dead:
		return fmt.Errorf("machine %s %w", m.Name, errEnded)
	case life == state.Orphaned:
		return a.revive(ctx, m)
	}
	return nil
}

// join connects to the keeper of a machine.
func (a *app) join(ctx context.Context, m state.Machine) (*kept, error) {
	k := &kept{machine: m, spec: new(machineSpec)}
	if err := m.ReadConfig(k.spec); err != nil {
		return nil, err
	}
	conn, err := net.Dial("unix", m.SSHSocket())
	if err != nil {
		return nil, fmt.Errorf("reach the keeper of %s: %w", m.Name, err)
	}
	if k.conn, err = greetKeeper(ctx, conn, k.spec); err != nil {
		return nil, fmt.Errorf("machine %s is ending: try again: %w", m.Name, err)
	}
	return k, nil
}

// startOrJoin joins the machine of that name, or starts it. Two that do it at
// the same moment share one machine: the one that comes second waits until the
// first one's keeper listens, or, of a machine that is ending, until it is gone.
func (a *app) startOrJoin(ctx context.Context, name string, spec *machineSpec) (*kept, error) {
	m, err := a.dirs.Machine(name)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(endingPatience); ; {
		k, err := a.startKeeper(ctx, naming{name: name}, spec)
		if taken := (*state.TakenError)(nil); !errors.As(err, &taken) {
			return k, err
		}
		if k, err = a.join(ctx, m); err == nil || time.Now().After(deadline) {
			return k, err
		}
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		time.Sleep(20 * time.Millisecond) // another process is at work, which tells nobody
	}
}

// spawnKeeper starts this program again, in a session of its own.
func spawnKeeper(m state.Machine, adopt bool, inherited ...*os.File) (*os.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find snug itself: %w", err)
	}
	log, err := os.OpenFile(m.KeeperLog(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keeper's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(self, "keeper", m.Name)
	if adopt {
		cmd.Args = append(cmd.Args, "--"+adoptFlag)
	}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = inherited
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the keeper: %w", err)
	}
	return cmd.Process, nil
}

// claim takes the name that the user wants, or the next of the folder's. A
// machine of that name which is about to be gone is waited for.
func (a *app) claim(ctx context.Context, n naming) (state.Machine, *os.File, error) {
	if n.name == "" {
		return a.dirs.ClaimNext(ctx, n.next)
	}
	deadline := time.Now().Add(endingPatience)
	for {
		m, lock, err := a.dirs.Claim(ctx, n.name)
		var taken *state.TakenError
		if !errors.As(err, &taken) || time.Now().After(deadline) || !a.ending(n.name) {
			return m, lock, err
		}
		time.Sleep(20 * time.Millisecond) // the name is freed by another process, which tells nobody
	}
}

// ending reports whether a living machine takes no more viewers.
func (a *app) ending(name string) bool {
	m, err := a.dirs.Machine(name)
	if err != nil {
		return false
	}
	conn, err := net.Dial("unix", m.SSHSocket())
	if err != nil {
		return true
	}
	_ = conn.Close()
	return false
}

// reap gives machines whose keeper was killed another one, and removes what is
// left of dead ones but their logs. What cannot be done now is tried again by the
// next command; it must not keep this one from its work.
func (a *app) reap(ctx context.Context) {
	died := false
	orphans, err := a.dirs.Reap(ctx, func(state.Machine) { died = true })
	if died {
		err = errors.Join(err, a.dirs.PruneLogs(ctx))
	}
	for _, m := range orphans {
		err = errors.Join(err, a.revive(ctx, m))
	}
	if err != nil {
		_, _ = fmt.Fprintln(a.err, "snug: clean up after an earlier machine:", err)
	}
}

// revive starts a keeper for a machine whose keeper is dead. Where none can go on,
// the machine is ended.
func (a *app) revive(ctx context.Context, m state.Machine) error {
	lock, err := m.Adopt(ctx)
	if errors.Is(err, state.ErrNotOrphaned) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	var spec machineSpec
	if err := m.ReadConfig(&spec); err != nil || spec.lesser() { // the programs of a lesser bridge have died with the keeper
		return a.endOrphan(ctx, m, lock)
	}
	if err := m.SetAdopting(); err != nil {
		return err
	}
	listener, conn, err := listen(m.SSHSocket())
	if err != nil {
		return fmt.Errorf("keeper's socket: %w", err)
	}
	defer func() { _ = listener.Close() }()
	defer func() { _ = conn.Close() }()
	_, err = spawnKeeper(m, true, lock, listener)
	return err
}

// endOrphan ends a machine whose keeper is dead. The caller holds the keeper's
// lock. The logs stay.
func (a *app) endOrphan(ctx context.Context, m state.Machine, lock *os.File) error {
	orphan, err := a.adopt(ctx, m)
	if err != nil {
		return err
	}
	if orphan != nil {
		if err := orphan.Kill(); err != nil {
			return err
		}
	}
	return m.Remove(ctx, lock)
}

// adopt takes a machine over from a keeper that is dead. It returns none if
// there is nothing to take over.
func (a *app) adopt(ctx context.Context, m state.Machine) (sandbox.Machine, error) {
	var spec machineSpec
	err := m.ReadConfig(&spec)
	if alive, _ := state.Held(m.Lock()); err != nil && !alive {
		return nil, nil //nolint:nilnil // what is left does not tell what it was
	}
	if err != nil || spec.Tool == nil {
		return qemu.Adopt(ctx, m.Dir)
	}
	b := &boot{dirs: a.dirs, machine: m, spec: &spec, progress: func(wire.Notice) {}, log: slog.New(slog.DiscardHandler)}
	c, err := b.toolConfig()
	if err != nil {
		return nil, err
	}
	if spec.lesser() { // its programs have died with the keeper
		return nil, command.EndLocal(command.LocalConfig{Config: c})
	}
	machine, err := command.Adopt(c)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // its keeper died before it had made anything
	}
	return machine, nil
}

// lastLine returns the last line of a small text file, or "".
func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(lines[len(lines)-1])
}

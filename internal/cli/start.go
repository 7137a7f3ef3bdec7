package cli

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/machine"
	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/qemu"
)

// machineSpec is a machine as it was asked for. It travels to the keeper, and
// stays for those who come later, as config.json.
type machineSpec struct {
	Accel     string          `json:"accel"`
	MemoryMiB int             `json:"memory_mib"`
	CPUs      int             `json:"cpus"`
	Shares    []machine.Share `json:"shares"`
	Dir       string          `json:"dir"`
	User      agent.User      `json:"user"`
	Mark      wire.Mark       `json:"mark"`
	AgentKey  []byte          `json:"agent_key"`
	KeeperKey []byte          `json:"keeper_key"`
	Debug     bool            `json:"debug,omitempty"`
	Started   time.Time       `json:"started"`
	Command   []string        `json:"command"`
}

func newSeed() []byte {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // never fails
	return seed
}

func (s *machineSpec) keeperKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(s.KeeperKey) }

// The descriptors that a keeper inherits.
const (
	keeperLockFD = 3 + iota
	keeperListenerFD
)

// endingPatience bounds the wait for a name whose machine is about to be gone.
const endingPatience = 10 * time.Second

// startKeeper claims a name, starts a keeper for it and connects to it. The
// socket listens, and the connection waits in it, before the keeper runs: there
// is no moment at which nobody is there, and none at which nobody is wanted.
func (a *app) startKeeper(ctx context.Context, name string, spec *machineSpec) (state.Machine, net.Conn, error) {
	m, lock, err := a.claim(ctx, name, spec.Dir)
	if err != nil {
		return m, nil, err
	}
	defer func() { _ = lock.Close() }()
	spec.Started = time.Now()
	spec.Command = os.Args[1:]
	if err := m.WriteConfig(spec); err != nil {
		return m, nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: m.SSHSocket(), Net: "unix"})
	if err != nil {
		return m, nil, fmt.Errorf("keeper's socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	defer func() { _ = l.Close() }()
	listener, err := l.File()
	if err != nil {
		return m, nil, fmt.Errorf("keeper's socket: %w", err)
	}
	defer func() { _ = listener.Close() }()
	conn, err := net.Dial("unix", m.SSHSocket())
	if err != nil {
		return m, nil, fmt.Errorf("keeper's socket: %w", err)
	}
	if err := spawnKeeper(m, lock, listener); err != nil {
		_ = conn.Close()
		return m, nil, err
	}
	return m, conn, nil
}

// spawnKeeper starts this program again, in a session of its own.
func spawnKeeper(m state.Machine, inherited ...*os.File) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find snug itself: %w", err)
	}
	log, err := os.OpenFile(m.KeeperLog(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("keeper's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(self, "keeper", m.Name)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = inherited
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the keeper: %w", err)
	}
	return cmd.Process.Release()
}

// claim takes the name that the user wants, or the next of the folder's. A
// machine of that name which is about to be gone is waited for.
func (a *app) claim(ctx context.Context, name, folder string) (state.Machine, *os.File, error) {
	if name == "" {
		return a.dirs.ClaimNext(ctx, folder)
	}
	deadline := time.Now().Add(endingPatience)
	for {
		m, lock, err := a.dirs.Claim(ctx, name)
		var taken *state.TakenError
		if !errors.As(err, &taken) || time.Now().After(deadline) || !a.ending(name) {
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

// reap ends what a killed keeper left behind. What cannot be ended now is
// tried again by the next command; it must not keep this one from its work.
func (a *app) reap(ctx context.Context) {
	orphans, err := a.dirs.Reap(ctx, nil)
	for _, m := range orphans {
		err = errors.Join(err, endOrphan(ctx, m))
	}
	if err != nil {
		_, _ = fmt.Fprintln(a.err, "snug: clean up after an earlier machine:", err)
	}
}

// endOrphan ends a machine whose keeper is dead.
func endOrphan(ctx context.Context, m state.Machine) error {
	lock, err := m.Adopt(ctx)
	if errors.Is(err, state.ErrNotOrphaned) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	vm, err := qemu.Adopt(ctx, m.Dir)
	if err != nil {
		return err
	}
	if err := vm.Kill(); err != nil {
		return err
	}
	return m.Remove(ctx)
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

package sandboxtest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/port"
	"github.com/snugvm/snug/internal/wire"
)

// InProcess is a machine without a sandbox: the agent runs in this process
// and its programs on this host, as this user.
type InProcess struct {
	port   *port.Port
	agent  agent.Config
	cancel context.CancelFunc
	gone   chan struct{}
}

// NewInProcess starts a machine. Its programs' home is home.
func NewInProcess(home string) (*InProcess, error) {
	me, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("current user: %w", err)
	}
	uid, _ := strconv.ParseUint(me.Uid, 10, 32)
	gid, _ := strconv.ParseUint(me.Gid, 10, 32)
	mark, seed := wire.NewMark(), make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed)
	m := &InProcess{
		port: port.New(),
		agent: agent.Config{Mark: mark[:], HostKey: seed, User: agent.User{
			Name: me.Username, UID: uint32(uid), GID: uint32(gid), Home: home, Shell: "/bin/sh",
		}},
		gone: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go func() {
		defer close(m.gone)
		if err := agent.Serve(ctx, m.port.Guest(), m.agent); ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "in-process agent:", err)
		}
	}()
	return m, nil
}

// Agent returns what the host knows of the machine's agent.
func (m *InProcess) Agent() agent.Config { return m.agent }

// KeepUnread is port.Port.KeepUnread of the machine's link.
func (m *InProcess) KeepUnread(keep bool) { m.port.KeepUnread(keep) }

// Dial opens the link.
func (m *InProcess) Dial(context.Context) (io.ReadWriteCloser, error) { return m.port.Dial() }

// Wait blocks until Kill.
func (m *InProcess) Wait() error {
	<-m.gone
	return nil
}

// Kill ends the machine and its programs.
func (m *InProcess) Kill() error {
	m.cancel()
	<-m.gone
	return nil
}

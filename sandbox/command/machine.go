package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/relay"
	"github.com/snugvm/snug/sandbox"
)

// stepPatience is what each step of a bring-up may take by default: far beyond
// what a machine that lives needs, even at the other end of the world.
const stepPatience = 30 * time.Second

// endPatience bounds Kill.
const endPatience = 20 * time.Second

// Config is everything that a machine behind a tool needs.
type Config struct {
	Plan *Plan
	// Target is what an earlier Start of the same machine made (Machine.Target):
	// the machine is then adopted, not made again.
	Target string
	// Agent is the agent's config: its mark and host key, and Dir if programs
	// are to start elsewhere than the tool's exec does. The same mark is the same
	// agent, so keep it with the machine's key.
	Agent agent.Config
	// Binary returns the agent's binary for an architecture, in Go's words.
	Binary func(arch string) ([]byte, error)
	// Lock takes the lock of the machine's key, across all snug processes. It
	// is held from the tool's start to the agent's hello.
	Lock func(ctx context.Context) (unlock func(), err error)
	// Folders are where in the machine the agent may be put, the best first; nil
	// is /dev/shm, /tmp, /run, $HOME, /var/tmp and a few more.
	Folders []string
	// Progress says what is waited for. It may be nil.
	Progress func(text string)
	// Patience bounds each step of a bring-up; 0 is 30 seconds.
	Patience time.Duration
	// Log takes what a developer wants to know. It may be nil.
	Log *slog.Logger
}

// Machine is a machine behind a tool, with snug's agent in it.
type Machine struct {
	cfg    Config
	plan   *Plan
	id     string
	agents *agents
	made   *created // what Start has made, or nil

	dialing sync.Mutex // held by Dial and Kill
	first   *link      // from Start, for the first Dial; under dialing
	last    *link      // under dialing
	target  string
	placed  bool // an agent was heard; under dialing

	mu    sync.Mutex
	over  bool
	cause error
	gone  chan struct{}
}

var _ sandbox.Machine = (*Machine)(nil)

// Start makes the machine, where the command line asks for a new one, and brings
// the agent up in it. The first Dial returns the link that Start has opened. An
// error is an *Error wherever the tool or the machine is to blame; nothing is
// left behind then.
func Start(ctx context.Context, cfg Config) (*Machine, error) {
	return start(ctx, cfg, &agents{find: cfg.Binary})
}

func start(ctx context.Context, cfg Config, binaries *agents) (*Machine, error) {
	m := newMachine(cfg, binaries)
	if err := m.make(ctx); err != nil {
		return nil, err
	}
	l, err := m.bringUp(ctx, forRelay)
	if err != nil && m.made != nil && cfg.Target == "" {
		m.made.remove = true
		err = errors.Join(err, m.unmake())
	}
	if err != nil {
		return nil, err
	}
	m.first = l
	return m, nil
}

// Adopt returns a machine that an earlier Start has brought up, with nothing
// done to it yet: the first Dial opens a link, and Kill ends what Start began.
// Of a fresh machine it needs the Target.
func Adopt(cfg Config) (*Machine, error) {
	m := newMachine(cfg, &agents{find: cfg.Binary})
	m.target = cmp.Or(cfg.Target, cfg.Plan.target)
	m.placed = true
	if cfg.Plan.Fresh {
		if cfg.Target == "" {
			return nil, &Error{Kind: Missing, Tool: cfg.Plan.Tool, Words: "no machine was made yet"}
		}
		m.made = &created{remove: cfg.Plan.remove}
	}
	return m, nil
}

func newMachine(cfg Config, binaries *agents) *Machine {
	if cfg.Progress == nil {
		cfg.Progress = func(string) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Patience == 0 {
		cfg.Patience = stepPatience
	}
	cfg.Agent.Inherit = true
	return &Machine{
		cfg: cfg, plan: cfg.Plan, id: relay.FolderID(cfg.Agent.Mark), target: cfg.Target,
		agents: binaries, gone: make(chan struct{}),
	}
}

// Target names what Start has made, for the Config of whoever adopts it. It is
// empty for a machine that was there.
func (m *Machine) Target() string {
	if m.made == nil {
		return ""
	}
	return m.target
}

// Dial opens the link: one exec of the tool, whose stdio leads to the agent, which
// is brought up where it is not. An older link ends. Where the tool says that the
// machine is not there, or does not run, that is its end: Wait returns the error.
func (m *Machine) Dial(ctx context.Context) (io.ReadWriteCloser, error) {
	m.dialing.Lock()
	defer m.dialing.Unlock()
	if m.ended() {
		return nil, &Error{Kind: Ended, Tool: m.plan.Tool, Words: "the machine was ended"}
	}
	if l := m.first; l != nil {
		m.first, m.last = nil, l
		return l, nil
	}
	if ctx.Err() != nil { // an exec would only be started to be killed
		return nil, &Error{Kind: Failed, Tool: m.plan.Tool, Step: "dial", Err: context.Cause(ctx)}
	}
	if m.last != nil {
		_ = m.last.Close()
	}
	l, err := m.bringUp(ctx, forRelay)
	var e *Error
	if errors.As(err, &e) && (e.Kind == Missing || e.Kind == Stopped) {
		m.end(err)
	}
	if err != nil {
		return nil, err
	}
	m.last = l
	return l, nil
}

// Wait blocks until the machine is known to be gone, and returns why; nil if Kill
// ended it. A tool's client that dies, and a network that fails, say nothing about
// the machine: the next Dial finds out.
func (m *Machine) Wait() error {
	<-m.gone
	return m.cause
}

// Kill ends the agent and its programs. A machine that Start has made ends too;
// any other goes on without us.
func (m *Machine) Kill() error {
	m.dialing.Lock()
	defer m.dialing.Unlock()
	if m.ended() {
		return nil
	}
	goodbye := false // the agent has ended already, as the host had asked it to
	for _, l := range []*link{m.first, m.last} {
		if l != nil {
			_ = l.Close()
			goodbye = goodbye || strings.Contains(l.stderr.String(), relay.Ended)
		}
	}
	m.first, m.last = nil, nil
	err := m.unmake()
	if m.made == nil && !goodbye {
		err = m.endAgent()
	}
	m.end(nil)
	return err
}

// endAgent ends an agent to which no link leads. That of a machine which is gone
// is gone with it.
func (m *Machine) endAgent() error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), endPatience, fmt.Errorf("not within %v", endPatience))
	defer cancel()
	_, err := m.bringUp(ctx, forEnd)
	var e *Error
	if errors.As(err, &e) && (e.Kind == Missing || e.Kind == Stopped) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end the agent: %w", err)
	}
	return nil
}

func (m *Machine) ended() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.over
}

// end makes the machine's end known. The first cause stands.
func (m *Machine) end(cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return
	}
	m.over, m.cause = true, cause
	close(m.gone)
}

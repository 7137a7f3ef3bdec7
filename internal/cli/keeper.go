package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"

	"github.com/snugvm/snug/internal/keeper"
	"github.com/snugvm/snug/internal/sessionlog"
	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
	"github.com/snugvm/snug/sandbox/command"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// keeperCommand is what startKeeper starts; it is not for people.
func (a *app) keeperCommand() *cobra.Command {
	adopt := false
	cmd := &cobra.Command{
		Use:    "keeper MACHINE",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(_ *cobra.Command, args []string) error { return a.keep(args[0], adopt) },
	}
	cmd.Flags().BoolVar(&adopt, adoptFlag, false, "take over a machine whose keeper died")
	return cmd
}

const adoptFlag = "adopt"

// keep holds a machine to its end: from its start, or from where another keeper
// left it.
func (a *app) keep(name string, adopt bool) error {
	m, err := a.dirs.Machine(name)
	if err != nil {
		return err
	}
	lock, err := state.Inherited(keeperLockFD, m.KeeperLock())
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	listener, err := inheritedListener()
	if err != nil {
		return err
	}
	var spec machineSpec
	if err := m.ReadConfig(&spec); err != nil {
		return err
	}
	if err := m.WritePID(); err != nil {
		return err
	}
	log, closeLog, err := a.trace(m.Name, spec.Debug)
	if err != nil {
		return err
	}
	defer closeLog()

	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	h := &held{machine: m, keeper: lock, log: log}
	h.hold(ctx, a.dirs)
	defer h.release()
	k := keeper.New(keeper.Config{
		Away: command.Away,
		Boot: func(ctx context.Context, progress func(wire.Notice)) (sandbox.Machine, wire.Peer, error) {
			b := &boot{dirs: a.dirs, machine: m, spec: &spec, progress: progress, log: log}
			if adopt {
				return b.adopt(ctx)
			}
			return b.run(ctx)
		},
		HostKey: spec.keeperKey(), Adopt: adopt, Adopted: m.Adopted, Stay: spec.Stay,
		Logs: h.logs.Dir, LogOptions: sessionlog.Options{RecordInput: spec.RecordInput},
		Lost: func() bool { return !h.ending() }, Reachable: h.reachable, Moved: h.moved, Cleanup: h.remove,
		Log: log,
	})
	return k.Serve(ctx, listener)
}

// held is what a keeper holds on the host's disk.
type held struct {
	machine state.Machine
	keeper  *os.File // the lock
	logs    state.Logs
	runtime *os.File
	moved   <-chan struct{}
	unwatch func()
	log     *slog.Logger
}

// hold takes what there is beside the keeper's lock. A machine does without what
// cannot be had.
func (h *held) hold(ctx context.Context, dirs state.Dirs) {
	var errLogs, errHold, errWatch error
	h.logs, errLogs = h.machine.HoldLogs(ctx)
	h.runtime, errHold = h.machine.HoldRuntime()
	h.moved, h.unwatch, errWatch = h.machine.WatchFolder()
	for _, err := range []error{errLogs, errHold, errWatch, dirs.PruneLogs(ctx)} {
		if err != nil {
			h.log.Error("hold the machine's folders", "error", err)
		}
	}
}

func (h *held) release() {
	if h.unwatch != nil {
		h.unwatch()
	}
	_ = h.runtime.Close() // of a nil file: an error
	h.logs.Close()
}

// reachable reports whether the machine is found where it is looked for.
func (h *held) reachable() bool { return h.machine.HeldBy(h.keeper) }

// ending reports whether somebody ends the machine.
func (h *held) ending() bool { return h.reachable() && h.machine.Ending() }

// remove removes what a machine that is gone has left. One that could not be
// taken over lives, and is for the next command to find.
func (h *held) remove() error {
	ctx, m := context.Background(), h.machine
	if !h.reachable() { // what is there is another machine's
		return h.logs.Leave(ctx)
	}
	if alive, err := state.Held(m.Lock()); err != nil || alive {
		return errors.Join(err, fmt.Errorf("machine %s lives and does not answer: end it with 'snug rm %s'", m.Name, m.Name))
	}
	return errors.Join(h.logs.Leave(ctx), m.Remove(ctx, h.keeper))
}

// inheritedListener takes over the socket.
func inheritedListener() (net.Listener, error) {
	socket := os.NewFile(keeperListenerFD, "socket")
	if socket == nil {
		return nil, errors.New("this command is snug's own: it is started by 'snug run'")
	}
	defer func() { _ = socket.Close() }()
	listener, err := net.FileListener(socket)
	if err != nil {
		return nil, fmt.Errorf("take over the keeper's socket: %w", err)
	}
	return listener, nil
}

// trace returns where a developer's words go: to a file if asked for.
func (a *app) trace(name string, on bool) (log *slog.Logger, closeLog func(), err error) {
	if !on {
		return slog.New(slog.DiscardHandler), func() {}, nil
	}
	f, err := a.dirs.OpenTrace(name)
	if err != nil {
		return nil, nil, err
	}
	handler := slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug})
	return slog.New(handler), func() { _ = f.Close() }, nil
}

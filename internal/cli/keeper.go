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
	if !adopt { // what is left there is another machine's that had the name
		if err := m.RemoveSessionLogs(); err != nil {
			return err
		}
	}
	logs := m.SessionLogs()
	if err := m.MakeSessionLogs(); err != nil {
		log.Error("no session logs", "error", err)
		logs = ""
	}
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
		Logs: logs, LogOptions: sessionlog.Options{RecordInput: spec.RecordInput},
		Cleanup: func() error { return remove(m) },
		Log:     log,
	})
	return k.Serve(ctx, listener)
}

// remove removes what a machine that is gone has left. One that could not be
// taken over lives, and is for the next command to find.
func remove(m state.Machine) error {
	if alive, err := state.Held(m.Lock()); err != nil || alive {
		return errors.Join(err, fmt.Errorf("machine %s lives and does not answer: end it with 'snug rm %s'", m.Name, m.Name))
	}
	return errors.Join(m.RemoveSessionLogs(), m.Remove(context.Background()))
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

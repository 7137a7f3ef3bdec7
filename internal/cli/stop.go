package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

func (a *app) stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stop MACHINE...",
		Short: "End machines and all their sessions",
		Long: `Stop ends machines with all their sessions, and returns when nothing is left of
them. A guest has 5 seconds to write its files back.`,
		Example:           "  snug stop web-1",
		Args:              cobra.MinimumNArgs(1),
		RunE:              func(_ *cobra.Command, args []string) error { return a.each(args, a.stop) },
		ValidArgsFunction: a.completeMachine,
	}
}

func (a *app) rmCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rm MACHINE[/SESSION]...",
		Short: "Remove machines whatever state they are in, or sessions that have ended",
		Long: `Rm removes machines with all their sessions: like 'snug stop', and with force
where that does not help. With a session, it drops what is kept of one that ended
while nobody looked.

Of a machine that a reboot or a crash has ended, rm removes the logs. MACHINE~TIME,
as 'snug log' lists it, tells several of one name apart.`,
		Example: `  snug rm dev
  snug rm dev/2
  snug rm dev~20260102T030405Z`,
		Args:              cobra.MinimumNArgs(1),
		RunE:              func(_ *cobra.Command, args []string) error { return a.each(args, a.rm) },
		ValidArgsFunction: a.completeRemovable,
	}
}

// each does something to all that is named, whatever comes of the others.
func (a *app) each(names []string, do func(context.Context, string) error) error {
	ctx := context.Background()
	a.reap(ctx)
	var all error
	for _, name := range names {
		all = errors.Join(all, do(ctx, name))
	}
	return all
}

// stop asks a machine's keeper to end it, and waits until it is gone.
func (a *app) stop(ctx context.Context, name string) error {
	m, err := a.living(ctx, name)
	if err != nil {
		return err
	}
	return a.end(ctx, m)
}

// end is stop.
func (a *app) end(ctx context.Context, m state.Machine) error {
	ctx, cancel := context.WithTimeout(ctx, 2*endingPatience)
	defer cancel()
	defer a.waiting("waiting for the end of " + m.Name)()
	if err := m.SetEnding(); errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else has ended it
	} else if err != nil {
		return fmt.Errorf("end machine %s: %w", m.Name, err)
	}
	pid, err := m.ReadPID()
	if err != nil {
		return fmt.Errorf("machine %s has no keeper yet: try again: %w", m.Name, err)
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("end the keeper of %s: %w", m.Name, err)
	}
	if err := state.Await(ctx, m.KeeperLock()); err != nil {
		return fmt.Errorf("machine %s does not end: %w: 'snug rm %s' ends it with force", m.Name, err, m.Name)
	}
	return nil
}

// rm removes a machine, an ended session of one, or the logs of one that is lost.
func (a *app) rm(ctx context.Context, arg string) error {
	if strings.Contains(arg, "/") {
		return a.rmSession(ctx, arg)
	}
	m, err := a.living(ctx, arg)
	if err != nil || m.Name != arg {
		if found, errLost := a.rmLost(ctx, arg); found {
			return errLost
		}
	}
	if err != nil {
		return err
	}
	if a.end(ctx, m) == nil {
		if life, err := m.Life(ctx); life == state.Dead {
			return err
		}
	}
	return a.force(ctx, m)
}

func (a *app) rmSession(ctx context.Context, arg string) error {
	c, err := a.find(ctx, arg)
	if err != nil {
		return err
	}
	if !c.session.Ended {
		return fmt.Errorf("%s still runs: end it with 'snug kill %[1]s' first", sessionName(c.machine, c.session))
	}
	return a.consult(ctx, c.machine, c.spec, func(conn ssh.Conn) error {
		return wire.Command(conn, wire.RequestForget, wire.Control{Session: c.session.Number})
	})
}

// force ends a machine whose keeper does not: the keeper first, and as often as
// a viewer starts another one.
func (a *app) force(ctx context.Context, m state.Machine) error {
	for deadline := time.Now().Add(endingPatience); ; {
		if pid, err := m.ReadPID(); err == nil {
			if kept, _ := state.Held(m.KeeperLock()); kept { // else the number may be another process's
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		lock, err := m.Adopt(ctx)
		if err == nil {
			defer func() { _ = lock.Close() }()
			return a.endOrphan(ctx, m, lock)
		}
		if life, _ := m.Life(ctx); life == state.Dead {
			return m.RemoveDead(ctx)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("machine %s cannot be removed: %w", m.Name, err)
		}
		time.Sleep(20 * time.Millisecond) // a death is no event for a process that is not the parent
	}
}

// living returns the machine of that name, or else the one whose name begins so;
// it must run.
func (a *app) living(ctx context.Context, name string) (state.Machine, error) {
	machines, err := a.dirs.Machines(ctx)
	if err != nil {
		return state.Machine{}, err
	}
	all := make([]holding, 0, len(machines))
	for _, m := range machines {
		all = append(all, holding{machine: m})
	}
	found, err := called(all, name)
	if err != nil || name == "" {
		return state.Machine{}, cmp.Or(a.orLost(err), emptyName(name))
	}
	return found[0].machine, nil
}

func emptyName(name string) error {
	if name == "" {
		return errors.New("a machine has a name: 'snug ls' lists those that run")
	}
	return nil
}

// completeMachine completes the name of a machine that runs.
func (a *app) completeMachine(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
	dirs, err := state.Locate(os.Getenv)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	machines, _ := dirs.Machines(context.Background())
	for _, m := range machines {
		names = append(names, m.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/terminal"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
)

func (a *app) attachCommand() *cobra.Command {
	o := newViewOptions()
	var join wire.Join
	cmd := &cobra.Command{
		Use:   "attach [flags] [MACHINE[/SESSION]]",
		Short: "Come back to a session on a terminal, or look at it beside others",
		Long: `Attach shows a session's screen as it is now, in this terminal's size, and goes
on with it. MACHINE may be the beginning of a name. Without it, attach takes the
only session on a terminal, or the one that was last used in this folder.

Any number can look at a session. It has the size of the terminal in which
somebody typed last. A session that has ended shows its last screen and its exit
status, and is gone then.`,
		Example: `  snug attach
  snug attach web-1
  snug attach web-1/2 --read-only
  snug attach docker:web --steal`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.complete(cmd, &o); err != nil {
				return err
			}
			return a.attach(o, join, strings.Join(args, ""))
		},
		ValidArgsFunction: a.completeSession,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&join.ReadOnly, "read-only", false, "only look: what is typed here, and this terminal's size, do not count")
	f.BoolVar(&join.Steal, "steal", false, "detach all others that look at the session")
	f.Uint32Var(&join.Scrollback, "scrollback", 0, "show so many `lines` from above the screen first")
	o.lookFlags(cmd)
	return cmd
}

// attach joins the session that arg means.
func (a *app) attach(o viewOptions, join wire.Join, arg string) error {
	if !terminal.IsTerminal(a.in) || !terminal.IsTerminal(a.out) {
		return errors.New("attach needs a terminal: 'snug screen' prints the screen, 'snug log -f' what happens")
	}
	return a.show(o, wire.Start{Join: &join}, func(ctx context.Context, start *wire.Start) (*kept, error) {
		c, err := a.find(ctx, arg)
		if err != nil {
			return nil, err
		}
		start.Join.Number = c.session.Number
		a.use(sessionName(c.machine, c.session))
		return a.reach(ctx, c.machine, endingPatience)
	})
}

func (a *app) detachCommand() *cobra.Command {
	return a.sessionCommand(&cobra.Command{
		Use:   "detach [MACHINE[/SESSION]]",
		Short: "Send away all that look at a session, which goes on",
		Example: `  snug detach
  snug detach web-1/2`,
	}, func(conn ssh.Conn, c chosen) error {
		return wire.Command(conn, wire.RequestDetach, wire.Control{Session: c.session.Number})
	})
}

func (a *app) killCommand() *cobra.Command {
	name := "TERM"
	cmd := a.sessionCommand(&cobra.Command{
		Use:   "kill [-s SIGNAL] [MACHINE[/SESSION]]",
		Short: "Send a signal to the program of a session",
		Long: `Kill sends a signal to the process group of a session's program: TERM, unless -s
names another one, such as INT, HUP, KILL, USR1, WINCH.`,
		Example: `  snug kill web-1
  snug kill -s INT web-1/2`,
	}, func(conn ssh.Conn, c chosen) error {
		if c.session.Ended {
			return fmt.Errorf("the program of %s has ended", sessionName(c.machine, c.session))
		}
		return wire.Command(conn, wire.RequestKill, wire.Control{Session: c.session.Number, Signal: name})
	})
	cmd.Flags().VarP((*signalName)(&name), "signal", "s", "the `signal`")
	_ = cmd.RegisterFlagCompletionFunc("signal", cobra.FixedCompletions([]string{"TERM", "INT", "HUP", "QUIT", "KILL", "USR1", "USR2", "WINCH", "STOP", "CONT"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// sessionCommand is a command that asks the keeper of one session for something.
func (a *app) sessionCommand(cmd *cobra.Command, ask func(ssh.Conn, chosen) error) *cobra.Command {
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.ValidArgsFunction = a.completeSession
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		ctx := context.Background()
		a.reap(ctx)
		defer a.waiting(forKeeper)()
		c, err := a.find(ctx, strings.Join(args, ""))
		if err != nil {
			return err
		}
		return a.consult(ctx, c.machine, c.spec, func(conn ssh.Conn) error { return ask(conn, c) })
	}
	return cmd
}

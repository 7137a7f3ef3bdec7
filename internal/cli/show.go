package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/snugvm/snug/bridge"
	"github.com/snugvm/snug/internal/config"
	"github.com/snugvm/snug/internal/firewall"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/terminal"
	"github.com/spf13/cobra"
)

// viewOptions are what every command has that shows a session.
type viewOptions struct {
	tty     bool
	noTTY   bool
	escape  bridge.EscapeChar
	policy  firewall.Policy
	debug   bool
	record  bool          // what is typed goes to the session's log
	noInput bool          // the program's input is at its end
	timeout time.Duration // after which the program is killed; 0 for never
}

func newViewOptions() viewOptions { return viewOptions{escape: bridge.DefaultEscape} }

// policyFlag is the flag that goes before the key of the same name in the
// configuration.
const policyFlag = "terminal-policy"

// flags adds the flags of a command that starts a program.
func (o *viewOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&o.tty, "tty", "t", false, "run on a PTY even without a terminal")
	f.BoolVarP(&o.noTTY, "no-tty", "T", false, "run on pipes even with a terminal")
	o.lookFlags(cmd)
}

// recordFlag adds --record-input, to a command that can begin to keep a machine.
func (o *viewOptions) recordFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.record, "record-input", false, "keep what is typed in the sessions' logs, passwords too, not only how much")
}

// lookFlags adds the flags of a command that shows a session.
func (o *viewOptions) lookFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Var(&o.escape, "escape", "the `character` that begins ~. ~d ~? at the start of a line, or none")
	f.Var(&o.policy, policyFlag, "what the program may do to the terminal: draw, also picture and copy, or everything")
	f.BoolVar(&o.debug, "debug", false, "write a trace to a file in the state folder")
	_ = cmd.RegisterFlagCompletionFunc(policyFlag, cobra.FixedCompletions(firewall.PolicyNames(), cobra.ShellCompDirectiveNoFileComp))
}

// complete checks the flags, and takes from the configuration what they leave
// open. A configuration that is wrong is an error in any case: whoever wrote it
// relies on it.
func (a *app) complete(cmd *cobra.Command, o *viewOptions) error {
	if o.tty && o.noTTY {
		return errors.New("-t and -T contradict each other: use one of them, or none")
	}
	c, err := config.Load(a.dirs.ConfigFile())
	if err != nil {
		return err
	}
	if flag := cmd.Flags().Lookup(policyFlag); flag == nil || !flag.Changed {
		o.policy = c.TerminalPolicy
	}
	return nil
}

// finder finds the machine for a program, or begins to keep it. It completes
// what is still open about the program.
type finder func(ctx context.Context, start *wire.Start) (*kept, error)

// show runs a program in the machine that find returns. On a terminal it is two
// processes: this one guards the terminal, and the other, which takes the same
// path again, is the viewer.
func (a *app) show(o viewOptions, start wire.Start, find finder) error {
	onTerminal := terminal.IsTerminal(a.in) && terminal.IsTerminal(a.out)
	pty := o.tty || onTerminal && !o.noTTY
	if pty && onTerminal && !terminal.Guarded() {
		return a.guard()
	}
	start.Env = append(environment(pty), start.Env...)
	start.Unseen = pty && !onTerminal
	v, err := a.newViewer(pty, onTerminal, o)
	if err != nil {
		return err
	}
	if pty {
		if start.Pty, err = a.pty(v.sizes); err != nil {
			return err
		}
	}
	a.reap(v.ctx)
	done := waiting(a.err, v.errOnTerminal(), forKeeper)
	k, err := find(v.ctx, &start)
	done()
	if err != nil {
		return v.finish(signalStatus(err, statusFailed), err)
	}
	if start.Join == nil && pty {
		a.use(k.machine.Name)
	}
	status, err := a.view(v, k, start)
	a.sayRefused(v)
	return v.finish(status, err)
}

// use remembers what was used in this folder.
func (a *app) use(what string) { a.dirs.NoteUsed(folder(), what) }

// folder is the current folder, as people name it.
func folder() string {
	dir, _ := os.Getwd() // without one, nothing is remembered of it
	return dir
}

// guard runs this command line again as the viewer, and restores the terminal
// after whatever end that has.
func (a *app) guard() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find snug itself: %w", err)
	}
	a.status, err = terminal.Guard(a.in, a.out, exec.Command(self, os.Args[1:]...))
	return err
}

// pty describes the terminal that the program is to have: this one.
func (a *app) pty(sizes *terminal.Watcher) (*wire.Pty, error) {
	p := &wire.Pty{Term: os.Getenv("TERM"), Size: wire.Size{Rows: 24, Cols: 80}}
	if sizes != nil {
		size, err := sizes.Size()
		if err != nil {
			return nil, fmt.Errorf("terminal: %w", err)
		}
		if !size.IsZero() {
			p.Size = wire.Size(size)
		}
	}
	if before, err := terminal.GetState(a.in); err == nil {
		termios := before.Termios()
		p.Modes = wire.EncodeModes(&termios)
	}
	p.Terminfo = terminfo(p.Term)
	return p, nil
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/transfer"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/terminal"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func (a *app) cpCommand() *cobra.Command {
	var o transfer.Options
	cmd := &cobra.Command{
		Use:   "cp [-r] [-p] SOURCE... DESTINATION",
		Short: "Copy files to a machine, or from one",
		Long: `Cp copies files between the host and a machine, of which one side is named as
MACHINE:PATH. In the machine files are read and written as its user would; a path
that is not absolute begins where its programs begin. A file of the host's with a
colon in its name is named as ./NAME, and - is standard input or output.

As with cp, what goes to a folder goes into it. A file appears under its name
when it is whole, so that nothing half-copied is ever seen. Links are followed,
but within a folder only to what is in it, on the host's side; special files are
passed over.`,
		Example: `  snug cp web-1:/var/log/app.log .
  snug cp -r src docker:web:/srv/
  snug cp -rp web-1:results/. results
  tar c . | snug cp - web-1:/tmp/all.tar`,
		Args:              cobra.MinimumNArgs(2),
		RunE:              func(_ *cobra.Command, args []string) error { return a.copyFiles(args, o) },
		ValidArgsFunction: a.completePlace,
	}
	f := cmd.Flags()
	f.BoolVarP(&o.Recursive, "recursive", "r", false, "copy folders with what is in them")
	f.BoolVarP(&o.Preserve, "preserve", "p", false, "keep modes and times; else modes are cut by the umask")
	return cmd
}

// completePlace completes machines' names, and leaves files to the shell.
func (a *app) completePlace(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, _ := a.completeMachine(cmd, args, typed)
	for i := range names {
		names[i] += ":"
	}
	return names, cobra.ShellCompDirectiveNoSpace
}

// side is a file as it was named: on a machine, or on the host.
type side struct {
	machine *state.Machine // nil: the host
	path    string
}

// sideOf reads what was typed. A machine's name may hold colons itself, so the
// longest one that fits is meant.
func sideOf(arg string, machines []state.Machine) (side, error) {
	name, _, colon := strings.Cut(arg, ":")
	if !colon || strings.Contains(name, "/") || strings.HasPrefix(arg, ".") {
		return side{path: arg}, nil
	}
	var found side
	for i, m := range machines {
		if path, ok := strings.CutPrefix(arg, m.Name+":"); ok && (found.machine == nil || len(m.Name) > len(found.machine.Name)) {
			found = side{&machines[i], path}
		}
	}
	switch {
	case found.machine == nil:
		return side{}, fmt.Errorf("%s: no such machine runs: 'snug ls' lists those that do; a file of this name is ./%s", arg, arg)
	case found.path == "~" || strings.HasPrefix(found.path, "~/"):
		return side{}, fmt.Errorf("%s: name the machine's folder by an absolute path: ~ means nothing here", arg)
	}
	return found, nil
}

// copyFiles is the command.
func (a *app) copyFiles(args []string, o transfer.Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends this process at once
	machines, err := a.dirs.Machines(ctx)
	if err != nil {
		return err
	}
	var sides []side
	var machine *state.Machine
	for _, arg := range args {
		s, err := sideOf(arg, machines)
		if err != nil {
			return err
		}
		sides = append(sides, s)
		if s.machine != nil {
			machine = s.machine
		}
	}
	sources, to := sides[:len(sides)-1], sides[len(sides)-1]
	if err := checkSides(sources, to); err != nil {
		return err
	}
	remote, hangUp, err := a.sftp(ctx, *machine)
	if err != nil {
		return err
	}
	defer hangUp()
	line := &progressLine{out: a.err, begun: time.Now()}
	if terminal.IsTerminal(a.err) {
		o.Progress = line.show
	}
	o.Umask = umask()
	err = a.copyBetween(ctx, remote, sources, to, o)
	line.clear()
	if err != nil && ctx.Err() != nil {
		return &statusError{128 + int(unix.SIGINT), errors.New("interrupted: nothing half-copied is left")}
	}
	return err
}

// checkSides sees that something is copied between the host and one machine.
func checkSides(sources []side, to side) error {
	for _, s := range sources {
		switch {
		case s.machine == nil && to.machine == nil:
			return errors.New("name one side as MACHINE:PATH: 'snug ls' lists the machines that run")
		case s.machine != nil && to.machine != nil:
			return errors.New("both sides are machines: copy by way of the host, in two commands")
		case s.machine != nil && s.machine.Name != sources[0].name():
			return errors.New("the sources are of several machines: copy from one at a time")
		case (s.machine == nil) != (sources[0].machine == nil):
			return errors.New("the sources are of the host and of a machine: copy from one at a time")
		case len(sources) > 1 && (s.path == "-" && s.machine == nil):
			return errors.New("standard input is one file: copy it by itself")
		case len(sources) > 1 && to.path == "-" && to.machine == nil:
			return errors.New("standard output takes one file at a time")
		}
	}
	return nil
}

func (s side) name() string {
	if s.machine == nil {
		return ""
	}
	return s.machine.Name
}

// sftp opens a machine's file system.
func (a *app) sftp(ctx context.Context, m state.Machine) (r transfer.Remote, hangUp func(), err error) {
	k, err := a.join(ctx, m)
	if err != nil {
		return r, nil, err
	}
	s, err := wire.OpenSubsystem(k.conn, wire.SubsystemSFTP)
	if err != nil {
		_ = k.conn.Close()
		return r, nil, err
	}
	r.Client, err = sftp.NewClientPipe(s, s)
	if err != nil {
		_ = s.Close()
		_ = k.conn.Close()
		if why := s.Why(); why != nil {
			err = why
		}
		return r, nil, fmt.Errorf("copy by %s: %w", m.Name, err)
	}
	return r, func() {
		_ = r.Close()
		_ = s.Close()
		_ = k.conn.Close()
	}, nil
}

func (a *app) copyBetween(ctx context.Context, remote transfer.Remote, sources []side, to side, o transfer.Options) error {
	if to.machine == nil && to.path == "-" {
		return transfer.Get(ctx, transfer.On(remote, sources[0].name(), sources[0].path), a.out, o)
	}
	target := transfer.On(remote, to.name(), to.path)
	if to.machine == nil {
		place, closer, err := transfer.Destination(to.path)
		if err != nil {
			return err
		}
		defer func() { _ = closer.Close() }()
		target = place
	}
	if sources[0].machine == nil && sources[0].path == "-" {
		return transfer.Put(ctx, a.in, target, o)
	}
	var all []transfer.Place
	for _, s := range sources {
		place := transfer.On(remote, s.name(), s.path)
		if s.machine == nil {
			var closer io.Closer
			var err error
			if place, closer, err = transfer.Source(s.path); err != nil {
				return err
			}
			defer func() { _ = closer.Close() }()
		}
		all = append(all, place)
	}
	return transfer.Copy(ctx, all, target, o)
}

// umask is this process's.
func umask() fs.FileMode {
	mask := unix.Umask(0o077) // which can only be asked for by setting it
	unix.Umask(mask)
	return fs.FileMode(mask)
}

// progressLine is a line at the terminal that tells how far a copy is, once it
// has taken a second.
type progressLine struct {
	out         *os.File
	begun, last time.Time
	shown       bool
}

func (p *progressLine) show(name string, done, size int64) {
	now := time.Now()
	if now.Sub(p.begun) < time.Second || now.Sub(p.last) < 200*time.Millisecond {
		return
	}
	p.last, p.shown = now, true
	words := sizeOf(done)
	if size > 0 {
		words = fmt.Sprintf("%s of %s, %d%%", words, sizeOf(size), min(done, size)*100/size)
	}
	_, _ = fmt.Fprintf(p.out, "\r\x1b[K%.50s   %s", oneLine(name), words)
}

func (p *progressLine) clear() {
	if p.shown {
		_, _ = io.WriteString(p.out, "\r\x1b[K")
	}
}

func sizeOf(n int64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

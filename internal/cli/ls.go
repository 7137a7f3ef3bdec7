package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/snugvm/snug/internal/state"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// listed is one machine as snug ls --json shows it.
type listed struct {
	Name    string    `json:"name"`
	Sandbox string    `json:"sandbox"` // "qemu", or the tool
	Folder  string    `json:"folder"`  // where its programs start
	Started time.Time `json:"started"` // RFC 3339
	Command []string  `json:"command"` // snug's own words
}

func (a *app) lsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "List the machines that run",
		Example: "  snug ls\n  snug ls --json | jq -r '.[].name'",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.list(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array with name, sandbox, folder, started, command")
	return cmd
}

func (a *app) list(asJSON bool) error {
	ctx := context.Background()
	a.reap(ctx)
	machines, err := a.dirs.Machines(ctx)
	if err != nil {
		return err
	}
	rows := []listed{}
	for _, m := range machines {
		var spec machineSpec
		if err := m.ReadConfig(&spec); err != nil {
			continue // it is just being claimed, or just gone
		}
		rows = append(rows, listed{m.Name, spec.sandbox(), spec.Dir, spec.Started, spec.Command})
	}
	if asJSON {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		return e.Encode(rows)
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(a.err, "no machine runs")
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tSANDBOX\tSTARTED\tFOLDER\tCOMMAND")
	for _, r := range rows {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Name, r.Sandbox, r.Started.Format(time.DateTime), r.Folder, strings.Join(r.Command, " "))
	}
	return w.Flush()
}

func (a *app) stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "stop MACHINE...",
		Short:   "End machines and all their sessions",
		Example: "  snug stop web-1",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			ctx := context.Background()
			a.reap(ctx)
			var all error
			for _, name := range args {
				all = errors.Join(all, a.stop(ctx, name))
			}
			return all
		},
		ValidArgsFunction: a.completeMachine,
	}
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

// stop asks a machine's keeper to end it, and waits until it is gone.
func (a *app) stop(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*endingPatience)
	defer cancel()
	m, err := a.living(ctx, name)
	if err != nil {
		return err
	}
	pid, err := m.ReadPID()
	if err != nil {
		return fmt.Errorf("machine %s has no keeper yet: try again: %w", name, err)
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("end the keeper of %s: %w", name, err)
	}
	if err := state.Await(ctx, m.KeeperLock()); err != nil {
		return fmt.Errorf("machine %s does not end: %w", name, err)
	}
	return nil
}

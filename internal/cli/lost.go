package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/snugvm/snug/internal/state"
	"github.com/spf13/cobra"
)

// notRunningError says that no machine of a name runs.
type notRunningError struct{ name string }

func (e *notRunningError) Error() string {
	return fmt.Sprintf("no machine %s runs: 'snug ls' lists those that do", e.name)
}

// orLost has an error that no machine of a name runs tell that there was one, which
// nobody has ended.
func (a *app) orLost(err error) error {
	missing, ok := errors.AsType[*notRunningError](err)
	if !ok {
		return err
	}
	if lost, _ := a.lost(missing.name); len(lost) > 0 {
		return fmt.Errorf("machine %s is gone, as after a crash or a reboot: 'snug log %[1]s' tells what happened in it", missing.name)
	}
	return err
}

// lost returns the lost machines that had a name, or whose log has it.
func (a *app) lost(name string) ([]state.LostMachine, error) {
	all, err := a.dirs.LostMachines()
	return slices.DeleteFunc(all, func(l state.LostMachine) bool { return l.Name != name && l.Log != name }), err
}

// rmLost removes what is kept of the lost machine of a name. It reports whether
// there is one.
func (a *app) rmLost(ctx context.Context, name string) (found bool, err error) {
	lost, err := a.lost(name)
	switch {
	case len(lost) == 0:
		return false, err
	case len(lost) > 1:
		names := make([]string, 0, len(lost))
		for _, l := range lost {
			names = append(names, "\n  "+l.Log)
		}
		return true, fmt.Errorf("there are logs of %d machines %s that are gone: name one of%s", len(lost), name, strings.Join(names, ""))
	}
	return true, a.dirs.DropLost(ctx, lost[0])
}

// completeRemovable completes the name of what snug rm can remove.
func (a *app) completeRemovable(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, directive := a.completeMachine(cmd, args, typed)
	if dirs, err := state.Locate(os.Getenv); err == nil {
		lost, _ := dirs.LostMachines()
		for _, l := range lost {
			names = append(names, l.Log+"\tits logs: it is gone")
		}
	}
	return names, directive
}

// Package cli is snug's command line: one file for each command. It is the
// only place that knows concrete sandboxes by name.
package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/sandbox/command"
	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "devel"

// Exit statuses of snug's own; every other one is the program's.
const (
	statusFailed = 125 // snug failed before the program started
	statusLost   = 255 // the machine or the link was lost
)

// app is what the commands share.
type app struct {
	in       *os.File
	out, err *os.File
	dirs     state.Dirs
	status   int // what the process exits with if no command fails
}

// statusError ends snug with a status; err, which may be nil, is what to say.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return fmt.Sprintf("exit status %d: %v", e.status, e.err) }
func (e *statusError) Unwrap() error { return e.err }

// Run runs one command line, without the program's name, and returns the exit
// status.
func Run(args []string) int {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	root := a.root()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return a.status
	}
	status := statusFailed
	if own, ok := errors.AsType[*statusError](err); ok {
		status, err = own.status, own.err
	}
	if err != nil {
		_, _ = fmt.Fprintln(a.err, "snug:", printable(err.Error()))
	}
	return status
}

// printable makes a message harmless to a terminal: its words may come from a
// guest.
func printable(message string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' {
			return r
		}
		return ' '
	}, message)
}

func (a *app) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snug",
		Short: "Run a program in a sandbox, with a terminal that fits exactly",
		Long: `Snug runs an interactive program (a shell, an editor, a coding agent) in a
sandbox and makes the terminal fit it exactly: in a microVM of its own, around
the current folder (snug run), or behind the command line that you type today,
with snug in front of it:

  ` + wrapped(command.Tools()),
		Example: `  snug smolvm machine exec -it --name dev -- claude
  snug docker exec -it web bash
  snug run                     a login shell in a fresh microVM
  snug run -- claude           a program in one
  printf x | snug run -- cat   without a terminal: pipes, byte for byte
  snug doctor                  what is missing, and what to do`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) (err error) {
			a.dirs, err = state.Locate(os.Getenv)
			return err
		},
	}
	cmd.SetOut(a.out)
	cmd.SetErr(a.err)
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: see '%s --help'", err, cmd.CommandPath())
	})
	cmd.AddCommand(a.toolCommands()...)
	cmd.AddCommand(a.runCommand(), a.wrapCommand(), a.execCommand(), a.attachCommand(), a.detachCommand(), a.lsCommand(), a.killCommand(), a.screenCommand(), a.logCommand(), a.recordCommand(), a.playCommand(), a.stopCommand(), a.rmCommand(), a.cpCommand(), a.forwardCommand(), a.proxyCommand(), a.sshConfigCommand(), a.doctorCommand(), a.versionCommand())
	cmd.AddCommand(a.keeperCommand(), probeCommand())
	return cmd
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown command %q: see 'snug --help'; to run a program in a microVM: snug run -- %s", args[0], args[0])
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print snug's version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.out, "snug", version)
			return err
		},
	}
}

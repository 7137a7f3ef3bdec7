package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/command"
	"github.com/spf13/cobra"
)

// toolCommands are the tools that snug goes in front of, each a command that
// takes the tool's own words.
func (a *app) toolCommands() (all []*cobra.Command) {
	for _, tool := range command.Tools() {
		all = append(all, &cobra.Command{
			Use:                tool + " COMMAND LINE...",
			Short:              "Go in front of a command line of " + tool,
			Hidden:             true,
			DisableFlagParsing: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				o := newViewOptions()
				if err := a.complete(cmd, &o); err != nil {
					return err
				}
				return a.tool(toolSpec{Argv: append([]string{tool}, args...), Bridge: command.BridgeAuto}, nil, o)
			},
		})
	}
	return all
}

// wrapped lists words in lines that fit a terminal.
func wrapped(words []string) string {
	var b strings.Builder
	column := 0
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
			if column += len(w) + 2; column > 70 {
				b.WriteString("\n  ")
				column = 0
			}
		}
		b.WriteString(w)
	}
	return b.String()
}

func (a *app) wrapCommand() *cobra.Command {
	o, exec, bridge := newViewOptions(), "", command.BridgeAuto
	cmd := &cobra.Command{
		Use:   "wrap [flags] -- COMMAND LINE...",
		Short: "Go in front of another tool's command line, with flags of snug's own",
		Long: `Wrap is what snug does in front of the tools that it knows, with flags. For a
tool that it does not know, --exec names the command line that runs a program in
the sandbox with its input connected and without a terminal, up to where the
program would follow.

A small agent in the machine joins the program and the terminal. Where nothing
can be put there, the tool's own terminal does: sized by stty if the machine has
a shell, else with what the tool makes of sizes. Snug says so, and snug ls has it
in its column BRIDGE; --bridge asks for one of them.`,
		Example: `  snug wrap --escape none -- docker exec -it web vim
  snug wrap --exec 'mytool exec -i box' -- bash -l`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.complete(cmd, &o); err != nil {
				return err
			}
			if exec == "" {
				return a.tool(toolSpec{Argv: args, Bridge: bridge}, nil, o)
			}
			words, err := command.Split(exec)
			if err != nil {
				return fmt.Errorf("--exec: %w", err)
			}
			return a.tool(toolSpec{Exec: words, Bridge: bridge}, args, o)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.SortFlags = false
	f.StringVar(&exec, "exec", "", "the `command line` of an unknown tool, in front of a program")
	bridgeFlag(cmd, &bridge)
	o.recordFlag(cmd)
	o.flags(cmd)
	return cmd
}

// tool runs what the command line of a tool says, or with --exec the program
// that is named apart.
func (a *app) tool(t toolSpec, program []string, o viewOptions) error {
	plan, err := t.plan()
	if err != nil {
		return err
	}
	if program != nil {
		plan.Program = program
	}
	switch plan.TTY {
	case command.Yes:
		o.tty = !o.noTTY
	case command.No:
		o.noTTY = !o.tty
	case command.Auto:
	}
	o.noInput, o.timeout = !plan.Stdin, plan.Timeout
	start := wire.Start{Dir: plan.Dir, Env: planEnv(plan)}
	return a.show(o, start, func(ctx context.Context, start *wire.Start) (*kept, error) {
		if err := plan.Resolve(ctx); err != nil {
			return nil, err
		}
		start.Args, start.Command = plan.Program, plan.Command
		return a.findTool(ctx, t, plan, o)
	})
}

// findTool finds the machine that a plan means, or begins to keep it.
func (a *app) findTool(ctx context.Context, t toolSpec, plan *command.Plan, o viewOptions) (*kept, error) {
	spec := newSpec(o.debug)
	spec.Tool, spec.RecordInput = &t, o.record
	if plan.Fresh {
		return a.startKeeper(ctx, naming{next: state.ToolNames(plan.Name)}, &spec)
	}
	t.Key = command.KeyID(plan.Key(os.Getenv))
	name := state.ToolName(plan.Name, t.Key[:6], plan.Plain(os.Getenv))
	k, err := a.startOrJoin(ctx, name, &spec)
	if err == nil && k.spec.Tool.Key != t.Key {
		_ = k.conn.Close()
		return nil, fmt.Errorf("machine %s is another than %s means now: end it with 'snug stop %s' first", name, plan.Name, name)
	}
	return k, err
}

func planEnv(plan *command.Plan) (env []wire.Env) {
	for _, e := range plan.Env {
		if e.FromHost {
			var ok bool
			if e.Value, ok = os.LookupEnv(e.Name); !ok {
				continue
			}
		}
		env = append(env, wire.Env{Name: e.Name, Value: e.Value})
	}
	return env
}

func (a *app) execCommand() *cobra.Command {
	o := newViewOptions()
	var env []string
	var dir string
	cmd := &cobra.Command{
		Use:   "exec [flags] MACHINE [--] [PROGRAM ARG...]",
		Short: "Run a program, or a login shell, in a machine that runs",
		Long: `Exec begins one more session in a machine that snug holds: one of snug run, or
one behind another tool, whose exec is not run again.`,
		Example: `  snug exec web-1 -- bash
  snug exec docker:web -- top`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(checkEnv(env), a.complete(cmd, &o)); err != nil {
				return err
			}
			if args = args[1:]; len(args) > 0 && args[0] == "--" {
				args = args[1:]
			}
			start := wire.Start{Env: named(env), Dir: dir, Args: args}
			return a.show(o, start, func(ctx context.Context, _ *wire.Start) (*kept, error) {
				m, err := a.living(ctx, cmd.Flags().Arg(0))
				if err != nil {
					return nil, err
				}
				return a.reach(ctx, m, endingPatience)
			})
		},
		ValidArgsFunction: a.completeMachine,
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.SortFlags = false
	f.StringArrayVarP(&env, "env", "e", nil, "set a variable for the program, or pass the host's: `K[=V]`")
	f.StringVarP(&dir, "workdir", "w", "", "the `folder` that the program starts in")
	o.flags(cmd)
	return cmd
}

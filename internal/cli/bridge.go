package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
	"github.com/snugvm/snug/sandbox/command"
	"github.com/spf13/cobra"
)

// toolMachine is a machine behind a tool, whatever the bridge to it.
type toolMachine interface {
	sandbox.Machine
	Target() string
}

// bridgeFlag adds --bridge.
func bridgeFlag(cmd *cobra.Command, bridge *command.Bridge) {
	cmd.Flags().Var(bridge, "bridge", "what joins program and terminal: the best that works, or this one")
	_ = cmd.RegisterFlagCompletionFunc("bridge", cobra.FixedCompletions(command.Bridges(), cobra.ShellCompDirectiveNoFileComp))
}

// bridge is how the machine's programs are reached: as it was asked for, until
// the machine is up.
func (s *machineSpec) bridge() command.Bridge {
	if s.Tool == nil || s.Tool.Bridge == "" {
		return command.BridgeAgent
	}
	return s.Tool.Bridge
}

// reach starts the machine behind a tool by the bridge that was asked for, or by
// the best that is possible, and says where that is a lesser one.
func (b *boot) reach(ctx context.Context, c command.Config) (toolMachine, command.Bridge, error) {
	bridge := b.spec.bridge()
	if bridge == command.BridgeAuto || bridge == command.BridgeAgent {
		m, err := command.Start(ctx, c)
		lesser := command.Lesser(err)
		if err == nil || lesser == "" || bridge == command.BridgeAgent {
			return m, command.BridgeAgent, hint(err, lesser)
		}
		b.log.Info("no agent", "error", err)
		b.progress(wire.Notice{Text: fmt.Sprintf("bridge %s, as no agent can be placed: %v", lesser, reason(err))})
		bridge = lesser
	} else {
		b.progress(wire.Notice{Text: fmt.Sprintf("bridge %s, as asked for: no agent is placed", bridge)})
	}
	m, err := command.StartLocal(ctx, command.LocalConfig{Config: c, Bridge: bridge, NoStty: b.noStty})
	return m, bridge, err
}

// hint names the bridge that would do.
func hint(err error, lesser command.Bridge) error {
	if err == nil || lesser == "" {
		return err
	}
	return fmt.Errorf("%w: --bridge %s, or auto, needs none", err, lesser)
}

// reason is the short one, where the error has one.
func reason(err error) error {
	for _, short := range []error{command.ErrNoShell, command.ErrNoFolder} {
		if errors.Is(err, short) {
			return short
		}
	}
	return err
}

// noStty notes that a machine which was to have its sizes by stty has none.
func (b *boot) noStty() {
	if err := b.settled(command.BridgeNative); err != nil {
		b.log.Error("the machine has no stty", "error", err)
	}
}

// settled makes the bridge known to those who come later.
func (b *boot) settled(bridge command.Bridge) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.spec.Tool.Bridge = bridge
	return b.machine.WriteConfig(b.spec)
}

// lesser reports whether no agent is in the machine.
func (s *machineSpec) lesser() bool {
	bridge := s.bridge()
	return bridge == command.BridgeStty || bridge == command.BridgeNative
}

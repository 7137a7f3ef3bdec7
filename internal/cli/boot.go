package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/guestbin"
	"github.com/snugvm/snug/internal/guestinit"
	"github.com/snugvm/snug/internal/machine"
	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
	"github.com/snugvm/snug/sandbox/command"
	"github.com/snugvm/snug/sandbox/qemu"
	"github.com/spf13/cobra"
)

// trialPatience is how long a guest under an acceleration that was chosen for
// the user may take to its first line; then software emulation takes over.
const trialPatience = 2 * time.Second

// boot brings one machine up.
type boot struct {
	dirs     state.Dirs
	machine  state.Machine
	spec     *machineSpec
	progress func(wire.Notice)
	log      *slog.Logger
	writing  sync.Mutex // held while the machine's description is changed
}

// adopt takes over a machine that another keeper held.
func (b *boot) adopt(ctx context.Context) (sandbox.Machine, wire.Peer, error) {
	peer, err := b.spec.agentConfig().Peer()
	if err != nil {
		return nil, peer, err
	}
	peer.Emulated = b.spec.Emulated
	if b.spec.Tool == nil {
		vm, err := qemu.Adopt(ctx, b.machine.Dir)
		if err != nil {
			return nil, peer, err
		}
		return vm, peer, nil
	}
	c, err := b.toolConfig()
	if err != nil {
		return nil, peer, err
	}
	m, err := command.Adopt(c)
	if err != nil {
		return nil, peer, err
	}
	return m, peer, nil
}

// run starts the machine.
func (b *boot) run(ctx context.Context) (sandbox.Machine, wire.Peer, error) {
	if b.spec.Tool != nil {
		return b.runTool(ctx)
	}
	return b.runQEMU(ctx)
}

// runTool brings the agent up behind the tool.
func (b *boot) runTool(ctx context.Context) (sandbox.Machine, wire.Peer, error) {
	peer, err := b.spec.agentConfig().Peer()
	if err != nil {
		return nil, peer, err
	}
	c, err := b.toolConfig()
	if err != nil {
		return nil, peer, err
	}
	b.waitingFor("reaching " + c.Plan.Name)
	m, bridge, err := b.reach(ctx, c)
	if err != nil {
		return nil, peer, err
	}
	b.spec.Tool.Target = m.Target()
	if err := b.settled(bridge); err != nil {
		return nil, peer, errors.Join(err, m.Kill())
	}
	return m, peer, nil
}

func (b *boot) toolConfig() (command.Config, error) {
	plan, err := b.spec.Tool.plan()
	if err != nil {
		return command.Config{}, err
	}
	return command.Config{
		Plan: plan, Target: b.spec.Tool.Target, Agent: b.spec.agentConfig(), Binary: guestbin.Agent,
		// Not the key: agents of two users are brought up in one machine.
		Lock:     func(ctx context.Context) (func(), error) { return b.dirs.LockTool(ctx, command.KeyID(plan.Name)) },
		Progress: b.waitingFor, Log: b.log,
	}, nil
}

// runQEMU starts a microVM and returns once QEMU runs.
func (b *boot) runQEMU(ctx context.Context) (sandbox.Machine, wire.Peer, error) {
	b.waitingFor("starting a microVM")
	config := b.spec.agentConfig()
	peer, err := config.Peer()
	if err != nil {
		return nil, peer, err
	}
	c, err := b.qemuConfig(ctx, config)
	if err != nil {
		return nil, peer, err
	}
	vm, err := b.start(ctx, c)
	if err != nil {
		return nil, peer, err
	}
	peer.Emulated = vm.Accel() == qemu.TCG
	b.writing.Lock()
	defer b.writing.Unlock()
	b.spec.Emulated = peer.Emulated
	if err := b.machine.WriteConfig(b.spec); err != nil {
		return nil, peer, errors.Join(err, vm.Kill())
	}
	return vm, peer, nil
}

func (b *boot) waitingFor(what string) { b.progress(wire.Notice{Progress: true, Text: what}) }

// qemuConfig finds and makes everything that the machine needs, but for its
// acceleration.
func (b *boot) qemuConfig(ctx context.Context, config agent.Config) (qemu.Config, error) {
	binary, _, err := qemu.FindBinary(ctx)
	if err != nil {
		return qemu.Config{}, err
	}
	kernel, err := machine.FindKernel(b.dirs.Kernels(), "/")
	if err != nil {
		return qemu.Config{}, err
	}
	vmlinux, err := kernel.Vmlinux(b.dirs.Cache)
	if err != nil {
		return qemu.Config{}, err
	}
	userland, links, err := machine.HostShares("/")
	if err != nil {
		return qemu.Config{}, err
	}
	shares := append(userland, b.spec.Shares...)
	initrd := filepath.Join(b.machine.Dir, "initrd")
	err = b.writeInitrd(initrd, kernel, guestinit.Config{
		Hostname: b.machine.Name, Shares: machine.GuestShares(shares), Links: links, Agent: config,
	})
	if err != nil {
		return qemu.Config{}, err
	}
	c := qemu.Config{
		Dir: b.machine.Dir, Binary: binary, Kernel: vmlinux, Initrd: initrd,
		MemoryMiB: b.spec.MemoryMiB, CPUs: b.spec.CPUs, RunAs: b.runAs(),
	}
	for i, s := range shares {
		c.Shares = append(c.Shares, qemu.Share{Tag: machine.Tag(i), Path: s.Host, ReadOnly: s.ReadOnly})
	}
	return c, nil
}

func (b *boot) writeInitrd(name string, kernel machine.Kernel, config guestinit.Config) error {
	program, err := guestbin.Agent(runtime.GOARCH)
	if err != nil {
		return err
	}
	base, err := kernel.Base(b.dirs.Cache, program)
	if err != nil {
		return err
	}
	etc, err := machine.CollectEtc("/etc")
	if err != nil {
		return err
	}
	if err := etc.Generate("/etc", config.Hostname, b.spec.User); err != nil {
		return err
	}
	return machine.WriteInitrd(name, base, config, etc)
}

// runAs is whom QEMU drops to when root started it: the project's owner, so
// that what the guest writes is his and what it reads is no more than his.
func (b *boot) runAs() *qemu.RunAs {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, s := range b.spec.Shares {
		if uid, gid, ok := owner(s.Host); ok && s.Guest == b.spec.Dir && uid != 0 {
			return &qemu.RunAs{UID: uid, GID: gid}
		}
	}
	return nil
}

// start starts QEMU under the acceleration that was asked for, or the best one
// that is proved to run a guest.
func (b *boot) start(ctx context.Context, c qemu.Config) (*qemu.VM, error) {
	accel, why := chooseAccel(ctx, b.spec.Accel)
	b.log.Debug("acceleration", "accel", accel, "why", why)
	switch accel {
	case "":
		return nil, fmt.Errorf("--accel %s: %s: use --accel tcg for software emulation", b.spec.Accel, why)
	case qemu.TCG:
		return b.emulate(ctx, c, why)
	}
	c.Accel = accel
	b.waitingFor("booting a microVM")
	vm, err := b.launch(ctx, c)
	if b.spec.Accel != "auto" {
		return vm, err
	}
	if err == nil {
		trial, cancel := context.WithTimeout(ctx, trialPatience)
		defer cancel()
		if err = vm.SignOfLife(trial); err == nil {
			return vm, nil
		}
		_ = vm.Kill()
	}
	if ctx.Err() != nil {
		return nil, err
	}
	return b.emulate(ctx, c, fmt.Sprintf("%s does not run this guest: %v", accel, err))
}

// emulate starts QEMU in software emulation and says so, once, unless that is
// what the user asked for.
func (b *boot) emulate(ctx context.Context, c qemu.Config, why string) (*qemu.VM, error) {
	khz, err := qemu.MeasureTSC()
	if err != nil {
		return nil, err
	}
	c.Accel, c.TSCKHz = qemu.TCG, khz
	if b.spec.Accel == "auto" {
		b.progress(wire.Notice{Text: "software emulation, so programs run slowly: " + why})
	}
	b.waitingFor("booting a microVM in software emulation")
	return b.launch(ctx, c)
}

// launch starts QEMU with the machine's lock, which it holds for life.
func (b *boot) launch(ctx context.Context, c qemu.Config) (*qemu.VM, error) {
	lock, err := b.machine.LockMachine(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }()
	c.Lock = lock
	vm, err := qemu.Start(ctx, c)
	if err != nil && strings.Contains(err.Error(), "guest memory") {
		err = fmt.Errorf("%w: ask for less with --mem", err)
	}
	return vm, err
}

// chooseAccel returns the acceleration for what the user asked for, and why it
// is no better one; none if it cannot be had.
func chooseAccel(ctx context.Context, asked string) (qemu.Accel, string) {
	switch asked {
	case string(qemu.TCG):
		return qemu.TCG, "asked for"
	case string(qemu.HVF):
		if runtime.GOOS != "darwin" {
			return "", "hvf is the acceleration of macOS"
		}
		return qemu.HVF, "asked for"
	}
	if runtime.GOOS == "darwin" && asked == "auto" {
		return qemu.HVF, "macOS"
	}
	self, err := os.Executable()
	if err != nil {
		return "", err.Error()
	}
	ok, why := qemu.ProbeKVM(ctx, []string{self, probeName})
	switch {
	case ok:
		return qemu.KVM, why
	case asked == "auto":
		return qemu.TCG, why
	}
	return "", why
}

// probeName is the command that ProbeKVM runs as a child.
const probeName = "probe-kvm"

func probeCommand() *cobra.Command {
	return &cobra.Command{
		Use:    probeName,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return qemu.KVMLoop(cmd.OutOrStdout()) },
	}
}

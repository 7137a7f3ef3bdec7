//go:build linux

package qemu_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"flag"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/guestinit"
	"github.com/snugvm/snug/internal/machine"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/qemu"
	"github.com/snugvm/snug/sandbox/sandboxtest"
)

var trials = flag.Int("trials", 20, "how often tests repeat what may fail by chance")

// One machine, as snug run makes it, runs the whole suite.
func TestMicroVMKeepsWhatEverySandboxPromises(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a microVM")
	}
	sandboxtest.Run(t, func(t *testing.T) sandboxtest.Subject {
		mark, seed := wire.NewMark(), make([]byte, ed25519.SeedSize)
		_, _ = rand.Read(seed) // never fails
		settings := agent.Config{Mark: mark[:], HostKey: seed, User: agent.User{
			Name: "ada", UID: 1234, GID: 1235, Home: "/home/ada", Shell: "/bin/sh",
		}}
		peer, err := settings.Peer()
		if err != nil {
			t.Fatal(err)
		}
		peer.Emulated = true
		c := hostGuest(t, settings)
		began := time.Now()
		vm, err := qemu.Start(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = vm.Kill()
			if t.Failed() {
				t.Logf("console:\n%s", vm.Console())
			}
		})
		t.Logf("QEMU runs after %v", time.Since(began).Round(time.Millisecond))
		return sandboxtest.Subject{Machine: vm, Peer: peer, Probe: "/tools/snug-probe", Dir: "/tmp",
			Patience: bootTime, Trials: max(2, *trials/4)}
	})
}

// hostGuest is a machine with the host's programs and the probe in /tools.
func hostGuest(t *testing.T, settings agent.Config) qemu.Config {
	t.Helper()
	binary, _, err := qemu.FindBinary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	khz, err := qemu.MeasureTSC()
	if err != nil {
		t.Fatal(err)
	}
	shares, links, err := machine.HostShares("/")
	if err != nil {
		t.Fatal(err)
	}
	tools := t.TempDir()
	if _, err := sandboxtest.BuildProbe(tools); err != nil {
		t.Fatal(err)
	}
	shares = append(shares, machine.Share{Host: tools, Guest: "/tools", ReadOnly: true})
	etc, err := machine.CollectEtc("/etc")
	if err != nil {
		t.Fatal(err)
	}
	if err := etc.Generate("/etc", "suite", settings.User); err != nil {
		t.Fatal(err)
	}
	dir := shortDir(t)
	kernel, vmlinux := kernel(t)
	initrd := initrd(t, kernel, dir, "github.com/snugvm/snug/cmd/snug-agent", guestinit.Config{
		Hostname: "suite", Shares: machine.GuestShares(shares), Links: links, Agent: settings,
	}, etc)
	c := qemu.Config{Dir: dir, Binary: binary, Accel: qemu.TCG, Kernel: vmlinux, Initrd: initrd,
		MemoryMiB: 512, CPUs: 2, TSCKHz: khz}
	for i, share := range shares {
		c.Shares = append(c.Shares, qemu.Share{Tag: machine.Tag(i), Path: share.Host, ReadOnly: share.ReadOnly})
	}
	return c
}

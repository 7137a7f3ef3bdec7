package qemu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Accel is how QEMU runs the guest's instructions.
type Accel string

// The accelerations that snug knows.
const (
	KVM Accel = "kvm" // Linux
	HVF Accel = "hvf" // macOS
	TCG Accel = "tcg" // software emulation, anywhere
)

// Config is all that a machine needs, decided before it starts.
type Config struct {
	Dir       string // the machine's own folder, private to the user
	Binary    string // QEMU
	Accel     Accel
	Kernel    string   // an ELF vmlinux with a PVH entry
	Initrd    string   // the initramfs, uncompressed
	Append    []string // further words of the kernel's command line
	MemoryMiB int
	CPUs      int
	Shares    []Share
	RunAs     *RunAs // where QEMU, started by root, drops to
	TSCKHz    int    // the host's, from MeasureTSC; needed for TCG

	// Lock is a file with an flock(2), taken by the caller. QEMU inherits it and
	// holds it for life. The caller closes its own copy after Start.
	Lock *os.File
}

// Share is a folder of the host that the guest can mount by its tag.
type Share struct {
	Tag      string
	Path     string
	ReadOnly bool // enforced by QEMU: the guest cannot change it
}

// RunAs is an account of the host.
type RunAs struct{ UID, GID int }

const (
	// slots is how many virtio devices work in a microvm. It takes 24 (with its
	// second IOAPIC; one more finds no 'virtio-bus'), but then one of them gets
	// no interrupts and its driver waits for ever: measured with QEMU 7.2.
	slots = 23
	// ownDevices are the link's and the random number generator.
	ownDevices = 2

	// MaxShares is how many folders one machine can share.
	MaxShares = slots - ownDevices

	minMemoryMiB = 128
	maxCPUs      = 64
	maxTag       = 31 // of virtio-9p
)

// Validate reports what Start would refuse without trying.
func (c Config) Validate() error {
	switch {
	case c.Dir == "" || c.Binary == "" || c.Kernel == "" || c.Initrd == "":
		return errors.New("machine config is incomplete: folder, QEMU, kernel and initramfs are needed")
	case c.Accel != KVM && c.Accel != HVF && c.Accel != TCG:
		return fmt.Errorf("unknown acceleration %q: use kvm, hvf or tcg", c.Accel)
	case c.Accel == TCG && c.TSCKHz <= 0:
		return errors.New("software emulation needs the frequency of the host's time stamp counter")
	case c.MemoryMiB < minMemoryMiB:
		return fmt.Errorf("memory of %d MiB is too little for a guest: use at least %d MiB", c.MemoryMiB, minMemoryMiB)
	case c.CPUs < 1 || c.CPUs > maxCPUs:
		return fmt.Errorf("%d CPUs: use 1 to %d", c.CPUs, maxCPUs)
	case len(c.Shares) > MaxShares:
		return fmt.Errorf("%d folders are shared, and a microVM can share %d: name fewer with -v, or one that holds several", len(c.Shares), MaxShares)
	case strings.ContainsRune(strings.Join(c.Append, ""), '\n'):
		return errors.New("the kernel's command line cannot hold a line break")
	}
	return c.validateShares()
}

func (c Config) validateShares() error {
	seen := make(map[string]bool)
	for _, share := range c.Shares {
		switch {
		case !filepath.IsAbs(share.Path) || filepath.Clean(share.Path) != share.Path:
			return fmt.Errorf("share %q: its path %q is not absolute and clean", share.Tag, share.Path)
		case share.Path == "/":
			return fmt.Errorf("share %q: the host's whole file system is never shared", share.Tag)
		case share.Tag == "" || len(share.Tag) > maxTag || strings.ContainsAny(share.Tag, ",= "):
			return fmt.Errorf("share of %s: %q is no tag", share.Path, share.Tag)
		case seen[share.Tag]:
			return fmt.Errorf("share of %s: tag %q is taken", share.Path, share.Tag)
		}
		seen[share.Tag] = true
	}
	return nil
}

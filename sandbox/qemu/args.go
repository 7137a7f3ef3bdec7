package qemu

import (
	"fmt"
	"strconv"
	"strings"
)

// Args is QEMU's command line for c, without the name of the binary. It has no
// network device, nothing that is not listed here, and depends on c alone.
func Args(c Config) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-nographic",
		// A guest that restarts ends: guestinit's way of ending a machine.
		"-no-reboot",
		"-M", "microvm,rtc=on",
		"-accel", string(c.Accel),
		"-cpu", cpu(c.Accel),
		"-m", strconv.Itoa(c.MemoryMiB) + "M",
		"-smp", strconv.Itoa(c.CPUs),
		"-global", "virtio-mmio.force-legacy=false",
		"-kernel", c.Kernel,
		"-initrd", c.Initrd,
		"-append", commandLine(c),
	}
	args = append(args, socket("qmp", c.file(qmpSocket))...)
	args = append(args, "-mon", "chardev=qmp,mode=control")
	args = append(args, socket("link", c.file(linkSocket))...)
	args = append(args, socket("console", c.file(consoleSocket))...) // the last of them: see Start
	args = append(args, "-serial", "chardev:console")
	args = append(args,
		"-device", "virtio-serial-device,max_ports=2",
		"-device", "virtserialport,chardev=link,name=link",
		"-device", "virtio-rng-device",
	)
	for i, share := range c.Shares {
		args = append(args, shareArgs(i, share)...)
	}
	if c.RunAs != nil {
		// The sockets, the kernel and /dev/kvm are open by then.
		args = append(args, "-runas", fmt.Sprintf("%d:%d", c.RunAs.UID, c.RunAs.GID))
	}
	return args
}

func cpu(accel Accel) string {
	if accel == TCG {
		return "max"
	}
	return "host"
}

// commandLine is the kernel's.
func commandLine(c Config) string {
	words := []string{
		"console=ttyS0", "quiet",
		"panic=-1", // restart at once, which ends QEMU
		"reboot=t", // by triple fault: a microvm has no keyboard controller
		"random.trust_cpu=on",
	}
	if c.Accel == TCG {
		// Without the first the kernel calibrates against a timer that
		// emulation is too slow for, and hangs. Without the second it
		// believes that processors disagree on the time, which in emulation
		// they cannot, and counts timer ticks: 4 ms apart, and lost when
		// the host is busy.
		words = append(words, "tsc_early_khz="+strconv.Itoa(c.TSCKHz), "tsc=reliable")
	}
	return strings.Join(append(words, c.Append...), " ")
}

func socket(id, path string) []string {
	return []string{"-chardev", "socket,id=" + id + ",path=" + escape(path) + ",server=on,wait=off"}
}

func shareArgs(i int, share Share) []string {
	id := "fs" + strconv.Itoa(i)
	fsdev := "local,id=" + id + ",path=" + escape(share.Path) + ",security_model=none,multidevs=remap"
	if share.ReadOnly {
		fsdev += ",readonly=on"
	}
	return []string{"-fsdev", fsdev, "-device", "virtio-9p-device,fsdev=" + id + ",mount_tag=" + share.Tag}
}

// escape doubles commas, which otherwise end a value.
func escape(value string) string { return strings.ReplaceAll(value, ",", ",,") }

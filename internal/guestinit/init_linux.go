package guestinit

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// newRoot is where the root is built before it is moved over the initramfs.
const newRoot = "/snug/root"

// Run is process 1. It does not return: its end is the machine's.
func Run() {
	say("starting")
	err := boot()
	if err == nil {
		err = superviseAgent()
	}
	say("%v", err)
	halt()
}

// boot makes the system, up to the point where programs can run in it.
func boot() error {
	if err := mountKernel(); err != nil {
		return err
	}
	if err := loadModules(ModuleDir); err != nil {
		return err
	}
	config, err := readConfig(ConfigFile)
	if err != nil {
		return err
	}
	if err := buildRoot(newRoot, config); err != nil {
		return err
	}
	if err := enterRoot(newRoot); err != nil {
		return err
	}
	booted = config

	// A machine without these is poorer, not wrong.
	warn("set hostname", unix.Sethostname([]byte(config.Hostname)))
	warn("bring up lo", loopbackUp())
	for _, s := range sysctls {
		warn("set "+s.name, os.WriteFile(filepath.Join("/proc/sys", s.name), []byte(s.value), 0))
	}
	return nil
}

// booted is what boot read, kept for superviseAgent: the file is gone by then.
var booted Config

var sysctls = []struct{ name, value string }{
	// Sandboxes of browsers and build tools need user namespaces. Debian's
	// kernels have a switch of their own for them.
	{"kernel/unprivileged_userns_clone", "1"},
	// File watchers of editors and build tools, and databases, want more than
	// the defaults, which are made for small machines.
	{"fs/inotify/max_user_watches", "524288"},
	{"vm/max_map_count", "262144"},
}

func readConfig(path string) (Config, error) {
	var config Config
	b, err := os.ReadFile(path)
	if err != nil {
		return config, fmt.Errorf("read the machine's config: %w", err)
	}
	if err := json.Unmarshal(b, &config); err != nil {
		return config, fmt.Errorf("decode the machine's config: %w", err)
	}
	return config, nil
}

// say writes a line to the console, which the kernel gave us as stderr.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, Prefix+format+"\n", args...)
}

// warn says err, if there is one, and lets the boot go on.
func warn(what string, err error) {
	if err != nil {
		say("%s: %v", what, err)
	}
}

// halt ends the machine. The host runs it without reboot, so that a restart,
// which every machine type can do, ends the emulator.
func halt() {
	unix.Sync()
	warn("restart", unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART))
	os.Exit(1) // the end of process 1 is a kernel panic, which ends the machine too
}

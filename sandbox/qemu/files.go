package qemu

import "path/filepath"

// The names in a machine's folder.
const (
	linkSocket    = "link.sock"    // the link: the guest's virtio-serial port
	qmpSocket     = "qmp.sock"     // QEMU's monitor; its peer is QEMU, by SO_PEERCRED
	consoleSocket = "console.sock" // the guest's serial console
	stderrFile    = "qemu.stderr"  // QEMU's own words
)

var sockets = []string{linkSocket, qmpSocket, consoleSocket}

func (c Config) file(name string) string { return filepath.Join(c.Dir, name) }

// Package guestinit is process 1 of a machine of our own. It makes a Linux
// system out of a bare kernel and the folders that the host shares, starts the
// agent as its child, and reaps what nobody else waits for.
//
// The host decides everything in a Config, which lies in the initramfs. The
// package reads nothing else that could change what it does. Its words to the
// user are lines on the console that begin with Prefix: the host shows the last
// of them as the cause of a machine's end.
package guestinit

import "github.com/snugvm/snug/internal/agent"

// Where the host puts things in the initramfs.
const (
	ConfigFile = "/snug/config.json" // a Config
	EtcDir     = "/snug/etc"         // becomes /etc
	ModuleDir  = "/snug/modules"     // loaded in the order of their names
)

// LinkPort is the name of the virtio-serial port that is the link.
const LinkPort = "link"

// Prefix begins every line that process 1 writes to the console.
const Prefix = "snug: "

// Config is what the host decides about a machine before it starts. It travels
// as JSON.
type Config struct {
	Hostname string       `json:"hostname"`
	Shares   []Share      `json:"shares"`
	Links    []Symlink    `json:"links,omitempty"`
	Agent    agent.Config `json:"agent"`
}

// Share is a folder of the host.
type Share struct {
	Tag      string `json:"tag"`  // what the device calls it
	Path     string `json:"path"` // where it is mounted: absolute and clean
	ReadOnly bool   `json:"read_only,omitempty"`
}

// Symlink is a link of the root folder, such as /bin on a merged system.
type Symlink struct {
	Path   string `json:"path"`
	Target string `json:"target"`
}

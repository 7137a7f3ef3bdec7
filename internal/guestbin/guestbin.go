// Package guestbin holds the agents, the static Linux binaries that snug puts
// into its guests. They are embedded from the folder bin, where 'make build'
// leaves them before it builds snug. On a clean clone the folder holds only a
// placeholder, so the package builds, and then says that it has none.
package guestbin

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

//go:embed bin
var embedded embed.FS

// Agent returns the agent for a Linux guest of the given architecture, in Go's
// words: amd64 or arm64.
func Agent(arch string) ([]byte, error) { return agent(embedded, arch) }

func agent(files fs.FS, arch string) ([]byte, error) {
	b, err := fs.ReadFile(files, "bin/snug-agent-linux-"+arch)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("this snug was built without the agent for linux/%s: build it with 'make build'", arch)
	}
	if err != nil {
		return nil, fmt.Errorf("read the agent for linux/%s: %w", arch, err)
	}
	return b, nil
}

package agent

import (
	"crypto/ed25519"
	"fmt"

	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/crypto/ssh"
)

// Config is what the host decides about a machine's agent before it starts.
// It travels as JSON.
type Config struct {
	// Mark is the machine's secret 32-byte reset mark (docs/wire.md).
	Mark []byte `json:"mark"`
	// HostKey is the seed of the agent's ed25519 host key, 32 bytes.
	HostKey []byte `json:"host_key"`
	// Inherit says that the sandbox around the agent has decided already who
	// programs are and what they find: they run as the agent does, in its
	// environment. User is not looked at then.
	Inherit bool `json:"inherit,omitempty"`
	// User is whom programs run as.
	User User `json:"user"`
	// Dir is the working directory of a program that names none.
	Dir string `json:"dir,omitempty"`
	// Scratch is a folder that can be written to, should the usual ones be none.
	Scratch string `json:"scratch,omitempty"`
	// Binary is the agent's own file, where it has a name.
	Binary string `json:"binary,omitempty"`
}

// User is an account of the guest.
type User struct {
	Name   string   `json:"name"`
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"`
	Home   string   `json:"home"`
	Shell  string   `json:"shell"`
}

// Peer returns what the host must know to speak to the agent.
func (c Config) Peer() (wire.Peer, error) {
	mark, err := wire.ParseMark(c.Mark)
	if err != nil {
		return wire.Peer{}, err
	}
	if len(c.HostKey) != ed25519.SeedSize {
		return wire.Peer{}, fmt.Errorf("host key seed has %d bytes, want %d", len(c.HostKey), ed25519.SeedSize)
	}
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(c.HostKey).Public())
	if err != nil {
		return wire.Peer{}, fmt.Errorf("host key: %w", err)
	}
	return wire.Peer{HostKey: key, Mark: mark}, nil
}

package command

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// agents are the binaries that may be sent, each read, hashed and packed once.
type agents struct {
	find func(arch string) ([]byte, error)

	mu  sync.Mutex
	all map[string]*agentBinary
}

type agentBinary struct {
	raw, packed []byte
	hash        string
	err         error
}

// hash is the SHA-256 in hex of the agent for arch, or "" if there is none.
func (a *agents) hash(arch string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.get(arch).hash
}

// binary is the agent for arch, packed if asked for.
func (a *agents) binary(arch string, packed bool) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := a.get(arch)
	if b.err != nil || !packed {
		return b.raw, b.err
	}
	var err error
	if b.packed == nil {
		b.packed, err = pack(b.raw)
	}
	return b.packed, err
}

// get reads an agent; the caller holds mu.
func (a *agents) get(arch string) *agentBinary {
	b := a.all[arch]
	if b == nil {
		b = &agentBinary{}
		if b.raw, b.err = a.find(arch); b.err == nil {
			sum := sha256.Sum256(b.raw)
			b.hash = hex.EncodeToString(sum[:])
		}
		if a.all == nil {
			a.all = make(map[string]*agentBinary)
		}
		a.all[arch] = b
	}
	return b
}

// Package sandbox holds the words that every sandbox shares: what a machine
// is to the rest of snug, and nothing about how one is made.
//
// A sandbox confines a program: a microVM of our own (sandbox/qemu), or one
// behind another tool's command line. A machine is one running sandbox. The
// host reaches it over a link, one byte stream that ends at the agent.
package sandbox

import (
	"context"
	"io"
)

// Machine is one running sandbox.
type Machine interface {
	// Dial opens the link to the agent. A machine has one link at a time:
	// the caller closes the last one before it dials again. Dial returns
	// once the stream is open; that an agent answers is for the caller to
	// find out by the protocol that it speaks on it.
	Dial(ctx context.Context) (io.ReadWriteCloser, error)

	// Wait blocks until the machine is gone and returns why, in one line
	// that a user can act on, or nil if Kill ended it. It may be called by
	// several goroutines, each of which gets the same answer.
	Wait() error

	// Kill ends the machine at once and returns when it is gone. Killing a
	// dead machine is not an error.
	Kill() error
}

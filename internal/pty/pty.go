// Package pty opens pseudo-terminals.
package pty

import (
	"fmt"
	"os"
)

// Open returns both ends of a new pseudo-terminal, which becomes nobody's controlling
// terminal by that. The slave blocks, as programs expect of their terminal. On Linux
// the master does not: reads and writes of it have deadlines, and its end ends them.
func Open() (master, slave *os.File, err error) {
	if master, slave, err = open(); err != nil {
		return nil, nil, fmt.Errorf("no pty: %w", err)
	}
	return master, slave, nil
}

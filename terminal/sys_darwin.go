package terminal

import (
	"os/signal"

	"golang.org/x/sys/unix"
)

const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
)

// inBackground runs do with SIGTTOU ignored, for there is no signal mask of a thread without cgo: the kernel lets such
// a process change and write to a terminal that belongs to another process group.
func inBackground(do func() error) error {
	if !signal.Ignored(unix.SIGTTOU) {
		signal.Ignore(unix.SIGTTOU)
		defer signal.Reset(unix.SIGTTOU)
	}
	return do()
}

// stopped reports whether a child is stopped now. There is nothing to ask but wait, which said so.
func stopped(int) bool { return true }

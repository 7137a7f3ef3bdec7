package terminal

import (
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
)

// inBackground runs do with SIGTTOU blocked on its thread: the kernel lets such a thread change and write to a terminal
// that belongs to another process group. The rest of the process keeps whatever it does with the signal.
func inBackground(do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var block, before unix.Sigset_t
	block.Val[0] = 1 << (unix.SIGTTOU - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &block, &before); err != nil {
		return err
	}
	// The old mask was just read from the kernel: setting it again cannot fail.
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) }()
	return do()
}

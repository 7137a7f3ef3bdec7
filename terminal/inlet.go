package terminal

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pipeCapacity is what a pipe holds at most, on Linux and macOS, unless its owner enlarged it.
const pipeCapacity = 64 << 10

// inlet is the reading end of a pipe from the child. A goroutine, watch, tells on ready that there is something to
// read, and leaves the reading to the owner, so that the owner alone decides the order in which pipes are read.
type inlet struct {
	pipe  *os.File
	ready chan struct{}
	again chan struct{} // capacity 1: the owner has read
	quit  chan struct{}
}

func newInlet(pipe *os.File) *inlet {
	return &inlet{pipe: pipe, ready: make(chan struct{}), again: make(chan struct{}, 1), quit: make(chan struct{})}
}

func (i *inlet) watch() {
	for i.awaitReadable() {
		select {
		case i.ready <- struct{}{}:
		case <-i.quit:
			return
		}
		select {
		case <-i.again:
		case <-i.quit:
			return
		}
	}
}

// awaitReadable returns false when finish was called.
func (i *inlet) awaitReadable() bool {
	conn, err := i.pipe.SyscallConn()
	if err != nil {
		return false
	}
	err = conn.Read(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		return n > 0 || (err != nil && !errors.Is(err, unix.EINTR))
	})
	return err == nil
}

// finish makes watch return, wherever it waits.
func (i *inlet) finish() {
	close(i.quit)
	_ = i.pipe.SetReadDeadline(time.Unix(1, 0)) // pipes support deadlines
}

// drain calls take for what the pipe holds, at most its capacity, and never waits. At the pipe's end it lets watch
// sleep until finish.
func (i *inlet) drain(take func([]byte)) {
	end := false
	b := make([]byte, 8<<10)
	for total := 0; total < pipeCapacity; {
		n, err := i.read(b)
		if n > 0 {
			take(b[:n])
			total += n
			continue
		}
		end = !errors.Is(err, unix.EAGAIN)
		break
	}
	if end {
		return
	}
	select {
	case i.again <- struct{}{}:
	default:
	}
}

// read reads without waiting. It bypasses [os.File.Read], whose lock watch may hold.
func (i *inlet) read(b []byte) (n int, err error) {
	ctlErr := control(i.pipe, func(fd int) error {
		for {
			n, err = unix.Read(fd, b)
			if !errors.Is(err, unix.EINTR) {
				return nil
			}
		}
	})
	return n, errors.Join(ctlErr, err)
}

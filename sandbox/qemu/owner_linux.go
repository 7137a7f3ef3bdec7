package qemu

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// owner is a QEMU that another process has started, held by a descriptor, so
// that a kill cannot meet a later process of the same number.
type owner struct {
	monitor net.Conn

	mu    sync.Mutex // a closed descriptor's number may be another's
	pidfd int        // -1 once closed
}

func ownerOf(monitor net.Conn) (*owner, error) {
	raw, err := monitor.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	o := &owner{pidfd: -1, monitor: monitor}
	var failed error
	err = raw.Control(func(fd uintptr) { o.pidfd, failed = listenerOf(int(fd)) })
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	return o, nil
}

// listenerOf opens the process that listens at the other end of fd. If the
// connection still stands after that, the process had not died before, so the
// descriptor is of no other.
func listenerOf(fd int) (int, error) {
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1, fmt.Errorf("find QEMU's process: %w", err)
	}
	pidfd, err := unix.PidfdOpen(int(peer.Pid), 0)
	if err != nil {
		return -1, fmt.Errorf("open QEMU's process: %w", err)
	}
	state := []unix.PollFd{{Fd: int32(fd)}}
	if _, err := unix.Poll(state, 0); err != nil || state[0].Revents&unix.POLLHUP != 0 {
		_ = unix.Close(pidfd)
		return -1, errors.New("the machine has just ended")
	}
	return pidfd, nil
}

func (o *owner) kill() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pidfd < 0 {
		return nil
	}
	err := unix.PidfdSendSignal(o.pidfd, unix.SIGKILL, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// await waits for the process to be gone: a pidfd is readable from then on. How
// it ended is known to its parent alone.
func (o *owner) await() string {
	defer o.close()
	for {
		state := []unix.PollFd{{Fd: int32(o.pidfd), Events: unix.POLLIN}}
		if _, err := unix.Poll(state, -1); !errors.Is(err, unix.EINTR) {
			return ""
		}
	}
}

func (o *owner) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = unix.Close(o.pidfd)
	o.pidfd = -1
	_ = o.monitor.Close()
}

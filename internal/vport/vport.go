// Package vport is the guest's end of a virtio-serial port: the link of a
// machine of our own.
//
// A port outlives the connections that the host makes to it. Where the host is
// away, read(2) returns 0 and poll(2) says POLLHUP at once, so neither can wait
// for the host to come back. But the driver wakes the port's wait queue on every
// connect and disconnect, and an edge-triggered epoll, which is what Go's
// poller uses, sleeps until just that. So a Port waits without polling and
// without a signal handler.
package vport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	sysfs = "/sys/class/virtio-ports"
	devfs = "/dev"
)

// Port is an open port. Reads and writes wait for as long as no host is
// connected. What was written for a host that has gone may be lost, and what it
// sent before it went may still be read: the protocol above tells one connection
// from the next.
type Port struct {
	file *os.File
	raw  syscall.RawConn
}

var _ io.ReadWriteCloser = (*Port)(nil)

// settle is how long a port may take to get its name after its driver was
// loaded: the device tells the name in a message of its own.
const settle = 5 * time.Second

// Open opens the port of that name. A port can be open once at a time.
func Open(name string) (*Port, error) {
	deadline := time.Now().Add(settle)
	for {
		device, err := find(sysfs, name)
		if err == nil {
			return OpenDevice(filepath.Join(devfs, device))
		}
		if !errors.Is(err, os.ErrNotExist) || time.Now().After(deadline) {
			return nil, err
		}
		time.Sleep(2 * time.Millisecond) // sysfs has no event for it
	}
}

// find is the device whose name attribute below class is name.
func find(class, name string) (string, error) {
	attributes, err := filepath.Glob(filepath.Join(class, "*", "name"))
	if err != nil {
		return "", err
	}
	for _, attribute := range attributes {
		b, err := os.ReadFile(attribute)
		if err == nil && strings.TrimSpace(string(b)) == name {
			return filepath.Base(filepath.Dir(attribute)), nil
		}
	}
	return "", fmt.Errorf("virtio-serial port %q: %w", name, os.ErrNotExist)
}

// OpenDevice opens the port at a device node.
func OpenDevice(path string) (*Port, error) {
	// Not blocking, for the driver's sake too: it spins with interrupts off
	// until the host has taken a blocking write.
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open virtio-serial port: %w", err)
	}
	port, err := newPort(file)
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return port, nil
}

func newPort(file *os.File) (*Port, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("virtio-serial port %s: %w", file.Name(), err)
	}
	return &Port{file: file, raw: raw}, nil
}

// Read waits until the host has sent something. It never returns io.EOF: a host
// that hangs up is away, not gone.
func (p *Port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	var n int
	var err error
	wait := p.raw.Read(func(fd uintptr) bool {
		n, err = retry(func() (int, error) { return syscall.Read(int(fd), b) })
		away := n == 0 && err == nil
		return !away && !errors.Is(err, syscall.EAGAIN)
	})
	return p.result("read", n, err, wait)
}

// Write waits until the host has room for all of b.
func (p *Port) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		var n int
		var err error
		wait := p.raw.Write(func(fd uintptr) bool {
			n, err = retry(func() (int, error) { return syscall.Write(int(fd), b[written:]) })
			return !errors.Is(err, syscall.EAGAIN)
		})
		n, err = p.result("write", n, err, wait)
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// Close ends every Read and Write that waits, with os.ErrClosed.
func (p *Port) Close() error { return p.file.Close() }

func (p *Port) result(op string, n int, err, wait error) (int, error) {
	if wait != nil { // with no deadline set, only because of Close
		return 0, &os.PathError{Op: op, Path: p.file.Name(), Err: os.ErrClosed}
	}
	if err != nil {
		return max(n, 0), &os.PathError{Op: op, Path: p.file.Name(), Err: err}
	}
	return n, nil
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

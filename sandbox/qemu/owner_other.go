//go:build !linux

package qemu

import (
	"errors"
	"net"
)

// owner is a QEMU that another process has started.
type owner struct{}

func ownerOf(net.Conn) (*owner, error) {
	return nil, errors.New("taking over a running machine works on Linux only: stop it, and start it again")
}

func (*owner) kill() error   { return errors.ErrUnsupported }
func (*owner) await() string { return "" }
func (*owner) close()        {}

package qemu

import (
	"context"
	"fmt"
	"net"
)

// Adopt takes over the machine in dir, which another process started and has
// let go of. What its guest printed before is lost.
//
// QEMU is found by who listens on its monitor's socket, not by a number in a
// file: that cannot be stale, nor another process's.
func Adopt(ctx context.Context, dir string) (*VM, error) {
	c := Config{Dir: dir}
	var dialer net.Dialer
	monitor, err := dialer.DialContext(ctx, "unix", c.file(qmpSocket))
	if err != nil {
		return nil, fmt.Errorf("adopt machine: %w", err)
	}
	owner, err := ownerOf(monitor)
	if err != nil {
		_ = monitor.Close()
		return nil, fmt.Errorf("adopt machine: %w", err)
	}
	conn, err := dialer.DialContext(ctx, "unix", c.file(consoleSocket))
	if err != nil {
		owner.close()
		return nil, fmt.Errorf("adopt machine: %w", err)
	}
	return newVM(c, owner, conn), nil
}

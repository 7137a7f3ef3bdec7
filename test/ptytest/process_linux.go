package ptytest

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// zombie reads the state that follows the command's closing parenthesis in /proc/PID/stat.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	i := bytes.LastIndexByte(stat, ')')
	return i >= 0 && i+2 < len(stat) && stat[i+2] == 'Z'
}

// unread reports whether a terminal has input that nobody has read. One that is gone has none.
func unread(tty string) bool {
	f, err := os.OpenFile(tty, os.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
	return err == nil && n > 0
}

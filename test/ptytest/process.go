package ptytest

import (
	"syscall"
	"testing"
	"time"
)

// Alive reports whether a process exists, other than as a zombie that nobody has reaped yet.
func Alive(pid int) bool { return syscall.Kill(pid, 0) == nil && !zombie(pid) }

// AwaitGone waits until a process has ended, and fails the test if it does not within the default timeout.
func AwaitGone(t testing.TB, pid int) {
	t.Helper()
	if !poll(DefaultTimeout, func() bool { return !Alive(pid) }) {
		t.Fatalf("process %d is still there after %v", pid, DefaultTimeout)
	}
}

// killWhenStuck gives a process and its group a moment to follow the hang-up, then kills them.
func killWhenStuck(pid int) {
	if !poll(time.Second, func() bool { return !Alive(pid) }) {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

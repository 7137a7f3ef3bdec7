package command

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// sidePatience bounds an exec of the side channel: one that hangs keeps later
// sizes from their turn.
const sidePatience = 5 * time.Second

// side runs one exec beside a program, with nothing for its input, under the lock
// of the machine: no other exec is being brought up meanwhile. It is gone, with all
// that it has started, when side returns.
func (l *Local) side(ctx context.Context, argv []string) error {
	unlock, err := l.m.cfg.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, sidePatience, errSideLate)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) // stdin is /dev/null, as are the others
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = errors.Join(err, cause)
		}
		return err
	}
	return nil
}

// holdThread keeps the caller on its thread: to the kernel a child's parent is the
// thread that has made it, and Pdeathsig tells of the thread's end.
func holdThread() (release func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

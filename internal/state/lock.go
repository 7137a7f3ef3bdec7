package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked is returned by TryLock for a lock that somebody else holds.
var ErrLocked = errors.New("lock is held by another process")

// lockPoll is how often a lock that is waited for is tried again. flock(2) can
// wait by itself, but then nothing short of a signal ends the wait.
const lockPoll = 2 * time.Millisecond

// Lock takes the lock on path for a critical section, making the file where it
// is missing, and returns its unlock. It waits for as long as ctx allows.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := hold(ctx, path)
	if err != nil {
		return nil, err
	}
	return func() {
		// Said, not left to Close alone: a child between fork and exec has a
		// copy of the descriptor, and would keep the lock a moment longer.
		_ = flock(f, unix.LOCK_UN)
		_ = f.Close()
	}, nil
}

// hold is TryLock that waits for as long as ctx allows.
func hold(ctx context.Context, path string) (*os.File, error) {
	f, err := TryLock(path)
	for errors.Is(err, ErrLocked) {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s, which another snug process holds: %w", path, ctx.Err())
		case <-time.After(lockPoll):
		}
		f, err = TryLock(path)
	}
	return f, err
}

// TryLock takes the lock on path as a sign of life, making the file where it is
// missing. The lock lasts until every copy of the returned file is closed: hand
// it to a child process (exec.Cmd's ExtraFiles), close it here, and the lock
// ends with that child, however it dies. TryLock returns ErrLocked, wrapped, if
// somebody else holds it.
func TryLock(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		if err := flock(f, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = f.Close()
			return nil, lockError(path, err)
		}
		if names(path, f) {
			return f, nil
		}
		// The file was removed between open and flock: the lock that was
		// just taken guards nothing. Take the one that has its name now.
		_ = f.Close()
	}
}

// Held reports whether somebody holds the lock on path. A missing file is a free
// lock. Held takes the lock, shared, for an instant, so a TryLock at the same
// time may fail for no other reason: keep the two apart with a lock above both.
func Held(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open lock: %w", err)
	}
	defer func() { _ = f.Close() }()
	err = lockError(path, flock(f, unix.LOCK_SH|unix.LOCK_NB))
	if errors.Is(err, ErrLocked) {
		return true, nil
	}
	if err == nil {
		err = flock(f, unix.LOCK_UN)
	}
	return false, err
}

// Await waits until nobody holds the lock on path, for as long as ctx allows. A
// missing file is a free lock. Unlike Lock it makes no file, and it sees the end
// of a holder that has removed the file.
func Await(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open lock: %w", err)
	}
	defer func() { _ = f.Close() }()
	for {
		err := lockError(path, flock(f, unix.LOCK_SH|unix.LOCK_NB))
		if !errors.Is(err, ErrLocked) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for lock %s, which another snug process holds: %w", path, ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}

// Inherited returns the lock on path that this process was given by its parent
// as descriptor fd, and sees to it that no child inherits it in turn. It fails,
// and closes fd, if that is another file or the lock is somebody else's.
func Inherited(fd uintptr, path string) (*os.File, error) {
	unix.CloseOnExec(int(fd))
	f := os.NewFile(fd, path)
	if !names(path, f) {
		_ = f.Close()
		return nil, fmt.Errorf("descriptor %d is not %s", fd, path)
	}
	// A lock belongs to the open file, not to a process: taking it again
	// succeeds at once through an inherited copy, and through no other.
	if err := flock(f, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, lockError(path, err)
	}
	return f, nil
}

// names reports whether path is still the name of the open file f.
func names(path string, f *os.File) bool {
	opened, err := f.Stat() // of a nil f: an error
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}

// flock is flock(2), undisturbed by the signals that Go's scheduler sends.
func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func lockError(path string, err error) error {
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%s: %w", path, ErrLocked)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	return nil
}

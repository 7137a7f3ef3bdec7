//go:build linux

package relay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLive is Serve's answer where the folder's agent is up already.
var ErrLive = errors.New("an agent serves this folder already")

// Names in an agent's folder.
const (
	socketName = "link"
	lockName   = "lock" // held by the agent for life; says its process id
)

// patience bounds each wait for another process in the sandbox.
const patience = 10 * time.Second

// lockPoll is how often a lock that is waited for is looked at.
const lockPoll = 5 * time.Millisecond

// makeFolder makes a folder that is ours alone, or sees that the one which is
// there is: in a folder like /tmp anybody could have made it.
func makeFolder(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fmt.Errorf("folder %s: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%s is not a folder: remove it", path)
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("folder %s belongs to user %d, not to %d: remove it", path, st.Uid, os.Geteuid())
	case st.Mode&0o777 != 0o700:
		return os.Chmod(path, 0o700)
	}
	return nil
}

// takeLock takes the folder's lock for as long as the returned file is open.
func takeLock(folder string) (*os.File, error) {
	path := filepath.Join(folder, lockName)
	for range 100 { // each round needs an agent that ended since the last one
		if err := makeFolder(folder); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the folder was removed in between
		}
		if err != nil {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK):
			_ = f.Close()
			return nil, ErrLive
		case err != nil:
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		case names(path, f):
			return f, nil
		}
		_ = f.Close() // of a file that has been removed: it guards nothing
	}
	return nil, fmt.Errorf("lock %s: it is removed again and again", path)
}

// names reports whether path is still the name of the open file f.
func names(path string, f *os.File) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}

// dial opens the agent's socket and waits until the agent has taken the relay.
func dial(folder string) (*net.UnixConn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(folder, socketName), Net: "unix"})
	if err != nil {
		return nil, err
	}
	err = conn.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 1)
	if err == nil {
		_, err = conn.Read(b)
	}
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	if err == nil && b[0] != greeting {
		err = errors.New("not an agent's socket")
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("the agent does not take a relay: %w", err)
	}
	return conn, nil
}

// gone reports whether the agent has taken its socket away.
func gone(folder string) bool {
	_, err := os.Lstat(filepath.Join(folder, socketName))
	return errors.Is(err, fs.ErrNotExist)
}

// end ends the folder's agent, politely, then surely, and returns when it is
// gone. No agent is no error.
func end(ctx context.Context, folder string) error {
	path := filepath.Join(folder, lockName)
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("open lock: %w", err)
		}
		free, err := endHolder(ctx, f, sig)
		if free {
			cleanUp(folder) // of an agent that was killed
		}
		_ = f.Close()
		if free || err != nil {
			return err
		}
	}
	return fmt.Errorf("the agent of %s does not end", folder)
}

// endHolder signals whoever holds the lock and waits until it is free; then
// it is ours.
func endHolder(ctx context.Context, f *os.File, sig unix.Signal) (free bool, err error) {
	deadline := time.Now().Add(patience)
	for sent := false; ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err == nil, err
		}
		if !sent {
			pid, err := readPID(f)
			if err != nil {
				return false, err
			}
			if sent = pid > 1; sent { // else its holder has not written it yet
				_ = unix.Kill(pid, sig)
			}
		}
		if time.Now().After(deadline) {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(lockPoll): // a lock has no event short of a blocking flock
		}
	}
}

func readPID(f *os.File) (int, error) {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	if n == 0 {
		return 0, nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return 0, fmt.Errorf("%s holds no process id: %w", f.Name(), err)
	}
	return pid, nil
}

// cleanUp removes the folder; the caller holds its lock. What others look at
// goes in this order: the socket, by which it is found, and the lock last.
func cleanUp(folder string) {
	for _, name := range []string{socketName, lockName} {
		_ = os.Remove(filepath.Join(folder, name))
	}
	// What an agent has put there that was killed.
	scratch, _ := filepath.Glob(filepath.Join(folder, "snug-*")) // the pattern is well-formed
	for _, name := range scratch {
		_ = os.RemoveAll(name)
	}
	_ = os.Remove(folder)
}

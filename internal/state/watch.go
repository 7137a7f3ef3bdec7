package state

import (
	"fmt"
	"os"
	"sync"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// WatchFolder sends when the machine's folder may have been removed, which HeldBy
// tells, until stop is called.
func (m Machine) WatchFolder() (removed <-chan struct{}, stop func(), err error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, nil, fmt.Errorf("watch the machine's folder: %w", err)
	}
	if err := w.Add(m.Dir); err != nil {
		_ = w.Close()
		return nil, nil, fmt.Errorf("watch the machine's folder: %w", err)
	}
	changes := make(chan struct{}, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for awaitRemoval(w) {
			select {
			case changes <- struct{}{}:
			default: // an earlier one is still to be heeded
			}
		}
	})
	return changes, func() { _ = w.Close(); wg.Wait() }, nil
}

// awaitRemoval waits until something may have been removed. It returns false once
// w is closed.
func awaitRemoval(w *fsnotify.Watcher) bool {
	for {
		select {
		case event, ok := <-w.Events:
			if !ok || event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename) {
				return ok
			}
		case _, ok := <-w.Errors: // events may have been lost
			return ok
		}
	}
}

// HoldRuntime keeps the runtime folder from being cleaned up by its age, as
// systemd-tmpfiles does in /tmp: it passes over a folder on which somebody holds
// a lock (tmpfiles.d(5)). The hold lasts until the returned file is closed.
func (m Machine) HoldRuntime() (*os.File, error) {
	f, err := os.Open(m.dirs.Runtime)
	if err != nil {
		return nil, fmt.Errorf("hold the runtime folder: %w", err)
	}
	if err := flock(f, unix.LOCK_SH|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, lockError(m.dirs.Runtime, err)
	}
	return f, nil
}

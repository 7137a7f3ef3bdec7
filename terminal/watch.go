package terminal

import (
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// Watcher tells when a terminal's size may have changed:
//
//	w := terminal.Watch(tty)
//	defer w.Stop()
//	for range w.C {
//		size, err := w.Size()
//		…
//	}
//
// C holds at most one event, which says "read the size now", never a size: however many resizes happen while the reader
// is busy, it then reads the last one.
type Watcher struct {
	C <-chan os.Signal // closed by Stop

	tty *os.File

	mu      sync.Mutex
	dirty   chan os.Signal // the same channel as C; nil after Stop
	stopped bool
}

// Watch arms SIGWINCH, and SIGCONT, since a resize of a stopped process is easily missed. Only then does it put the
// first event into C, so that no resize falls between the first reading and the arming.
func Watch(tty *os.File) *Watcher {
	dirty := make(chan os.Signal, 1)
	signal.Notify(dirty, unix.SIGWINCH, unix.SIGCONT)
	w := &Watcher{C: dirty, tty: tty, dirty: dirty}
	w.Mark()
	return w
}

// Mark asks for the size to be read again, as after entering raw mode.
func (w *Watcher) Mark() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	select {
	case w.dirty <- unix.SIGWINCH:
	default: // an unread event is there already
	}
}

// Size reads the size as it is now.
func (w *Watcher) Size() (Size, error) { return GetSize(w.tty) }

// Stop disarms the signals and closes C.
func (w *Watcher) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	w.stopped = true
	signal.Stop(w.dirty) // when it returns, nothing sends any more
	close(w.dirty)
}

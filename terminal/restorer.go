package terminal

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// abortSequence ends whatever a killed writer left half said: CAN cancels an escape sequence, ST closes a string.
const abortSequence = "\x18\x1b\\"

// undoPatience bounds the wait for a terminal that takes no output, such as one whose emulator hangs.
const undoPatience = 2 * time.Second

// restorer makes a terminal whole again. It is the only code that enters raw mode under a guardian and the only code
// that leaves it: the guardian uses it at every end and stop of its child, the ward when the guardian was killed.
type restorer struct {
	in, out *os.File
	saved   *State // before raw mode
	set     *State // as the kernel reads it back after raw mode was set; nil while not raw
	undo    []byte // undoes the modes that the program has switched on
	paused  bool   // suspend has left raw mode, resume is to enter it again
}

func (r *restorer) raw() bool { return r.set != nil }

// enter switches to raw mode. What is restored later is the state found at the first entry after a restore, so that a
// shell's change between a stop and a continue is kept.
func (r *restorer) enter() error {
	if r.raw() {
		return nil
	}
	saved, err := MakeRaw(r.in)
	if err != nil {
		return err
	}
	r.saved = saved
	r.set, err = GetState(r.in)
	if err != nil {
		r.set = saved.raw()
	}
	return nil
}

// assume records that another process, our guardian, has switched the terminal to the raw state set; nil for none.
func (r *restorer) assume(set *State) { r.set = set }

// leave restores the termios and undoes the modes. Broken says that the last output may have been cut anywhere.
//
// From the background the termios is restored only if it is still the raw one that we set: a shell that took the
// terminal back has set its own, and ours would break its line editor.
func (r *restorer) leave(broken bool) {
	if !r.raw() {
		return
	}
	if !ownedByOther(r.in) || r.untouched() {
		_ = Restore(r.in, r.saved) // fails only if the terminal is gone, and then there is nothing to restore
	}
	r.set = nil
	undo := r.undo
	if broken {
		undo = append([]byte(abortSequence), undo...)
	}
	writeBounded(r.out, undo, undoPatience)
}

// suspend leaves raw mode for as long as the viewer is stopped.
func (r *restorer) suspend() {
	if r.raw() {
		r.paused = true
		r.leave(true)
	}
}

// resume enters raw mode again and reports whether the terminal was out of it. It does nothing while another process
// group has the terminal. A stop that nobody could catch leaves no trace but the shell's change of the termios.
func (r *restorer) resume() bool {
	if ownedByOther(r.in) {
		return false
	}
	if r.raw() && !r.untouched() {
		r.set, r.paused = nil, true
	}
	if !r.paused || r.enter() != nil {
		return false
	}
	r.paused = false
	return true
}

func (r *restorer) untouched() bool {
	now, err := GetState(r.in)
	return err == nil && now.Equal(r.set)
}

// writeBounded writes p to a terminal, from the background too, and gives up after patience: at the end of a session a
// stuck terminal must not keep the process. Small pieces, since a terminal that polls writable has room for one.
func writeBounded(f *os.File, p []byte, patience time.Duration) {
	const piece = 64
	deadline := time.Now().Add(patience)
	_ = inBackground(func() error {
		return control(f, func(fd int) error {
			for len(p) > 0 {
				if err := awaitWritable(fd, time.Until(deadline)); err != nil {
					return err
				}
				n, err := unix.Write(fd, p[:min(piece, len(p))])
				if err != nil && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
					return err
				}
				p = p[max(n, 0):]
			}
			return nil
		})
	})
}

func awaitWritable(fd int, left time.Duration) error {
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	_, err := unix.Poll(poll, int(left.Milliseconds())+1)
	if errors.Is(err, unix.EINTR) {
		return nil // the write that follows says EAGAIN or writes
	}
	return err
}

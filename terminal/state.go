package terminal

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// State is a terminal's line discipline settings, the termios that stty shows.
type State struct{ termios unix.Termios }

// Equal reports whether two states are the same in every field.
func (s *State) Equal(other *State) bool {
	return s != nil && other != nil && s.termios == other.termios
}

// Termios returns a copy of the settings.
func (s *State) Termios() unix.Termios { return s.termios }

// String returns the state's flag words, for a test's message.
func (s *State) String() string {
	t := &s.termios
	return fmt.Sprintf("iflag=%#x oflag=%#x cflag=%#x lflag=%#x cc=%v", t.Iflag, t.Oflag, t.Cflag, t.Lflag, t.Cc)
}

// IsTerminal reports whether f is a terminal.
func IsTerminal(f *os.File) bool {
	if f == nil {
		return false
	}
	_, err := GetState(f)
	return err == nil
}

// GetState reads f's state. The error wraps ENOTTY if f is not a terminal.
func GetState(f *os.File) (*State, error) {
	var termios *unix.Termios
	err := control(f, func(fd int) (err error) {
		termios, err = unix.IoctlGetTermios(fd, getTermios)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read terminal state of %s: %w", f.Name(), err)
	}
	return &State{*termios}, nil
}

// MakeRaw switches f to raw mode, in which every byte passes both ways as it is, and returns the state before.
func MakeRaw(f *os.File) (*State, error) {
	before, err := GetState(f)
	if err != nil {
		return nil, err
	}
	return before, Restore(f, before.raw())
}

// raw returns the state that cfmakeraw(3) makes of s.
func (s *State) raw() *State {
	t := s.termios
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN] = 1
	t.Cc[unix.VTIME] = 0
	return &State{t}
}

// Restore writes a saved state to f. It works from a background process group too, as a process whose shell has taken
// the terminal back finds itself. It neither waits for output to drain, which a stopped terminal would never do, nor
// discards what was typed ahead.
func Restore(f *os.File, s *State) error {
	err := inBackground(func() error {
		return control(f, func(fd int) error { return unix.IoctlSetTermios(fd, setTermios, &s.termios) })
	})
	if err != nil {
		return fmt.Errorf("set terminal state of %s: %w", f.Name(), err)
	}
	return nil
}

// ownedByOther reports whether f is our controlling terminal and another process group, such as the shell that stopped
// us, is in its foreground.
func ownedByOther(f *os.File) bool {
	var group int
	err := control(f, func(fd int) (err error) {
		group, err = unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		return err
	})
	return err == nil && group != unix.Getpgrp()
}

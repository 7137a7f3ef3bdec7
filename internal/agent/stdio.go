//go:build linux

package agent

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/snugvm/snug/internal/pty"
	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/sys/unix"
)

// stdio is the program's standard files: our ends and, until it runs, its own.
// On a PTY in and out are the same file, the master.
type stdio struct {
	in, out, err *os.File
	child        []*os.File // stdin, stdout, stderr
	tty          bool
	packets      bool // each read of the master begins with a byte of its state
}

// openStdio opens a PTY with its size and modes set, or pipes.
func openStdio(wanted *wire.Pty, size wire.Size, owner int) (*stdio, error) {
	if wanted == nil {
		return openPipes()
	}
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: mount devpts on the sandbox's /dev/pts, or use -T for pipes", err)
	}
	f := &stdio{in: master, out: master, child: []*os.File{slave, slave, slave}, tty: true, packets: packetMode(master)}
	if err := prepareTTY(slave, wanted.Modes, size, owner); err != nil {
		f.closeChild()
		f.close()
		return nil, err
	}
	return f, nil
}

func openPipes() (*stdio, error) {
	f := &stdio{}
	for i, mine := range []**os.File{&f.in, &f.out, &f.err} {
		r, w, err := os.Pipe()
		if err != nil {
			f.closeChild()
			f.close()
			return nil, fmt.Errorf("no pipe: %w", err)
		}
		if i == 0 {
			r, w = w, r
		}
		*mine = r
		f.child = append(f.child, w)
	}
	return f, nil
}

// packetMode has reads of the master tell when the terminal threw output away, as
// it does at a ^C. Where it cannot be had, nobody knows.
func packetMode(master *os.File) bool {
	return unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCPKT, 1) == nil
}

// prepareTTY sets all that the program may look at in its first system call.
func prepareTTY(slave *os.File, modes []byte, size wire.Size, owner int) error {
	fd := int(slave.Fd())
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("terminal modes: %w", err)
	}
	wire.ApplyModes(t, modes)
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return fmt.Errorf("terminal modes: %w", err)
	}
	if owner >= 0 {
		// Programs open their terminal by name as well.
		if err := slave.Chown(owner, -1); err != nil {
			return fmt.Errorf("terminal owner: %w", err)
		}
	}
	if size.Empty() {
		return nil
	}
	return setSize(slave, size)
}

// readWithin reads what comes within a time, and in any case what is there: the time
// may pass while other processes have the processor. The file does not block.
func readWithin(f *os.File, b []byte, d time.Duration) (int, error) {
	_ = f.SetReadDeadline(time.Now().Add(d))
	n, err := f.Read(b)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	conn, connErr := f.SyscallConn()
	if connErr != nil {
		return 0, err
	}
	_ = conn.Control(func(fd uintptr) { n, connErr = unix.Read(int(fd), b) })
	if connErr != nil || n == 0 {
		return 0, err
	}
	return n, nil
}

// setSize sets the size of the terminal that f is an end of.
func setSize(f *os.File, s wire.Size) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("terminal size: %w", err)
	}
	ws := &unix.Winsize{Row: s.Rows, Col: s.Cols, Xpixel: s.XPixel, Ypixel: s.YPixel}
	var ioctlErr error
	err = conn.Control(func(fd uintptr) {
		ioctlErr = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, ws)
	})
	if err == nil {
		err = ioctlErr
	}
	if err != nil {
		return fmt.Errorf("terminal size: %w", err)
	}
	return nil
}

// endInput passes the end of input on: a pipe is closed, a terminal gets its
// end-of-file character.
func (f *stdio) endInput() {
	if !f.tty {
		_ = f.in.Close()
		return
	}
	conn, err := f.in.SyscallConn()
	if err != nil {
		return
	}
	eof := byte(4) // ^D
	_ = conn.Control(func(fd uintptr) {
		if t, err := unix.IoctlGetTermios(int(fd), unix.TCGETS); err == nil && t.Cc[unix.VEOF] != 0 {
			eof = t.Cc[unix.VEOF]
		}
	})
	_, _ = f.in.Write([]byte{eof})
}

// kick ends reads that wait for a program which is no more.
func (f *stdio) kick() {
	_ = f.out.SetReadDeadline(time.Now())
	if f.err != nil {
		_ = f.err.SetReadDeadline(time.Now())
	}
}

// closeChild closes the program's ends; with one of them open, ours would
// never see the end of output.
func (f *stdio) closeChild() {
	for i, c := range f.child {
		if i == 0 || c != f.child[0] {
			_ = c.Close()
		}
	}
	f.child = nil
}

// close closes our ends.
func (f *stdio) close() {
	for _, file := range []*os.File{f.in, f.out, f.err} {
		if file != nil {
			_ = file.Close()
		}
	}
}

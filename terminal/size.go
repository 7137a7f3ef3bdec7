package terminal

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Size is the size of a terminal: cells, and pixels of the whole text area. Pixels are 0 where the terminal does not
// tell them; they are never computed from cells.
type Size struct{ Rows, Cols, XPixel, YPixel uint16 }

// IsZero reports whether the size says nothing: such a size is not worth passing on.
func (s Size) IsZero() bool { return s.Rows == 0 && s.Cols == 0 }

// String returns the size as COLSxROWS.
func (s Size) String() string { return fmt.Sprintf("%dx%d", s.Cols, s.Rows) }

// GetSize reads the size of the terminal f (TIOCGWINSZ).
func GetSize(f *os.File) (Size, error) {
	var ws *unix.Winsize
	err := control(f, func(fd int) (err error) {
		ws, err = unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		return err
	})
	if err != nil {
		return Size{}, fmt.Errorf("read terminal size of %s: %w", f.Name(), err)
	}
	return Size{Rows: ws.Row, Cols: ws.Col, XPixel: ws.Xpixel, YPixel: ws.Ypixel}, nil
}

// SetSize sets the size of the terminal f (TIOCSWINSZ). The kernel sends SIGWINCH to the terminal's foreground process
// group if the size, cells or pixels, differs from the one before.
func SetSize(f *os.File, s Size) error {
	ws := unix.Winsize{Row: s.Rows, Col: s.Cols, Xpixel: s.XPixel, Ypixel: s.YPixel}
	err := control(f, func(fd int) error { return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &ws) })
	if err != nil {
		return fmt.Errorf("set terminal size of %s: %w", f.Name(), err)
	}
	return nil
}

// control calls do with f's descriptor. It does not go through [os.File.Fd], which switches a pollable file to blocking
// mode for good: reads of it could then no longer be interrupted.
func control(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var doErr error
	if err := conn.Control(func(fd uintptr) { doErr = do(int(fd)) }); err != nil {
		return err
	}
	return doErr
}

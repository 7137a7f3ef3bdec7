//go:build linux

package guest

import (
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/snugvm/snug/internal/pty"
	"github.com/snugvm/snug/test/smolvm/internal/frame"
	"golang.org/x/sys/unix"
)

// stdio is the agent's end of a workload's standard streams.
type stdio interface {
	attach(cmd *exec.Cmd) // before the start
	started()             // closes the workload's ends
	outputs() iter.Seq2[frame.Kind, *os.File]
	write(p []byte) (int, error)
	closeInput()
	resize(frame.Size)
	close()
}

// pipes keep stdout and stderr apart.
type pipes struct {
	stdin, stdout, stderr *os.File
	theirs                [3]*os.File
}

// newPipes makes them; without input, the workload reads /dev/null.
func newPipes(input bool) (stdio, error) {
	p := &pipes{}
	var errs [3]error
	if input {
		p.theirs[0], p.stdin, errs[0] = os.Pipe()
	}
	p.stdout, p.theirs[1], errs[1] = os.Pipe()
	p.stderr, p.theirs[2], errs[2] = os.Pipe()
	if err := errors.Join(errs[:]...); err != nil {
		p.started()
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *pipes) attach(cmd *exec.Cmd) {
	if p.theirs[0] != nil { // not a nil file in a non-nil interface
		cmd.Stdin = p.theirs[0]
	}
	cmd.Stdout, cmd.Stderr = p.theirs[1], p.theirs[2]
}

func (p *pipes) started() {
	for _, f := range p.theirs {
		_ = f.Close() // a nil *os.File says so, no more
	}
}

func (p *pipes) outputs() iter.Seq2[frame.Kind, *os.File] {
	return func(yield func(frame.Kind, *os.File) bool) {
		_ = yield(frame.Stdout, p.stdout) && yield(frame.Stderr, p.stderr)
	}
}

func (p *pipes) write(b []byte) (int, error) { return p.stdin.Write(b) }
func (p *pipes) closeInput()                 { _ = p.stdin.Close() }
func (p *pipes) resize(frame.Size)           {}

func (p *pipes) close() {
	for _, f := range []*os.File{p.stdin, p.stdout, p.stderr} {
		_ = f.Close()
	}
}

// terminal is a pseudo-terminal of the agent's, of no size, that crun copies to and from one of its own. Nobody ever
// tells either of a size.
type terminal struct {
	master, slave *os.File
}

func newTerminal() (stdio, error) {
	master, slave, err := pty.Open()
	return &terminal{master, slave}, err
}

func (t *terminal) attach(cmd *exec.Cmd) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = t.slave, t.slave, t.slave
	cmd.SysProcAttr.Setctty = true
}

func (t *terminal) started() { _ = t.slave.Close() }

func (t *terminal) outputs() iter.Seq2[frame.Kind, *os.File] {
	return func(yield func(frame.Kind, *os.File) bool) { yield(frame.Stdout, t.master) }
}

func (t *terminal) write(b []byte) (int, error) { return t.master.Write(b) }
func (t *terminal) closeInput()                 {} // a terminal has no end
func (t *terminal) resize(frame.Size)           {} // deaf

func (t *terminal) close() {
	_ = t.master.Close()
	_ = t.slave.Close()
}

// console is the pseudo-terminal of a container itself.
type console struct{ terminal }

func (c *console) resize(size frame.Size) {
	ws := &unix.Winsize{Row: size.Rows, Col: size.Cols}
	_ = unix.IoctlSetWinsize(int(c.master.Fd()), unix.TIOCSWINSZ, ws) // it may have been closed
}

// consoleSocket is where crun sends the master of a container's pseudo-terminal.
type consoleSocket struct {
	path     string
	listener *net.UnixListener
}

func listenConsole(dir string) (*consoleSocket, error) {
	folder, err := os.MkdirTemp(dir, "c")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	return &consoleSocket{path, listener}, nil
}

func (s *consoleSocket) close() {
	_ = s.listener.Close()
	_ = os.RemoveAll(filepath.Dir(s.path))
}

// accept receives the master.
func (s *consoleSocket) accept(timeout time.Duration) (*os.File, error) {
	deadline := time.Now().Add(timeout)
	if err := s.listener.SetDeadline(deadline); err != nil {
		return nil, err
	}
	conn, err := s.listener.AcceptUnix()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	data, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(data, control)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("%d control messages, want one: %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("%d descriptors, want one: %w", len(fds), err)
	}
	unix.CloseOnExec(fds[0])
	// Only a file that does not block has deadlines.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "console"), nil
}

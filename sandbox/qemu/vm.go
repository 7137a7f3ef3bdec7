package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/snugvm/snug/sandbox"
)

// VM is a running machine.
type VM struct {
	config  Config // of an adopted machine, only Dir is known
	console *console
	process process
	killed  atomic.Bool
	gone    chan struct{} // closed once the machine is gone
	cause   error         // set before gone is closed
}

var _ sandbox.Machine = (*VM)(nil)

// process is QEMU, as a child of this process or of another.
type process interface {
	kill() error
	// await returns once the process is gone. It is called once, when the
	// process is known to be ending. It returns "" or how it ended.
	await() string
}

// retryDial is how soon a socket that is not there yet is tried again.
const retryDial = 2 * time.Millisecond

// Start starts the machine and returns once QEMU runs. It fails with QEMU's own
// words if that ends at once. The machine does not end with ctx, which bounds
// only the start.
func Start(ctx context.Context, c Config) (*VM, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	cmd, err := launch(c)
	if err != nil {
		return nil, err
	}
	child := newChild(cmd)
	conn, err := dialFirst(ctx, c.file(consoleSocket), child.exited)
	if err != nil {
		_ = child.kill()
		how := child.await()
		if words := stderrTail(c.Dir); words != "" {
			how = words
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("start QEMU: %w", ctx.Err())
		}
		return nil, fmt.Errorf("QEMU did not start: %s", how)
	}
	if err := c.closeSockets(); err != nil {
		_ = conn.Close()
		_ = child.kill()
		_ = child.await()
		return nil, err
	}
	return newVM(c, child, conn), nil
}

// closeSockets keeps other users from QEMU's sockets, as the folder does. QEMU
// has made all of them when the last one, the console's, can be connected to.
func (c Config) closeSockets() error {
	for _, name := range sockets {
		if err := os.Chmod(c.file(name), 0o600); err != nil {
			return fmt.Errorf("close QEMU's socket to others: %w", err)
		}
	}
	return nil
}

func newVM(c Config, p process, conn net.Conn) *VM {
	vm := &VM{config: c, console: newConsole(), process: p, gone: make(chan struct{})}
	go vm.watch(conn)
	return vm
}

// watch is the machine's one goroutine: it ends with the machine.
func (vm *VM) watch(conn net.Conn) {
	vm.console.follow(conn)
	how := vm.process.await()
	if !vm.killed.Load() {
		vm.cause = vm.why(how)
	}
	close(vm.gone)
}

// launch starts QEMU in a session of its own, away from the terminal's signals.
func launch(c Config) (*exec.Cmd, error) {
	for _, name := range sockets {
		if err := os.Remove(c.file(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("clear the machine's folder: %w", err)
		}
	}
	stderr, err := os.OpenFile(c.file(stderrFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make QEMU's error file: %w", err)
	}
	defer func() { _ = stderr.Close() }()
	cmd := exec.Command(c.Binary, Args(c)...)
	cmd.Dir = "/" // the caller's folder may go
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = stderr, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if c.Lock != nil {
		cmd.ExtraFiles = []*os.File{c.Lock}
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start QEMU: %w", err)
	}
	return cmd, nil
}

// Dial opens the link. It waits for QEMU to let go of the last one.
func (vm *VM) Dial(ctx context.Context) (io.ReadWriteCloser, error) {
	conn, err := dialFirst(ctx, vm.config.file(linkSocket), vm.gone)
	if err != nil {
		if vm.dead() {
			return nil, fmt.Errorf("open link: %w", vm.causeOr("the machine is gone"))
		}
		return nil, fmt.Errorf("open link: %w", err)
	}
	return conn, nil
}

// Wait implements sandbox.Machine.
func (vm *VM) Wait() error {
	<-vm.gone
	return vm.cause
}

// Kill implements sandbox.Machine.
func (vm *VM) Kill() error {
	if vm.dead() {
		return nil
	}
	vm.killed.Store(true)
	if err := vm.process.kill(); err != nil && !vm.dead() {
		return fmt.Errorf("kill QEMU: %w", err)
	}
	<-vm.gone
	return nil
}

// Accel is how QEMU runs the guest's instructions; of an adopted machine it is
// not known.
func (vm *VM) Accel() Accel { return vm.config.Accel }

// SignOfLife returns once the guest has printed a line on its console, or with
// the machine's cause of death. It bounds a trial of an acceleration.
func (vm *VM) SignOfLife(ctx context.Context) error {
	select {
	case <-vm.console.first:
		return nil
	case <-vm.gone:
		return vm.causeOr("the machine was killed")
	case <-ctx.Done():
		return fmt.Errorf("wait for the guest's first line: %w", ctx.Err())
	}
}

// Console is the last 64 KiB that the guest printed. It is hostile text.
func (vm *VM) Console() string { return vm.console.text() }

func (vm *VM) dead() bool {
	select {
	case <-vm.gone:
		return true
	default:
		return false
	}
}

func (vm *VM) causeOr(otherwise string) error {
	if vm.cause != nil {
		return vm.cause
	}
	return errors.New(otherwise)
}

// why makes one line out of all that is known of an end that nobody asked for.
func (vm *VM) why(how string) error {
	var causes []string
	if how != "" {
		causes = append(causes, how)
	}
	if words := stderrTail(vm.config.Dir); words != "" {
		causes = append(causes, words)
	}
	if guest := guestCause(vm.console.text()); guest != "" {
		causes = append(causes, "the guest's last words: "+guest)
	}
	if causes == nil {
		causes = []string{"the guest switched off without a word"}
	}
	return fmt.Errorf("the machine ended: %s", strings.Join(causes, "; "))
}

// stderrTail is the last that QEMU said, in one line.
func stderrTail(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, stderrFile))
	if err != nil {
		return ""
	}
	lines := strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' })
	lines = lines[max(0, len(lines)-2):]
	return plain(strings.Join(lines, "; "))
}

// dialFirst connects to a socket that QEMU makes soon, or that is busy for a
// moment, until over is closed. A socket's appearance is no event, so it tries.
func dialFirst(ctx context.Context, path string, over <-chan struct{}) (net.Conn, error) {
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "unix", path)
		if err == nil {
			return conn, nil
		}
		if !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EAGAIN) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-over:
			return nil, err
		case <-time.After(retryDial):
		}
	}
}

// child is a QEMU that this process has started.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

func newChild(cmd *exec.Cmd) *child {
	c := &child{cmd: cmd, exited: make(chan struct{})}
	go func() { // ends with QEMU; await joins it
		_ = cmd.Wait()
		close(c.exited)
	}()
	return c
}

func (c *child) kill() error {
	err := c.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

func (c *child) await() string {
	<-c.exited
	state := c.cmd.ProcessState
	if state.Success() {
		return ""
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Sprintf("QEMU was killed by signal %d (%v)", status.Signal(), status.Signal())
	}
	return "QEMU failed with " + state.String()
}

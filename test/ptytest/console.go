package ptytest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/pty"
	"github.com/snugvm/snug/terminal"
)

// DefaultTimeout bounds an expectation unless [Console.SetTimeout] or [Tmux.SetTimeout] says otherwise.
const DefaultTimeout = 10 * time.Second

// Console is a command on a pseudo-terminal, seen from the master's side. Its methods are for the test's goroutine.
type Console struct {
	t       testing.TB
	cmd     *exec.Cmd
	master  *os.File
	tty     string // the slave's path
	before  *terminal.State
	timeout time.Duration
	log     *transcript

	exited  chan struct{} // closed when the command is reaped
	waitErr error         // valid once exited is closed
	closed  chan struct{} // closed when every slave is, and all output read
	joined  sync.WaitGroup

	mu      sync.Mutex
	output  []byte        // all that was read
	eof     bool          // every slave is closed
	arrived chan struct{} // closed and replaced when output or eof changes

	matched int // how much of output the expectations have consumed
}

// Start runs cmd as the leader of a new session on a new pseudo-terminal, which has the given size before cmd starts.
// Standard streams that cmd has set already are left alone.
func Start(t testing.TB, size terminal.Size, cmd *exec.Cmd) *Console {
	t.Helper()
	c := &Console{
		t: t, cmd: cmd, timeout: DefaultTimeout, log: newTranscript(),
		exited: make(chan struct{}), closed: make(chan struct{}), arrived: make(chan struct{}),
	}
	c.master, c.tty, c.before = start(t, size, cmd)
	c.joined.Go(c.read)
	c.joined.Go(func() { c.waitErr = cmd.Wait(); close(c.exited) })
	t.Cleanup(c.close)
	return c
}

// OpenPTY returns both ends of a new pseudo-terminal, which are closed at the test's cleanup at the latest.
func OpenPTY(t testing.TB) (master, slave *os.File) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close(); _ = slave.Close() })
	return master, slave
}

// StartBare runs cmd as [Start] does, and returns the master, for the caller to read and to close: nothing is written
// down, which would take time. The caller waits for cmd.
func StartBare(t testing.TB, size terminal.Size, cmd *exec.Cmd) (master *os.File) {
	t.Helper()
	master, _, _ = start(t, size, cmd)
	return master
}

func start(t testing.TB, size terminal.Size, cmd *exec.Cmd) (master *os.File, tty string, before *terminal.State) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	if err := terminal.SetSize(master, size); err != nil {
		t.Fatal(err)
	}
	if before, err = terminal.GetState(master); err != nil {
		t.Fatal(err)
	}
	attach(cmd, slave)
	if err := cmd.Start(); err != nil {
		_ = master.Close()
		t.Fatalf("start %v: %v", cmd.Args, err)
	}
	return master, slave.Name(), before
}

// attach makes slave the controlling terminal of cmd and the standard streams that are not set.
func attach(cmd *exec.Cmd, slave *os.File) {
	if cmd.Stdin == nil {
		cmd.Stdin = slave
	}
	if cmd.Stdout == nil {
		cmd.Stdout = slave
	}
	if cmd.Stderr == nil {
		cmd.Stderr = slave
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	cmd.SysProcAttr.Setctty = true
	cmd.SysProcAttr.Ctty = 3 + len(cmd.ExtraFiles)
	cmd.ExtraFiles = append(cmd.ExtraFiles, slave)
}

// SetTimeout changes the deadline of each later expectation.
func (c *Console) SetTimeout(d time.Duration) { c.timeout = d }

// Pid returns the command's process id, which is its process group and session too.
func (c *Console) Pid() int { return c.cmd.Process.Pid }

// Master returns the pseudo-terminal's master, for what the kit does not offer. Reads of it would steal output.
func (c *Console) Master() *os.File { return c.master }

// Expect waits for want in the output after the last match and returns the output up to and including it.
func (c *Console) Expect(want string) string {
	c.t.Helper()
	var got string
	c.await(fmt.Sprintf("%q", want), func(out []byte, _ bool) int {
		i := bytes.Index(out, []byte(want))
		if i < 0 {
			return -1
		}
		got = string(out[:i+len(want)])
		return i + len(want)
	})
	return got
}

// ExpectRegexp waits for a match of expr in the output after the last match and returns the match and its groups. The
// match may grow with output still to come: end the expression with what must follow.
func (c *Console) ExpectRegexp(expr string) []string {
	c.t.Helper()
	re := regexp.MustCompile(expr)
	var got []string
	c.await("match of "+expr, func(out []byte, _ bool) int {
		m := re.FindSubmatchIndex(out)
		if m == nil {
			return -1
		}
		for i := 0; i < len(m); i += 2 {
			group := ""
			if m[i] >= 0 {
				group = string(out[m[i]:m[i+1]])
			}
			got = append(got, group)
		}
		return m[1]
	})
	return got
}

// ExpectEOF waits until every process has closed the terminal and returns the output after the last match.
func (c *Console) ExpectEOF() string {
	c.t.Helper()
	var got string
	c.await("end of file", func(out []byte, eof bool) int {
		if !eof {
			return -1
		}
		got = string(out)
		return len(out)
	})
	return got
}

// await waits until match, called with the output not yet consumed, returns how much of it to consume, not -1.
func (c *Console) await(what string, match func(out []byte, eof bool) int) {
	c.t.Helper()
	deadline := time.NewTimer(c.timeout)
	defer deadline.Stop()
	for {
		c.mu.Lock()
		out, eof, arrived := c.output[c.matched:], c.eof, c.arrived
		c.mu.Unlock()
		if n := match(out, eof); n >= 0 {
			c.matched += n
			return
		}
		if eof {
			c.fail("the terminal was closed before %s", what)
		}
		select {
		case <-arrived:
		case <-deadline.C:
			c.fail("no %s within %v", what, c.timeout)
		}
	}
}

func (c *Console) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("%s of %v\n%s", fmt.Sprintf(format, args...), c.cmd.Args, c.log)
}

// Output returns everything that was read so far.
func (c *Console) Output() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.output)
}

// Send writes s to the terminal, as if typed in one go.
func (c *Console) Send(s string) {
	c.t.Helper()
	c.log.add("sent", []byte(s))
	if err := c.master.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		c.fail("set the deadline of a write: %v", err)
	}
	if _, err := io.WriteString(c.master, s); err != nil {
		c.fail("send %d bytes: %v", len(s), err)
	}
}

// Resize sets the terminal's size.
func (c *Console) Resize(size terminal.Size) {
	c.t.Helper()
	c.log.note("resize to %v, pixels %dx%d", size, size.XPixel, size.YPixel)
	if err := terminal.SetSize(c.master, size); err != nil {
		c.fail("%v", err)
	}
}

// Signal sends sig to the command's process, not to its group.
func (c *Console) Signal(sig syscall.Signal) {
	c.t.Helper()
	c.log.note("signal %v to %d", sig, c.Pid())
	if err := c.cmd.Process.Signal(sig); err != nil {
		c.fail("signal %v: %v", sig, err)
	}
}

// Wait waits for the command's end, and the terminal's, so that all output is there: no process may hold the terminal
// longer than the command. It returns the exit status, or 128 plus the number of the signal that ended the command.
func (c *Console) Wait() int {
	c.t.Helper()
	limit := time.After(c.timeout)
	c.awaitClose(c.exited, limit, "end")
	c.awaitClose(c.closed, limit, "end of all that hold the terminal")
	ws, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		c.fail("wait: %v", c.waitErr)
	case ws.Signaled():
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

func (c *Console) awaitClose(event <-chan struct{}, limit <-chan time.Time, what string) {
	c.t.Helper()
	select {
	case <-event:
	case <-limit:
		c.fail("no %s within %v", what, c.timeout)
	}
}

// State returns the terminal's line discipline settings as they are now, also after the command's end.
func (c *Console) State() *terminal.State {
	c.t.Helper()
	s, err := terminal.GetState(c.master)
	if err != nil {
		c.fail("%v", err)
	}
	return s
}

// Before returns the terminal's line discipline settings as they were before the command started.
func (c *Console) Before() *terminal.State { return c.before }

// StateEqual fails the test unless the terminal's settings are those of before.
func (c *Console) StateEqual(before *terminal.State) {
	c.t.Helper()
	if now := c.State(); !now.Equal(before) {
		c.fail("terminal state is not what it was\nbefore: %v\nnow:    %v\nat the end", before, now)
	}
}

// AwaitState waits until the terminal's settings satisfy ok. The kernel tells nobody of a change, hence the polling.
func (c *Console) AwaitState(what string, ok func(*terminal.State) bool) {
	c.t.Helper()
	if !poll(c.timeout, func() bool { return ok(c.State()) }) {
		c.fail("terminal state not %s within %v: %v", what, c.timeout, c.State())
	}
}

// read collects output until every slave is closed, which Linux reports as EIO, or the master is.
func (c *Console) read() {
	defer close(c.closed)
	b := make([]byte, 32<<10)
	for {
		n, err := c.master.Read(b)
		c.log.add("read", b[:n])
		c.mu.Lock()
		c.output = append(c.output, b[:n]...)
		c.eof = err != nil
		close(c.arrived)
		c.arrived = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// close kills the command's group; closing the master hangs up on what else is in its session.
func (c *Console) close() {
	_ = syscall.Kill(-c.Pid(), syscall.SIGKILL) // ESRCH: all have ended
	_ = c.master.Close()
	c.joined.Wait()
}

// poll calls ok until it returns true, and returns false when it did not within timeout.
func poll(timeout time.Duration, ok func() bool) bool {
	const pause = 10 * time.Millisecond
	for deadline := time.Now().Add(timeout); ; time.Sleep(pause) {
		if ok() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

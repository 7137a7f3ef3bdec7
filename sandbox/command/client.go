package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// partPatience is how long a tool's client may take to end by itself once
	// its stdin has ended.
	partPatience = time.Second
	// tailSize is how much of a tool's stderr is kept.
	tailSize = 4 << 10
	// longestLine is what a line of a bring-up may have; more is noise.
	longestLine = 64 << 10
)

// client is a tool's process on this host, and after the hello the link.
type client struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	lines  *bufio.Reader // of out
	stderr *tail
	exited chan struct{} // closed when the process was reaped
	err    error         // how it ended; after exited
	close  func()
}

var _ io.ReadWriteCloser = (*link)(nil)

// startClient runs a tool. It gets a session of its own, so it can neither take
// the user's terminal nor be stopped by it, and can be killed with all of its
// children.
func startClient(argv []string) (*client, error) {
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("no pipe: %w", err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("no pipe: %w", err), inR.Close(), inW.Close())
	}
	c := &client{
		cmd: exec.Command(argv[0], argv[1:]...), in: inW, out: outR,
		lines: bufio.NewReaderSize(outR, longestLine), stderr: &tail{}, exited: make(chan struct{}),
	}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = inR, outW, c.stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// What a tool leaves in the background, such as ssh's shared connection,
	// may keep its stderr.
	c.cmd.WaitDelay = partPatience
	err = c.cmd.Start()
	_ = inR.Close()
	_ = outW.Close()
	if err != nil {
		_ = inW.Close()
		_ = outR.Close()
		return nil, err
	}
	c.close = sync.OnceFunc(c.part)
	go func() { // ends with the process, which close ends
		c.err = c.cmd.Wait()
		close(c.exited)
	}()
	return c, nil
}

// part ends the tool: by the end of its stdin, on which the relay ends and with
// it the exec, else by force.
func (c *client) part() {
	_ = c.in.Close()
	if !c.ended(partPatience) {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		<-c.exited
	}
	_ = c.out.Close()
}

// ended waits for the process's end.
func (c *client) ended(patience time.Duration) bool {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-c.exited:
		return true
	case <-t.C:
		return false
	}
}

// status says how the process ended, after exited.
func (c *client) status() string {
	if c.err == nil {
		return "exit status 0"
	}
	return c.err.Error()
}

// link is a client whose stdin and stdout lead to the agent.
type link struct{ *client }

func (l *link) Read(p []byte) (int, error)  { return l.lines.Read(p) }
func (l *link) Write(p []byte) (int, error) { return l.in.Write(p) }

// Close ends the tool's client. The agent stays.
func (l *link) Close() error {
	l.close()
	return nil
}

// tail keeps the last of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > tailSize {
		t.b = append([]byte(nil), t.b[len(t.b)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}

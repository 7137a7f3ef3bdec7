//go:build linux

package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/snugvm/snug/test/smolvm/internal/cmdline"
	"github.com/snugvm/snug/test/smolvm/internal/frame"
	"golang.org/x/sys/unix"
)

// timedOut is the status of an exec that its --timeout ended.
const timedOut = 124

// session is one exec whose client waits for it.
type session struct {
	*agent
	conn *net.UnixConn
	in   *frame.Reader
	out  *frame.Writer
	req  frame.Request
	work *workload

	cmd    *exec.Cmd
	wait   func() error // for the end of cmd
	stdio  stdio
	exited atomic.Bool // the command
	gone   atomic.Bool // the client, and it went first
}

// run starts the workload and carries its bytes until it has ended.
func (s *session) run() frame.End {
	if err := s.start(); err != nil {
		return frame.End{Status: 1, Failure: err.Error()}
	}
	var outputs, inputs sync.WaitGroup
	for kind, f := range s.stdio.outputs() {
		outputs.Go(func() { s.relay(f, kind) })
	}
	inputs.Go(s.feed)
	ended := make(chan struct{})
	inputs.Go(func() { s.killAtHangUp(ended) })
	var late atomic.Bool
	if s.req.Timeout > 0 {
		limit := time.AfterFunc(s.req.Timeout, func() { late.Store(true); s.kill(s.work, s.cmd) })
		defer limit.Stop()
	}
	err := s.wait()
	s.exited.Store(true)
	for _, f := range s.stdio.outputs() {
		_ = f.SetReadDeadline(time.Now().Add(silence)) // wakes the relay, which bounds itself from now on
	}
	outputs.Wait()
	close(ended)
	_ = s.conn.CloseRead() // ends feed
	s.stdio.close()
	inputs.Wait()
	if s.work.pidFile != "" {
		_ = os.Remove(s.work.pidFile)
	}
	if late.Load() {
		return frame.End{Status: timedOut}
	}
	return frame.End{Status: s.status(err)}
}

// detach starts the workload, and leaves it to process 1.
func (s *session) detach() error {
	s.cmd = s.work.command()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() { _ = s.cmd.Wait() }() // for as long as the machine may last
	return nil
}

// start starts the workload on what the request asks for: pipes, or a pseudo-terminal.
func (s *session) start() (err error) {
	switch {
	case !s.req.TTY:
		s.stdio, err = newPipes(s.req.Interactive)
	case s.settings.Console && s.work.console && !s.deaf.Load():
		return s.startOnConsole()
	default:
		s.stdio, err = newTerminal()
	}
	if err != nil {
		return err
	}
	s.cmd = s.work.command()
	s.stdio.attach(s.cmd)
	if err := s.cmd.Start(); err != nil {
		s.stdio.close()
		return err
	}
	s.stdio.started()
	s.wait = s.cmd.Wait
	return nil
}

// status is the exit status as this version of smolvm tells it.
func (s *session) status(err error) int {
	var exit *exec.ExitError
	if err == nil {
		return 0
	}
	if !errors.As(err, &exit) {
		return 1
	}
	ws := exit.Sys().(syscall.WaitStatus)
	if !ws.Signaled() {
		return ws.ExitStatus()
	}
	if !s.version.Since(cmdline.Version{0, 8, 1}) {
		return -1
	}
	return 128 + int(ws.Signal())
}

// feed brings the client's messages to the workload until either has gone.
func (s *session) feed() {
	for {
		kind, payload, err := s.in.Read()
		if err != nil {
			return
		}
		switch kind {
		case frame.Stdin:
			_, _ = s.stdio.write(payload) // who reads no more misses nothing
		case frame.EOF:
			s.stdio.closeInput()
		case frame.Resize:
			var size frame.Size
			if json.Unmarshal(payload, &size) == nil {
				s.stdio.resize(size)
			}
		}
	}
}

// silence bounds the wait for output after the command's end: a job in the background may hold the other end for ever.
const silence = 100 * time.Millisecond

// relay sends what comes of f until its end, or until the command has ended and nothing came for a while.
func (s *session) relay(f *os.File, kind frame.Kind) {
	b := make([]byte, 32<<10)
	for {
		wasOver := s.exited.Load()
		if wasOver {
			_ = f.SetReadDeadline(time.Now().Add(silence))
		}
		n, err := f.Read(b)
		if n > 0 && s.out.Write(kind, b[:n]) != nil {
			return // the client has gone
		}
		if err != nil && (wasOver || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return
		}
	}
}

// killAtHangUp kills the workload when the client has gone. It asks the kernel: feed may be stuck in a write that the
// workload does not read, and would not see it.
func (s *session) killAtHangUp(ended <-chan struct{}) {
	const pause = 50 * time.Millisecond
	for !s.hungUp() {
		select {
		case <-ended:
			return
		case <-time.After(pause):
		}
	}
	select {
	case <-ended: // by itself, before the client went
	default:
		s.gone.Store(true)
		s.kill(s.work, s.cmd)
	}
}

func (s *session) hungUp() bool {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return true
	}
	fds := []unix.PollFd{{Events: unix.POLLRDHUP}}
	err = raw.Control(func(fd uintptr) {
		fds[0].Fd = int32(fd)
		_, err := unix.Poll(fds, 0)
		if err != nil && err != unix.EINTR {
			fds[0].Revents = unix.POLLERR
		}
	})
	return err != nil || fds[0].Revents != 0
}

// startOnConsole lets crun make the pseudo-terminal and send its master. One failure, and the machine does without for
// the rest of its life.
func (s *session) startOnConsole() error {
	socket, err := listenConsole(s.machine.Dir)
	if err != nil {
		return err
	}
	defer socket.close()
	s.cmd = s.work.command("--console-socket", socket.path)
	s.cmd.Stderr = clientStderr{s.out}
	s.cmd.WaitDelay = silence // after the end of crun, whose stderr no container has
	if err := s.cmd.Start(); err != nil {
		return err
	}
	over := make(chan error, 1)
	go func() {
		over <- s.cmd.Wait()
		_ = socket.listener.Close() // nobody will connect
	}()
	s.wait = func() error { return <-over }
	master, err := socket.accept(5 * time.Second)
	if err != nil {
		s.deaf.Store(true)
		s.kill(s.work, s.cmd)
		return fmt.Errorf("console handshake: %w", errors.Join(err, s.wait()))
	}
	s.stdio = &console{terminal{master: master}}
	s.stdio.resize(frame.Size{Rows: 24, Cols: 80})
	return nil
}

// clientStderr passes on what crun says.
type clientStderr struct{ out *frame.Writer }

func (w clientStderr) Write(p []byte) (int, error) { return len(p), w.out.Write(frame.Stderr, p) }

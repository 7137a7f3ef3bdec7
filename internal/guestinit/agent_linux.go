package guestinit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// self is this binary. It has no name any more once the root has moved, but
// it can be run for as long as it runs.
const self = "/proc/self/exe"

// superviseAgent runs the agent and returns why it ended. Meanwhile this
// goroutine owns all waiting: the agent waits for the programs that it starts,
// so what comes here is the agent and orphans, and nothing races.
func superviseAgent() error {
	agent, err := startAgent(booted)
	if err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for the agent: %w", err)
		case pid == agent:
			return fmt.Errorf("the agent ended: %s", reason(status))
		}
	}
}

// startAgent starts "serve" with its config as stdin and the console as stdout
// and stderr, and returns its process id.
func startAgent(config Config) (int, error) {
	b, err := json.Marshal(config.Agent)
	if err != nil {
		return 0, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close(); _ = w.Close() }()
	process, err := os.StartProcess(self, []string{"snug-agent", "serve"}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Files: []*os.File{r, os.Stderr, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, err
	}
	pid := process.Pid
	if err := process.Release(); err != nil { // waited for by number
		return 0, err
	}
	if _, err := w.Write(b); err != nil {
		return 0, fmt.Errorf("hand over its config: %w", err)
	}
	return pid, nil
}

func reason(status unix.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("killed by %v", status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

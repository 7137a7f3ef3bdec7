//go:build linux

package relay

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"golang.org/x/sys/unix"
)

// The words that make the agent's binary run Launched and Attended.
const (
	Launch = "launch"
	Attend = "attend"
)

// The one line that an agent says to whoever started it, and what its launcher
// says before.
const (
	saidReady = "ready"
	saidLive  = "live"
	saidPID   = "pid "
)

// StartServe starts the folder's agent in a process that has nothing to do with
// this one: a session of its own, nobody's stdio, and a parent that has ended.
// For there are tools that kill an exec with all its descendants. It returns when
// relays are taken, or ErrLive if the folder has an agent.
func StartServe(self, folder string, cfg agent.Config) error {
	if cfg.Dir == "" {
		// What the exec's own working directory is, the agent's no longer is. One
		// without a name may be of another root, as that of nsenter -r is.
		if dir, err := os.Getwd(); err == nil {
			cfg.Dir = dir
		} else {
			cfg.Dir = "/"
		}
	}
	cfg.Binary = self
	config, err := json.Marshal(cfg)
	if err != nil {
		return fmt.Errorf("encode the agent's config: %w", err)
	}
	var pipes []*os.File // the agent's stdin, ours; ours, the agent's stdout
	defer func() {
		for _, f := range pipes {
			_ = f.Close()
		}
	}()
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("start the agent: %w", err)
		}
		pipes = append(pipes, r, w)
	}
	launcher, err := startAlone(self, []string{self, Launch, folder}, pipes[0], pipes[3])
	if err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	_ = pipes[0].Close()
	_ = pipes[3].Close()
	if _, err := pipes[1].Write(config); err == nil {
		_ = pipes[1].Close()
	}
	_, _ = launcher.Wait() // what it says is in the pipe
	pid, err := awaitReady(pipes[2])
	if err != nil && pid > 0 {
		_ = unix.Kill(pid, unix.SIGKILL) // it has ended, or never will by itself
	}
	return err
}

// startAlone starts the agent's binary in a session of its own.
func startAlone(self string, argv []string, in, out *os.File) (*os.Process, error) {
	return os.StartProcess(self, argv, &os.ProcAttr{
		Dir:   "/",
		Env:   os.Environ(),
		Files: []*os.File{in, out, out},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}

// Launched is the process that StartServe starts: it starts the agent with its
// own stdio, says the agent's process id, and ends.
func Launched(folder string) error {
	agent, err := startAlone(os.Args[0], []string{"snug-agent", Attend, folder}, os.Stdin, os.Stdout)
	if err != nil {
		_, err = os.Stdout.WriteString("snug-agent: " + err.Error() + "\n") // for whoever started this one to tell
		return err
	}
	_, err = os.Stdout.WriteString(saidPID + strconv.Itoa(agent.Pid) + "\n")
	return errors.Join(err, agent.Release())
}

// awaitReady reads what an agent says that was just started, and what its process
// id is.
func awaitReady(from *os.File) (pid int, err error) {
	_ = from.SetReadDeadline(time.Now().Add(patience))
	for lines := bufio.NewReader(from); ; {
		line, err := lines.ReadString('\n')
		line = strings.TrimSpace(line)
		number, isPID := strings.CutPrefix(line, saidPID)
		switch {
		case isPID:
			pid, _ = strconv.Atoi(number)
		case line == saidReady:
			return pid, nil
		case line == saidLive:
			return 0, ErrLive
		case line != "":
			return pid, errors.New(line)
		}
		if err != nil {
			return pid, fmt.Errorf("the agent did not start: %w", err)
		}
	}
}

// Attended is the process that Launched starts: the folder's agent, with its
// config as stdin and the starter at stdout.
func Attended(folder string) error {
	var cfg agent.Config
	if err := json.NewDecoder(os.Stdin).Decode(&cfg); err != nil {
		return fmt.Errorf("read config: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	// Caught, not ignored: programs would inherit that.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	said := false
	say := func(word string) {
		if !said {
			said = true
			_, _ = os.Stdout.WriteString(word + "\n")
		}
	}
	err := Serve(ctx, folder, cfg, func() {
		say(saidReady)
		letGo()
	})
	switch {
	case errors.Is(err, ErrLive):
		say(saidLive)
	case err != nil && !said:
		say("snug-agent: " + err.Error())
	}
	return nil
}

// letGo parts with stdin, stdout and stderr, which belong to an exec that must
// be able to end. Their numbers stay taken, so that nothing else gets them.
func letGo() {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil { // a chroot without devices: a pipe to nowhere does as well
		var w *os.File
		if null, w, err = os.Pipe(); err != nil {
			return
		}
		defer func() { _ = w.Close() }()
	}
	defer func() { _ = null.Close() }()
	for fd := range 3 {
		_ = unix.Dup3(int(null.Fd()), fd, 0)
	}
}

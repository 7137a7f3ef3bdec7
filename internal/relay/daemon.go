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
	"strings"
	"syscall"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"golang.org/x/sys/unix"
)

// Attend is the word that makes the agent's binary run Attended.
const Attend = "attend"

// The one line that an agent says to whoever started it.
const (
	saidReady = "ready"
	saidLive  = "live"
)

// StartServe starts the folder's agent in a process that has nothing to do with
// this one: a session of its own, and nobody's stdio. It returns when relays are
// taken, or ErrLive if the folder has an agent.
func StartServe(self, folder string, cfg agent.Config) error {
	if cfg.Dir == "" {
		// What the exec's own working directory is, the agent's no longer is.
		cfg.Dir, _ = os.Getwd()
	}
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
	process, err := os.StartProcess(self, []string{"snug-agent", Attend, folder}, &os.ProcAttr{
		Dir:   "/",
		Env:   os.Environ(),
		Files: []*os.File{pipes[0], pipes[3], pipes[3]},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	_ = pipes[0].Close()
	_ = pipes[3].Close()
	if _, err := pipes[1].Write(config); err == nil {
		_ = pipes[1].Close()
	}
	err = awaitReady(pipes[2])
	if err != nil {
		// It has ended, or never will by itself.
		_ = process.Kill()
		_, _ = process.Wait()
		return err
	}
	return process.Release()
}

// awaitReady reads what an agent says that was just started.
func awaitReady(from *os.File) error {
	_ = from.SetReadDeadline(time.Now().Add(patience))
	line, err := bufio.NewReader(from).ReadString('\n')
	switch line = strings.TrimSpace(line); {
	case line == saidReady:
		return nil
	case line == saidLive:
		return ErrLive
	case line != "":
		return errors.New(line)
	}
	return fmt.Errorf("the agent did not start: %w", err)
}

// Attended is the process that StartServe starts: the folder's agent, with its
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

//go:build linux

package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/sys/unix"
)

// basePath is the PATH that a program starts with; the folders of toolPaths
// that exist follow.
const basePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// toolPaths are where toolchains live that no distribution puts on the PATH.
var toolPaths = []string{"/usr/local/go/bin", "/opt/*/bin"}

// command is a program that is ready to be started.
type command struct {
	path string
	args []string
	env  []string
	dir  string
	// as is whom the program runs as; nil for whom the agent does.
	as *syscall.Credential
	// end is sent to it when the thread that has started it is no more; 0 for none.
	end syscall.Signal
}

// command works out what s asks for. The notice is for the person who asked.
func (a *Agent) command(s wire.Start) (cmd *command, notice string, err error) {
	c := &a.cfg
	cmd = &command{dir: s.Dir, as: c.credential()}
	if a.proxy != nil {
		cmd.end = syscall.SIGKILL
	}
	if cmd.dir == "" {
		cmd.dir = c.Dir
	}
	if cmd.dir == "" {
		cmd.dir = c.User.Home
	}
	if st, err := os.Stat(cmd.dir); err != nil || !st.IsDir() {
		remedy := "name one with -w, or share it with -v"
		if c.Inherit {
			remedy = "name one that does with -w"
		}
		return nil, "", &wire.Failure{Status: 125, Message: fmt.Sprintf(
			"working directory %s does not exist in the machine: %s", cmd.dir, remedy)}
	}
	var term []string
	if s.Pty != nil {
		term, notice = a.terminfo.resolve(s.Pty.Term, s.Pty.Terminfo, c.User.Home)
	}
	cmd.env = c.environment(term, s.Env)
	switch shell := c.shell(); {
	case s.Subsystem != "":
		cmd.path, cmd.args, err = c.subsystem(s.Subsystem)
	case len(s.Args) > 0:
		cmd.args = s.Args
		cmd.path, err = lookPath(s.Args[0], cmd.dir, getenv(cmd.env, "PATH"))
	case s.Command != "":
		cmd.path, cmd.args = shell, []string{filepath.Base(shell), "-c", s.Command}
	default:
		cmd.path, cmd.args = shell, []string{"-" + filepath.Base(shell)}
	}
	return cmd, notice, err
}

// shell returns the user's shell, or one that is there.
func (c *Config) shell() string {
	for _, sh := range []string{c.User.Shell, "/bin/bash"} {
		if st, err := os.Stat(sh); sh != "" && err == nil && st.Mode()&0o111 != 0 {
			return sh
		}
	}
	return "/bin/sh"
}

func (c *Config) environment(term []string, extra []wire.Env) []string {
	env := c.baseEnvironment()
	for _, kv := range term {
		name, value, _ := strings.Cut(kv, "=")
		env = setenv(env, name, value)
	}
	for _, e := range extra {
		if e.Name == "" || strings.ContainsAny(e.Name, "=\x00") || strings.Contains(e.Value, "\x00") {
			continue
		}
		if e.Name == "TERM" && term != nil {
			continue // pty-req has said it, and it was resolved
		}
		env = setenv(env, e.Name, e.Value)
	}
	return env
}

func (c *Config) baseEnvironment() []string {
	if c.Inherit {
		return inheritedEnvironment(c.User.Home)
	}
	var path strings.Builder
	path.WriteString(basePath)
	for _, pattern := range toolPaths {
		dirs, _ := filepath.Glob(pattern) // the patterns are well-formed
		for _, d := range dirs {
			path.WriteString(":" + d)
		}
	}
	return []string{
		"PATH=" + path.String(), "HOME=" + c.User.Home, "USER=" + c.User.Name,
		"LOGNAME=" + c.User.Name, "SHELL=" + c.shell(),
	}
}

func getenv(env []string, name string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

func setenv(env []string, name, value string) []string {
	for i, kv := range env {
		if strings.HasPrefix(kv, name+"=") {
			env[i] = name + "=" + value
			return env
		}
	}
	return append(env, name+"="+value)
}

// lookPath finds a program as execvp(3) does, with the exit status of a shell
// where it cannot be run: 127 not found, 126 found and not executable.
func lookPath(name, dir, path string) (string, error) {
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, d := range filepath.SplitList(path) {
			candidates = append(candidates, filepath.Join(d, name))
		}
	}
	failure := &wire.Failure{Status: 127, Message: name + ": command not found in the machine"}
	for _, c := range candidates {
		if !filepath.IsAbs(c) {
			c = filepath.Join(dir, c)
		}
		st, err := os.Stat(c)
		switch {
		case err != nil:
		case st.IsDir():
			if strings.Contains(name, "/") {
				failure = &wire.Failure{Status: 126, Message: name + ": is a directory"}
			}
		case st.Mode()&0o111 == 0:
			failure = &wire.Failure{Status: 126, Message: name + ": permission denied"}
		default:
			return c, nil
		}
	}
	return "", failure
}

// start starts the program in a session of its own, with its terminal, if it
// has one, as the controlling terminal.
func (c *command) start(files *stdio) (*os.Process, error) {
	attr := &os.ProcAttr{
		Dir: c.dir, Env: c.env, Files: files.child,
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: files.tty, Credential: c.as, Pdeathsig: c.end},
	}
	proc, err := os.StartProcess(c.path, c.args, attr)
	if errors.Is(err, syscall.ENOEXEC) {
		// A script without a first line that names its interpreter.
		proc, err = os.StartProcess("/bin/sh", append([]string{"/bin/sh", c.path}, c.args[1:]...), attr)
	}
	if err == nil {
		return proc, nil
	}
	status := uint32(126)
	if errors.Is(err, syscall.ENOENT) {
		status = 127
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = errno
	}
	return nil, &wire.Failure{Status: status, Message: fmt.Sprintf("%s: %v", c.args[0], err)}
}

func signalName(sig syscall.Signal) string {
	return strings.TrimPrefix(unix.SignalName(sig), "SIG")
}

//go:build linux

// Package host is the commands of the double: what the smolvm command itself does, outside the machines.
package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/snugvm/snug/test/smolvm/internal/cmdline"
	"github.com/snugvm/snug/test/smolvm/internal/guest"
	"github.com/snugvm/snug/test/smolvm/internal/home"
)

// Main runs the command line, or one of a machine's own processes, and returns the exit status.
func Main(args []string) int {
	h, settings, err := home.FromEnvironment()
	if err != nil {
		return fail(err)
	}
	if len(args) == 2 && (args[0] == guest.InitArg || args[0] == guest.AgentArg) {
		ready := os.NewFile(3, "ready")
		if args[0] == guest.InitArg {
			return fail(guest.Init(h, h.Machine(args[1]), ready))
		}
		return fail(guest.Serve(h, settings, h.Machine(args[1]), ready))
	}
	version, err := cmdline.ParseVersion(settings.Version)
	if err != nil {
		return fail(err)
	}
	i, err := cmdline.Parse(version, args)
	if usage := (*cmdline.UsageError)(nil); errors.As(err, &usage) {
		fmt.Fprintf(os.Stderr, "error: %v\n\nFor more information, try '--help'.\n", usage)
		return 2
	}
	c := command{Invocation: i, home: h, settings: settings, args: args, stdout: os.Stdout}
	status, err := c.run()
	if err != nil {
		return fail(err)
	}
	return status
}

func fail(err error) int {
	fmt.Fprintf(os.Stderr, "Error: %v\n", err)
	return 1
}

// command is one run of smolvm.
type command struct {
	cmdline.Invocation
	home     home.Home
	settings home.Settings
	args     []string
	stdout   io.Writer
}

func (c *command) run() (status int, err error) {
	if c.Verb == "version" {
		fmt.Fprintf(c.stdout, "smolvm %s\n", c.settings.Version)
		return 0, nil
	}
	verbs := map[string]func(home.Machine) error{
		"create": c.create, "start": c.start, "stop": c.stop, "delete": c.remove, "status": c.status,
		"ls": func(home.Machine) error { return c.list() },
	}
	m := c.home.Machine(c.Name)
	switch verb := verbs[c.Verb]; {
	case c.Verb == "run":
		return c.fresh()
	case verb != nil && (c.Verb == "create" || c.Verb == "ls"):
		return 0, verb(m)
	case !m.Exists():
		return 0, fmt.Errorf("vm not found: %s", m.Name)
	case verb != nil:
		return 0, verb(m)
	}
	return c.exec(m)
}

// fresh runs a command in a machine of its own, which ends with it. A detached one stays, under its name.
func (c *command) fresh() (status int, err error) {
	if c.Detach {
		m := c.home.Machine(c.Name)
		if err := c.create(m); err != nil {
			return 0, err
		}
		return 0, c.start(m)
	}
	m := c.home.Machine("run-" + strconv.Itoa(os.Getpid()))
	if err := c.create(m); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.remove(m)) }()
	if err := c.start(m); err != nil {
		return 0, err
	}
	if len(c.Command) == 0 {
		c.Command = []string{"/bin/sh"} // the image's
	}
	return c.exec(m)
}

// listed is a line of machine ls --json, and of machine status --json.
type listed struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Image string `json:"image,omitempty"`
	PID   int    `json:"pid,omitempty"`
}

func describe(m home.Machine) listed {
	l := listed{Name: m.Name, State: "stopped", PID: m.Running()}
	if l.PID != 0 {
		l.State = "running"
	}
	if image, err := os.ReadFile(m.Image()); err == nil {
		l.Image = string(image)
	}
	return l
}

func (c *command) list() error {
	machines, err := c.home.Machines()
	if err != nil {
		return err
	}
	all := []listed{}
	for _, m := range machines {
		all = append(all, describe(m))
	}
	if c.JSON {
		return json.NewEncoder(c.stdout).Encode(all)
	}
	fmt.Fprintf(c.stdout, "%-20s %-10s %s\n", "NAME", "STATE", "IMAGE")
	for _, l := range all {
		fmt.Fprintf(c.stdout, "%-20s %-10s %s\n", l.Name, l.State, l.Image)
	}
	return nil
}

func (c *command) status(m home.Machine) error {
	l := describe(m)
	if c.JSON {
		return json.NewEncoder(c.stdout).Encode(l)
	}
	fmt.Fprintf(c.stdout, "Machine '%s': %s\n", l.Name, l.State)
	return nil
}

// poll waits until ok, which no event tells of.
func poll(what string, ok func() bool) error {
	const limit = 10 * time.Second
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v", what, limit)
		}
	}
	return nil
}

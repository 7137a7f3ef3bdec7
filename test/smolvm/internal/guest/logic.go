//go:build linux

package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/snugvm/snug/test/smolvm/internal/frame"
)

// bringUp readies the machine for an exec, the way that smolvm's generation does, and returns what is to be started.
// The order of the steps within each generation is the race.
func (a *agent) bringUp(req frame.Request) (*workload, error) {
	if bare(a.machine) {
		return a.bareWorkload(req), nil
	}
	switch a.settings.Logic {
	case "v05":
		return a.always(req)
	case "v06":
		if req.Interactive || req.TTY {
			return a.resolveThenWrite(req)
		}
		return a.writeThenResolve(req)
	case "v19":
		return a.keepAlive(req)
	}
	return nil, fmt.Errorf("no such logic: %q", a.settings.Logic)
}

// always, v05: every exec writes config.json and runs a container of its own.
func (a *agent) always(req frame.Request) (*workload, error) {
	if err := a.writeConfig(req); err != nil {
		return nil, err
	}
	return a.runWorkload(a.newID(), req), nil
}

// resolveThenWrite, v06: an interactive exec joins the main container, or becomes it. Its id is on disk before its
// container is.
func (a *agent) resolveThenWrite(req frame.Request) (*workload, error) {
	if id := a.resolve(); id != "" {
		return a.execWorkload(id, req), nil
	}
	if err := a.writeConfig(req); err != nil {
		return nil, err
	}
	id := a.newID()
	if err := os.WriteFile(a.machine.MainID(), []byte(id), 0o600); err != nil {
		return nil, err
	}
	return a.runWorkload(id, req), nil
}

// writeThenResolve, v06: another exec writes config.json whether or not it will need it.
func (a *agent) writeThenResolve(req frame.Request) (*workload, error) {
	if err := a.writeConfig(req); err != nil {
		return nil, err
	}
	if id := a.resolve(); id != "" {
		return a.execWorkload(id, req), nil
	}
	return a.runWorkload(a.newID(), req), nil
}

// keepAlive, v19: every exec joins a container that does nothing, made by the first; where that cannot be made, it is
// as in v05.
func (a *agent) keepAlive(req frame.Request) (*workload, error) {
	id := a.resolve()
	if id == "" {
		id = a.newID()
		if err := a.makeKeepAlive(id); err != nil {
			return a.always(req)
		}
	}
	return a.execWorkload(id, req), nil
}

func (a *agent) makeKeepAlive(id string) error {
	idle := frame.Request{Argv: []string{"sleep", "1000000000"}}
	if err := a.writeConfig(idle); err != nil {
		return err
	}
	for _, args := range [][]string{{"create", "--bundle", a.machine.Bundle(), id}, {"start", id}} {
		cmd := a.crun(args...)
		cmd.Stderr = os.Stderr // a file: a pipe would be held open by the container
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("crun %s: %w", args[0], err)
		}
	}
	return os.WriteFile(a.machine.MainID(), []byte(id), 0o600)
}

// resolve returns the id of the main container if that runs, else "". A container that is not running is deleted by
// force: also one that another exec is only just bringing up.
func (a *agent) resolve() string {
	b, err := os.ReadFile(a.machine.MainID())
	id := strings.TrimSpace(string(b))
	if err != nil || id == "" {
		return ""
	}
	state, err := a.crun("state", id).Output()
	if err == nil && strings.Contains(string(state), `"status": "running"`) {
		return id
	}
	_ = a.crun("delete", "-f", id).Run() // it may not be there at all
	return ""
}

func (a *agent) newID() string { return fmt.Sprintf("smolvm-%x", a.ids.Add(1)) }

// bareWorkload runs a command in a machine without an image: in the microVM itself.
func (a *agent) bareWorkload(req frame.Request) *workload {
	return &workload{
		program: "/bin/sh", positionals: append([]string{"-c", `exec "$@"`, "sh"}, req.Argv...),
		chroot: a.machine.Rootfs(), dir: workdir(req), env: environment(req),
	}
}

// runWorkload runs config.json, whatever that holds by then.
func (a *agent) runWorkload(id string, req frame.Request) *workload {
	w := a.container(id)
	w.options = append(w.options, "run", "--bundle", a.machine.Bundle())
	w.positionals = []string{id}
	w.console, w.owned = req.TTY, true
	return w
}

// execWorkload runs a command in a container that runs.
func (a *agent) execWorkload(id string, req frame.Request) *workload {
	w := a.container(id)
	w.pidFile = filepath.Join(a.machine.Dir, a.newID()+".pid")
	w.options = append(w.options, "exec", "--pid-file", w.pidFile)
	if req.TTY {
		w.options = append(w.options, "--tty")
	}
	for _, variable := range environment(req) {
		w.options = append(w.options, "--env", variable)
	}
	w.options = append(w.options, "--cwd", workdir(req))
	w.positionals = append([]string{id}, req.Argv...)
	w.console = req.TTY
	return w
}

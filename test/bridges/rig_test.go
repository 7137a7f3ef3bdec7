//go:build linux

package bridges

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/snugvm/snug/test/ptytest"
	user "github.com/snugvm/snug/test/rig"
)

// rig is a user's surroundings, in which nothing else runs: by its end not even a tool's client is left.
type rig struct{ *user.Rig }

func newRig(t *testing.T, env []string) *rig {
	t.Helper()
	r := &rig{user.New(t, snug, user.Options{Patience: patience}).WithTool(env)}
	t.Cleanup(r.nothingRuns)
	return r
}

// console starts snug on a terminal.
func (r *rig) console(args ...string) *ptytest.Console {
	r.T.Helper()
	return r.Console(r.Command(args...))
}

// pipe runs snug without a terminal to its end.
func (r *rig) pipe(stdin string, args ...string) user.Ended {
	r.T.Helper()
	return r.Pipe(r.Command(args...), stdin)
}

// bridge is the bridge of the one machine that there is.
func (r *rig) bridge() string {
	r.T.Helper()
	all := r.List()
	if len(all) != 1 {
		r.T.Fatalf("machines: %+v", all)
	}
	return all[0].Bridge
}

// nothingRuns waits until no process has the rig in its environment: all that snug has started on this host. Podman's
// conmon is no client, but a part of the container, with the program that it watches.
func (r *rig) nothingRuns() {
	r.T.Helper()
	r.awaitNone("process is left", func(pid int, line string) bool {
		environment, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ")) // another's, or just gone
		return bytes.Contains(environment, []byte(r.Root+"/")) && !strings.Contains(line, "/conmon\x00")
	})
}

// awaitNone waits until no process is such a one.
func (r *rig) awaitNone(what string, such func(pid int, line string) bool) {
	r.T.Helper()
	r.Eventually("no "+what, func() bool {
		lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is valid
		for _, l := range lines {
			line, _ := os.ReadFile(l)
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(l)))
			if err == nil && such(pid, string(line)) && ptytest.Alive(pid) {
				return false
			}
		}
		return true
	})
}

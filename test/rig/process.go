//go:build linux

package rig

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/snugvm/snug/test/ptytest"
)

// Kind is what a process is to snug.
type Kind string

// The kinds of processes.
const (
	Guardian Kind = "guardian" // holds the terminal; without one, the snug command itself
	Viewer   Kind = "viewer"
	Keeper   Kind = "keeper"
	QEMU     Kind = "qemu"
	Client   Kind = "client" // of a tool, whose exec is the link
	Agent    Kind = "agent"  // of a machine that is this host
	Other    Kind = "other"
)

// Process is a process of snug.
type Process struct {
	PID int
	Kind
	Line string
}

// Processes are those of snug that belong to the rig: only they have its folders
// in their environment or on their command line.
func (r *Rig) Processes() (found []Process) {
	entries, _ := filepath.Glob("/proc/[0-9]*") // the pattern is valid
	for _, dir := range entries {
		pid, err := strconv.Atoi(filepath.Base(dir))
		line, errLine := os.ReadFile(filepath.Join(dir, "cmdline"))
		env, errEnv := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || errLine != nil || errEnv != nil || !ptytest.Alive(pid) {
			continue // another's, or just gone
		}
		mine := bytes.Contains(line, []byte(r.Root+"/")) || bytes.Contains(env, []byte("="+r.Root+"/run\x00"))
		if k := kindOf(strings.Split(string(line), "\x00"), string(env)); mine && k != "" {
			found = append(found, Process{pid, k, strings.ReplaceAll(string(line), "\x00", " ")})
		}
	}
	return found
}

// still are snug's commands that show no program.
var still = []string{
	"ls", "stop", "rm", "kill", "detach", "screen", "log", "record", "proxy", "ssh-config", "cp", "forward",
	"doctor", "version", "completion", "__complete", "probe-kvm",
}

func kindOf(argv []string, env string) Kind {
	switch name := filepath.Base(argv[0]); {
	case strings.HasPrefix(name, "qemu-system-"):
		return QEMU
	case name != "snug" && slices.ContainsFunc(argv, func(w string) bool { return strings.Contains(w, `eval "$snug"`) }):
		return Client
	case len(argv) > 1 && argv[1] == "enter": // of a tool that becomes what it runs
		return Client
	case name == "snug-agent":
		return Agent
	case name != "snug":
		return ""
	case len(argv) < 2 || slices.Contains(still, argv[1]):
		return Other
	case argv[1] == "keeper":
		return Keeper
	case strings.Contains(env, "SNUG_GUARDIAN="):
		return Viewer
	}
	return Guardian
}

// PIDs are the processes of a kind.
func (r *Rig) PIDs(k Kind) (pids []int) {
	for _, p := range r.Processes() {
		if p.Kind == k {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// PID waits for the one process of a kind.
func (r *Rig) PID(k Kind) (pid int) {
	r.T.Helper()
	r.Eventually("one process is the "+string(k), func() bool {
		pids := r.PIDs(k)
		if len(pids) == 1 {
			pid = pids[0]
		}
		return len(pids) == 1
	})
	return pid
}

// Signal sends a signal to the one process of a kind.
func (r *Rig) Signal(k Kind, sig syscall.Signal) {
	r.T.Helper()
	Must(r.T, syscall.Kill(r.PID(k), sig))
}

// AwaitNoViewer waits until nobody is left who could still restore a terminal.
func (r *Rig) AwaitNoViewer() {
	r.T.Helper()
	r.Eventually("no viewer is left", func() bool {
		return len(r.PIDs(Viewer)) == 0 && len(r.PIDs(Guardian)) == 0
	})
}

// Leftovers are the processes of snug, and the files that it should not leave.
// Locks are no leftovers: they are names without content. Nor is what was last
// used in a folder, which is remembered for the person.
func (r *Rig) Leftovers() (all []string) {
	for _, p := range r.Processes() {
		all = append(all, fmt.Sprintf("%s %d: %.200s", p.Kind, p.PID, p.Line))
	}
	for _, dir := range []string{"run", "tmp", "state"} {
		_ = filepath.WalkDir(filepath.Join(r.Root, dir), func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !r.mayStay(name, entry) {
				all = append(all, name)
			}
			return nil
		})
	}
	return all
}

// emptyFolders may stay: what is in them may not.
var emptyFolders = []string{"run", "tmp", "state", "snug", "m", "t", "log", "last"}

func (r *Rig) mayStay(name string, entry fs.DirEntry) bool {
	if entry.IsDir() {
		return slices.Contains(emptyFolders, entry.Name())
	}
	folder := filepath.Base(filepath.Dir(name))
	return entry.Name() == "lock" || folder == "t" && strings.HasSuffix(name, ".lock") || folder == "last"
}

// NothingLeft waits until nothing is left. It is long enough for a machine that
// has just been told to end.
func (r *Rig) NothingLeft() {
	r.T.Helper()
	var left []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if left = r.Leftovers(); left == nil {
			return
		}
	}
	r.T.Errorf("left behind:\n%s", strings.Join(left, "\n"))
}

// close ends the rig, whatever the test left of it.
func (r *Rig) close() {
	r.T.Helper()
	if !r.T.Failed() {
		r.NothingLeft()
	}
	for _, p := range r.Processes() {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
	_ = os.RemoveAll(r.Root)
}

//go:build linux

// Package home is the double's state on disk: every name in its folder, its settings, and the log of execs.
//
//	HOME/settings.json      Settings
//	HOME/execs.jsonl        a Record a line
//	HOME/alive              a FIFO; where it is there, machines end when its last writer does
//	HOME/machines/NAME/     a machine: see Machine
package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Variable is the environment variable that names the folder.
const Variable = "SMOLVM_HOME"

// Home is the folder.
type Home string

// Settings are what one double is.
type Settings struct {
	Version string // of smolvm that it stands for
	Logic   string // of its machines: v05, v06 or v19
	Console bool   // pseudo-terminals by crun's console socket: 80x24 at first, resizes forwarded
}

// FromEnvironment returns the folder that the environment names, and its settings.
func FromEnvironment() (Home, Settings, error) {
	h := Home(os.Getenv(Variable))
	if h == "" {
		return "", Settings{}, fmt.Errorf("%s is not set", Variable)
	}
	var s Settings
	b, err := os.ReadFile(h.settings())
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return h, s, err
}

// Create makes the folder's content.
func (h Home) Create(s Settings) error {
	if err := os.MkdirAll(h.machines(), 0o755); err != nil {
		return err
	}
	if err := syscall.Mkfifo(h.Alive(), 0o600); err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(h.settings(), b, 0o600)
}

// Alive is the FIFO whose writer's end is the machines' end.
func (h Home) Alive() string { return filepath.Join(string(h), "alive") }

func (h Home) settings() string { return filepath.Join(string(h), "settings.json") }
func (h Home) machines() string { return filepath.Join(string(h), "machines") }
func (h Home) log() string      { return filepath.Join(string(h), "execs.jsonl") }

// Machine is a machine's folder.
type Machine struct {
	Name string
	Dir  string
}

// Machine returns a machine, which need not exist.
func (h Home) Machine(name string) Machine {
	return Machine{name, filepath.Join(h.machines(), name)}
}

// Machines lists those that exist.
func (h Home) Machines() (all []Machine, err error) {
	entries, err := os.ReadDir(h.machines())
	for _, e := range entries {
		all = append(all, h.Machine(e.Name()))
	}
	return all, err
}

// Exists reports whether the machine was created.
func (m Machine) Exists() bool {
	_, err := os.Stat(m.Dir)
	return err == nil
}

// Socket is where the agent listens.
func (m Machine) Socket() string { return filepath.Join(m.Dir, "agent.sock") }

// Pid is the file with the process id, on the host, of the machine's process 1.
func (m Machine) Pid() string { return filepath.Join(m.Dir, "pid") }

// Log is the agent's standard error.
func (m Machine) Log() string { return filepath.Join(m.Dir, "agent.log") }

// Image is the file that says which image the machine has. Without it the machine is bare, and uses no crun.
func (m Machine) Image() string { return filepath.Join(m.Dir, "image") }

// Bundle is the one folder of config.json.
func (m Machine) Bundle() string { return filepath.Join(m.Dir, "bundle") }

// Config is the one config.json.
func (m Machine) Config() string { return filepath.Join(m.Bundle(), "config.json") }

// Rootfs is the machine's root file system.
func (m Machine) Rootfs() string { return filepath.Join(m.Bundle(), "rootfs") }

// Containers is crun's state.
func (m Machine) Containers() string { return filepath.Join(m.Dir, "crun") }

// MainID is the file that names the main container.
func (m Machine) MainID() string { return filepath.Join(m.Dir, "main-id") }

// Running returns the process id of the machine's process 1, 0 where it does not run.
func (m Machine) Running() int {
	b, err := os.ReadFile(m.Pid())
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || syscall.Kill(pid, 0) != nil || !m.owns(pid) {
		return 0
	}
	return pid
}

// Ended reports whether a machine's process 1 has ended, and with it all that ran in the machine: it loses its command
// line, by which Running knows it, before the kernel has killed the others.
func Ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	if !strings.HasPrefix(rest, "Z") {
		return strings.HasPrefix(rest, "X")
	}
	// The first thread may be a zombie while others go on; the last one to end ends the machine, and then it vanishes.
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err != nil || len(threads) <= 1
}

// owns tells the machine's process from another that got its id later, and from a zombie, which has no command line.
func (m Machine) owns(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.HasSuffix(string(line), "\x00"+m.Name+"\x00")
}

// Record is a line of the log: an exec when the agent saw it, and once more when it ended.
type Record struct {
	ID          int64 // the same in both
	Machine     string
	Argv        []string
	Args        []string // the client's own words
	TTY         bool
	Interactive bool
	Started     time.Time
	Ended       time.Time // zero in the first
	Exit        int       // what the client was told; -1 where it had gone
}

// Append adds a line to the log. Not every file system keeps the appends of two writers, or a writer and a reader, apart.
func (h Home) Append(r Record) (err error) {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(h.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }() // which gives the lock back
	if err := lock(f, syscall.LOCK_EX); err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	return err
}

func lock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Records returns the log, the last line of each exec in the order of their starts.
func (h Home) Records() (all []Record, err error) {
	f, err := os.Open(h.log())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if err := lock(f, syscall.LOCK_SH); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	at := map[int64]int{}
	for line := range strings.Lines(string(b)) {
		var r Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, fmt.Errorf("%s: %w", h.log(), err)
		}
		if i, seen := at[r.ID]; seen {
			all[i] = r
			continue
		}
		at[r.ID] = len(all)
		all = append(all, r)
	}
	return all, nil
}

package state

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// SessionLog names the folder of one session's log.
type SessionLog struct {
	Machine string
	Number  uint32 // of the session
	Dir     string
}

// SessionLog is the folder of the log of the session of that number, which need
// not exist.
func (m Machine) SessionLog(number uint32) string {
	return filepath.Join(m.sessionLogs(), strconv.FormatUint(uint64(number), 10))
}

// SessionLogs is the folder of the logs of the machine's sessions.
func (m Machine) SessionLogs() string { return m.sessionLogs() }

func (m Machine) sessionLogs() string { return filepath.Join(m.dirs.sessionLogs(), m.Name) }
func (d Dirs) sessionLogs() string    { return filepath.Join(d.State, "log") }

// MakeSessionLogs makes the folder in which the logs of the machine's sessions
// are, and those above it, for the user alone.
func (m Machine) MakeSessionLogs() error {
	if err := os.MkdirAll(m.sessionLogs(), 0o700); err != nil {
		return fmt.Errorf("make folder for session logs: %w; make it writable, or set XDG_STATE_HOME to another", err)
	}
	for _, dir := range []string{m.dirs.sessionLogs(), m.sessionLogs()} {
		info, err := os.Lstat(dir)
		switch {
		case err != nil:
			return fmt.Errorf("check folder for session logs: %w", err)
		case !info.IsDir() || owner(info) != os.Geteuid() || info.Mode().Perm()&0o077 != 0:
			return fmt.Errorf("refusing to keep session logs in %s: others own it or can enter it; remove it, or run 'chmod 700 %s'", dir, dir)
		}
	}
	return nil
}

// RemoveSessionLogs removes what there is of the machine's session logs.
func (m Machine) RemoveSessionLogs() error {
	if err := os.RemoveAll(m.sessionLogs()); err != nil {
		return fmt.Errorf("remove session logs: %w", err)
	}
	return nil
}

// SessionLogs returns the logs that there are, of all machines that run or have
// run, sorted by machine and number.
func (d Dirs) SessionLogs() ([]SessionLog, error) {
	machines, err := os.ReadDir(d.sessionLogs())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list session logs: %w", err)
	}
	var all []SessionLog
	for _, machine := range machines {
		dir := filepath.Join(d.sessionLogs(), machine.Name())
		sessions, err := os.ReadDir(dir)
		if err != nil {
			continue // just removed, or none of ours
		}
		for _, s := range sessions {
			if n, err := strconv.ParseUint(s.Name(), 10, 32); err == nil && strconv.FormatUint(n, 10) == s.Name() && s.IsDir() {
				all = append(all, SessionLog{machine.Name(), uint32(n), filepath.Join(dir, s.Name())})
			}
		}
	}
	slices.SortFunc(all, func(a, b SessionLog) int {
		return cmp.Or(cmp.Compare(a.Machine, b.Machine), cmp.Compare(a.Number, b.Number))
	})
	return all, nil
}

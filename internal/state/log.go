package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The logs of lost machines stay for so long after the last that was written, and
// so many of them.
const (
	lostKept = 30 * 24 * time.Hour
	keptLost = 20
)

// logTime is the time in the name of a log folder, which sorts by it.
const logTime = "20060102T150405Z"

// SessionLog names the folder of one session's log.
type SessionLog struct {
	Machine string // NAME of a machine of this runtime folder, else NAME~TIME
	Number  uint32 // of the session
	Dir     string
}

// Name is the name that the machine has or had.
func (l SessionLog) Name() string { return nameOfLog(l.Machine) }

// Past says that the machine is not, or no longer, one of this runtime folder.
func (l SessionLog) Past() bool { return l.Machine != l.Name() }

// LostMachine is a machine that is gone, though nobody has ended it, with its logs.
type LostMachine struct {
	Name string // that it had
	Log  string // NAME~TIME
}

// Logs is the folder of the logs of one machine's sessions, as its keeper holds
// it. The zero value is none.
type Logs struct {
	Dir  string
	dirs Dirs
	lock *os.File
}

// HoldLogs returns the folder for the logs of the machine's sessions, for the user
// alone: the one that a keeper before has left, else a new one, which no other
// machine ever had. It is for whoever holds the keeper's lock.
func (m Machine) HoldLogs(ctx context.Context) (Logs, error) {
	d := m.dirs
	if err := os.MkdirAll(d.logs(), 0o700); err != nil {
		return Logs{}, fmt.Errorf("make folder for session logs: %w; make it writable, or set XDG_STATE_HOME to another", err)
	}
	if err := checkLogFolder(d.logs()); err != nil {
		return Logs{}, err
	}
	unlock, err := Lock(ctx, d.logsLock())
	if err != nil {
		return Logs{}, err
	}
	defer unlock()
	name := m.logName()
	if _, err := os.Lstat(d.log(name)); name == "" || err != nil {
		if name, err = m.makeLogs(); err != nil {
			return Logs{}, fmt.Errorf("make folder for session logs: %w", err)
		}
	}
	if err := checkLogFolder(d.log(name)); err != nil {
		return Logs{}, err
	}
	lock, err := hold(ctx, d.logLock(name))
	if err != nil {
		return Logs{}, err
	}
	return Logs{d.log(name), d, lock}, nil
}

func checkLogFolder(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("check folder for session logs: %w", err)
	case !info.IsDir() || owner(info) != os.Geteuid() || info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("refusing to keep session logs in %s: others own it or can enter it; remove it, or run 'chmod 700 %s'", dir, dir)
	}
	return nil
}

// makeLogs makes a log folder, which names the machine, and which the machine's
// own folder names. The caller holds the lock of all logs: until both are
// written, the folder is like a lost one.
func (m Machine) makeLogs() (name string, err error) {
	first := m.Name + "~" + time.Now().UTC().Format(logTime)
	name = first
	for n := 2; ; n++ {
		if err = os.Mkdir(m.dirs.log(name), 0o700); !errors.Is(err, fs.ErrExist) {
			break
		}
		name = first + "." + strconv.Itoa(n) // of another machine of this name and second
	}
	if err != nil {
		return "", err
	}
	if err := os.Symlink(m.Dir, m.dirs.logMachine(name)); err != nil {
		return "", err
	}
	return name, replaceFile(m.logFile(), []byte(name))
}

// Leave lets go of the logs, and removes the folder if there are none. Those that
// there are are lost ones once the machine's own folder is gone.
func (l Logs) Leave(ctx context.Context) error {
	if l.lock == nil {
		return nil
	}
	defer l.Close()
	if hasSessions(l.Dir) {
		return nil
	}
	return l.dirs.removeLog(ctx, filepath.Base(l.Dir), func() bool { return true })
}

// Close ends the hold.
func (l Logs) Close() { _ = l.lock.Close() } // of a nil lock: an error

// DropLost removes the logs of a lost machine.
func (d Dirs) DropLost(ctx context.Context, l LostMachine) error {
	return d.removeLog(ctx, l.Log, func() bool { return d.lost(l.Log) })
}

// removeLog removes a log folder if that may be, which is asked under the lock.
func (d Dirs) removeLog(ctx context.Context, name string, may func() bool) error {
	unlock, err := Lock(ctx, d.logsLock())
	if err != nil {
		return err
	}
	defer unlock()
	if !may() {
		return fmt.Errorf("the logs of %s are in use", name)
	}
	return removeLogFolder(d.log(name))
}

func removeLogFolder(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove session logs: %w", err)
	}
	return nil
}

// PruneLogs removes the logs of lost machines but the last 20, those that are
// older than 30 days, and those in which there is no session.
func (d Dirs) PruneLogs(ctx context.Context) error {
	if _, err := os.Lstat(d.logs()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := Lock(ctx, d.logsLock())
	if err != nil {
		return err
	}
	defer unlock()
	names, err := d.logNames()
	if err != nil {
		return err
	}
	var kept []agedLog
	var failed []error
	for _, name := range names {
		if !d.lost(name) {
			continue
		}
		written := lastWritten(d.log(name))
		if !hasSessions(d.log(name)) || time.Since(written) > lostKept {
			failed = append(failed, removeLogFolder(d.log(name)))
			continue
		}
		kept = append(kept, agedLog{name, written})
	}
	slices.SortFunc(kept, func(a, b agedLog) int { return b.written.Compare(a.written) })
	for _, old := range kept[min(len(kept), keptLost):] {
		failed = append(failed, removeLogFolder(d.log(old.name)))
	}
	return errors.Join(failed...)
}

// agedLog is a log folder, and when something was last written there.
type agedLog struct {
	name    string
	written time.Time
}

// lastWritten is when something below dir was last written, which is about when a
// lost machine was lost.
func lastWritten(dir string) (last time.Time) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be seen does not count
		}
		if info, err := entry.Info(); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
		return nil
	})
	return last
}

// lost reports whether nobody has use for a log folder: no keeper holds it, and
// no machine's folder names it, alive or still to be reaped. Without the lock of
// all logs it is true for an instant of a folder that is just being made.
func (d Dirs) lost(name string) bool {
	if held, err := Held(d.logLock(name)); held || err != nil {
		return false
	}
	dir, _ := os.Readlink(d.logMachine(name)) // "" names nothing
	return Machine{Dir: dir}.logName() != name
}

// LostMachines returns the lost machines of which there is a log, sorted by name,
// the one that was made last at the end.
func (d Dirs) LostMachines() ([]LostMachine, error) {
	names, err := d.logNames()
	var all []LostMachine
	for _, name := range names {
		if hasSessions(d.log(name)) && d.lost(name) {
			all = append(all, LostMachine{nameOfLog(name), name})
		}
	}
	return all, err
}

// SessionLogs returns the logs that there are, of all machines that run or were
// lost, sorted by machine and number.
func (d Dirs) SessionLogs() ([]SessionLog, error) {
	names, err := d.logNames()
	var all []SessionLog
	for _, name := range names {
		machine := name
		if m, err := d.Machine(nameOfLog(name)); err == nil && m.logName() == name {
			machine = m.Name
		}
		for _, n := range sessionsIn(d.log(name)) {
			all = append(all, SessionLog{machine, n, filepath.Join(d.log(name), strconv.FormatUint(uint64(n), 10))})
		}
	}
	slices.SortStableFunc(all, func(a, b SessionLog) int {
		return cmp.Or(cmp.Compare(a.Machine, b.Machine), cmp.Compare(a.Number, b.Number))
	})
	return all, err
}

// sessionsIn are the numbers of the sessions that have a log in a folder.
func sessionsIn(dir string) (all []uint32) {
	entries, _ := os.ReadDir(dir) // just removed, or none of ours
	for _, e := range entries {
		if n, err := strconv.ParseUint(e.Name(), 10, 32); err == nil && strconv.FormatUint(n, 10) == e.Name() && e.IsDir() {
			all = append(all, uint32(n))
		}
	}
	return all
}

func hasSessions(dir string) bool { return len(sessionsIn(dir)) > 0 }

// logNames are the names of the log folders, sorted by machine and time.
func (d Dirs) logNames() (names []string, err error) {
	entries, err := os.ReadDir(d.logs())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list session logs: %w", err)
	}
	for _, e := range entries {
		if nameOfLog(e.Name()) != e.Name() && e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(nameOfLog(a), nameOfLog(b)), cmp.Compare(a, b))
	})
	return names, nil
}

// nameOfLog is the machine's name in that of a log folder. No machine's name has
// a tilde in it.
func nameOfLog(log string) string {
	name, _, _ := strings.Cut(log, "~")
	return name
}

// logName is the name of the log folder that the machine's own folder names, or "".
func (m Machine) logName() string {
	b, err := os.ReadFile(m.logFile())
	if name := string(b); err == nil && filepath.Base(name) == name && nameOfLog(name) != name {
		return name
	}
	return ""
}

func (m Machine) logFile() string            { return filepath.Join(m.Dir, "log") }
func (d Dirs) logs() string                  { return filepath.Join(d.State, "log") }
func (d Dirs) logsLock() string              { return filepath.Join(d.logs(), "lock") }
func (d Dirs) log(name string) string        { return filepath.Join(d.logs(), name) }
func (d Dirs) logLock(name string) string    { return filepath.Join(d.log(name), "lock") }
func (d Dirs) logMachine(name string) string { return filepath.Join(d.log(name), "machine") }

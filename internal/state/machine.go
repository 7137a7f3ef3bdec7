package state

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Machine is the folder of one machine. It can be copied; it holds no lock.
type Machine struct {
	Name string
	Dir  string // the folder, for the files that sandbox/qemu names
	dirs Dirs
}

// longestSocket is the longest name of a socket in a machine's folder.
const longestSocket = "console.sock"

// SSHSocket is the keeper's endpoint for viewers.
func (m Machine) SSHSocket() string { return filepath.Join(m.Dir, "ssh.sock") }

// Config is the file that tells a later keeper how the machine was asked for.
func (m Machine) Config() string { return filepath.Join(m.Dir, "config.json") }

// Lock is the lock that QEMU holds for life.
func (m Machine) Lock() string { return filepath.Join(m.Dir, "machine.lock") }

// KeeperLock is the lock that is held from the claim to the keeper's death.
func (m Machine) KeeperLock() string { return filepath.Join(m.Dir, "keeper.lock") }

// KeeperPID is the file that holds the keeper's process id.
func (m Machine) KeeperPID() string { return filepath.Join(m.Dir, "keeper.pid") }

// KeeperLog is the file that takes the keeper's stderr.
func (m Machine) KeeperLog() string { return filepath.Join(m.Dir, "keeper.log") }

// Machine is the folder of the machine called name, which need not exist.
func (d Dirs) Machine(name string) (Machine, error) {
	if err := CheckName(name); err != nil && (name == "" || !checkToolName(name)) {
		return Machine{}, err
	}
	m := Machine{Name: name, Dir: filepath.Join(d.machines(), name), dirs: d}
	if path := filepath.Join(m.Dir, longestSocket); len(path) >= maxSocketPath {
		return Machine{}, fmt.Errorf("socket path %s has %d bytes, the system allows fewer than %d: set XDG_RUNTIME_DIR to a folder with a shorter name",
			path, len(path), maxSocketPath)
	}
	return m, nil
}

// SetElsewhere says that the machine is none of this host's processes: it
// outlives its keeper, and no lock tells of its life. It is for whoever holds
// the keeper's lock, before there is anything to outlive it.
func (m Machine) SetElsewhere() error {
	return replaceFile(m.elsewhere(), nil)
}

// SetAdopting says that a keeper that takes the machine over is on its way: it
// answers nobody before it has Adopted. It is for whoever holds the keeper's lock.
func (m Machine) SetAdopting() error { return replaceFile(m.adopting(), nil) }

// Adopted says that the keeper has the machine, and answers.
func (m Machine) Adopted() error {
	if err := os.Remove(m.adopting()); err != nil {
		return fmt.Errorf("tell that the machine is adopted: %w", err)
	}
	return nil
}

// Adopting reports whether a keeper is about to take the machine over.
func (m Machine) Adopting() bool {
	_, err := os.Lstat(m.adopting())
	return err == nil
}

// SetEnding says that somebody ends the machine: whoever removes its folder, removes
// its logs as well. Any number may say so at the same time. The error is
// fs.ErrNotExist, wrapped, where the machine has just ended.
func (m Machine) SetEnding() error {
	if err := os.WriteFile(m.ending(), nil, 0o600); err != nil {
		return fmt.Errorf("tell that the machine is ended: %w", err)
	}
	return nil
}

// Ending reports whether somebody ends the machine.
func (m Machine) Ending() bool {
	_, err := os.Lstat(m.ending())
	return err == nil
}

func (m Machine) ending() string    { return filepath.Join(m.Dir, "ending") }
func (m Machine) adopting() string  { return filepath.Join(m.Dir, "adopting") }
func (m Machine) elsewhere() string { return filepath.Join(m.Dir, "elsewhere") }

// LockMachine takes the lock that says that the machine is alive. The keeper
// hands it to QEMU, then closes its own copy.
func (m Machine) LockMachine(ctx context.Context) (*os.File, error) {
	unlock, err := m.dirs.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return TryLock(m.Lock())
}

// HeldBy reports whether the folder is still the one whose keeper's lock is given.
// Who removes it under a keeper, as systemd does at a user's last logout, makes
// room for another machine of the name.
func (m Machine) HeldBy(keeper *os.File) bool { return names(m.KeeperLock(), keeper) }

// Remove removes the folder, unless it is another machine's by now. It is for
// whoever holds the keeper's lock, once the machine is gone; the name is free from
// then on.
func (m Machine) Remove(ctx context.Context, keeper *os.File) error {
	if !m.HeldBy(keeper) {
		return nil
	}
	unlock, err := m.dirs.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if !m.HeldBy(keeper) {
		return nil
	}
	return m.remove(ctx)
}

// RemoveDead removes the folder of a machine that has died by itself, and leaves
// that of one that lives: another may have taken the name.
func (m Machine) RemoveDead(ctx context.Context) error {
	unlock, err := m.dirs.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if life, err := m.life(); err != nil || life != Dead {
		return err
	}
	return m.remove(ctx)
}

// remove removes the folder. The logs go with a machine that somebody has ended.
func (m Machine) remove(ctx context.Context) error {
	var err error
	if name := m.logName(); name != "" && m.Ending() {
		err = m.dirs.removeLog(ctx, name, func() bool { return true })
	}
	if err := os.RemoveAll(m.Dir); err != nil {
		return fmt.Errorf("remove machine folder: %w", err)
	}
	return err
}

// WriteConfig writes v as the machine's config.json. A reader sees the old file
// or the new one, never a part.
func (m Machine) WriteConfig(v any) error {
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return fmt.Errorf("encode %s: %w", m.Config(), err)
	}
	return replaceFile(m.Config(), append(b, '\n'))
}

// ReadConfig reads the machine's config.json into v.
func (m Machine) ReadConfig(v any) error {
	b, err := os.ReadFile(m.Config())
	if err != nil {
		return fmt.Errorf("read machine config: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode %s: %w", m.Config(), err)
	}
	return nil
}

// WritePID writes the id of this process, the keeper.
func (m Machine) WritePID() error {
	return replaceFile(m.KeeperPID(), strconv.AppendInt(nil, int64(os.Getpid()), 10))
}

// ReadPID reads the keeper's process id. The number means something only while
// the keeper's lock is held: afterwards it may be another process's.
func (m Machine) ReadPID() (int, error) {
	b, err := os.ReadFile(m.KeeperPID())
	if err != nil {
		return 0, fmt.Errorf("read keeper's process id: %w", err)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(b)))
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("%s: %.20q is not a process id", m.KeeperPID(), b)
	}
	return pid, nil
}

// replaceFile gives path new content at one stroke. There is one writer at a
// time: whoever holds the keeper's lock.
func replaceFile(path string, content []byte) error {
	next := path + ".new"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return fmt.Errorf("write machine file: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("replace machine file: %w", err)
	}
	return nil
}

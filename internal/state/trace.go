package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// keptTraces is how many traces stay; older ones make room for a new one.
const keptTraces = 20

// OpenTrace opens a new file for a debug trace of the command or machine called
// name, for the user's eyes only: a trace may hold what was typed. It drops the
// oldest traces beyond 20.
func (d Dirs) OpenTrace(name string) (*os.File, error) {
	dir := filepath.Join(d.State, "trace")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make trace folder: %w", err)
	}
	stamp := time.Now().UTC().Format("20060102T150405.000000000")
	file := fmt.Sprintf("%s-%s-%d.log", stamp, baseName(name), os.Getpid())
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open trace: %w", err)
	}
	if err := dropOldest(dir, keptTraces); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// dropOldest leaves the last keep files in dir, whose names begin with their
// time. Another process may be dropping the same ones.
func dropOldest(dir string, keep int) error {
	files, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return fmt.Errorf("list traces: %w", err)
	}
	for _, old := range files[:max(0, len(files)-keep)] {
		if err := os.Remove(filepath.Join(dir, old.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("drop old trace: %w", err)
		}
	}
	return nil
}

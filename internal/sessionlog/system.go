package sessionlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// file is what a log needs of a file that it appends to.
type file interface {
	Write(p []byte) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// system is what a log needs of the disk: the operating system, or in tests one that fails.
type system interface {
	// append opens a file to append to, made if it is not there, cut to size.
	append(path string, size int64) (file, error)
	rename(from, to string) error
	remove(path string) error
}

type disk struct{}

func (disk) append(path string, size int64) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(size); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (disk) rename(from, to string) error { return os.Rename(from, to) }
func (disk) remove(path string) error     { return os.Remove(path) }

// unfinished is the name of a segment whose checkpoint is being written.
const unfinished = "new"

func segmentName(number uint64) string { return fmt.Sprintf("%016d.log", number) }

// numbers returns the numbers of the segments among the names, in their order.
func numbers(entries []fs.DirEntry) []uint64 {
	var all []uint64
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), ".log")
		if n, err := strconv.ParseUint(digits, 10, 63); ok && err == nil && segmentName(n) == e.Name() {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// lockFolder takes the writer's lock, which the kernel drops with the process.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, ErrLocked
	}
	return nil, fmt.Errorf("lock %s: %w", dir, err)
}

// makeFolder makes a folder for a new log.
func makeFolder(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(numbers(entries)) > 0 {
		return fmt.Errorf("%s holds a log already: %w", filepath.Base(dir), fs.ErrExist)
	}
	return err
}

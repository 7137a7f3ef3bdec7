package machine

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// cacheFile makes the file at path by fill, unless it is there. Two processes
// that do it at once both succeed: each writes a file of its own, and the later
// rename replaces like with like.
func cacheFile(path string, fill func(io.Writer) error) error {
	if found, err := exists(path); found || err != nil {
		return err
	}
	return writeFile(path, fill)
}

// writeFile makes the file at path by fill, whole or not at all.
func writeFile(path string, fill func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	err = fillFile(file, fill)
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func fillFile(file *os.File, fill func(io.Writer) error) error {
	w := bufio.NewWriterSize(file, 1<<20)
	err := fill(w)
	if err == nil {
		err = w.Flush()
	}
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}

package transfer

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/sftp"
)

// FS is a file system, or a part of one.
type FS interface {
	// Stat follows links.
	Stat(name string) (fs.FileInfo, error)
	// Lstat does not.
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.FileInfo, error)
	Open(name string) (File, error)
	// Create makes a file that is not there yet, closed to others.
	Create(name string) (File, error)
	// Write opens what is there, and is no plain file.
	Write(name string) (File, error)
	// Rename replaces what has the new name.
	Rename(from, to string) error
	Remove(name string) error
	// Mkdir makes a folder, closed to others.
	Mkdir(name string) error
	Chmod(name string, mode fs.FileMode) error
	Chtimes(name string, atime, mtime time.Time) error
}

// File is an open file.
type File interface {
	io.ReadWriteCloser
}

// Place is a file or a folder, or where one is to be.
type Place struct {
	FS   FS
	Name string
	// Called is what people call it.
	Called string
	// Base is what a copy of it is called; "" for the content of a folder.
	Base string
}

// On is a place in a machine's file system.
func On(r Remote, machine, name string) Place {
	if name == "" {
		name = "."
	}
	return Place{r, name, machine + ":" + name, base(name)}
}

// base is the last name of a path that does not ask for a folder's content.
func base(name string) string {
	if strings.HasSuffix(name, "/.") {
		return ""
	}
	name = path.Base(path.Clean(name))
	if !plainName(name) {
		return ""
	}
	return name
}

// within is a place in a folder.
func (p Place) within(name string) Place {
	return Place{p.FS, path.Join(p.Name, name), path.Join(p.Called, name), name}
}

// Local is a folder of this host's, and no more: a link that leads out of it is
// an error. A machine shares folders with the host, and what it puts there is
// not to lead the host elsewhere.
type Local struct{ root *os.Root }

// Source is a file or a folder of this host's. Where it is a link itself, it is
// what that leads to. The caller closes it.
func Source(name string) (Place, io.Closer, error) {
	led, err := filepath.EvalSymlinks(name)
	if err != nil {
		return Place{}, nil, named(name, err)
	}
	return local(led, name)
}

// Destination is a name of this host's. The caller closes it.
func Destination(name string) (Place, io.Closer, error) { return local(name, name) }

func local(name, called string) (Place, io.Closer, error) {
	name = filepath.Clean(name)
	dir, last := name, "."
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		dir, last = filepath.Dir(name), filepath.Base(name)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Place{}, nil, named(dir, err)
	}
	return Place{Local{root}, last, called, base(called)}, root, nil
}

// Stat follows links.
func (l Local) Stat(name string) (fs.FileInfo, error) { return l.root.Stat(name) }

// Lstat does not.
func (l Local) Lstat(name string) (fs.FileInfo, error) { return l.root.Lstat(name) }

// ReadDir lists a folder.
func (l Local) ReadDir(name string) ([]fs.FileInfo, error) {
	dir, err := l.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	return dir.Readdir(-1)
}

// Open opens a file to read it.
func (l Local) Open(name string) (File, error) { return l.root.Open(name) }

// Create makes a file.
func (l Local) Create(name string) (File, error) {
	return l.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// Write opens a device or a pipe.
func (l Local) Write(name string) (File, error) { return l.root.OpenFile(name, os.O_WRONLY, 0) }

// Rename renames a file.
func (l Local) Rename(from, to string) error { return l.root.Rename(from, to) }

// Remove removes a file.
func (l Local) Remove(name string) error { return l.root.Remove(name) }

// Mkdir makes a folder.
func (l Local) Mkdir(name string) error { return l.root.Mkdir(name, 0o700) }

// Chmod sets a file's mode.
func (l Local) Chmod(name string, mode fs.FileMode) error { return l.root.Chmod(name, mode) }

// Chtimes sets a file's times.
func (l Local) Chtimes(name string, atime, mtime time.Time) error {
	return l.root.Chtimes(name, atime, mtime)
}

// Remote is a machine's file system, as its user sees it.
type Remote struct{ *sftp.Client }

// ReadDir lists a folder.
func (r Remote) ReadDir(name string) ([]fs.FileInfo, error) { return r.Client.ReadDir(name) }

// Open opens a file to read it.
func (r Remote) Open(name string) (File, error) { return r.Client.Open(name) }

// Create makes a file.
func (r Remote) Create(name string) (File, error) {
	f, err := r.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil {
		_ = f.Close()
		_ = r.Remove(name)
		return nil, fmt.Errorf("close it to others: %w", err)
	}
	return f, nil
}

// Write opens a device or a pipe.
func (r Remote) Write(name string) (File, error) { return r.OpenFile(name, os.O_WRONLY) }

// Rename renames a file.
func (r Remote) Rename(from, to string) error { return r.PosixRename(from, to) }

// Mkdir makes a folder.
func (r Remote) Mkdir(name string) error {
	if err := r.Client.Mkdir(name); err != nil {
		return err
	}
	return r.Chmod(name, 0o700)
}

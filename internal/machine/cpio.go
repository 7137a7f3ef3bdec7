package machine

import (
	"fmt"
	"io"
	"path"
	"strings"
)

// archive writes an initramfs: the kernel's "newc" cpio format (Documentation/
// driver-api/early-userspace/buffer-format.rst). All files are root's. The first
// error stays, and is what close returns.
type archive struct {
	w     io.Writer
	err   error
	size  int64
	inode int
	dirs  map[string]bool
}

// Types of a file, as in st_mode.
const (
	typeDir    = 0o040000
	typeFile   = 0o100000
	typeLink   = 0o120000
	typeDevice = 0o020000 // a character device
)

func newArchive(w io.Writer) *archive { return &archive{w: w, dirs: map[string]bool{".": true}} }

// dir adds a folder, and those above it as 0755, each once.
func (a *archive) dir(name string, mode uint32) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	if a.dirs[name] || name == "" {
		return
	}
	a.dir(path.Dir(name), 0o755)
	a.dirs[name] = true
	a.entry(name, typeDir|mode, 0, 0, nil)
}

func (a *archive) file(name string, mode uint32, content []byte) {
	a.leaf(name, typeFile|mode, 0, 0, content)
}

func (a *archive) symlink(name, target string) { a.leaf(name, typeLink|0o777, 0, 0, []byte(target)) }

func (a *archive) device(name string, mode, major, minor uint32) {
	a.leaf(name, typeDevice|mode, major, minor, nil)
}

func (a *archive) leaf(name string, mode, major, minor uint32, content []byte) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	a.dir(path.Dir(name), 0o755)
	a.entry(name, mode, major, minor, content)
}

func (a *archive) entry(name string, mode, major, minor uint32, content []byte) {
	a.inode++
	links := 1
	a.printf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, links, 0, len(content), 0, 0, major, minor, len(name)+1, 0, name)
	a.align(4)
	a.write(content)
	a.align(4)
}

// close ends the archive. Another may follow it: the kernel unpacks them in
// turn, and a later file replaces an earlier one.
func (a *archive) close() error {
	a.inode = -1
	a.entry("TRAILER!!!", 0, 0, 0, nil)
	a.align(512)
	return a.err
}

func (a *archive) align(to int64) {
	if over := a.size % to; over != 0 {
		a.write(make([]byte, to-over))
	}
}

func (a *archive) printf(format string, args ...any) { a.write(fmt.Appendf(nil, format, args...)) }

func (a *archive) write(b []byte) {
	if a.err != nil {
		return
	}
	var n int
	n, a.err = a.w.Write(b)
	a.size += int64(n)
}

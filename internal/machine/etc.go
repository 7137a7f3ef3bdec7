package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// etcAllowed are the patterns of what a guest gets of the host's /etc: what
// makes the host's own programs work, and nothing that says who may log in
// where. A folder means all that is in it.
var etcAllowed = []string{
	// the dynamic linker, and links into /usr
	"alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
	// certificates, never ssl/private
	"ssl/certs", "ssl/openssl.cnf", "ca-certificates.conf", "pki/tls/certs", "pki/ca-trust/extracted",
	// shells and terminals
	"bash.bashrc", "bashrc", "bash_completion", "bash_completion.d", "inputrc", "profile", "profile.d",
	"shells", "skel", "terminfo", "zsh", "fish", "lesskey", "lesspipe", "tmux.conf", "screenrc", "nanorc",
	"vim", "vimrc", "emacs", "manpath.config", "man_db.conf", "DIR_COLORS",
	// the system's identity
	"os-release", "debian_version", "lsb-release", "issue", "redhat-release", "alpine-release", "arch-release",
	// locale and time
	"localtime", "timezone", "adjtime", "locale.alias", "locale.conf", "locale.gen", "default/locale",
	// names that libraries look up
	"nsswitch.conf", "host.conf", "gai.conf", "protocols", "services", "networks", "rpc", "ethertypes", "mime.types",
	"magic", "magic.mime", "login.defs",
	// languages and tools
	"gitconfig", "java-*", "python2*", "python3*", "perl", "php", "R", "maven", "groff", "gdb", "texmf",
	"fonts", "xml", "sgml", "ImageMagick-*", "dotnet", "glvnd", "OpenCL", "papersize", "xdg/user-dirs.*",
}

// maxEtcFile bounds one file: /etc is held in the guest's memory.
const maxEtcFile = 16 << 20

// Etc is a machine's /etc. The zero value is empty.
type Etc struct{ entries []etcEntry }

// etcEntry is a file, or a link if target is set.
type etcEntry struct {
	name    string // below /etc
	mode    uint32
	content []byte
	target  string
}

// CollectEtc reads what the allow-list lets in of the folder dir, normally /etc.
// A file that not everybody on the host may read stays out, even where this
// process may; a link is never followed, and stays a link.
func CollectEtc(dir string) (*Etc, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("read the host's configuration: %w", err)
	}
	defer func() { _ = root.Close() }()
	files := root.FS()
	etc := new(Etc)
	for _, pattern := range etcAllowed {
		names := []string{pattern}
		if strings.ContainsRune(pattern, '*') { // else Glob would follow a link
			if names, err = fs.Glob(files, pattern); err != nil {
				return nil, fmt.Errorf("pattern %q: %w", pattern, err)
			}
		}
		for _, name := range names {
			if err := etc.collect(root, name); err != nil {
				return nil, fmt.Errorf("read the host's %s: %w", path.Join(dir, name), err)
			}
		}
	}
	return etc, nil
}

func (e *Etc) collect(root *os.Root, name string) error {
	if !openToAll(root, path.Dir(name)) {
		return nil
	}
	info, err := root.Lstat(name)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	mode := info.Mode()
	switch {
	case mode.Type() == fs.ModeSymlink:
		target, err := root.Readlink(name)
		if err == nil {
			e.symlink(name, target)
		}
		return ignoreGone(err)
	case mode.IsDir() && mode.Perm()&0o005 == 0o005:
		return e.collectDir(root, name)
	case mode.IsRegular() && mode.Perm()&0o004 != 0 && info.Size() <= maxEtcFile:
		return e.collectFile(root, name, uint32(mode.Perm()))
	}
	return nil // private, or a socket or device
}

func (e *Etc) collectDir(root *os.Root, name string) error {
	entries, err := fs.ReadDir(root.FS(), name)
	if err != nil {
		return ignoreGone(err)
	}
	for _, entry := range entries {
		if err := e.collect(root, path.Join(name, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (e *Etc) collectFile(root *os.Root, name string, perm uint32) error {
	file, err := root.Open(name)
	if err != nil {
		return ignoreGone(err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxEtcFile))
	if err != nil {
		return err
	}
	if bytes.Contains(content, []byte("PRIVATE KEY-----")) {
		return nil // readable by all on the host, which is an accident to keep there
	}
	e.entries = append(e.entries, etcEntry{name: name, mode: perm &^ 0o022, content: content})
	return nil
}

// openToAll reports whether dir and all above it are folders, not links to some,
// that everybody may enter.
func openToAll(root *os.Root, dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		info, err := root.Lstat(dir)
		if err != nil || !info.IsDir() || info.Mode().Perm()&0o001 == 0 {
			return false
		}
	}
	return true
}

// gone reports whether a file vanished or was closed off while it was looked at.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

func ignoreGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}

// file sets a file, in place of an earlier one of that name.
func (e *Etc) file(name string, mode uint32, content string) {
	e.set(etcEntry{name: name, mode: mode, content: []byte(content)})
}

func (e *Etc) symlink(name, target string) { e.set(etcEntry{name: name, target: target}) }

func (e *Etc) set(entry etcEntry) {
	e.entries = slices.DeleteFunc(e.entries, func(old etcEntry) bool { return old.name == entry.name })
	e.entries = append(e.entries, entry)
}

// write adds all entries to an archive, below dir.
func (e *Etc) write(a *archive, dir string) {
	a.dir(dir, 0o755)
	for _, entry := range e.entries {
		name := path.Join(dir, entry.name)
		if entry.target != "" {
			a.symlink(name, entry.target)
		} else {
			a.file(name, entry.mode, entry.content)
		}
	}
}

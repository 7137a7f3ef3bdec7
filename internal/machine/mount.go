package machine

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Mount is what a user asks for with -v.
type Mount struct {
	Host     string // as typed
	Guest    string // absolute and clean; empty: where the host has it
	ReadOnly bool
}

// ParseMount parses HOST[:GUEST][:ro|:rw]. A colon cannot be part of a path.
func ParseMount(s string) (Mount, error) {
	parts := strings.Split(s, ":")
	var m Mount
	if len(parts) > 1 {
		switch parts[len(parts)-1] {
		case "ro":
			m.ReadOnly = true
			fallthrough
		case "rw":
			parts = parts[:len(parts)-1]
		}
	}
	if len(parts) > 2 {
		return Mount{}, fmt.Errorf("mount %q: too many colons: write HOST[:GUEST][:ro]", s)
	}
	m.Host = parts[0]
	if len(parts) == 2 {
		m.Guest = parts[1]
		if m.Guest == "" {
			return Mount{}, fmt.Errorf("mount %q: the guest's folder is empty: write HOST[:GUEST][:ro]", s)
		}
		if err := checkGuestPath(m.Guest); err != nil {
			return Mount{}, fmt.Errorf("mount %q: %w", s, err)
		}
		m.Guest = path.Clean(m.Guest)
	}
	switch {
	case m.Host == "":
		return Mount{}, fmt.Errorf("mount %q: the host's folder is empty: write HOST[:GUEST][:ro]", s)
	case strings.ContainsRune(s, 0):
		return Mount{}, fmt.Errorf("mount %q: a path cannot contain a zero byte", s)
	case path.Clean(m.Host) == "/":
		return Mount{}, fmt.Errorf("mount %q: %w", s, errRoot)
	}
	return m, nil
}

var errRoot = errors.New("the host's whole file system is never shared: name the folders that the program needs")

// guestOwned are the guest's own: nothing can be mounted over them or in them.
var guestOwned = []string{"/proc", "/sys", "/dev"}

func checkGuestPath(guest string) error {
	if !path.IsAbs(guest) {
		return fmt.Errorf("the guest's folder %q is not absolute: begin it with /", guest)
	}
	clean := path.Clean(guest)
	if clean == "/" {
		return errors.New("the guest's root cannot be replaced: name a folder below it")
	}
	for _, own := range guestOwned {
		if within(own, clean) {
			return fmt.Errorf("the guest's %s is its kernel's own: choose another folder", own)
		}
	}
	for _, shared := range []string{"/etc", "/run"} {
		if clean == shared {
			return fmt.Errorf("the guest's %s is its own: choose a folder below it, or another", shared)
		}
	}
	return nil
}

// Share resolves m on the host. A relative path begins at cwd.
func (m Mount) Share(cwd string) (Share, error) {
	host := m.Host
	if !filepath.IsAbs(host) {
		host = filepath.Join(cwd, host)
	}
	info, err := os.Stat(host)
	if err != nil {
		return Share{}, fmt.Errorf("mount %s: %w: name a folder that exists", m.Host, err)
	}
	if !info.IsDir() {
		return Share{}, fmt.Errorf("mount %s: not a folder: name the folder that it is in", m.Host)
	}
	resolved, err := filepath.EvalSymlinks(host)
	if err != nil {
		return Share{}, fmt.Errorf("mount %s: %w", m.Host, err)
	}
	if sameFile(resolved, "/") {
		return Share{}, fmt.Errorf("mount %s: %w", m.Host, errRoot)
	}
	guest := m.Guest
	if guest == "" {
		guest = filepath.ToSlash(filepath.Clean(host))
	}
	if err := checkGuestPath(guest); err != nil {
		return Share{}, fmt.Errorf("mount %s: %w", m.Host, err)
	}
	return Share{Host: resolved, Guest: guest, ReadOnly: m.ReadOnly}, nil
}

// systemDirs are never a project, and neither is what they are in. Folders below
// the first kind are not either; below the second, they are.
var (
	systemTrees = []string{"/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/boot", "/proc", "/sys", "/dev", "/run"}
	systemDirs  = []string{"/root", "/home", "/var", "/tmp", "/opt", "/srv", "/mnt", "/media", "/Users",
		"/var/lib", "/var/log", "/var/tmp", "/var/cache", "/var/spool"}
	// privateDirs of a home hold keys and tokens.
	privateDirs = []string{".ssh", ".gnupg", ".aws", ".kube", ".docker", ".config", ".local", ".cache", ".password-store", ".azure"}
)

// CheckProject returns the current folder as a share, read-write and at its own
// path, or why it is not shared: a person who starts a program in $HOME or in
// /etc rarely means to hand all of that to it. stateDirs are snug's own folders.
func CheckProject(cwd, home string, stateDirs ...string) (Share, error) {
	resolved, err := filepath.EvalSymlinks(cwd)
	if err != nil {
		return Share{}, fmt.Errorf("current folder: %w: cd into a project folder", err)
	}
	for _, dir := range []string{filepath.Clean(cwd), resolved} {
		if what := forbidden(dir, home, stateDirs); what != "" {
			return Share{}, fmt.Errorf("the current folder %s is %s, which snug does not share by itself: cd into a project folder, or name what to share with -v", cwd, what)
		}
	}
	return Share{Host: resolved, Guest: filepath.Clean(cwd)}, nil
}

// forbidden says what dir is, if it is nothing to share.
func forbidden(dir, home string, stateDirs []string) string {
	if dir == "/" {
		return "the root of the file system"
	}
	for _, tree := range systemTrees {
		if within(tree, dir) {
			return "a system folder"
		}
	}
	if slices.Contains(systemDirs, dir) {
		return "a system folder"
	}
	for _, home := range spellings(home) {
		switch {
		case dir == home:
			return "your home folder"
		case within(dir, home):
			return "a folder that your home folder is in"
		}
		for _, private := range privateDirs {
			if dir == filepath.Join(home, private) {
				return "a folder for private settings"
			}
		}
		if within(filepath.Join(home, ".ssh"), dir) || within(filepath.Join(home, ".gnupg"), dir) {
			return "a folder for keys"
		}
	}
	for _, state := range stateDirs {
		for _, state := range spellings(state) {
			if within(state, dir) || within(dir, state) {
				return "a folder that snug keeps its state in"
			}
		}
	}
	return ""
}

// spellings are a folder's name and, where it is another, its name without links.
func spellings(dir string) []string {
	if dir == "" || dir == "/" {
		return nil // a home of / forbids nothing that is not forbidden already
	}
	names := []string{filepath.Clean(dir)}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil && resolved != names[0] {
		names = append(names, resolved)
	}
	return names
}

// within reports whether dir is tree, or in it.
func within(tree, dir string) bool {
	return dir == tree || strings.HasPrefix(dir, strings.TrimSuffix(tree, "/")+"/")
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

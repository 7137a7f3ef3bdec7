//go:build linux

package rootfs

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/snugvm/snug/test/ptytest"
)

// App is the uid and gid of the user app, whom each root file system knows beside root.
const App = 1000

// Kind is which programs a root file system holds.
type Kind int

const (
	// Busybox has all of busybox, its shell included.
	Busybox Kind = iota
	// Dash has dash for its shell, and busybox for all else.
	Dash
	// Bash has bash for its shell, and busybox for all else.
	Bash
	// Bare has no shell and no tool: one static program, Idle.
	Bare
)

// Idle is the path, within any root file system, of a program that lasts as long as its standard input.
const Idle = "/bin/cat"

// Find returns the path of a busybox that needs no library.
func Find() (string, error) {
	const remedy = "install it: apt-get install --no-install-recommends busybox-static"
	path, err := exec.LookPath("busybox")
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, remedy)
	}
	static, err := isStatic(path)
	if err != nil {
		return "", err
	}
	if !static {
		return "", fmt.Errorf("%s is not static\n%s", path, remedy)
	}
	return path, nil
}

// isStatic reports whether the kernel can run a program where there are no libraries.
func isStatic(path string) (bool, error) {
	f, err := elf.Open(path)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false, nil
		}
	}
	return true, nil
}

// Build fills dir, which it makes.
func Build(dir string, kind Kind) error {
	busybox, err := Find()
	if err != nil {
		return err
	}
	for _, sub := range []string{"bin", "dev", "etc", "proc", "root", "run", "sys"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := openFolder(filepath.Join(dir, "tmp")); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // also where dir was made by os.MkdirTemp
		return err
	}
	if err := addUsers(dir); err != nil {
		return err
	}
	if kind == Bare {
		return copyProgram(busybox, filepath.Join(dir, Idle))
	}
	if err := copyProgram(busybox, filepath.Join(dir, "bin/busybox")); err != nil {
		return err
	}
	if err := addApplets(busybox, filepath.Join(dir, "bin")); err != nil {
		return err
	}
	switch kind {
	case Dash:
		return addShell("dash", dir)
	case Bash:
		return addShell("bash", dir)
	}
	return nil
}

// addShell makes one of the host's shells the shell, with the libraries that it needs.
func addShell(name, dir string) error {
	shell, err := exec.LookPath(name)
	if err != nil {
		return fmt.Errorf("%w\ninstall it: apt-get install --no-install-recommends %s", err, name)
	}
	if shell, err = filepath.EvalSymlinks(shell); err != nil {
		return err
	}
	listed, err := exec.Command("ldd", shell).Output()
	if err != nil {
		return fmt.Errorf("ldd %s: %w", shell, err)
	}
	for word := range strings.FieldsSeq(string(listed)) {
		if !strings.HasPrefix(word, "/") {
			continue
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(word)), 0o755); err != nil {
			return err
		}
		if err := copyProgram(word, filepath.Join(dir, word)); err != nil {
			return err
		}
	}
	for _, to := range []string{"bin/sh", "bin/" + name} {
		to = filepath.Join(dir, to)
		if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) { // a link to busybox
			return err
		}
		if err := copyProgram(shell, to); err != nil {
			return err
		}
	}
	return nil
}

// openFolder makes a folder that anybody may write to.
func openFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o1777)
}

func addUsers(dir string) error {
	home := filepath.Join(dir, "home/app")
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "etc/passwd"), fmt.Appendf(nil, "root:x:0:0:root:/root:/bin/sh\napp:x:%d:%d:app:/home/app:/bin/sh\n", App, App), 0o644),
		os.WriteFile(filepath.Join(dir, "etc/group"), fmt.Appendf(nil, "root:x:0:\ntty:x:5:\napp:x:%d:\n", App), 0o644),
		os.MkdirAll(home, 0o755),
	)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	return os.Chown(home, App, App)
}

// addApplets names busybox by each of its tools.
func addApplets(busybox, dir string) error {
	list, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", busybox, err)
	}
	for name := range strings.FieldsSeq(string(list)) {
		if name == "busybox" {
			continue
		}
		if err := os.Symlink("busybox", filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

func copyProgram(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return ptytest.WriteProgram(to, content)
}

package machine

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// guestModules are what a guest needs of its kernel: the bus that microvm has,
// the link, the shares, what is laid above them, and entropy.
var guestModules = []string{"virtio_mmio", "virtio_console", "9p", "9pnet_virtio", "virtio_rng", "overlay"}

// module is a kernel module on the host's disk.
type module struct {
	name string // with underscores, as the kernel calls it
	path string
}

// maxModule bounds what a module may unpack to.
const maxModule = 64 << 20

// resolveModules returns the named modules of the tree at dir and all that they
// need, each after what it needs. What a module needs is read from the module
// itself (its .modinfo section), so that it works without the indexes that
// depmod(8) makes when a kernel is installed. A module that the kernel has built
// in is left out.
func resolveModules(dir string, names []string) ([]module, error) {
	tree, err := findModules(dir)
	if err != nil {
		return nil, err
	}
	r := resolver{tree: tree, builtin: builtinModules(dir), seen: map[string]bool{}}
	for _, name := range names {
		if err := r.add(name); err != nil {
			return nil, err
		}
	}
	return r.order, nil
}

type resolver struct {
	tree    map[string]string
	builtin map[string]bool
	seen    map[string]bool
	order   []module
}

// add appends a module after its needs. A module that is being added already is
// left alone: soft dependencies may form circles.
func (r *resolver) add(name string) error {
	name = moduleName(name)
	if r.seen[name] || r.builtin[name] {
		return nil
	}
	r.seen[name] = true
	path, ok := r.tree[name]
	if !ok {
		return fmt.Errorf("module %s is missing", name)
	}
	content, err := readModule(path)
	if err != nil {
		return err
	}
	info, err := modinfo(content)
	if err != nil {
		return fmt.Errorf("module %s: %w", path, err)
	}
	for _, need := range info.soft {
		if _, ok := r.tree[moduleName(need)]; ok { // absent is fine: it is soft
			if err := r.add(need); err != nil {
				return err
			}
		}
	}
	for _, need := range info.hard {
		if err := r.add(need); err != nil {
			return fmt.Errorf("%s needs %w", name, err)
		}
	}
	r.order = append(r.order, module{name, path})
	return nil
}

// needs is what a module says that it needs.
type needs struct{ hard, soft []string }

// modinfo reads the needs of a module: "depends=a,b" and "softdep=pre: c d post: e".
func modinfo(content []byte) (needs, error) {
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return needs{}, err
	}
	section := file.Section(".modinfo")
	if section == nil {
		return needs{}, errors.New("no .modinfo section")
	}
	info, err := section.Data()
	if err != nil {
		return needs{}, err
	}
	return parseModinfo(info), nil
}

func parseModinfo(info []byte) needs {
	var n needs
	for field := range strings.SplitSeq(string(info), "\x00") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "depends":
			n.hard = append(n.hard, strings.FieldsFunc(value, func(r rune) bool { return r == ',' })...)
		case "softdep":
			before := false
			for word := range strings.FieldsSeq(value) {
				switch {
				case strings.HasSuffix(word, ":"):
					before = word == "pre:"
				case before:
					n.soft = append(n.soft, word)
				}
			}
		}
	}
	return n
}

// findModules maps the names of all modules below dir to their paths.
func findModules(dir string) (map[string]string, error) {
	tree := make(map[string]string)
	err := filepath.WalkDir(filepath.Join(dir, "kernel"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if file, _, ok := strings.Cut(entry.Name(), ".ko"); ok && entry.Type().IsRegular() {
			tree[moduleName(file)] = path
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("its modules cannot be read: %w", err)
	}
	return tree, nil
}

func builtinModules(dir string) map[string]bool {
	builtin := make(map[string]bool)
	list, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return builtin // then a missing module is told by its name
	}
	for path := range strings.FieldsSeq(string(list)) {
		builtin[moduleName(strings.TrimSuffix(filepath.Base(path), ".ko"))] = true
	}
	return builtin
}

// moduleName is a module's name as the kernel has it: file names and alias
// lists use dashes and underscores as they please.
func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// readModule reads a module, unpacked: the guest's kernel may not be able to.
func readModule(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	defer func() { _ = file.Close() }()
	r, err := unpackModule(file, filepath.Ext(path))
	if err != nil {
		return nil, fmt.Errorf("unpack module %s: %w", path, err)
	}
	content, err := io.ReadAll(io.LimitReader(r, maxModule))
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", path, err)
	}
	return content, nil
}

func unpackModule(r io.Reader, ext string) (io.Reader, error) {
	switch ext {
	case ".xz":
		return xz.NewReader(r)
	case ".zst":
		z, err := zstd.NewReader(r)
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return r, nil
}

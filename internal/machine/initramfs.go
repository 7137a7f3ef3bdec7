package machine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/snugvm/snug/internal/guestinit"
)

// layout counts changes of what a base initramfs holds: it is part of the
// cached file's name.
const layout = "1"

// Base returns the path of the initramfs that all machines of this kernel and
// agent have in common: the agent as /init, and the modules that it loads.
func (k Kernel) Base(cache string, agent []byte) (string, error) {
	hash := sha256.New()
	// The image's size and time tell kernels apart that share a version.
	info, err := os.Stat(k.Image)
	if err != nil {
		return "", fmt.Errorf("find kernel: %w", err)
	}
	_, _ = fmt.Fprintln(hash, layout, k.Version, info.Size(), info.ModTime().UnixNano())
	_, _ = hash.Write(agent)
	name := filepath.Join(cache, "initramfs-"+hex.EncodeToString(hash.Sum(nil)[:8]))
	return name, cacheFile(name, func(w io.Writer) error { return k.writeBase(w, agent) })
}

func (k Kernel) writeBase(w io.Writer, agent []byte) error {
	modules, err := resolveModules(k.Modules, guestModules)
	if err != nil {
		return fmt.Errorf("kernel %s: %w: %s", k.Version, err, kernelRemedy)
	}
	a := newArchive(w)
	// The kernel opens it as the stdio of process 1, before there is a devtmpfs.
	a.device("/dev/console", 0o600, 5, 1)
	a.file("/init", 0o755, agent)
	for i, m := range modules {
		content, err := readModule(m.path)
		if err != nil {
			return err
		}
		a.file(path.Join(guestinit.ModuleDir, fmt.Sprintf("%02d-%s.ko", i, m.name)), 0o644, content)
	}
	return a.close()
}

// WriteInitrd writes a machine's whole initramfs to name: the base, and after it
// what is this machine's own.
func WriteInitrd(name, base string, config guestinit.Config, etc *Etc) error {
	return writeFile(name, func(w io.Writer) error {
		if err := copyFile(w, base); err != nil {
			return err
		}
		encoded, err := json.Marshal(config)
		if err != nil {
			return err
		}
		a := newArchive(w)
		a.file(guestinit.ConfigFile, 0o600, encoded)
		etc.write(a, guestinit.EtcDir)
		return a.close()
	})
}

func copyFile(w io.Writer, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = io.Copy(w, file)
	return err
}

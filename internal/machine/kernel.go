package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Kernel is a Linux kernel on the host's disk.
type Kernel struct {
	Version string // as uname -r says it
	Image   string // the bzImage, or an ELF vmlinux
	Modules string // the folder that the modules' paths begin at
}

// ErrNoKernel is in the error of FindKernel where there is no kernel at all.
var ErrNoKernel = errors.New("no Linux kernel for the microVM")

// kernelRemedy ends each error about a kernel.
const kernelRemedy = "run scripts/setup, which fetches Debian's"

// FindKernel returns the newest kernel that can run a machine: the first in
// store, where a kernel is VERSION/vmlinuz with VERSION/modules, else the host's
// own below root (normally "/"), which is boot/vmlinuz-VERSION with
// lib/modules/VERSION.
func FindKernel(store, root string) (Kernel, error) {
	var unfit error
	for _, kernel := range append(stored(store), installed(root)...) {
		err := kernel.check()
		if err == nil {
			return kernel, nil
		}
		if unfit == nil {
			unfit = err
		}
	}
	if unfit != nil {
		return Kernel{}, fmt.Errorf("%w: %s", unfit, kernelRemedy)
	}
	return Kernel{}, fmt.Errorf("%w in %s or %s: %s", ErrNoKernel, store, filepath.Join(root, "boot"), kernelRemedy)
}

func stored(store string) []Kernel {
	images, _ := filepath.Glob(filepath.Join(store, "[^.]*", "vmlinuz")) // the pattern is valid
	kernels := make([]Kernel, 0, len(images))
	for _, image := range images {
		dir := filepath.Dir(image)
		kernels = append(kernels, Kernel{filepath.Base(dir), image, filepath.Join(dir, "modules")})
	}
	return newestFirst(kernels)
}

func installed(root string) []Kernel {
	images, _ := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	kernels := make([]Kernel, 0, len(images))
	for _, image := range images {
		version := strings.TrimPrefix(filepath.Base(image), "vmlinuz-")
		kernels = append(kernels, Kernel{version, image, filepath.Join(root, "lib", "modules", version)})
	}
	return newestFirst(kernels)
}

func newestFirst(kernels []Kernel) []Kernel {
	slices.SortFunc(kernels, func(a, b Kernel) int { return compareVersions(b.Version, a.Version) })
	return kernels
}

// check reports why the kernel cannot run a machine, as far as a look can tell.
func (k Kernel) check() error {
	image, err := os.Open(k.Image)
	if err != nil {
		return fmt.Errorf("kernel %s cannot be read: %w", k.Version, err)
	}
	_ = image.Close()
	if _, err := resolveModules(k.Modules, guestModules); err != nil {
		return fmt.Errorf("kernel %s: %w", k.Version, err)
	}
	return nil
}

// compareVersions orders by the numbers in a version, so that 6.10 comes after
// 6.9, and by the text between them.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		var left, right string
		left, a = cutRun(a)
		right, b = cutRun(b)
		x, errX := strconv.Atoi(left)
		y, errY := strconv.Atoi(right)
		if errX == nil && errY == nil && x != y {
			return x - y
		}
		if c := strings.Compare(left, right); c != 0 && (errX != nil || errY != nil) {
			return c
		}
	}
	return len(a) - len(b)
}

// cutRun cuts the digits, or the other characters, that s begins with.
func cutRun(s string) (run, rest string) {
	digit := func(r byte) bool { return '0' <= r && r <= '9' }
	end := 1
	for end < len(s) && digit(s[end]) == digit(s[0]) {
		end++
	}
	return s[:end], s[end:]
}

// exists reports whether path names something, and passes on other troubles.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

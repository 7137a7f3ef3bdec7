package machine

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"
)

// maxVmlinux bounds what a kernel may unpack to.
const maxVmlinux = 512 << 20

// Vmlinux returns the path of the kernel as ELF, taken out of its bzImage and
// cached. QEMU starts an ELF by PVH, without the seconds that the image's own
// decompressor takes under software emulation.
func (k Kernel) Vmlinux(cache string) (string, error) {
	image, err := os.ReadFile(k.Image)
	if err != nil {
		return "", fmt.Errorf("read kernel: %w", err)
	}
	if bytes.HasPrefix(image, []byte(elf.ELFMAG)) {
		return k.Image, nil
	}
	sum := sha256.Sum256(image)
	path := filepath.Join(cache, "vmlinux-"+hex.EncodeToString(sum[:8]))
	return path, cacheFile(path, func(w io.Writer) error {
		vmlinux, err := extractVmlinux(image)
		if err != nil {
			return fmt.Errorf("%s: %w: %s", k.Image, err, kernelRemedy)
		}
		_, err = w.Write(vmlinux)
		return err
	})
}

// packings are the ways that a bzImage holds its kernel, by the bytes that each
// begins with (the kernel's own scripts/extract-vmlinux).
var packings = []struct {
	magic  string
	unpack func(io.Reader) (io.Reader, error)
}{
	{"\xfd7zXZ\x00", func(r io.Reader) (io.Reader, error) {
		packed, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		out, err := unpackKernelXZ(packed)
		return bytes.NewReader(out), err
	}},
	{"\x28\xb5\x2f\xfd", func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) }},
	{"\x02\x21\x4c\x18", func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }},
	{"\x1f\x8b\x08", func(r io.Reader) (io.Reader, error) {
		z, err := gzip.NewReader(r)
		if err == nil {
			z.Multistream(false) // what follows is the rest of the image
		}
		return z, err
	}},
	{"BZh", func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }},
	{"\x5d\x00\x00\x00", func(r io.Reader) (io.Reader, error) { return lzma.NewReader(r) }},
}

var errNoVmlinux = errors.New("not a Linux kernel image that snug can unpack")

// extractVmlinux finds the ELF kernel in a bzImage. The magic numbers are short
// and occur by chance, so each place is tried until one yields an ELF file.
func extractVmlinux(image []byte) ([]byte, error) {
	for _, packing := range packings {
		for at := 0; ; at++ {
			next := bytes.Index(image[at:], []byte(packing.magic))
			if next < 0 {
				break
			}
			at += next
			if vmlinux := tryUnpack(image[at:], packing.unpack); vmlinux != nil {
				return vmlinux, nil
			}
		}
	}
	return nil, errNoVmlinux
}

// tryUnpack returns the ELF file that packed begins with, or nil. An error after
// a whole ELF file is the image's own trailer: its size, and more code.
func tryUnpack(packed []byte, unpack func(io.Reader) (io.Reader, error)) []byte {
	r, err := unpack(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	if closer, ok := r.(interface{ Close() }); ok {
		defer closer.Close()
	}
	head := make([]byte, len(elf.ELFMAG))
	if _, err := io.ReadFull(r, head); err != nil || string(head) != elf.ELFMAG {
		return nil
	}
	var out bytes.Buffer
	out.Write(head)
	_, _ = io.Copy(&out, io.LimitReader(r, maxVmlinux))
	if !wholeELF(out.Bytes()) {
		return nil
	}
	return out.Bytes()
}

// wholeELF reports whether b holds all that an ELF file's headers promise.
func wholeELF(b []byte) bool {
	file, err := elf.NewFile(bytes.NewReader(b))
	if err != nil || len(file.Progs) == 0 {
		return false
	}
	for _, prog := range file.Progs {
		if prog.Off+prog.Filesz > uint64(len(b)) {
			return false
		}
	}
	return true
}

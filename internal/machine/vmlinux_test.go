package machine

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"testing"
)

// image is a bzImage as far as extractVmlinux looks: code, in which a magic
// number occurs by chance, then the packed kernel, then more.
func image(packed []byte) []byte {
	return bytes.Join([][]byte{[]byte("MZ code \x1f\x8b\x08 BZh code"), packed, []byte("\x00\x10\x00\x00 trailer")}, nil)
}

func TestKernelIsFoundAmongCode(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := os.ReadFile(self) // any ELF file will do
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(kernel)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := extractVmlinux(image(packed.Bytes()))
	if err != nil || !bytes.Equal(got, kernel) {
		t.Errorf("unpacked %d bytes of %d: %v", len(got), len(kernel), err)
	}
	if _, err := extractVmlinux(image(packed.Bytes()[:packed.Len()/2])); err == nil {
		t.Error("half a kernel was taken for one")
	}
}

// The filter is proved on real kernels by their checksum, in the VM tests. This
// is its one simple case: a call to an absolute address, made relative again.
func TestX86FilterIsUndone(t *testing.T) {
	code := []byte{0x90, 0x90, 0xe8, 0x07, 0x01, 0x00, 0x00, 0x90, 0x90}
	undoX86(code)
	if got := binary.LittleEndian.Uint32(code[3:]); got != 0x107-7 {
		t.Errorf("call goes %#x bytes on, want 0x100", got)
	}
}

func FuzzUnpackKernelXZ(f *testing.F) {
	f.Add([]byte("\xfd7zXZ\x00\x00\x01abcd\x02\x01\x04\x00\x21\x01\x16"))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = unpackKernelXZ(b) })
}

//go:build !(linux && amd64)

package qemu

import (
	"fmt"
	"io"
)

// KVMLoop writes why KVM is of no use here.
func KVMLoop(w io.Writer) error {
	_, err := fmt.Fprintln(w, "KVM is for Linux on x86-64")
	return err
}

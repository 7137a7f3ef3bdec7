//go:build linux

package rig

import (
	"flag"
	"os"
	"testing"

	"github.com/snugvm/snug/sandbox/sandboxtest"
)

// Main is the TestMain of a package whose tests use the built command: it builds that,
// and a folder of tools with the probe, which any user can read. Under -short there is
// neither. It returns the exit status.
func Main(m *testing.M, snug, tools *string) int {
	flag.Parse()
	return sandboxtest.Main(m, func(dir string) (err error) {
		if testing.Short() {
			return nil
		}
		*tools = dir
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
		if _, err = sandboxtest.BuildProbe(dir); err == nil {
			*snug, err = Build()
		}
		return err
	})
}

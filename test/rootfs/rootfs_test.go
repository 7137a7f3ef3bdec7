//go:build linux

package rootfs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snugvm/snug/test/rootfs"
)

func TestEachKindHasItsPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("needs busybox-static")
	}
	for kind, programs := range map[rootfs.Kind]string{
		rootfs.Busybox: "busybox cat sh stty", rootfs.Dash: "cat dash sh stty", rootfs.Bash: "bash cat sh stty", rootfs.Bare: "cat",
	} {
		dir := filepath.Join(t.TempDir(), "rootfs")
		if err := rootfs.Build(dir, kind); err != nil {
			t.Fatal(err)
		}
		for name := range strings.FieldsSeq(programs) {
			if info, err := os.Stat(filepath.Join(dir, "bin", name)); err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("kind %d lacks %s: %v", kind, name, err)
			}
		}
		if entries, _ := os.ReadDir(filepath.Join(dir, "bin")); kind == rootfs.Bare && len(entries) != 1 {
			t.Errorf("a bare one has %v", entries)
		}
	}
}

func TestNoBusyboxIsAnErrorWithTheRemedy(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := rootfs.Find(); err == nil || !strings.Contains(err.Error(), "apt-get install --no-install-recommends busybox-static") {
		t.Errorf("%v does not say how to install it", err)
	}
}

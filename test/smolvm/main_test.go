//go:build linux

package smolvm_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var trials = flag.Int("trials", 20, "how often repeating tests repeat")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// needRoot is the first line of each test that starts a machine.
func needRoot(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts machines")
	}
	if os.Geteuid() != 0 {
		t.Fatal("a machine of the double needs root: run the tests as root")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

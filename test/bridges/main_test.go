//go:build linux

package bridges

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/snugvm/snug/sandbox/sandboxtest"
	user "github.com/snugvm/snug/test/rig"
	"go.uber.org/goleak"
)

var trials = flag.Int("trials", 20, "how often repeating tests repeat")

// patience bounds every wait for something that is sure to come.
const patience = 60 * time.Second

// What all tests share, made by TestMain. Under -short there is none.
var (
	snug  string // the built command
	tools string // the folder of snug-probe
)

func TestMain(m *testing.M) {
	flag.Parse()
	if !testing.Short() {
		if err := setUp(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(tools)
		os.Exit(status)
	}))
}

func setUp() error {
	var err error
	if snug, err = user.Build(); err != nil {
		return err
	}
	if tools, err = os.MkdirTemp("", "bridges-tools"); err != nil {
		return err
	}
	return os.Chmod(tools, 0o755)
}

// needRoot is the first line of each test that starts machines.
func needRoot(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts machines")
	}
	if os.Geteuid() != 0 {
		t.Fatal("containers need root: run the tests as root")
	}
	if _, err := os.Stat(filepath.Join(tools, "snug-probe")); err != nil {
		sandboxtest.BuildProbe(t, tools)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

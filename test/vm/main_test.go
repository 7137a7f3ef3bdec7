//go:build linux

package vm

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

// trials is how often a test repeats what must never fail. Where each trial
// boots a machine, or moves much, fewer are made of the same number.
var trials = flag.Int("trials", 20, "how often repeating tests repeat")

// soaking reports whether this run is a long one.
func soaking() bool { return *trials > 20 }

// patience bounds every wait for something that is sure to come. It is long:
// a boot is slow in software emulation beside other tests.
const patience = 90 * time.Second

// What all tests share, made by TestMain. Under -short there is none.
var (
	snug  string // the built command
	tools string // a folder that each machine sees as guestTools
)

// guestTools is where the machines have the test's own programs.
const (
	guestTools = "/tools"
	probe      = guestTools + "/snug-probe"
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

// setUp builds snug and makes the folder of tools, which any user can read.
func setUp() error {
	var err error
	if snug, err = user.Build(); err != nil {
		return err
	}
	if tools, err = os.MkdirTemp("", "vmtools"); err != nil {
		return err
	}
	return os.Chmod(tools, 0o755)
}

// needMachine is the first line of each test that boots one.
func needMachine(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("boots microVMs")
	}
	if _, err := os.Stat(filepath.Join(tools, filepath.Base(probe))); err != nil {
		sandboxtest.BuildProbe(t, tools)
	}
}

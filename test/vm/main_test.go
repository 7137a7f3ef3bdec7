//go:build linux

package vm

import (
	"flag"
	"os"
	"testing"
	"time"

	user "github.com/snugvm/snug/test/rig"
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

func TestMain(m *testing.M) { os.Exit(user.Main(m, &snug, &tools)) }

// needMachine is the first line of each test that boots one.
func needMachine(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("boots microVMs")
	}
}

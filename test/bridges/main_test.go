//go:build linux

package bridges

import (
	"flag"
	"os"
	"testing"
	"time"

	user "github.com/snugvm/snug/test/rig"
)

var trials = flag.Int("trials", 20, "how often repeating tests repeat")

// patience bounds every wait for something that is sure to come.
const patience = 60 * time.Second

// What all tests share, made by TestMain. Under -short there is none.
var (
	snug  string // the built command
	tools string // the folder of snug-probe
)

func TestMain(m *testing.M) { os.Exit(user.Main(m, &snug, &tools)) }

// needRoot is the first line of each test that starts machines.
func needRoot(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts machines")
	}
	if os.Geteuid() != 0 {
		t.Fatal("containers need root: run the tests as root")
	}
}

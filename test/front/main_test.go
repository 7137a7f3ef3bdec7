//go:build linux

package front

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/test/rig"
)

// trials is how often a test repeats what must never fail.
var trials = flag.Int("trials", 20, "how often repeating tests repeat")

// patience bounds every wait for something that is sure to come.
const patience = 45 * time.Second

// What all tests share, made by TestMain. Under -short there is none.
var (
	snug  string // the built command
	tools string // the folder of the test's own programs
)

// probe is the program that says what it sees, where a machine has it.
const probe = "/snug-probe"

func TestMain(m *testing.M) { os.Exit(rig.Main(m, &snug, &tools)) }

// needTools is the first line of each test that runs a tool.
func needTools(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers")
	}
	if os.Geteuid() != 0 {
		t.Fatal("containers need root: run the tests as root, or with -short")
	}
}

// newRig returns a user's surroundings in which a tool is found: env is the
// test's environment with what the tool needs.
func newRig(t *testing.T, env []string) *rig.Rig {
	t.Helper()
	return rig.New(t, snug, rig.Options{Patience: patience}).WithTool(env)
}

// words are those of a line, and then others as they are.
func words(line string, more ...string) []string { return append(strings.Fields(line), more...) }

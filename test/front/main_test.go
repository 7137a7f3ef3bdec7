//go:build linux

package front

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/test/rig"
	"go.uber.org/goleak"
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

func setUp() (err error) {
	if snug, err = rig.Build(); err != nil {
		return err
	}
	if tools, err = os.MkdirTemp("", "fronttools"); err != nil {
		return err
	}
	if err = os.Chmod(tools, 0o755); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(tools, probe), "github.com/snugvm/snug/sandbox/sandboxtest/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the probe: %w\n%s", err, out)
	}
	return nil
}

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
	r := rig.New(t, snug, rig.Options{Patience: patience})
	theirs := slices.DeleteFunc(slices.Clone(env), func(v string) bool { return slices.Contains(os.Environ(), v) })
	r.Env = slices.DeleteFunc(r.Env, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.ContainsFunc(theirs, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	})
	r.Env = append(r.Env, theirs...)
	return r
}

// words are those of a line, and then others as they are.
func words(line string, more ...string) []string { return append(strings.Fields(line), more...) }

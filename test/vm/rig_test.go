//go:build linux

package vm

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/snugvm/snug/test/ptytest"
	user "github.com/snugvm/snug/test/rig"
)

// rig is a user's surroundings, whose machines have the tests' tools.
type rig struct{ *user.Rig }

// newRig returns surroundings whose end is the test's: by then nothing of snug
// may be left in them.
func newRig(t *testing.T) *rig {
	t.Helper()
	cache, err := os.UserCacheDir()
	user.Must(t, err)
	return newRigWith(t, cache, nil)
}

func newRigWith(t *testing.T, cache string, as *syscall.Credential) *rig {
	t.Helper()
	needMachine(t)
	return &rig{user.New(t, snug, user.Options{Cache: cache, As: as, Patience: patience})}
}

// runArgs are the words of a snug run with the tools in the machine.
func runArgs(args ...string) []string {
	return append([]string{"run", "-v", tools + ":" + guestTools + ":ro"}, args...)
}

// run is snug run with the tools in the machine.
func (r *rig) run(args ...string) *exec.Cmd { return r.Command(runArgs(args...)...) }

// with returns the rig with other variables.
func (r *rig) with(variables ...string) *rig { return &rig{r.With(variables...)} }

// tmux runs a shell script in a pane. The shell finds snug as $SNUG and snug run
// with the tools as $RUN.
func (r *rig) tmux(script string) *ptytest.Tmux {
	r.T.Helper()
	return r.With("RUN=" + strings.Join(append([]string{r.Snug}, runArgs()...), " ")).Tmux(script)
}

// copyTo feeds a command's input, whose loss is for the command to tell.
func copyTo(w io.WriteCloser, content []byte) {
	_, _ = w.Write(content)
	_ = w.Close()
}

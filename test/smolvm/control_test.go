//go:build linux

package smolvm_test

import (
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/smolvm"
)

// outcome is how the main exec of a trial ended.
type outcome string

const (
	right        outcome = "right"
	wrongCommand outcome = "the other command ran"
	parseError   outcome = "config.json did not parse"
	killed       outcome = "killed, status 137"
	hung         outcome = "hung"
	otherFailure outcome = "failed otherwise"
)

// bound is how long a trial may take, since the race hangs too.
const bound = 5 * time.Second

// onTerminal runs a command on a terminal to its end, at most for the bound.
func onTerminal(t *testing.T, cmd *exec.Cmd) (output string, status int, late bool) {
	t.Helper()
	master := ptytest.StartBare(t, terminal.Size{Rows: 41, Cols: 137}, cmd)
	defer master.Close()
	limit := time.AfterFunc(bound, func() { _ = cmd.Process.Kill() })
	all, _ := io.ReadAll(master) // ends with EIO when the command has
	_ = cmd.Wait()               // the status says it
	return string(all), cmd.ProcessState.ExitCode(), !limit.Stop()
}

// mainExec runs the exec that matters, and says how it ended.
func mainExec(t *testing.T, r *smolvm.Rig) (outcome, string) {
	t.Helper()
	const word = "this is the main exec"
	output, status, late := onTerminal(t, r.Command("machine", "exec", "--name", "dev", "-i", "-t", "--", "sh", "-c", "sleep 0.05; echo "+word))
	switch {
	case late:
		return hung, output
	case status == 0 && strings.Contains(output, word):
		return right, output
	case status == 0 && strings.Contains(output, sideWord):
		return wrongCommand, output
	case strings.Contains(output, "parse error"):
		return parseError, output
	case status == 137:
		return killed, output
	}
	return otherFailure, fmt.Sprintf("status %d: %s", status, output)
}

const sideWord = "this is the side exec"

// sideExec is what a naive client runs beside the main exec, to tell the machine of the terminal's size.
func sideExec(t *testing.T, r *smolvm.Rig) {
	cmd := r.Command("machine", "exec", "--name", "dev", "--", "sh", "-c",
		"for f in /dev/pts/*; do stty -F $f cols 137 rows 41; done 2>/dev/null; echo "+sideWord)
	must(t, cmd.Start())
	limit := time.AfterFunc(bound, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	_ = cmd.Wait() // it fails as the main exec does; nobody looks
}

// tally counts the outcomes of trials.
func tally(t *testing.T, n int, trial func() (outcome, string)) map[outcome]int {
	t.Helper()
	counts := map[outcome]int{}
	for range n {
		o, output := trial()
		if counts[o]++; o != right && counts[o] == 1 {
			t.Logf("%s: %q", o, output)
		}
	}
	for _, o := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%3d of %d: %s", counts[o], n, o)
	}
	return counts
}

// The double is worth something only while it loses the race that smolvm loses.
func TestANaiveClientFails(t *testing.T) {
	needRoot(t)
	const n = 30
	for _, p := range []smolvm.Profile{smolvm.V05, smolvm.V06} {
		t.Run(p.Logic, func(t *testing.T) {
			r := smolvm.New(t, p, smolvm.Options{})
			r.Start("dev")
			trial := func() (o outcome, output string) {
				if p == smolvm.V06 {
					r.Restart("dev") // to the first exec: later ones find the id of a container that has gone
				}
				var side sync.WaitGroup
				side.Go(func() { time.Sleep(time.Millisecond); sideExec(t, r) })
				o, output = mainExec(t, r)
				side.Wait()
				return o, output
			}
			wentRight := tally(t, n, trial)[right]
			// A machine that has much else to do may start the two far apart.
			for more := 0; wentRight == n && more < 10*n; more++ {
				if o, output := trial(); o != right {
					t.Logf("after %d more: %s: %q", more, o, output)
					return
				}
			}
			if wentRight == n {
				t.Errorf("of %d main execs with a side exec 1 ms later none went wrong: the double is broken", 11*n)
			}
		})
	}
}

func TestASingleExecNeverFails(t *testing.T) {
	needRoot(t)
	for _, p := range smolvm.Profiles {
		t.Run(p.Logic, func(t *testing.T) {
			r := smolvm.New(t, p, smolvm.Options{})
			r.Start("dev")
			counts := tally(t, *trials, func() (outcome, string) {
				r.Restart("dev") // to the exec that brings up what the others would find
				return mainExec(t, r)
			})
			if counts[right] != *trials {
				t.Errorf("a single exec went right %d times of %d", counts[right], *trials)
			}
			if execs := r.Execs(); len(execs) != *trials {
				t.Errorf("the log has %d execs, want %d", len(execs), *trials)
			}
		})
	}
}

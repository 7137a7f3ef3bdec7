//go:build linux

package bridges

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
	user "github.com/snugvm/snug/test/rig"
	"github.com/snugvm/snug/test/smolvm"
)

// The names of what the double's log shows: main execs have a terminal, side execs have not.
func sideExecs(execs []smolvm.Exec) (main, side []smolvm.Exec) {
	for _, e := range execs {
		if e.TTY {
			main = append(main, e)
		} else {
			side = append(side, e)
		}
	}
	return main, side
}

// smolvmLine is what a user types, with the bridge that is asked for.
func smolvmLine(bridge string, program ...string) []string {
	return append(strings.Fields("wrap --bridge "+bridge+" -- smolvm machine exec -it --name dev --"), program...)
}

// Every program has its size at its start and at its end, though sizes rain from the first millisecond, and no exec fails:
// the log has one main exec a trial, and never two side execs at once.
func TestSttyNeverLosesTheRaceOfSmolvm(t *testing.T) {
	needRoot(t)
	for _, p := range smolvm.Profiles {
		for _, console := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s console %v", p.Logic, console), func(t *testing.T) {
				double := smolvm.New(t, p, smolvm.Options{Console: console})
				double.Start("dev")
				r := newRig(t, double.Env())
				first := 0
				for n := range *trials {
					if n%2 == 0 {
						double.Restart("dev") // to the exec that brings up what others would find
					}
					before := len(double.Execs())
					rain(t, r, p, n, &first, smolvmLine("stty", "sh", "-c", watch)...)
					checkLog(t, double.Execs()[before:])
				}
				t.Logf("first size right %d of %d", first, *trials)
				if first != *trials {
					t.Errorf("the first size was right %d times of %d", first, *trials)
				}
			})
		}
	}
}

// rain is one trial.
func rain(t *testing.T, r *rig, p smolvm.Profile, n int, first *int, args ...string) {
	t.Helper()
	// The test does not know which of the sizes snug saw first: the program's first one must be one that there was.
	c := r.console(args...)
	sizes := map[string]bool{"41 137": true}
	var mu sync.Mutex
	stop := make(chan struct{})
	var raining sync.WaitGroup
	if n%2 == 1 {
		raining.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				size := terminal.Size{Rows: uint16(20 + i%30), Cols: uint16(100 + i%30)}
				mu.Lock()
				sizes[fmt.Sprintf("%d %d", size.Rows, size.Cols)] = true
				mu.Unlock()
				_ = terminal.SetSize(c.Master(), size)
			}
		})
	}
	got := c.ExpectRegexp(`first (\d+ \d+)\r`)[1]
	mu.Lock()
	if sizes[got] {
		*first++
	} else {
		t.Errorf("the first size is %q", got)
	}
	mu.Unlock()
	time.Sleep(20 * time.Millisecond) // a little more rain
	close(stop)
	raining.Wait()
	c.Resize(terminal.Size{Rows: 33, Cols: uint16(200 + n)})
	if p != smolvm.V05 { // there another exec is another container, which has not this terminal
		c.Expect(fmt.Sprintf("now 33 %d", 200+n))
	}
	c.Send("42\r")
	if status := c.Wait(); status != 42 {
		t.Errorf("trial %d: status %d, want 42", n, status)
	}
	c.StateEqual(c.Before())
}

// checkLog checks the execs of one trial.
func checkLog(t *testing.T, execs []smolvm.Exec) {
	t.Helper()
	main, side := sideExecs(execs)
	if len(main) != 1 || main[0].Exit != 42 {
		t.Errorf("main execs: %+v", main)
	}
	slices.SortFunc(side, func(a, b smolvm.Exec) int { return a.Started.Compare(b.Started) })
	for i, e := range side {
		if !slices.ContainsFunc(e.Argv, func(w string) bool { return strings.Contains(w, "stty") }) {
			t.Errorf("side exec %q", e.Argv)
		}
		if len(main) == 1 && e.Started.Before(main[0].Started) {
			t.Errorf("side exec %d before the main one", i)
		}
		if i > 0 && (side[i-1].Ended.IsZero() || side[i-1].Ended.After(e.Started)) {
			t.Errorf("side execs %d and %d at once", i-1, i)
		}
	}
}

// Two sessions that start at the same moment, with sizes raining on both, are as safe: the execs that bring something up
// take turns.
func TestSessionsOfOneMachineTakeTurns(t *testing.T) {
	needRoot(t)
	for _, p := range smolvm.Profiles {
		t.Run(p.Logic, func(t *testing.T) {
			double := smolvm.New(t, p, smolvm.Options{})
			double.Start("dev")
			r := newRig(t, double.Env())
			for n := range max(1, *trials/4) {
				double.Restart("dev")
				var both []*ptytest.Console
				for i := range 2 {
					c := r.console(smolvmLine("stty", "sh", "-c", fmt.Sprintf("echo I am %d.$(stty size); read l; exit $l", i))...)
					c.Resize(terminal.Size{Rows: 40, Cols: 100})
					both = append(both, c)
				}
				for i, c := range both {
					c.ExpectRegexp(fmt.Sprintf(`I am %d\.(41 137|40 100)\r`, i))
				}
				for i, c := range both {
					c.Send(fmt.Sprintf("4%d\r", i))
					// With 0.6 the one that came first is the container, and the other one ends with it.
					if status := c.Wait(); status != 40+i && p != smolvm.V06 {
						t.Errorf("trial %d, session %d: status %d", n, i, status)
					}
				}
			}
		})
	}
}

// A tool that takes its time to start a program gets no other exec meanwhile, whatever the terminal does.
func TestNoSideExecComesBeforeTheReadyMark(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	tool, log := filepath.Join(dir, "tool"), filepath.Join(dir, "log")
	user.Must(t, ptytest.WriteProgram(tool, []byte(`#!/bin/sh
case "$*" in
*sn_a=*) echo main >>"`+log+`"; sleep 0.4; echo up >>"`+log+`";;
*) [ "$(readlink /proc/$$/fd/0)" = /dev/null ] || echo stdin >>"`+log+`"; echo side >>"`+log+`";;
esac
shift; exec "$@"
`)))
	r := newRig(t, os.Environ())
	for n := range max(2, *trials/4) {
		user.Must(t, os.WriteFile(log, nil, 0o644))
		rain(t, r, smolvm.V19, 2*n+1, new(int), "wrap", "--bridge", "stty", "--exec", tool+" box", "--", "busybox", "sh", "-c", watch)
		b, err := os.ReadFile(log)
		user.Must(t, err)
		got := strings.Fields(string(b))
		if len(got) < 2 || got[0] != "main" || got[1] != "up" || slices.ContainsFunc(got[2:], func(w string) bool { return w != "side" }) {
			t.Errorf("trial %d: %q", n, got)
		}
	}
}

func TestNativeOverSmolvm(t *testing.T) {
	needRoot(t)
	double := smolvm.New(t, smolvm.V19, smolvm.Options{Console: true})
	double.Start("dev")
	r := newRig(t, double.Env())
	c := r.console(smolvmLine("native", "sh", "-c", watch)...)
	c.Expect("first")
	c.Resize(terminal.Size{Rows: 50, Cols: 100})
	c.Expect("now 50 100")
	c.Send("42\r")
	if status := c.Wait(); status != 42 {
		t.Errorf("status %d", status)
	}
	if execs := double.Execs(); len(execs) != 1 {
		t.Errorf("execs: %+v", execs)
	}
	if got := r.pipe("", smolvmLine("stty", "no-such-program")...); got.Status != 127 {
		t.Errorf("no such program: %+v", got)
	}
}

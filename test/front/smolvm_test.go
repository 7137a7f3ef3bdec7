//go:build linux

package front

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/rig"
	"github.com/snugvm/snug/test/smolvm"
)

// vm is a double of smolvm with a machine dev, and a user beside it.
type vm struct {
	*rig.Rig
	double *smolvm.Rig
}

// newVM returns a machine of one generation.
func newVM(t *testing.T, p smolvm.Profile) *vm {
	t.Helper()
	double := smolvm.New(t, p, smolvm.Options{})
	double.Start("dev")
	install := exec.Command("cp", filepath.Join(tools, probe), filepath.Join(double.Rootfs("dev"), probe))
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return &vm{newRig(t, double.Env()), double}
}

// eachVM runs a test on a machine of each generation, and tells it how many of
// the trials are its.
func eachVM(t *testing.T, test func(v *vm, trials int)) {
	t.Helper()
	needTools(t)
	for _, p := range smolvm.Profiles {
		t.Run(p.Logic, func(t *testing.T) {
			test(newVM(t, p), (*trials+len(smolvm.Profiles)-1)/len(smolvm.Profiles))
		})
	}
}

// onlyExecs fails the test unless the machine has seen so many execs since seen,
// and returns how many it has seen by now.
func (v *vm) onlyExecs(seen, want int) int {
	v.T.Helper()
	all := v.double.Execs()
	if got := all[seen:]; len(got) != want {
		v.T.Errorf("%d execs, want %d:\n%s", len(got), want, told(got))
	}
	return len(all)
}

func told(execs []smolvm.Exec) string {
	var b strings.Builder
	for _, e := range execs {
		fmt.Fprintf(&b, "%v tty=%t exit %d: %.100q\n", e.Started.Format("05.000"), e.TTY, e.Exit, e.Args)
	}
	return b.String()
}

// rain resizes a terminal, from now until stop is called, and sets the last size
// in the end.
func rain(c *ptytest.Console) (stop func(last terminal.Size)) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := uint16(0); ; i++ {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond): // the rain's pace
				_ = terminal.SetSize(c.Master(), terminal.Size{Rows: 20 + i%40, Cols: 80 + i%100, XPixel: 800 + i%100, YPixel: 600})
			}
		}
	})
	return func(last terminal.Size) {
		close(done)
		wg.Wait()
		_ = terminal.SetSize(c.Master(), last)
	}
}

// machineExec is a command line of today, with snug in front.
func machineExec(program ...string) []string {
	return words("smolvm machine exec -it --name dev --", program...)
}

func TestSmolvmsExecHasTheTerminalsSizeFirstEveryTimeByOneExec(t *testing.T) {
	eachVM(t, func(v *vm, trials int) {
		seen := 0
		for range trials {
			c := v.Console(v.Command(machineExec(probe, "size")...))
			if out := c.ExpectRegexp(`(?s)^.*?size .*?\n`)[0]; !strings.HasSuffix(out, rig.SizeLine(rig.Size)) {
				v.T.Errorf("the program saw %q, want %q", out, rig.SizeLine(rig.Size))
			}
			if status := c.Wait(); status != 0 {
				v.T.Errorf("exit status %d: %s", status, c.Output())
			}
			seen = v.onlyExecs(seen, 1)
			v.NothingLeft()
		}
	})
}

func TestSmolvmsExecFollowsResizesFromTheFirstMillisecond(t *testing.T) {
	eachVM(t, func(v *vm, trials int) {
		seen := 0
		for i := range trials {
			c := v.Console(v.Command(machineExec(probe, "watch")...))
			stop := rain(c)
			c.ExpectRegexp(`size \d+ \d+ \d+ 600\r\n`)
			last := terminal.Size{Rows: 30, Cols: uint16(200 + i), XPixel: 2000, YPixel: 900}
			stop(last)
			c.Expect(rig.SizeLine(last))
			c.Send("\x04")
			if status := c.Wait(); status != 0 {
				v.T.Errorf("exit status %d: %s", status, c.Output())
			}
			seen = v.onlyExecs(seen, 1)
		}
	})
}

// both waits for the programs of two terminals to say the same.
func both(a, b *ptytest.Console, do func(c *ptytest.Console)) {
	do(a)
	do(b)
}

func TestTwoSmolvmExecsAtTheSameMomentShareOneExec(t *testing.T) {
	eachVM(t, func(v *vm, trials int) {
		seen := 0
		for range trials {
			a, b := v.Console(v.Command(machineExec(probe, "watch")...)), v.Console(v.Command(machineExec(probe, "watch")...))
			both(a, b, func(c *ptytest.Console) { c.Expect(rig.SizeLine(rig.Size)) })
			a.Resize(terminal.Size{Rows: 10, Cols: 50})
			b.Resize(terminal.Size{Rows: 11, Cols: 51})
			a.Expect("size 10 50 0 0\r\n")
			b.Expect("size 11 51 0 0\r\n")
			seen = v.onlyExecs(seen, 1)
			both(a, b, func(c *ptytest.Console) { c.Send("\x04") })
			both(a, b, func(c *ptytest.Console) {
				if status := c.Wait(); status != 0 {
					v.T.Errorf("exit status %d: %s", status, c.Output())
				}
			})
			v.NothingLeft()
			v.onlyExecs(seen, 0)
		}
	})
}

// One may come just when the other's machine is about to be let go: then it takes
// an exec of its own, which waits until the first one has gone.
func TestTwoShortSmolvmExecsAtTheSameMomentBothWork(t *testing.T) {
	eachVM(t, func(v *vm, trials int) {
		for range trials {
			a, b := v.Console(v.Command(machineExec("sh", "-c", "echo I am a; exit 41")...)), v.Console(v.Command(machineExec("sh", "-c", "echo I am b; exit 42")...))
			a.Expect("I am a\r\n")
			b.Expect("I am b\r\n")
			if one, two := a.Wait(), b.Wait(); one != 41 || two != 42 {
				v.T.Errorf("exit statuses %d and %d, want 41 and 42:\n%s%s", one, two, a.Output(), b.Output())
			}
			v.NothingLeft()
		}
		if n := len(v.double.Execs()); n < trials || n > 2*trials {
			v.T.Errorf("%d execs for %d pairs", n, trials)
		}
		neverTwoAtOnce(v)
	})
}

// neverTwoAtOnce fails the test where an exec began before the one before it was
// at its end.
func neverTwoAtOnce(v *vm) {
	v.T.Helper()
	v.Eventually("the machine has seen the end of each exec", func() bool {
		all := v.double.Execs()
		return !all[len(all)-1].Ended.IsZero()
	})
	all := v.double.Execs()
	for i, e := range all[1:] {
		if e.Started.Before(all[i].Ended) {
			v.T.Errorf("two execs at once:\n%s", told(all[i:i+2]))
		}
	}
}

func TestAnotherSessionBesideSmolvmsExecAddsNoExec(t *testing.T) {
	eachVM(t, func(v *vm, _ int) {
		c := v.Console(v.Command(machineExec(probe, "watch")...))
		c.Expect(rig.SizeLine(rig.Size))
		beside := v.Console(v.Command("exec", "smolvm:dev", "--", "sh", "-c", "stty size; tty; exit 3"))
		beside.Expect("41 137\r\n/dev/pts/")
		if status := beside.Wait(); status != 3 {
			v.T.Errorf("beside it: exit status %d: %s", status, beside.Output())
		}
		if got := v.Pipe(v.Command("exec", "smolvm:dev", "--", "sh", "-c", "cat; echo apart >&2; exit 4"), "in"); got != (rig.Ended{Status: 4, Stdout: "in", Stderr: "apart\n"}) {
			v.T.Errorf("on pipes: %+v", got)
		}
		if names := v.Names(); len(names) != 1 || names[0] != "smolvm:dev" {
			v.T.Errorf("snug ls lists %q", names)
		}
		c.Send("\x04")
		if status := c.Wait(); status != 0 {
			v.T.Errorf("exit status %d: %s", status, c.Output())
		}
		v.onlyExecs(0, 1)
	})
}

func TestExitStatusesThroughSmolvmAreTheProgramsOwn(t *testing.T) {
	eachVM(t, func(v *vm, _ int) {
		for status, program := range map[int][]string{
			0: {"true"}, 42: {"sh", "-c", "exit 42"}, 255: {"sh", "-c", "exit 255"}, 127: {"no-such-program"},
			126: {"/etc"}, 128 + 15: {probe, "die", "TERM"}, 128 + 9: {probe, "die", "KILL"},
		} {
			if got := v.Pipe(v.Command(words("smolvm machine exec -i --name dev --", program...)...), ""); got.Status != status {
				v.T.Errorf("%q on pipes: %+v, want status %d", program, got, status)
			}
			c := v.Console(v.Command(machineExec(program...)...))
			if got := c.Wait(); got != status {
				v.T.Errorf("%q on a terminal: status %d, want %d: %s", program, got, status, c.Output())
			}
		}
		if got := v.Pipe(v.Command(words("smolvm machine exec --timeout 300ms --name dev -- sleep 60")...), ""); got.Status != 124 {
			v.T.Errorf("--timeout: %+v, want status 124", got)
		}
	})
}

func TestSmolvmsShellAndRun(t *testing.T) {
	eachVM(t, func(v *vm, _ int) {
		c := v.Console(v.Command(words("smolvm machine shell --name dev")...))
		c.Expect("# ")
		c.Send("stty size; exit 5\r")
		c.Expect("41 137\r\n")
		if status := c.Wait(); status != 5 {
			v.T.Errorf("shell: exit status %d: %s", status, c.Output())
		}
		c = v.Console(v.Command(words("smolvm machine run -it -I busybox -e A=1 -w /tmp --", "sh", "-c", "stty size; echo $A; pwd; exit 6")...))
		c.Expect("41 137\r\n1\r\n/tmp\r\n")
		if status := c.Wait(); status != 6 {
			v.T.Errorf("run: exit status %d: %s", status, c.Output())
		}
		v.NothingLeft()
		list, err := v.double.Command("machine", "ls", "--json").Output()
		rig.Must(v.T, err)
		if machines := string(list); strings.Contains(machines, "snug-") || !strings.Contains(machines, "dev") {
			v.T.Errorf("the machines at the end: %s", machines)
		}
	})
}

func TestWhatSmolvmCannotDoIsSaidInItsWordsWithTheRemedy(t *testing.T) {
	eachVM(t, func(v *vm, _ int) {
		v.double.Stop("dev")
		for line, say := range map[string][]string{
			"smolvm machine exec -i --name dev -- true":   {"machine 'dev' is not running", "smolvm machine start --name dev"},
			"smolvm machine exec -it --name none -- true": {"vm not found: none", "smolvm machine ls"},
			"smolvm machine exec -d --name dev -- true":   {"smolvm machine exec [-i] [-t]"},
			"smolvm machine fly":                          {"smolvm machine exec"},
		} {
			v.fails(v.Command(words(line)...), say...)
		}
		gone := v.With("PATH=" + filepath.Join(v.Root, "nowhere"))
		(&vm{gone, v.double}).fails(gone.Command(machineExec("true")...), "smolvm", "install smolvm")
		if n := len(v.double.Execs()); n > 0 {
			v.T.Errorf("the machines saw %d execs", n)
		}
	})
}

// fails fails the test unless snug ends with 125 and one line that says all that.
func (v *vm) fails(cmd *exec.Cmd, say ...string) {
	v.T.Helper()
	got := v.Pipe(cmd, "")
	if got.Status != 125 || got.Stdout != "" || !rig.OneLine(got.Stderr) {
		v.T.Errorf("%q: %+v, want status 125 and one line", cmd.Args[1:], got)
	}
	for _, words := range say {
		if !strings.Contains(got.Stderr, words) {
			v.T.Errorf("%q: %q does not say %q", cmd.Args[1:], got.Stderr, words)
		}
	}
}

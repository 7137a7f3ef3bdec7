//go:build linux

package front

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/snugvm/snug/sandbox/sandboxtest"
	"github.com/snugvm/snug/test/rig"
	"github.com/snugvm/snug/test/smolvm"
)

// endChecks end sessions in other ways than by the program's end. The last one
// ends the box.
var endChecks = []check{
	{"the terminal is whole, and nothing left, after every end of a process of snug's", nil, func(f *front) {
		everyEnd(f.Rig, f.onTerminal(greedy...))
	}},
	{"a killed client of the tool costs and doubles nothing", nil, func(f *front) {
		// What runc and crun run has their stdio: it goes on without them.
		killedClients(f.Rig, f.line(f.probe, "duplex", "out", "in", strconv.Itoa(clientBytes)), f.tool != "crun" && f.tool != "runc")
	}},
	{"a box that is removed ends the session, and the terminal is whole", []string{"docker", "podman", "crun", "runc", "nsenter", "ssh"}, removedBox},
}

// greedy is a program that leaves a terminal in a sorry state.
var greedy = []string{"sh", "-c", strings.Replace(rig.Greedy, "echo up >up;", "", 1)}

// around is what is done before and after a session, by the test's own shell.
func around(line []string) string {
	return "stty -a >before; $SNUG " + quote(line) + "; echo $? >status; stty -a >after; echo looked; exec cat -v"
}

// wholeAfter runs a greedy program in a pane, ends it, and fails the test unless
// the status is right, the terminal as it was, and words are said.
func wholeAfter(r *rig.Rig, line []string, end func(), status int, words ...string) {
	r.T.Helper()
	tm := r.Tmux(around(line))
	tm.WaitFlag("alternate_on", true)
	tm.WaitFlag("mouse_any_flag", true)
	tm.WaitFlag("keypad_flag", true)
	end()
	if got := strings.TrimSpace(r.AwaitFile("status")); got != strconv.Itoa(status) {
		r.T.Errorf("exit status %s, want %d", got, status)
	}
	r.AwaitNoViewer()
	screen := tm.WaitText("looked")
	rig.IsWhole(r.T, tm)
	if before, after := r.Read("before"), r.Read("after"); before != after {
		r.T.Errorf("stty -a before:\n%s\nafter:\n%s", before, after)
	}
	flat := strings.ReplaceAll(screen, "\n", "") // a long line goes on in the next row
	for _, w := range words {
		if !strings.Contains(flat, w) {
			r.T.Errorf("the screen does not say %q:\n%s", w, screen)
		}
	}
	if n := strings.Count(screen, "snug: "); n > 1 || len(words) > 0 && n == 0 {
		r.T.Errorf("snug says %d lines:\n%s", n, screen)
	}
	for _, name := range []string{"before", "after", "status"} {
		r.Write(name, "", 0o600)
	}
}

func everyEnd(r *rig.Rig, line []string) {
	for _, c := range []struct {
		kind   rig.Kind
		signal syscall.Signal
		status int
		words  string
	}{
		{rig.Guardian, syscall.SIGTERM, 128 + 15, "terminated"},
		{rig.Viewer, syscall.SIGHUP, 128 + 1, "hangup"},
		{rig.Viewer, syscall.SIGKILL, 255, ""},
	} {
		r.T.Run(c.signal.String()+" to the "+string(c.kind), func(t *testing.T) {
			r := r.For(t)
			var said []string
			if c.words != "" {
				said = []string{c.words}
			}
			wholeAfter(r, line, func() { r.Signal(c.kind, c.signal) }, c.status, said...)
			names := r.Names()
			if len(names) != 1 {
				t.Fatalf("snug ls lists %q: the session outlives its viewer", names)
			}
			r.Stop(names[0])
			r.NothingLeft()
		})
	}
}

// client waits for the process of the tool that is the link; of several the one
// that has started the others.
func client(r *rig.Rig, last int) (pid int) {
	r.T.Helper()
	r.Eventually("the tool has a client", func() bool {
		pids := r.PIDs(rig.Client)
		if len(pids) == 0 {
			return false
		}
		pid = slices.Min(pids)
		return pid != last
	})
	return pid
}

// clientBytes are many times what may be under way.
const clientBytes = 3 << 20

// killedClients kills the tool's client again and again, where it comes again.
func killedClients(r *rig.Rig, line []string, comesAgain bool) {
	r.T.Helper()
	cmd := r.Command(line...)
	stdin, err := cmd.StdinPipe()
	rig.Must(r.T, err)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	rig.Must(r.T, cmd.Start())
	input, last := sandboxtest.Sequence("in", clientBytes), 0
	for part := range slices.Chunk(input, clientBytes/3) {
		if _, err := stdin.Write(part); err != nil {
			r.T.Fatalf("input: %v; status %d, stderr %q", err, r.Reap(cmd), stderr.String())
		}
		if last == 0 || comesAgain {
			last = client(r, last)
			rig.Must(r.T, syscall.Kill(last, syscall.SIGKILL))
		}
	}
	rig.Must(r.T, stdin.Close())
	if status := r.Reap(cmd); status != 42 || stderr.Len() > 0 {
		r.T.Errorf("the program's input was wrong: status %d, stderr %q", status, stderr.String())
	}
	if stdout.String() != "ready"+string(sandboxtest.Sequence("out", clientBytes)) {
		r.T.Errorf("the program's output differs: %d bytes of %d", stdout.Len(), clientBytes)
	}
}

func removedBox(f *front) {
	f.removed = true
	wholeAfter(f.Rig, f.onTerminal(greedy...), f.box.Remove, 255, f.tool)
	leavesItsLog(f.Rig)
}

// leavesItsLog removes the log of a machine that nobody has ended.
func leavesItsLog(r *rig.Rig) {
	r.T.Helper()
	if n := r.RemoveLost(); n != 1 {
		r.T.Errorf("%d machines have left their logs, want 1", n)
	}
}

func TestEveryEndInFrontOfSmolvmLeavesTheTerminalWholeAndNothingBehind(t *testing.T) {
	eachVM(t, func(v *vm, _ int) {
		everyEnd(v.Rig, machineExec(greedy...))
		neverTwoAtOnce(v)
		v.NothingLeft()
		v.T.Run("machine stop", func(t *testing.T) {
			wholeAfter(v.For(t), machineExec(greedy...), func() { v.double.Stop("dev") }, 255, "machine 'dev' is not running")
			leavesItsLog(v.For(t))
		})
	})
}

// From 1.0 on an exec joins a container that stays. Before, the exec is process 1
// of the container, and whatever it has started ends with it.
func TestAKilledClientOfSmolvm(t *testing.T) {
	needTools(t)
	t.Run("costs and doubles nothing where the container stays", func(t *testing.T) {
		v := newVM(t, smolvm.V19)
		killedClients(v.Rig, words("smolvm machine exec -i --name dev --", probe, "duplex", "out", "in", strconv.Itoa(clientBytes)), true)
	})
	for _, p := range []smolvm.Profile{smolvm.V05, smolvm.V06} {
		t.Run("ends the session where it was the container "+p.Logic, func(t *testing.T) {
			v := newVM(t, p)
			wholeAfter(v.Rig, machineExec(greedy...), func() {
				rig.Must(t, syscall.Kill(client(v.Rig, 0), syscall.SIGKILL))
			}, 255, "the program is gone")
		})
	}
}

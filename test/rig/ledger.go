//go:build linux

package rig

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/snugvm/snug/screen"
	"github.com/snugvm/snug/test/ptytest"
)

// Ledger is a session whose program is the probe's ledger, which tells by its
// output whether all of that and all of its input has arrived, in order and once.
// A person types in it, while processes of snug's are killed.
type Ledger struct {
	*Rig
	Machine string
	con     *ptytest.Console
	shows   *screen.Screen // what con does
	fed     int            // of its output
	typed   int            // lines
	told    bool           // of a failure
}

// ledgerStatus is what the probe's ledger ends with.
const ledgerStatus = 42

// StartLedger starts the session by a command line of snug, and waits for it.
func (r *Rig) StartLedger(args ...string) *Ledger {
	r.T.Helper()
	l := &Ledger{Rig: r}
	l.view(args...)
	l.awaitEcho()
	l.Machine = r.Names()[0]
	return l
}

// view shows the session in a terminal by a command line of snug.
func (l *Ledger) view(args ...string) {
	l.T.Helper()
	l.con = l.Console(l.Command(args...))
	l.T.Cleanup(l.tellStacks) // while there is what hangs
	l.shows, l.fed = screen.New(int(Size.Cols), int(Size.Rows), screen.Options{}), 0
}

// Type types lines, without a look at what becomes of them.
func (l *Ledger) Type(lines int) {
	l.T.Helper()
	for range lines {
		l.typed++
		l.con.Send(strconv.Itoa(l.typed) + "\n")
	}
}

// awaitEcho waits until the terminal shows that the program has all that was typed.
func (l *Ledger) awaitEcho() {
	l.T.Helper()
	text := ""
	for deadline := time.Now().Add(l.patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		out := l.con.Output()
		_, _ = l.shows.Write(out[l.fed:])
		l.fed = len(out)
		text = l.shows.Text()
		for line := range strings.Lines(text) {
			if _, last, ok := strings.Cut(strings.TrimSpace(line), " "); ok && last == strconv.Itoa(l.typed) {
				return
			}
		}
	}
	l.T.Fatalf("no echo of line %d within %v:\n%s", l.typed, l.patience, text)
}

// Kill kills a process of a kind at a random moment, while there is one.
func (l *Ledger) Kill(k Kind) {
	l.T.Helper()
	if k == Viewer {
		l.awaitEcho() // what a killed viewer has read and not sent is gone with it
	}
	time.Sleep(rand.N(50 * time.Millisecond))
	pids := l.PIDs(k)
	if len(pids) == 0 {
		return // it was killed just now
	}
	Must(l.T, kill(slices.Min(pids))) // of a tool's client the one that has started the others
	if k != Viewer {
		return
	}
	if status := l.con.Wait(); status != 255 {
		l.T.Errorf("the command whose viewer was killed ended with %d, want 255", status)
	}
	l.view("attach", l.Machine)
}

// KillSome types lines and kills a process of one of the kinds, n times.
func (l *Ledger) KillSome(n int, kinds ...Kind) {
	l.T.Helper()
	for range n {
		l.Type(1 + rand.IntN(5))
		l.Kill(kinds[rand.IntN(len(kinds))])
	}
}

func kill(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != syscall.ESRCH {
		return err
	}
	return nil
}

// Leave kills the viewer, and starts no other one.
func (l *Ledger) Leave() {
	l.T.Helper()
	l.awaitEcho()
	l.Signal(Viewer, syscall.SIGKILL)
	l.con.Wait()
}

// EndBySignal has the program end while nobody looks.
func (l *Ledger) EndBySignal() {
	l.T.Helper()
	l.Leave()
	if got := l.Pipe(l.Command("kill", "-s", "USR1", l.Machine), ""); got != (Ended{}) {
		l.T.Errorf("snug kill: %+v", got)
	}
	l.EndUnseen()
}

// EndUnseen waits for the end of the program, which nobody looks at, and fails the
// test unless all is there of what it printed, and then the status.
func (l *Ledger) EndUnseen() {
	l.T.Helper()
	l.Eventually("the program has ended", func() bool {
		m := l.List()
		return len(m) == 1 && len(m[0].Sessions) == 1 && m[0].Sessions[0].ExitStatus != nil
	})
	l.checkLog()
	l.view("attach", l.Machine)
	if status := l.con.Wait(); status != ledgerStatus {
		l.T.Errorf("attached after its end, snug ended with %d, want %d: %s", status, ledgerStatus, l.con.Output())
	}
	want := fmt.Sprintf(" %d end", l.typed)
	if out := l.con.Output(); !bytes.Contains(out, []byte(want)) {
		l.T.Errorf("the last screen does not show %q:\n%q", want, out)
	}
}

// tellStacks shows where in snug a test has failed: it ends its processes by
// SIGQUIT, on which each tells its goroutines, the viewer on its terminal.
func (l *Ledger) tellStacks() {
	if !l.T.Failed() || l.told {
		return
	}
	l.told = true
	seen := len(l.con.Output())
	if l.quit(Viewer) { // first: it would start another keeper
		l.con.Wait()
		l.T.Logf("the viewer:\n%s", l.con.Output()[seen:])
	}
	l.quit(Keeper)
	logs, _ := filepath.Glob(filepath.Join(l.Root, "run/snug/m/*/keeper.log")) // the pattern is valid
	for _, name := range logs {
		log, _ := os.ReadFile(name) // the machine may be about to be gone
		l.T.Logf("%s:\n%s", name, log)
	}
}

// quit ends the processes of a kind by SIGQUIT, and reports whether there were any.
func (l *Ledger) quit(k Kind) bool {
	l.T.Helper()
	pids := l.PIDs(k)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGQUIT) // it may have ended
		ptytest.AwaitGone(l.T, pid)
	}
	return len(pids) > 0
}

// checkLog fails the test unless the log has each line of the program's once.
func (l *Ledger) checkLog() {
	l.T.Helper()
	got := l.Pipe(l.Command("log", "--output", l.Machine), "")
	if got.Status != 0 || got.Stderr != "" {
		l.T.Fatalf("snug log --output: status %d, %s", got.Status, got.Stderr)
	}
	n, last := 0, 0
	for line := range strings.SplitSeq(got.Stdout, "\r\n") {
		number, took, _ := strings.Cut(strings.TrimSuffix(line, " end"), " ")
		i, err1 := strconv.Atoi(number)
		j, err2 := strconv.Atoi(took)
		if err1 != nil || err2 != nil || i != n || j < last || j > l.typed {
			l.T.Fatalf("line %d is %q after input line %d of %d", n, line, last, l.typed)
		}
		n, last = n+1, j
	}
	if last != l.typed || !strings.HasSuffix(got.Stdout, " end") {
		l.T.Errorf("%d lines of output, %d of %d of input; the last are %q", n, last, l.typed, got.Stdout[max(0, len(got.Stdout)-50):])
	}
	l.T.Logf("%d lines of output, %d of input", n, last)
}

// End types the end, and waits for it.
func (l *Ledger) End() {
	l.T.Helper()
	l.con.Send("end\n")
	if status := l.con.Wait(); status != ledgerStatus {
		l.T.Errorf("snug ended with %d, want %d: %s", status, ledgerStatus, l.con.Output())
	}
}

package terminal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
)

// The test binary is guardian and viewer of its own tests: TEST_VIEWER names what the viewer does.
const viewerEnv = "TEST_VIEWER"

func TestMain(m *testing.M) {
	script := os.Getenv(viewerEnv)
	switch {
	case script == "":
		os.Exit(m.Run())
	case !terminal.Guarded():
		os.Exit(guard())
	default:
		os.Exit(view(script))
	}
}

func guard() int {
	cmd := exec.Command(os.Args[0])
	fmt.Printf("guardian %d\r\n", os.Getpid())
	status, err := terminal.Guard(os.Stdin, os.Stdout, cmd)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	fmt.Printf("guardian returns %d\n", status)
	return status
}

const (
	modes = "\x1b[?1049h\x1b[?2004h\x1b[?1000h"
	undo  = "\x1b[?1049l\x1b[?2004l\x1b[?1000l"
)

// view takes the terminal and then comes to the end that the test asked for.
func view(script string) int {
	w, err := terminal.NewWard(os.Stdin, os.Stdout)
	must(err)
	fmt.Fprintf(os.Stderr, "viewer %d\n", os.Getpid())
	if script == "cooked" {
		<-w.Context().Done()
		return report(w, 130)
	}
	must(w.Raw())
	must(w.Undo([]byte(undo)))
	if script == "stop" {
		must(syscall.Kill(os.Getpid(), syscall.SIGSTOP))
	}
	fmt.Print(modes + "drawing\r\n")
	fmt.Fprint(os.Stderr, "held back\n")
	switch script {
	case "exit":
		return report(w, 42)
	case "os.Exit":
		os.Exit(0)
	case "panic":
		go func() { panic("a bug in any goroutine") }()
	case "flood":
		for range 2000 {
			fmt.Fprintln(os.Stderr, strings.Repeat("x", 99))
		}
		return report(w, 0)
	case "hung":
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		for {
			fmt.Print("\x1b[")
			time.Sleep(time.Millisecond)
		}
	}
	return loop(w)
}

// loop draws on every continuation and echoes what is typed until a signal.
func loop(w *terminal.Ward) int {
	go func() {
		b := make([]byte, 16)
		for {
			n, err := os.Stdin.Read(b)
			if err != nil {
				return
			}
			fmt.Printf("typed %q\r\n", b[:n])
		}
	}()
	for {
		select {
		case <-w.Continued():
			fmt.Print(modes + "drawing again\r\n")
		case <-w.Context().Done():
			var s *terminal.SignalError
			if !errors.As(context.Cause(w.Context()), &s) {
				return report(w, 1)
			}
			// A second, forwarded copy of the signal must not cut this short.
			time.Sleep(100 * time.Millisecond)
			fmt.Print("teardown done\r\n")
			return report(w, 128+int(s.Signal.(syscall.Signal)))
		}
	}
}

func report(w *terminal.Ward, status int) int {
	must(w.Done(status))
	return status
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// guarded is a viewer under its guardian on a pty.
type guarded struct {
	*ptytest.Console
	t        *testing.T
	guardian int
	viewer   int
}

func startGuarded(t *testing.T, script string) *guarded {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), viewerEnv+"="+script)
	g := &guarded{t: t, Console: ptytest.Start(t, terminal.Size{Rows: 24, Cols: 80}, cmd)}
	g.guardian = g.pid(`guardian (\d+)\r`)
	g.viewer = g.pid(`viewer (\d+)\r`)
	return g
}

func (g *guarded) pid(expr string) int {
	g.t.Helper()
	n, err := strconv.Atoi(g.ExpectRegexp(expr)[1])
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// whole checks what must hold after every end.
func (g *guarded) whole() {
	g.t.Helper()
	ptytest.AwaitGone(g.t, g.guardian)
	ptytest.AwaitGone(g.t, g.viewer)
	g.ExpectEOF()
	g.StateEqual(g.Before())
	if out := string(g.Output()); strings.LastIndex(out, undo) < strings.LastIndex(out, modes) {
		g.t.Errorf("the modes were not undone: %q", out)
	}
}

func (g *guarded) kill(pid int, s syscall.Signal) {
	g.t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		g.t.Fatal(err)
	}
}

func TestTheTerminalIsWholeAfterEveryEnd(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script string
		signal syscall.Signal
		to     string
		want   int
		says   string
	}{
		{name: "the viewer's exit", script: "exit", want: 42},
		{name: "os.Exit in the middle", script: "os.Exit", want: 255, says: "ended unexpectedly (exit status 0); terminal restored"},
		{name: "panic in a goroutine", script: "panic", want: 255, says: "panic: a bug in any goroutine\r\n\r\ngoroutine"},
		{name: "kill -9 of the viewer", signal: syscall.SIGKILL, to: "viewer", want: 255, says: "snug: the viewer died (killed); terminal restored"},
		{name: "kill -9 of a hung viewer", script: "hung", signal: syscall.SIGKILL, to: "viewer", want: 255, says: "died (killed)"},
		{name: "kill -9 of the guardian", signal: syscall.SIGKILL, to: "guardian", want: 137},
		{name: "kill -9 of a hung viewer's guardian", script: "hung", signal: syscall.SIGKILL, to: "guardian", want: 137},
		{name: "SIGTERM to the viewer", signal: syscall.SIGTERM, to: "viewer", want: 143, says: "teardown done"},
		{name: "SIGTERM to the guardian", signal: syscall.SIGTERM, to: "guardian", want: 143, says: "teardown done"},
		{name: "SIGTERM to both", signal: syscall.SIGTERM, to: "group", want: 143, says: "teardown done"},
		{name: "SIGHUP to the viewer", signal: syscall.SIGHUP, to: "viewer", want: 129, says: "teardown done"},
		{name: "SIGHUP to the guardian", signal: syscall.SIGHUP, to: "guardian", want: 129, says: "teardown done"},
		{name: "SIGINT to both", signal: syscall.SIGINT, to: "group", want: 130, says: "teardown done"},
		{name: "SIGQUIT to the guardian", signal: syscall.SIGQUIT, to: "guardian", want: 255, says: "SIGQUIT: quit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			script := tt.script
			if script == "" {
				script = "loop"
			}
			g := startGuarded(t, script)
			g.Expect("drawing\r\n")
			if tt.signal != 0 {
				g.kill(map[string]int{"viewer": g.viewer, "guardian": g.guardian, "group": -g.guardian}[tt.to], tt.signal)
			}
			if got := g.Wait(); got != tt.want {
				t.Errorf("exit status %d, want %d\n%q", got, tt.want, g.Output())
			}
			g.whole()
			if !strings.Contains(string(g.Output()), tt.says) {
				t.Errorf("output lacks %q:\n%q", tt.says, g.Output())
			}
		})
	}
}

func TestTheKeyboardsInterruptEndsACookedViewerOnce(t *testing.T) {
	g := startGuarded(t, "cooked")
	g.Send("\x03")
	if got := g.Wait(); got != 130 {
		t.Errorf("exit status %d, want 130", got)
	}
	g.whole()
	if out := string(g.Output()); strings.Contains(out, "\x1b") {
		t.Errorf("escape sequences on a terminal that was never raw: %q", out)
	}
}

func TestStandardErrorIsHeldBackWhileRaw(t *testing.T) {
	g := startGuarded(t, "exit")
	if got := g.Wait(); got != 42 {
		t.Errorf("exit status %d, want 42", got)
	}
	g.whole()
	if out := string(g.Output()); strings.LastIndex(out, "held back\r\n") < strings.LastIndex(out, undo) {
		t.Errorf("standard error came before the terminal was whole, or as a staircase: %q", out)
	}
}

func TestOfALongStandardErrorTheTailIsKept(t *testing.T) {
	g := startGuarded(t, "flood")
	g.SetTimeout(20 * time.Second)
	g.Expect("only the last 64 KiB of messages follow")
	g.Wait()
	g.whole()
	if n := strings.Count(string(g.Output()), "x"); n < 64000 || n > 65536 {
		t.Errorf("%d bytes of standard error, want nearly 64 KiB", n)
	}
}

func TestAStoppedViewerWithoutAShellGivesTheTerminalBackMeanwhile(t *testing.T) {
	g := startGuarded(t, "loop")
	g.Expect("drawing\r\n")
	g.kill(g.viewer, syscall.SIGSTOP)
	g.Expect(undo)
	g.StateEqual(g.Before())
	g.kill(g.viewer, syscall.SIGCONT)
	g.Expect(modes + "drawing again")
	g.Send("x")
	g.Expect(`typed "x"`)
	g.kill(g.viewer, syscall.SIGTERM)
	if got := g.Wait(); got != 143 {
		t.Errorf("exit status %d, want 143", got)
	}
	g.whole()
}

func TestWhatAViewerSaidJustBeforeItsStopIsHeard(t *testing.T) {
	for range 20 {
		g := startGuarded(t, "stop")
		g.Expect(undo)
		g.StateEqual(g.Before())
		g.kill(g.viewer, syscall.SIGCONT)
		g.Expect("drawing again")
		g.kill(g.viewer, syscall.SIGTERM)
		if got := g.Wait(); got != 143 {
			t.Errorf("exit status %d, want 143", got)
		}
		g.whole()
	}
}

func TestWithoutAGuardianThereIsNoWard(t *testing.T) {
	if _, err := terminal.NewWard(os.Stdin, os.Stdout); !errors.Is(err, terminal.ErrNoGuardian) {
		t.Errorf("NewWard: %v, want ErrNoGuardian", err)
	}
}

func TestAViewerThatCannotStartIsAnError(t *testing.T) {
	_, tty := ptytest.OpenPTY(t)
	if _, err := terminal.Guard(tty, tty, exec.Command("/nonexistent/viewer")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Guard: %v, want that the file does not exist", err)
	}
}

// A real interactive shell, in a real terminal emulator, is what job control is for.
func TestJobControlUnderAShell(t *testing.T) {
	for _, tt := range []struct {
		name   string
		signal syscall.Signal
		target func(guardian, viewer int) int
	}{
		{"SIGTSTP to the guardian", syscall.SIGTSTP, func(guardian, _ int) int { return guardian }},
		{"SIGTSTP to the viewer", syscall.SIGTSTP, func(_, viewer int) int { return viewer }},
		{"SIGSTOP to the viewer", syscall.SIGSTOP, func(_, viewer int) int { return viewer }},
		{"SIGTSTP to both", syscall.SIGTSTP, func(guardian, _ int) int { return -guardian }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := startJob(t)
			signalTo(t, tt.target(j.guardian, j.viewer), tt.signal)
			j.WaitText("Stopped")
			j.WaitFlag("alternate_on", false)
			j.Line("echo sh''ell works")
			j.WaitText("shell works")
			j.Line("fg")
			j.endsWell()
		})
	}
}

// Nobody can catch SIGSTOP, so the shell shows on the program's screen meanwhile; but it is raw again after fg.
func TestAJobStoppedByForceIsRawAgainWhenContinued(t *testing.T) {
	j := startJob(t)
	signalTo(t, -j.guardian, syscall.SIGSTOP)
	j.WaitText("Stopped")
	j.Line("fg")
	j.endsWell()
}

// The shell takes the terminal back at once and sets its own modes, in which the orphaned viewer must not meddle.
func TestUnderAShellAKilledGuardiansViewerLeavesTheTerminalWhole(t *testing.T) {
	j := startJob(t)
	signalTo(t, j.guardian, syscall.SIGKILL)
	ptytest.AwaitGone(t, j.viewer)
	j.WaitFlag("alternate_on", false)
	j.Send("Enter") // the shell's prompt may have come before the program's screen was left
	j.WaitText("ready>")
	j.Line("echo sh''ell works")
	j.WaitText("shell works")
	if screen := j.Capture(); strings.Count(screen, "echo sh''ell") != 1 {
		t.Errorf("what is typed is echoed twice:\n%s", screen)
	}
	j.leavesNothing()
}

// job is a guarded viewer started from an interactive shell.
type job struct {
	*ptytest.Tmux
	t                *testing.T
	guardian, viewer int
}

func startJob(t *testing.T) *job {
	t.Helper()
	tm := ptytest.StartTmux(t, 100, 30, "env", "PS1=ready> ", viewerEnv+"=loop", "bash", "--norc", "--noprofile", "-i")
	tm.WaitText("ready>")
	tm.Line("clear; stty -g; " + os.Args[0])
	tm.WaitFlag("alternate_on", true)
	tm.WaitText("drawing")
	tm.Send("a")
	tm.WaitText(`typed "a"`)
	j := &job{Tmux: tm, t: t}
	j.guardian = childOf(t, tm.PanePid())
	j.viewer = childOf(t, j.guardian)
	return j
}

// endsWell checks that the job runs in the foreground again and leaves the terminal as it was before the first start.
func (j *job) endsWell() {
	j.t.Helper()
	j.WaitText("drawing again")
	j.WaitFlag("alternate_on", true)
	j.Send("b")
	j.WaitText(`typed "b"`)
	signalTo(j.t, j.viewer, syscall.SIGTERM)
	j.WaitFlag("alternate_on", false)
	j.WaitText("returns 143")
	j.leavesNothing()
}

// leavesNothing checks that the job is gone and the terminal as it was before its first start.
func (j *job) leavesNothing() {
	j.t.Helper()
	ptytest.AwaitGone(j.t, j.guardian)
	ptytest.AwaitGone(j.t, j.viewer)
	j.Line("stty -g")
	settings := regexp.MustCompile(`(?m)^[0-9a-f]+:[0-9a-f:]{40,}$`)
	screen := j.WaitFor("stty -g twice", func(screen string) bool { return len(settings.FindAllString(screen, -1)) == 2 })
	if two := settings.FindAllString(screen, -1); two[0] != two[1] {
		j.t.Errorf("stty -g: %s\nbefore:  %s", two[1], two[0])
	}
}

func signalTo(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// childOf returns the only child of a process.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	out, err := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Fatalf("children of %d: %v", pid, err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatalf("children of %d: %v", pid, err)
	}
	return child
}

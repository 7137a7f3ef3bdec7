package ptytest_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var size = terminal.Size{Rows: 41, Cols: 137, XPixel: 1370, YPixel: 820}

func shell(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

func TestTheSizeIsThereBeforeTheFirstSystemCall(t *testing.T) {
	c := ptytest.Start(t, size, exec.Command("stty", "size"))
	c.Expect("41 137\r\n")
	c.ExpectEOF()
	if got := c.Wait(); got != 0 {
		t.Errorf("exit status %d, want 0", got)
	}
	if got, err := terminal.GetSize(c.Master()); err != nil || got != size {
		t.Errorf("size %+v, %v; want %+v", got, err, size)
	}
}

func TestEachExpectContinuesAfterTheLastMatch(t *testing.T) {
	c := ptytest.Start(t, size, shell("echo one two one; echo rest"))
	if got := c.Expect("two"); got != "one two" {
		t.Errorf("Expect = %q", got)
	}
	if got := c.ExpectRegexp(`(o)(n)e\r\n`); len(got) != 3 || got[1] != "o" || got[2] != "n" {
		t.Errorf("ExpectRegexp = %q", got)
	}
	if got := c.ExpectEOF(); got != "rest\r\n" {
		t.Errorf("ExpectEOF = %q", got)
	}
}

func TestSendResizeAndSignalReachTheCommand(t *testing.T) {
	c := ptytest.Start(t, size, shell(`trap 'stty size' WINCH; trap 'exit 7' TERM
		read line; echo "got $line"; while :; do sleep 0.05; done`))
	c.Send("hello\r")
	c.Expect("got hello")
	c.Resize(terminal.Size{Rows: 10, Cols: 20})
	c.Expect("10 20")
	c.Signal(syscall.SIGTERM)
	if got := c.Wait(); got != 7 {
		t.Errorf("exit status %d, want 7", got)
	}
}

func TestDeathBySignalIsNotAnExitStatus(t *testing.T) {
	c := ptytest.Start(t, size, shell("kill -KILL $$"))
	if got := c.Wait(); got != 137 {
		t.Errorf("Wait = %d, want 137", got)
	}
}

func TestAChangeOfTheTerminalStateIsSeen(t *testing.T) {
	c := ptytest.Start(t, size, shell("read a; stty -echo; echo changed; read b; stty echo; echo back; read c"))
	before := c.Before()
	c.StateEqual(before)
	c.Send("\r")
	c.Expect("changed")
	c.AwaitState("changed", func(s *terminal.State) bool { return !s.Equal(before) })
	c.Send("\r")
	c.Expect("back")
	c.StateEqual(before)
}

// failure collects what a failing expectation says. Fatalf ends the goroutine, as the real one does.
type failure struct {
	testing.TB
	message chan string
	cleanup []func()
}

func (f *failure) Helper()           {}
func (f *failure) Cleanup(fn func()) { f.cleanup = append(f.cleanup, fn) }
func (f *failure) Fatalf(format string, args ...any) {
	f.message <- fmt.Sprintf(format, args...)
	for _, v := range slices.Backward(f.cleanup) {
		v()
	}
	runtime.Goexit()
}

func failureOf(t *testing.T, test func(tb testing.TB)) string {
	t.Helper()
	f := &failure{TB: t, message: make(chan string, 1)}
	done := make(chan struct{})
	go func() { defer close(done); test(f) }()
	<-done
	select {
	case m := <-f.message:
		return m
	default:
		t.Fatal("the test passed, want a failure")
		return ""
	}
}

func TestAFailureShowsEveryByteOfBothDirections(t *testing.T) {
	message := failureOf(t, func(tb testing.TB) {
		c := ptytest.Start(tb, size, shell(`stty -echo; printf 'ask\033[1m'; read a; echo "<$a>"; sleep 60`))
		c.Expect("ask")
		c.Send("reply\r")
		c.Expect("<reply>")
		c.SetTimeout(50e6)
		c.Expect("never")
	})
	for _, want := range []string{`no "never" within 50ms`, `ask\x1b[1m`, `sent 6: "reply\r"`, `<reply>`} {
		if !strings.Contains(message, want) {
			t.Errorf("the failure lacks %q:\n%s", want, message)
		}
	}
}

func TestCleanupKillsTheProcessGroup(t *testing.T) {
	var child int
	t.Run("inner", func(t *testing.T) {
		c := ptytest.Start(t, size, shell(`trap '' HUP; sleep 1000 & echo "pid $! "; wait`))
		child, _ = strconv.Atoi(c.ExpectRegexp(`pid (\d+) `)[1])
		if !ptytest.Alive(child) {
			t.Error("the child is not alive")
		}
	})
	ptytest.AwaitGone(t, child)
}

func TestTmuxShowsWhatAProgramDraws(t *testing.T) {
	tm := ptytest.StartTmux(t, 100, 30)
	tm.Line(`printf '\033[2J\033[?1049h\033[?1000h\033[5;7H'; stty size`)
	tm.WaitText("30 100")
	tm.WaitFlag("alternate_on", true)
	if !tm.Flag("mouse_any_flag") {
		t.Error("mouse_any_flag is off after ?1000h")
	}
	tm.Line(`printf '\033[5;7H'; read x`)
	tm.WaitFor("cursor at 6,4", func(string) bool { col, row := tm.Cursor(); return col == 6 && row == 4 })
}

func TestTmuxResizesAndPastes(t *testing.T) {
	tm := ptytest.StartTmux(t, 80, 24, "sh", "-c", `trap 'stty size' WINCH
		stty raw -echo; printf 'ready\033[?2004h'; dd bs=1 count=17 2>/dev/null | od -An -c; while :; do sleep 0.05; done`)
	tm.WaitText("ready")
	tm.Paste([]byte("a\nb\tc"))
	tm.WaitFor("pasted bytes in brackets", func(s string) bool {
		return strings.Contains(strings.Join(strings.Fields(s), " "), `033 [ 2 0 0 ~ a \n b \t c 033 [ 2 0 1`)
	})
	tm.ResizeWindow(91, 33)
	tm.WaitText("33 91")
}

func TestTmuxServersDoNotOutliveTheTest(t *testing.T) {
	var pane int
	t.Run("inner", func(t *testing.T) {
		tm := ptytest.StartTmux(t, 80, 24, "sh", "-c", "trap '' HUP; echo up; while :; do sleep 1; done")
		tm.WaitText("up")
		pane = tm.PanePid()
	})
	ptytest.AwaitGone(t, pane)
}

func TestNoTmuxIsAFailureWithTheRemedy(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	message := failureOf(t, func(tb testing.TB) { ptytest.StartTmux(tb, 80, 24) })
	if !strings.Contains(message, "apt-get install tmux") {
		t.Errorf("failure %q does not say how to install tmux", message)
	}
}

func TestAProgramCanBeExecutedAsSoonAsItIsWritten(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var forking sync.WaitGroup
	defer forking.Wait()
	defer stop()
	for range 4 {
		forking.Go(func() {
			for ctx.Err() == nil {
				_ = exec.Command("true").Run()
			}
		})
	}
	name := filepath.Join(t.TempDir(), "program")
	for range 200 {
		if err := ptytest.WriteProgram(name, []byte("#!/bin/sh\nexit 0\n")); err != nil {
			t.Fatal(err)
		}
		if err := exec.Command(name).Run(); err != nil {
			t.Fatal(err)
		}
	}
}

//go:build linux

package vm

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/sandbox/sandboxtest"
	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
	user "github.com/snugvm/snug/test/rig"
)

func TestTheFirstThingThatAProgramSeesIsTheTerminalsSize(t *testing.T) {
	r := newRig(t)
	tm := r.tmux("$RUN -- stty size; echo status $?; read end")
	tm.WaitFor("size as the first line of output", func(screen string) bool {
		before, _, ok := strings.Cut(screen, "status 0")
		return ok && strings.HasSuffix(before, "41 137\n")
	})
	tm.Send("Enter")
	tm.WaitFlag("pane_dead", true)

	for range max(1, *trials/10) {
		c := r.Console(r.run("--", probe, "size"))
		c.Expect("size 41 137 1370 820\r\n")
		if status := c.Wait(); status != 0 {
			t.Errorf("exit status %d", status)
		}
	}
}

func TestTheLastOfManyResizesWins(t *testing.T) {
	r := newRig(t)
	c := r.Console(r.run("--escape", "none", "--", probe, "watch"))
	c.Expect(user.SizeLine(user.Size))
	last := user.Size
	for trial := range *trials {
		const storm = 200
		for i := range storm {
			last = terminal.Size{
				Rows: uint16(20 + (trial+i)%50), Cols: uint16(60 + (3*trial+i)%150),
				XPixel: uint16(1000 + i), YPixel: uint16(500 + trial%1000),
			}
			user.Must(t, terminal.SetSize(c.Master(), last))
			time.Sleep(time.Millisecond) // the storm's pace: 200 resizes in 200 ms
		}
		began := time.Now()
		c.Expect(user.SizeLine(last))
		if trial == 0 {
			t.Logf("last size %v after the storm", time.Since(began).Round(time.Millisecond))
		}
	}
	// A size that is the last stays the last: what comes next is the answer
	// to the next resize. It may be told once more, as the program may read it
	// for two resizes.
	c.Resize(user.Size)
	next := c.Expect(user.SizeLine(user.Size))
	if next = strings.ReplaceAll(next, user.SizeLine(last), ""); next != user.SizeLine(user.Size) {
		t.Errorf("after the last size came %q", next)
	}
	c.Send("\x04")
	if status := c.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestARawTerminalsBytesAreExactInBothDirections(t *testing.T) {
	const n = 1 << 20
	r := newRig(t)
	count := strconv.Itoa(n)
	script := strings.Join([]string{
		probe + " check in " + count, "echo status $?",
		probe + " emit out " + count, "echo status $?",
		probe + " duplex out2 in2 " + count, "echo status $?",
	}, "; ")
	c := r.Console(r.run("--escape", "none", "--terminal-policy", "open", "--", "sh", "-c", script))
	c.Expect("ready")
	c.Send(string(sandboxtest.Sequence("in", n)))
	c.Expect("status 42\n")

	expectSequence(t, c, "out", n)
	c.Expect("status 0\n")

	c.Expect("ready")
	c.Send(string(sandboxtest.Sequence("in2", n)))
	expectSequence(t, c, "out2", n)
	c.Expect("status 42\n")
	if status := c.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// expectSequence waits for the n bytes of a seed, as the very next ones.
func expectSequence(t *testing.T, c *ptytest.Console, seed string, n int) {
	t.Helper()
	want := sandboxtest.Sequence(seed, n)
	got := []byte(c.Expect(string(want[n-64:])))
	if !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), n) && got[at] == want[at] {
			at++
		}
		t.Fatalf("output %s differs from byte %d on; %d bytes came, %d were sent", seed, at, len(got), n)
	}
}

//go:build linux

package vm

import (
	"slices"
	"strings"
	"testing"

	user "github.com/snugvm/snug/test/rig"
)

func TestABootIsToldUntilTheProgramStarts(t *testing.T) {
	r := newRig(t)
	c := r.Console(r.run("--", "sh", "-c", "echo first line"))
	boot := c.Expect("booting a microVM")
	boot += c.Expect("first line\r\n")
	if status := c.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if !strings.HasSuffix(boot, "\r\x1b[Kfirst line\r\n") {
		t.Errorf("the progress line is not gone when the program starts: %q", boot)
	}
	if n := strings.Count(boot, "software emulation, so"); n > 1 {
		t.Errorf("software emulation is said %d times: %q", n, boot)
	}
}

// Who does not want the program any more while its machine boots is rid of both.
func TestAnInterruptedBootLeavesNothing(t *testing.T) {
	r := newRig(t)
	c := r.Console(r.run("--", "sleep", "1000"))
	c.Expect("booting a microVM")
	c.Send("\x03")
	c.Expect("interrupt")
	if status := c.Wait(); status != 130 {
		t.Errorf("exit status %d, want 130", status)
	}
	r.NothingLeft()
}

func TestASecondMachineOfTheSameFolderWorksBesideTheFirst(t *testing.T) {
	r := newRig(t)
	first := r.run("--", "sh", "-c", "echo up >up; cat >first; exit 1")
	stdin, err := first.StdinPipe()
	user.Must(t, err)
	user.Must(t, first.Start())
	r.AwaitFile("up")

	got := r.Pipe(r.run("--", "sh", "-c", "cat up; cat >second; exit 2"), "to the second")
	if want := (user.Ended{Status: 2, Stdout: "up\n", Stderr: ""}); got != want {
		t.Errorf("the second: %+v, want %+v", got, want)
	}
	if names := r.Names(); !slices.Equal(names, []string{"project-1"}) {
		t.Errorf("snug ls lists %q beside the second's end", names)
	}
	taken := r.Pipe(r.run("--name", "project-1", "--", "true"), "")
	if taken.Status != 125 || !user.OneLine(taken.Stderr) || !strings.Contains(taken.Stderr, "already running") {
		t.Errorf("a name that is taken: %+v, want 125 and the remedy", taken)
	}
	copyTo(stdin, []byte("to the first"))
	if status := r.Reap(first); status != 1 {
		t.Errorf("the first ended with %d, want 1", status)
	}
	if one, two := r.Read("first"), r.Read("second"); one != "to the first" || two != "to the second" {
		t.Errorf("the first read %q, the second %q", one, two)
	}
}

//go:build linux

package vm

import (
	"slices"
	"strings"
	"testing"
)

func TestABootIsToldUntilTheProgramStarts(t *testing.T) {
	r := newRig(t)
	c := r.console(r.run("--", "sh", "-c", "echo first line"))
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

func TestASecondMachineOfTheSameFolderWorksBesideTheFirst(t *testing.T) {
	r := newRig(t)
	first := r.run("--", "sh", "-c", "echo up >up; cat >first; exit 1")
	stdin, err := first.StdinPipe()
	must(t, err)
	must(t, first.Start())
	r.awaitFile("up")

	got := r.pipe(r.run("--", "sh", "-c", "cat up; cat >second; exit 2"), "to the second")
	if want := (ended{2, "up\n", ""}); got != want {
		t.Errorf("the second: %+v, want %+v", got, want)
	}
	if names := r.names(); !slices.Equal(names, []string{"project-1"}) {
		t.Errorf("snug ls lists %q beside the second's end", names)
	}
	taken := r.pipe(r.run("--name", "project-1", "--", "true"), "")
	if taken.status != 125 || !oneLine(taken.stderr) || !strings.Contains(taken.stderr, "already running") {
		t.Errorf("a name that is taken: %+v, want 125 and the remedy", taken)
	}
	copyTo(stdin, []byte("to the first"))
	if status := r.reap(first); status != 1 {
		t.Errorf("the first ended with %d, want 1", status)
	}
	if one, two := r.read("first"), r.read("second"); one != "to the first" || two != "to the second" {
		t.Errorf("the first read %q, the second %q", one, two)
	}
}

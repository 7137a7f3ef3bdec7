//go:build linux

package vm

import "testing"

func TestEscapesHelpAndDetach(t *testing.T) {
	r := newRig(t)
	run := r.run("--", "sh", "-c", "stty -echo; echo up; exec cat")
	c := r.Console(run)
	c.Expect("up\r\n")

	c.Send("\r~.\r") // in one go: pasted, not typed
	c.Expect("~.\r\n")
	c.Keys("\r~~x\r")
	c.Expect("~x\r\n")
	c.Keys("~?")
	c.Expect("~d  detach")
	c.Keys("~d")
	c.Expect("detached")
	if status := c.Wait(); status != 0 {
		t.Errorf("exit status %d after ~d, want 0", status)
	}
	c.StateEqual(c.Before())
	names := r.Names()
	if len(names) != 1 {
		t.Fatalf("after ~d snug ls lists %q, want one machine", names)
	}
	r.Stop(names[0])
}

func TestEscapeEndsTheSession(t *testing.T) {
	r := newRig(t)
	c := r.Console(r.run("--", "sh", "-c", "echo up; exec cat"))
	c.Expect("up\r\n")
	c.Keys("~.")
	if status := c.Wait(); status != 255 {
		t.Errorf("exit status %d after ~., want 255", status)
	}
	c.StateEqual(c.Before())
	r.Eventually("the machine ends with its session", func() bool { return len(r.Names()) == 0 })
}

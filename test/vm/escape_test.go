//go:build linux

package vm

import (
	"testing"
	"time"

	"github.com/snugvm/snug/test/ptytest"
)

// keys types each key by itself: only then is it an escape.
func keys(c *ptytest.Console, typed string) {
	for _, key := range typed {
		time.Sleep(200 * time.Millisecond) // a person's pace
		c.Send(string(key))
	}
}

func TestEscapesHelpAndDetach(t *testing.T) {
	r := newRig(t)
	run := r.run("--", "sh", "-c", "stty -echo; echo up; exec cat")
	c := r.Console(run)
	c.Expect("up\r\n")

	c.Send("\r~.\r") // in one go: pasted, not typed
	c.Expect("~.\r\n")
	keys(c, "\r~~x\r")
	c.Expect("~x\r\n")
	keys(c, "~?")
	c.Expect("~d  detach")
	keys(c, "~d")
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
	keys(c, "~.")
	if status := c.Wait(); status != 255 {
		t.Errorf("exit status %d after ~., want 255", status)
	}
	c.StateEqual(c.Before())
	r.Eventually("the machine ends with its session", func() bool { return len(r.Names()) == 0 })
}

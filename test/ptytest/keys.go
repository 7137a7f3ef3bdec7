package ptytest

import (
	"testing"
	"time"
)

// pace is a person's, from one key to the next. In it a key comes to the terminal.
const pace = 200 * time.Millisecond

// Keys types each key by itself: it comes when the one before it was read.
func (c *Console) Keys(keys string) {
	c.t.Helper()
	for _, key := range keys {
		c.Send(string(key))
		awaitRead(c.t, c.tty, c.timeout)
	}
}

// Keys types each key by itself: it comes when the one before it was read.
func (tm *Tmux) Keys(keys string) {
	tm.t.Helper()
	for _, key := range keys {
		tm.Type(string(key))
		awaitRead(tm.t, tm.Format("#{pane_tty}"), tm.timeout)
	}
}

// awaitRead waits until what was typed at a raw terminal is read.
func awaitRead(t testing.TB, tty string, timeout time.Duration) {
	t.Helper()
	time.Sleep(pace)
	if !poll(timeout, func() bool { return !unread(tty) }) {
		t.Fatalf("what was typed at %s is not read within %v", tty, timeout)
	}
}

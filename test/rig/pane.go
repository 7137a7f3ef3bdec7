//go:build linux

package rig

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/screen"
	"github.com/snugvm/snug/test/ptytest"
)

// flags are what tmux tells of a pane's modes.
var flags = []string{
	"alternate_on", "cursor_flag", "insert_flag", "keypad_cursor_flag", "keypad_flag", "mouse_all_flag", "mouse_any_flag",
	"mouse_button_flag", "mouse_sgr_flag", "mouse_standard_flag", "mouse_utf8_flag", "origin_flag", "wrap_flag",
	"cursor_x", "cursor_y", "scroll_region_upper", "scroll_region_lower", "pane_width", "pane_height",
}

// Pane is all that tmux tells of what a pane shows: its cells, the cursor and
// the modes.
func Pane(tm *ptytest.Tmux) string {
	var format strings.Builder
	for _, f := range flags {
		fmt.Fprintf(&format, "%s=#{%s} ", f, f)
	}
	state := tm.Format(format.String())
	var cols, rows int
	_, _ = fmt.Sscanf(tm.Format("#{pane_width} #{pane_height}"), "%d %d", &cols, &rows) // 0 is caught by the comparison
	s := screen.New(max(cols, 1), max(rows, 1), screen.Options{})
	_, _ = s.Write([]byte(strings.ReplaceAll(strings.TrimRight(tm.CaptureCells(), "\n"), "\n", "\r\n")))
	return s.ANSI() + state
}

// Settled waits until a pane shows the same for half a second: what a program
// draws in several steps.
func Settled(t *testing.T, tm *ptytest.Tmux) string {
	t.Helper()
	last, since := Pane(tm), time.Now()
	for deadline := time.Now().Add(20 * time.Second); time.Since(since) < 500*time.Millisecond; time.Sleep(20 * time.Millisecond) {
		if now := Pane(tm); now != last {
			last, since = now, time.Now()
		}
		if time.Now().After(deadline) {
			t.Fatal("the pane does not come to rest")
		}
	}
	return last
}

// Shows waits until a pane shows what another one did.
func Shows(t *testing.T, what string, tm *ptytest.Tmux, want string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = Pane(tm); got == want {
			return
		}
	}
	t.Errorf("%s: the pane shows\n%s", what, difference(got, want))
}

// difference shows the lines that are not the same.
func difference(got, want string) string {
	var b strings.Builder
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		one, other := "", ""
		if i < len(g) {
			one = g[i]
		}
		if i < len(w) {
			other = w[i]
		}
		if one != other {
			fmt.Fprintf(&b, "%3d %q\nnot %q\n", i, one, other)
		}
	}
	return b.String()
}

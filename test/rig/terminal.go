//go:build linux

package rig

import (
	"fmt"
	"testing"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
)

// Greedy is a shell script that switches on all that a program can, makes the
// file up, takes one byte and exits with 7.
const Greedy = `stty raw -echo; printf '\033[?1049h\033[?1000h\033[?1002h\033[?1006h\033[?2004h\033[?1004h\033[?25l\033[?1h\033[?7l\033[4h\033=\033[3;20r'
	echo up >up; head -c 1 >/dev/null; exit 7`

// IsWhole fails the test where the terminal's emulator is in a mode that a fresh
// one is not in.
func IsWhole(t *testing.T, tm *ptytest.Tmux) {
	t.Helper()
	for flag, want := range map[string]bool{
		"alternate_on": false, "mouse_any_flag": false, "mouse_standard_flag": false, "mouse_button_flag": false,
		"mouse_sgr_flag": false, "keypad_cursor_flag": false, "keypad_flag": false, "insert_flag": false,
		"origin_flag": false, "cursor_flag": true, "wrap_flag": true,
	} {
		if tm.Flag(flag) != want {
			t.Errorf("%s is %t at the end", flag, !want)
		}
	}
	if region := tm.Format("#{scroll_region_upper} #{scroll_region_lower}"); region != "0 40" {
		t.Errorf("scroll region %s at the end, want 0 40", region)
	}
}

// SizeLine is what the probe says of a size.
func SizeLine(s terminal.Size) string {
	return fmt.Sprintf("size %d %d %d %d\r\n", s.Rows, s.Cols, s.XPixel, s.YPixel)
}

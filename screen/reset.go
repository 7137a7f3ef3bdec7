package screen

import (
	"strconv"
	"strings"
)

// Reset returns bytes that bring a terminal in whatever state to that of one that was just switched on, as far as a
// [Screen] knows it: what [Screen.Snapshot] is for. It does not reset the terminal as a whole (RIS), which takes the
// scrollback with it in some, and it leaves alone the title, which has no default, and what kitty's protocol has stored:
// in other terminals its commands are titles.
func Reset() []byte {
	var b strings.Builder
	b.WriteString("\x18") // CAN ends whatever is unfinished
	for _, m := range ansiModes {
		b.WriteString("\x1b[" + strconv.Itoa(m.number) + final(m))
	}
	const keys = "\x1b[<99u\x1b[=0u" // kitty's keyboard protocol, of which each screen has its own
	b.WriteString("\x1b[?1049l" + keys + "\x1b[?1049h" + keys + "\x1b[?1049l\x1b[>4;0m")
	for _, m := range decModes {
		if m.mode == modeSixelDisplay || m.mode == modeSixelRight {
			continue // some terminals have these the other way round, and only who draws sixels changes them
		}
		number := "\x1b[?" + strconv.Itoa(m.number)
		b.WriteString(number + final(m) + number + "s") // also what XTRESTORE brings back
	}
	b.WriteString("\x1b>\x0f\x1b(B\x1b)B\x1b*B\x1b+B") // keypad, character sets
	b.WriteString("\x1b[m\x1b[0\"q\x1b]8;;\x1b\\")     // pen
	b.WriteString("\x1b[0 q\x1b[0*x\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\")
	b.WriteString("\x1b[r\x1b[?5W\x1b[H\x1b[2J\x1b7") // margins, a tab stop every 8 columns, text, saved cursor
	return []byte(b.String())
}

// final is the final byte that sets a mode to its default.
func final(m numbered) string {
	if defaultModes.has(m.mode) {
		return "h"
	}
	return "l"
}

// Package terminal handles the host's terminal: its size, raw mode, and the certainty that it is whole again afterwards.
//
// Sizes are read and set verbatim, pixels included; [Watch] arms SIGWINCH before the first size is read and coalesces
// events, so that the size read last is always the newest one.
//
// A deferred call cannot restore a terminal after a panic in another goroutine or a kill -9. So a program that takes the
// terminal runs as two processes: the guardian, which calls [Guard], and the viewer, its child, which calls [NewWard].
//
//	guardian ── life-line: raw mode is on, continued, end of file ──► ward (viewer)
//	         ◄─ reports: raw mode wanted, undo bytes, final status ──
//	         ◄─ standard error ──────────────────────────────────────
//
// The guardian alone changes the termios. It is told, before the viewer writes them, which escape sequences undo the
// modes of the terminal, and applies both at whatever end the viewer comes to. Only when the guardian itself is killed
// does the ward do the same, by the same code (restorer), and ends.
//
// The package imports nothing of this module, and works on Linux and macOS.
package terminal

// Package ptytest is the kit for tests of anything that meets a terminal.
//
// [Start] runs a command on a pseudo-terminal of a given size, [StartTmux] in a pane of a private tmux server, which is
// an independent terminal emulator to compare with. Every expectation has a deadline; when one is missed, the test
// fails with every byte of both directions and its time. At the test's cleanup all processes are killed and all
// goroutines joined.
package ptytest

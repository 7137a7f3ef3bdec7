// Package vm holds the tests of the whole way, as a user has it: the built snug
// command, a real microVM, and a real terminal around it.
//
// Each test has folders of its own, a rig, and fails if anything is left of
// snug at its end: a process, a socket, a file. A boot takes seconds in software
// emulation, so a test drives all that it can through one machine.
package vm

// Package qemu is a sandbox of our own: a microVM that needs no daemon, no
// network and no image.
//
// A Config says all that one machine needs; Args turns it into QEMU's command
// line, and Start runs it in a session of its own, so that it outlives whoever
// started it. Everything that a later process needs to take it over lies in its
// folder under fixed names (files.go), and Adopt does so. The lock that QEMU
// inherits tells everybody whether it lives.
//
// The death of a machine is known by the end of its console: the kernel closes
// that socket however QEMU dies. Why it died is then read from the guest's last
// lines and from QEMU's own.
package qemu

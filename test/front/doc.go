// Package front tests the built snug command in front of other tools: real
// docker, podman, crun, runc, ssh, chroot and nsenter (package box), and a double
// of smolvm that keeps its race (package smolvm).
//
// A box is shared by all checks of its tool. Each check has a rig of its own, and
// fails if anything of snug is left on the host or in the box.
package front

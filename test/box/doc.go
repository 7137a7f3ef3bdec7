// Package box gives a test a running box of a real tool: docker, podman, crun, runc, ssh, chroot or nsenter.
//
// Each function, such as [Docker], starts what the tool needs, a daemon or a container, in a mount namespace of its
// own, and returns a [Box]. [Box.Prefix] is the command line that a user would type in front of a program. At the
// test's end, or the end of its process, nothing is left: no process, mount, control group or file. All need root.
//
// Images are made of a folder (package rootfs) and imported: nothing is downloaded.
package box

// Package box gives a test a running box of a real tool: docker, podman, crun, runc, ssh, chroot or nsenter.
//
// Each function, such as [Docker], starts what the tool needs, a daemon or a container, in a mount namespace of its
// own, and returns a [Box]. [Box.Prefix] is the command line that a user would type in front of a program. At the
// test's end nothing is left: no process, mount, control group or file. Where the test's process is killed, and so
// cleans nothing up, a folder and an empty control group are. All need root.
//
// Images are made of a folder (package rootfs) and imported: nothing is downloaded.
package box

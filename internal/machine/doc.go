// Package machine prepares what a microVM of our own is made of: a kernel, an
// initramfs with the agent as process 1, a generated /etc, and the list of host
// folders that it may see. Nothing of it runs the machine: sandbox/qemu does.
//
// What a guest can see is decided here, on the host. A folder that is not in the
// list is not shared, and a file that is not on the allow-list of etc.go does
// not enter the guest's /etc.
//
// Whatever is cached is named by the hash of what it was made from, written
// beside its name and renamed, so that snug processes may work at once.
package machine

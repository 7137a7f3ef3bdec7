//go:build linux

package box

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// furnish mounts what programs expect in the root file system $PWD/rootfs; $1 is the storage.
const furnish = `
	mount --bind rootfs rootfs
	mount -t proc proc rootfs/proc
	mount --rbind /dev rootfs/dev
	mount -t tmpfs -o noexec,mode=1777 shm rootfs/dev/shm
	if [ "$1" != 0 ]; then mount -o remount,bind,ro rootfs; fi
	if [ "$1" = 1 ]; then for d in tmp run root home/app; do mount -t tmpfs -o noexec,mode=1777 tmpfs "rootfs/$d"; done; fi
`

// Chroot returns a root file system for chroot(8).
func Chroot(t testing.TB, o Options) *Box {
	t.Helper()
	c := newFurnished(t, o, nil, "")
	b := newBox(t, c)
	c.tool("chroot", "coreutils")
	b.prefix = func(_ bool, user string) []string {
		words := []string{"chroot"}
		if user != "" {
			words = append(words, "--userspec="+ids(user))
		}
		return append(words, b.Rootfs)
	}
	b.remove = func() { t.Fatal("a chroot has no end of its own") }
	return b
}

// Nsenter returns a process in namespaces of its own, and a root of its own, for nsenter(1).
func Nsenter(t testing.TB, o Options) *Box {
	t.Helper()
	c := newFurnished(t, o, []string{"--pid", "--fork", "--kill-child", "--uts", "--ipc", "--net"}, "exec_in=rootfs")
	b := newBox(t, c)
	c.script("nsenter", need(t, "nsenter", "util-linux"))
	target := c.inner()
	eventually(t, "the process has its root", c.ended, func() bool {
		root, err := os.Readlink(fmt.Sprintf("/proc/%d/root", target))
		return err == nil && root != "/"
	})
	b.prefix = func(_ bool, user string) []string {
		words := []string{"nsenter", "-t", strconv.Itoa(target), "-a", "-r"}
		if user != "" {
			uid, gid, _ := strings.Cut(ids(user), ":")
			words = append(words, "-S", uid, "-G", gid)
		}
		return words
	}
	b.remove = func() { must(t, syscall.Kill(target, syscall.SIGKILL)) }
	return b
}

// newFurnished makes a cell with a root file system that is ready to be entered.
func newFurnished(t testing.TB, o Options, flags []string, setup string) *cell {
	t.Helper()
	return newCell(t, o.Rootfs, flags, furnish+setup, strconv.Itoa(int(o.Storage)))
}

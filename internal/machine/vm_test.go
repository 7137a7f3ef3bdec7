//go:build linux

package machine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/guestinit"
	"github.com/snugvm/snug/internal/machine"
	"github.com/snugvm/snug/sandbox/qemu"
)

// The guest of this test is testdata/guest: guestinit as process 1, and an agent
// that runs one shell script, as the user that it was told, and sends back what
// that prints.

const patience = 90 * time.Second

// ask is what the test sends over the link, as a line of JSON.
type ask struct {
	Script string `json:"script"`
	Root   bool   `json:"root"`
}

type guest struct {
	t    *testing.T
	link io.ReadWriter
}

// run runs a script in the guest and returns its output.
func (g guest) run(root bool, script string) string {
	g.t.Helper()
	b, err := json.Marshal(ask{script, root})
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := g.link.Write(append(b, '\n')); err != nil {
		g.t.Fatal(err)
	}
	var out []byte
	for c := make([]byte, 1); ; out = append(out, c[0]) {
		if _, err := io.ReadFull(g.link, c); err != nil {
			g.t.Fatalf("%q: %v after %q", script, err, out)
		}
		if c[0] == 0 {
			return string(bytes.TrimSpace(out))
		}
	}
}

func TestGuestOfThisHost(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a microVM")
	}
	dir, err := os.MkdirTemp("", "vm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	user := agent.User{Name: "ada", UID: 1234, GID: 1235, Groups: []uint32{100}, Home: "/home/ada", Shell: "/bin/bash"}
	project := filepath.Join(dir, "project") // below /tmp, which is a mount of its own in the guest
	must(t, os.Mkdir(project, 0o755))
	c := prepare(t, dir, project, user)
	if os.Getuid() == 0 {
		must(t, os.Chown(project, int(user.UID), int(user.GID)))
		c.RunAs = &qemu.RunAs{UID: int(user.UID), GID: int(user.GID)}
		must(t, os.Chmod(dir, 0o711))
	}
	began := time.Now()
	vm, err := qemu.Start(t.Context(), c)
	must(t, err)
	t.Cleanup(func() {
		_ = vm.Kill()
		if t.Failed() {
			t.Logf("console:\n%s", vm.Console())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	link, err := vm.Dial(ctx)
	must(t, err)
	must(t, link.(net.Conn).SetDeadline(time.Now().Add(patience)))
	g := guest{t, link}
	if got := g.run(false, "echo hello"); got != "hello" {
		t.Fatalf("first program printed %q", got)
	}
	t.Logf("first program's output after %v", time.Since(began).Round(time.Millisecond))
	t.Run("user", func(t *testing.T) { guest{t, link}.userIsAtHome() })
	t.Run("project", func(t *testing.T) { guest{t, link}.projectIsShared(project, user) })
	t.Run("shares in shares", func(t *testing.T) { guest{t, link}.sharesAreInShares(project) })
	t.Run("secrets", func(t *testing.T) { guest{t, link}.seesNoSecret(writable(c)) })
	t.Run("clock", func(t *testing.T) { guest{t, link}.clockIsRight() })
}

func (g guest) userIsAtHome() {
	for script, want := range map[string]string{
		"id -un; id -u; id -g":                             "ada\n1234\n1235",
		"stat -c '%U %a' ~; echo ~":                        "ada 755\n/home/ada",
		"touch ~/x && echo ok":                             "ok",
		"unshare -U true && echo ok":                       "ok",
		"echo x >/dev/null && stat -c %a /tmp":             "1777",
		"hostname":                                         "box-1",
		"touch /usr/x 2>/dev/null || echo read-only":       "read-only",
		"ls /dev/fd/ | wc -l | grep -c .":                  "1",
		"python3 -c 'import pty; pty.openpty(); print(1)'": "1",
		"cat /sys/class/net/lo/flags":                      "0x9",
		"ps -o comm= -p 1":                                 "init",
		"ls /snug 2>/dev/null | wc -l":                     "0",
	} {
		if got := g.run(false, script); got != want {
			g.t.Errorf("%s\nprinted %q, want %q", script, got, want)
		}
	}
}

// A share may lie in another where the host has no folder for it. The outer
// one stays as it is.
func (g guest) sharesAreInShares(project string) {
	must(g.t, os.WriteFile(filepath.Join(project, "inner"), []byte("inner"), 0o644))
	for script, want := range map[string]string{
		"cat /usr/snug-test/a/inner /usr/snug-test/b/inner":              "innerinner",
		"ls /usr/snug-test /usr/bin/env":                                 "/usr/bin/env\n\n/usr/snug-test:\na\nb",
		"touch /usr/x /usr/snug-test/x 2>/dev/null || echo read-only":    "read-only",
		"touch /usr/snug-test/a/x 2>/dev/null || echo read-only":         "read-only",
		"grep -c snug/layers /proc/mounts; ls /snug 2>/dev/null | wc -l": "1\n0",
	} {
		if got := g.run(true, script); got != want {
			g.t.Errorf("%s\nprinted %q, want %q", script, got, want)
		}
	}
	if _, err := os.Stat("/usr/snug-test"); err == nil {
		g.t.Error("the mount point was made on the host")
	}
}

func (g guest) projectIsShared(project string, user agent.User) {
	must(g.t, os.WriteFile(filepath.Join(project, "a"), []byte("one"), 0o644))
	if got := g.run(false, "cat "+project+"/a"); got != "one" {
		g.t.Errorf("guest reads %q", got)
	}
	must(g.t, os.WriteFile(filepath.Join(project, "a"), []byte("two, longer"), 0o644))
	if got := g.run(false, "cat "+project+"/a"); got != "two, longer" {
		g.t.Errorf("after the host's edit the guest reads %q", got)
	}
	if os.Getuid() != 0 {
		return // the guest's user is not the one that QEMU runs as
	}
	if got := g.run(false, "echo hi >"+project+"/b && echo ok"); got != "ok" {
		g.t.Fatalf("guest writes: %s", got)
	}
	info, err := os.Stat(filepath.Join(project, "b"))
	must(g.t, err)
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != user.UID || stat.Gid != user.GID {
		g.t.Errorf("guest's file is owned by %d:%d on the host", stat.Uid, stat.Gid)
	}
}

// seesNoSecret mounts, as the guest's root, every tag that there is. Those that
// may be written to are given as a pattern of the shell's.
func (g guest) seesNoSecret(writable string) {
	got := g.run(true, `
umount /usr/snug-test/? && umount -l /usr # the layer of the mount points, in the guest's memory
mount -o remount,rw /usr; touch /usr/x 2>/dev/null && echo WRITTEN /usr
for d in /sys/bus/virtio/drivers/9pnet_virtio/virtio*; do
	tag=$(tr -d '\0' <$d/mount_tag); m=/mnt/$tag; mkdir -p $m
	at=$(awk -v tag=$tag '$1 == tag { print $2 }' /proc/mounts)
	# A tag is mounted once at a time. What is busy, /usr, is looked at where it is.
	{ [ -z "$at" ] || umount $at 2>/dev/null; } && mount -t 9p -o trans=virtio,version=9p2000.L,aname=/ $tag $m || m=$at
	echo "tag $tag at $m"
	for s in home root etc/shadow var proc .ssh; do [ -e $m/$s ] && echo "SECRET $m/$s"; done
	find $m -xdev -maxdepth 3 '(' -name 'id_*' -o -type s ')' 2>/dev/null | sed 's/^/SECRET /'
	case $tag in `+writable+`) ;; *) touch $m/x 2>/dev/null && echo "WRITTEN $m" ;; esac
done
grep -v '^[^:]*:\*:' /etc/shadow && echo SECRET shadow
ls -d /etc/ssh /etc/ssl/private /etc/sudoers 2>/dev/null | sed 's/^/SECRET /'
true`)
	if !strings.Contains(got, "tag share0") || strings.Contains(got, "SECRET") || strings.Contains(got, "WRITTEN") || !strings.Contains(got, "at /mnt/share1") {
		g.t.Errorf("the guest's root finds:\n%s", got)
	}
}

func writable(c qemu.Config) string {
	var tags []string
	for _, share := range c.Shares {
		if !share.ReadOnly {
			tags = append(tags, share.Tag)
		}
	}
	return strings.Join(tags, " | ")
}

func (g guest) clockIsRight() {
	now, err := time.Parse(time.RFC3339, g.run(false, "date -u +%Y-%m-%dT%H:%M:%SZ"))
	must(g.t, err)
	if off := time.Since(now).Abs(); off > 5*time.Second {
		g.t.Errorf("the guest's clock is off by %v", off)
	}
}

// prepare makes a machine as snug run does.
func prepare(t *testing.T, dir, project string, user agent.User) qemu.Config {
	t.Helper()
	binary, _, err := qemu.FindBinary(t.Context())
	must(t, err)
	khz, err := qemu.MeasureTSC()
	must(t, err)
	caches, err := os.UserCacheDir()
	must(t, err)
	kernel, err := machine.FindKernel(filepath.Join(caches, "snug", "kernels"), "/")
	must(t, err)
	vmlinux, err := kernel.Vmlinux(filepath.Join(caches, "snug", "boot"))
	must(t, err)

	shares, links, err := machine.HostShares("/")
	must(t, err)
	shares = append(shares, machine.Share{Host: project, Guest: project},
		machine.Share{Host: project, Guest: "/usr/snug-test/a", ReadOnly: true}, machine.Share{Host: project, Guest: "/usr/snug-test/b"})
	etc, err := machine.CollectEtc("/etc")
	must(t, err)
	must(t, etc.Generate("/etc", "box-1", user))
	base, err := kernel.Base(dir, buildGuest(t, dir))
	must(t, err)
	initrd := filepath.Join(dir, "initrd")
	must(t, machine.WriteInitrd(initrd, base, guestinit.Config{Hostname: "box-1", Shares: machine.GuestShares(shares),
		Links: links, Agent: agent.Config{User: user}}, etc))

	c := qemu.Config{Dir: dir, Binary: binary, Accel: qemu.TCG, Kernel: vmlinux, Initrd: initrd,
		MemoryMiB: 512, CPUs: 1, TSCKHz: khz}
	for i, share := range shares {
		c.Shares = append(c.Shares, qemu.Share{Tag: machine.Tag(i), Path: share.Host, ReadOnly: share.ReadOnly})
	}
	return c
}

func buildGuest(t *testing.T, dir string) []byte {
	t.Helper()
	name := filepath.Join(dir, "agent")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", name, "./testdata/guest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the guest's agent: %v\n%s", err, out)
	}
	content, err := os.ReadFile(name)
	must(t, err)
	return content
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

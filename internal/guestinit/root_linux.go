package guestinit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// layerDir, in the initramfs, holds what is laid above shares. Nobody can name
// it once the root has moved over the initramfs.
const layerDir = "/snug/layers"

type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

func (m mount) do(root string) error {
	if err := unix.Mount(m.source, filepath.Join(root, m.target), m.kind, m.flags, m.data); err != nil {
		return fmt.Errorf("mount %s at %s: %w", m.kind, m.target, err)
	}
	return nil
}

const (
	noSuidDev     = unix.MS_NOSUID | unix.MS_NODEV
	noSuidDevExec = noSuidDev | unix.MS_NOEXEC
)

// kernelMounts are the kernel's own file systems. They are mounted in the
// initramfs, since the shares need them, and move along with the root.
var kernelMounts = []mount{
	{"proc", "/proc", "proc", noSuidDevExec, ""},
	{"sysfs", "/sys", "sysfs", noSuidDevExec, ""},
	{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
}

func mountKernel() error {
	for _, m := range kernelMounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := m.do("/"); err != nil {
			return err
		}
	}
	return nil
}

// buildRoot makes the root of the machine at root.
func buildRoot(root string, config Config) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := (mount{"root", "", "tmpfs", 0, "mode=0755"}).do(root); err != nil {
		return err
	}
	if err := makeTree(root); err != nil {
		return err
	}
	if err := makeHome(root, config); err != nil {
		return err
	}
	for _, m := range kernelMounts {
		if err := (mount{m.target, m.target, "", unix.MS_MOVE, ""}).do(root); err != nil {
			return err
		}
	}
	if err := populateDev(root); err != nil {
		return err
	}
	for _, link := range config.Links {
		if err := os.Symlink(link.Target, filepath.Join(root, link.Path)); err != nil {
			return fmt.Errorf("link: %w", err)
		}
	}
	return mountShares(root, config)
}

// tree is the root's folders, in order. None but /run and /tmp needs a mount of
// its own, so that one program that fills them does not fill the rest.
var tree = []struct {
	path string
	mode os.FileMode
}{
	{"/dev", 0o755}, {"/proc", 0o555}, {"/sys", 0o555},
	{"/etc", 0o755}, {"/home", 0o755}, {"/mnt", 0o755}, {"/root", 0o700},
	{"/run", 0o755}, {"/srv", 0o755}, {"/tmp", 0o755},
	{"/var", 0o755}, {"/var/cache", 0o755}, {"/var/lib", 0o755}, {"/var/log", 0o755},
	{"/var/tmp", os.ModeSticky | 0o777},
}

func makeTree(root string) error {
	for _, dir := range tree {
		path := filepath.Join(root, dir.path)
		if err := os.Mkdir(path, dir.mode); err != nil {
			return err
		}
		if err := os.Chmod(path, dir.mode); err != nil { // the umask, and the sticky bit
			return err
		}
	}
	for _, m := range []mount{
		{"run", "/run", "tmpfs", noSuidDev, "mode=0755"},
		{"tmp", "/tmp", "tmpfs", noSuidDev, "mode=1777"},
		// The generated /etc is already in memory: shown, not copied.
		{EtcDir, "/etc", "", unix.MS_BIND, ""},
	} {
		if err := m.do(root); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(root, "/run/lock"), 0o1777); err != nil {
		return err
	}
	return symlinks(root, []Symlink{{"/var/run", "/run"}, {"/var/lock", "/run/lock"}})
}

func makeHome(root string, config Config) error {
	user := config.Agent.User
	if user.Home == "" || user.Home == "/root" {
		return nil
	}
	return makeDirs(root, user.Home, config)
}

func populateDev(root string) error {
	for _, dir := range []string{"/dev/pts", "/dev/shm", "/dev/mqueue"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for _, m := range []mount{
		// gid 5 is tty: grantpt(3) expects it.
		{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "mode=0620,ptmxmode=0666,gid=5"},
		{"shm", "/dev/shm", "tmpfs", noSuidDev, "mode=1777"},
	} {
		if err := m.do(root); err != nil {
			return err
		}
	}
	warn("mqueue", mount{"mqueue", "/dev/mqueue", "mqueue", noSuidDevExec, ""}.do(root))
	warn("cgroup", mount{"cgroup2", "/sys/fs/cgroup", "cgroup2", noSuidDevExec, ""}.do(root))
	return symlinks(root, []Symlink{
		{"/dev/fd", "/proc/self/fd"},
		{"/dev/stdin", "/proc/self/fd/0"},
		{"/dev/stdout", "/proc/self/fd/1"},
		{"/dev/stderr", "/proc/self/fd/2"},
	})
}

// mountShares mounts the outer folder before what lies in it, whatever their
// order in config.
func mountShares(root string, config Config) error {
	shares := slices.Clone(config.Shares)
	slices.SortStableFunc(shares, func(a, b Share) int { return len(a.Path) - len(b.Path) })
	for i, share := range shares {
		if err := makeDirs(root, share.Path, config); err != nil {
			return fmt.Errorf("make mount point for %s: %w", share.Path, err)
		}
		// Not share.Path's own words: a link on the way may lead out of root.
		if err := (mount{share.Tag, share.Path, "9p", shareFlags(share), shareOptions(share)}).do(root); err != nil {
			return err
		}
		if err := addMountPoints(root, share, shares[i+1:], config); err != nil {
			return fmt.Errorf("make mount points in %s: %w", share.Path, err)
		}
	}
	return nil
}

// addMountPoints makes the folders in a read-only share on which later shares
// are to be mounted and which the host does not have there: on a layer above
// the share, in memory, that is as read-only as the share once they are made.
func addMountPoints(root string, share Share, later []Share, config Config) error {
	var missing []string
	for _, l := range later {
		_, err := os.Lstat(filepath.Join(root, l.Path))
		if share.ReadOnly && strings.HasPrefix(l.Path, share.Path+"/") && errors.Is(err, os.ErrNotExist) {
			missing = append(missing, l.Path)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	layer := filepath.Join(layerDir, share.Tag)
	upper, work := filepath.Join(layer, "upper"), filepath.Join(layer, "work")
	if err := errors.Join(os.MkdirAll(upper, 0o755), os.MkdirAll(work, 0o755)); err != nil {
		return err
	}
	lower := strings.NewReplacer(`\`, `\\`, ",", `\,`, ":", `\:`).Replace(filepath.Join(root, share.Path))
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)
	if err := (mount{"overlay", share.Path, "overlay", unix.MS_NODEV, data}).do(root); err != nil {
		return err
	}
	for _, path := range missing {
		if err := makeDirs(root, path, config); err != nil {
			return err
		}
	}
	return (mount{"overlay", share.Path, "", unix.MS_REMOUNT | shareFlags(share), ""}).do(root)
}

func shareFlags(share Share) uintptr {
	flags := uintptr(unix.MS_NODEV)
	if share.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	return flags
}

// shareOptions are those of field measurement: a toolchain on a read-only share
// starts ten times slower without cache=loose, and a writable one must show at
// once what the host edits, which loose does not.
func shareOptions(share Share) string {
	cache := "mmap"
	if share.ReadOnly {
		cache = "loose"
	}
	return "trans=virtio,version=9p2000.L,msize=512000,cache=" + cache
}

// makeDirs makes the folders of path below root that are missing. Those in the
// user's home, and the home, are the user's.
func makeDirs(root, path string, config Config) error {
	user := config.Agent.User
	dir := "/"
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		dir = filepath.Join(dir, name)
		at := filepath.Join(root, dir)
		if info, err := os.Lstat(at); err == nil {
			if !info.IsDir() {
				return fmt.Errorf("%s is not a folder", dir)
			}
			continue
		}
		err := os.Mkdir(at, 0o755)
		if err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if user.Home != "" && (dir == user.Home || strings.HasPrefix(dir, user.Home+"/")) {
			if err := os.Lchown(at, int(user.UID), int(user.GID)); err != nil {
				return err
			}
		}
	}
	return nil
}

func symlinks(root string, links []Symlink) error {
	for _, link := range links {
		if err := os.Symlink(link.Target, filepath.Join(root, link.Path)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// enterRoot moves root over the initramfs and makes it the root of this process
// and all that it starts. Moved, not only chrooted into: the kernel refuses user
// namespaces to a process whose root is not its mount namespace's.
func enterRoot(root string) error {
	freeInitramfs()
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root into place: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter /: %w", err)
	}
	return nil
}

// freeInitramfs gives back the memory of what is no longer needed. The binary
// stays: it runs, and the agent is started from it.
func freeInitramfs() {
	warn("free modules", os.RemoveAll(ModuleDir))
	warn("free config", os.Remove(ConfigFile)) // it holds the machine's secrets
}

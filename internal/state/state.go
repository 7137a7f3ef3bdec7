// Package state names everything that snug keeps on the host's disk: every
// folder, lock and socket path has its name here and nowhere else.
//
//	$XDG_RUNTIME_DIR/snug, else /tmp/snug-UID   0700, gone with the next boot
//	    lock                what two snug processes must not do at once
//	    t/ID.lock           held while an agent is brought up behind a tool
//	    m/NAME/             one machine; the folder is the claim to the name
//	        keeper.lock     held by the keeper, from the claim to its death
//	        machine.lock    held by QEMU for life: held means alive
//	        elsewhere       there: the machine is behind a tool, and no lock tells of it
//	        adopting        there: a keeper takes the machine over, and answers nobody yet
//	        ending          there: somebody ends the machine, with its logs
//	        log             the name of its folder of logs
//	        keeper.pid      the keeper's process id, true while keeper.lock is held
//	        keeper.log      what the keeper had to say
//	        config.json     how the machine was asked for
//	        ssh.sock        the keeper's endpoint for viewers
//	        link.sock, qmp.sock, console.sock, qemu.stderr   (sandbox/qemu's own)
//	$XDG_STATE_HOME/snug, else ~/.local/state/snug
//	    log/lock            held while a folder of logs is made, taken over or removed
//	    log/NAME~TIME/      the logs of the machine that was made at TIME (UTC)
//	        N/              that of session N, as internal/sessionlog writes it, gone
//	                        with the session
//	        lock            held by the keeper
//	        machine         a link to the machine's folder
//	    trace/              files of --debug, the last 20
//	    last/HASH           which session was last used in a folder, for 90 days
//	$XDG_CACHE_HOME/snug, else ~/.cache/snug
//	    kernels/            kernels to boot, as scripts/fetch-kernel leaves them
//	$XDG_CONFIG_HOME/snug, else ~/.config/snug
//	    config.toml         what the user wants of every command; snug only reads it
//
// # Who is alive
//
// A process id says nothing after a kill -9 and a reboot; a lock does, since the
// kernel drops it with its last holder. The two locks of a machine tell its
// whole life:
//
//	keeper.lock  machine.lock
//	held         either        Kept: starting, running or ending
//	free         held          Orphaned: the machine outlived its keeper
//	free         free          Dead: what is left is removed by Reap
//
// A machine behind another tool has no process here that could hold its lock: it
// is Orphaned as soon as its keeper is gone, and for the next command to end.
//
// Claims, adoptions, removals and every look at the two locks happen under the
// runtime folder's lock, so that none of them sees another half done.
//
// # Whose logs are whose
//
// A folder of logs is in use while a keeper holds its lock, or the folder of its
// machine, to which it links, names it: so neither the logs of an orphan nor those
// of a keeper whose runtime folder was removed are lost. Once neither is so, the
// machine is lost: nobody has ended it, and a reboot or a crash took all of it. Its
// logs stay, the last 20 of them for at most 30 days, to be read.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketPath is the length in bytes that a socket's path stays under. The
// kernel's own limits are 108 (Linux) and 104 (macOS); a round number below both
// leaves room for a proxy that appends to it.
const maxSocketPath = 100

// Dirs says where snug keeps what. The folders need not exist yet; each is made,
// for the user alone, by what first puts something in it.
type Dirs struct {
	Runtime string // locks and sockets of running machines
	State   string // what is worth reading after the end: session logs, traces
	Cache   string // what can be made again: kernels
	Config  string // what the user has written
}

// Locate finds the folders by the XDG Base Directory Specification, reading the
// environment through getenv. As the specification asks, a relative path counts
// as unset.
//
// A runtime folder that is missing or another user's (sudo and su hand down the
// caller's XDG_RUNTIME_DIR) counts as unset too: /tmp/snug-UID takes its place.
func Locate(getenv func(string) string) (Dirs, error) {
	home := getenv("HOME")
	under := func(variable, fallback string) (string, error) {
		if dir := getenv(variable); filepath.IsAbs(dir) {
			return filepath.Join(dir, "snug"), nil
		}
		if !filepath.IsAbs(home) {
			return "", fmt.Errorf("cannot tell where to keep files: set HOME or %s to an absolute path", variable)
		}
		return filepath.Join(home, fallback, "snug"), nil
	}
	state, err := under("XDG_STATE_HOME", ".local/state")
	if err != nil {
		return Dirs{}, err
	}
	cache, err := under("XDG_CACHE_HOME", ".cache")
	if err != nil {
		return Dirs{}, err
	}
	config, err := under("XDG_CONFIG_HOME", ".config")
	if err != nil {
		config = "" // without a home there is no configuration, which is no fault
	}
	return Dirs{Runtime: runtimeFolder(getenv("XDG_RUNTIME_DIR")), State: state, Cache: cache, Config: config}, nil
}

func runtimeFolder(xdg string) string {
	if filepath.IsAbs(xdg) {
		if info, err := os.Stat(xdg); err == nil && info.IsDir() && owner(info) == os.Geteuid() {
			return filepath.Join(xdg, "snug")
		}
	}
	return fmt.Sprintf("/tmp/snug-%d", os.Geteuid())
}

// Kernels is the folder that holds kernels to boot.
func (d Dirs) Kernels() string { return filepath.Join(d.Cache, "kernels") }

// ConfigFile is the file that a user writes, or "" where there can be none.
func (d Dirs) ConfigFile() string {
	if d.Config == "" {
		return ""
	}
	return filepath.Join(d.Config, "config.toml")
}

func (d Dirs) machines() string    { return filepath.Join(d.Runtime, "m") }
func (d Dirs) tools() string       { return filepath.Join(d.Runtime, "t") }
func (d Dirs) runtimeLock() string { return filepath.Join(d.Runtime, "lock") }

// makeRuntime makes the runtime folder, or proves that the one there is ours
// alone. In /tmp anyone may have been first: a folder, or a link to one, that
// another user can write would hand over every machine's sockets.
func (d Dirs) makeRuntime() error {
	if err := makePrivate(d.Runtime); err != nil {
		return err
	}
	return makePrivate(d.machines())
}

// makePrivate makes dir with mode 0700 or checks that it is no link, the
// caller's own, and closed to others. Its parent must exist.
func makePrivate(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make runtime folder: %w; set XDG_RUNTIME_DIR to a folder that you can write to", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("check runtime folder: %w", err)
	}
	const other = "remove it, or set XDG_RUNTIME_DIR to a folder of your own"
	switch {
	case !info.IsDir():
		return fmt.Errorf("refusing to use %s: it is not a folder (%s); %s", dir, info.Mode().Type(), other)
	case owner(info) != os.Geteuid():
		return fmt.Errorf("refusing to use %s: it belongs to uid %d; %s", dir, owner(info), other)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("refusing to use %s: others can enter it (mode %04o); run 'chmod 700 %s'", dir, info.Mode().Perm(), dir)
	}
	return nil
}

// owner is the user id of a file on this host, -1 if the system does not say.
func owner(info fs.FileInfo) int {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(sys.Uid)
	}
	return -1
}

//go:build linux

package guest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/snugvm/snug/test/smolvm/internal/home"
	"golang.org/x/sys/unix"
)

// InitArg and AgentArg are the first words of the command lines of a machine's two processes; the machine's name
// follows.
const (
	InitArg  = "@init"
	AgentArg = "@agent"
)

// Init is process 1 of a machine. It returns when the agent has ended, or when nobody holds the home alive any more;
// with it the kernel ends whatever runs in the machine.
//
// It reaps, and the agent does not: a wait for any child in the agent would take the statuses of its execs.
func Init(h home.Home, m home.Machine, ready *os.File) error {
	if err := mounts(m); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	agent, err := os.StartProcess(self, []string{self, AgentArg, m.Name}, &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{nil, os.Stderr, os.Stderr, ready},
	})
	if err != nil {
		return err
	}
	_ = ready.Close() // the agent has it now; its end must be seen by who waits for the machine
	end := make(chan error, 2)
	go func() { end <- reapUntil(agent.Pid) }()
	go func() { end <- awaitEnd(h.Alive()) }()
	return <-end
}

// mounts makes the machine's own view of the host. Its mount namespace is new; nothing of this is seen outside.
func mounts(m home.Machine) error {
	pts := ptsFolder(m)
	if err := os.MkdirAll(pts, 0o755); err != nil {
		return err
	}
	type mount struct {
		source, target, fstype string
		flags                  uintptr
		data                   string
	}
	all := []mount{
		{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{"proc", "/proc", "proc", 0, ""},
		// crun wants one hierarchy, where a host may have a dozen.
		{"none", "/sys/fs/cgroup", "cgroup2", 0, ""},
		// The containers of a machine share their pseudo-terminals, as those of smolvm do.
		{"devpts", pts, "devpts", 0, "ptmxmode=0666,mode=0620"},
	}
	if bare(m) {
		all = append(all,
			mount{"proc", filepath.Join(m.Rootfs(), "proc"), "proc", 0, ""},
			mount{"/dev", filepath.Join(m.Rootfs(), "dev"), "", unix.MS_BIND | unix.MS_REC, ""},
			mount{pts, filepath.Join(m.Rootfs(), "dev/pts"), "", unix.MS_BIND, ""})
	}
	for _, mt := range all {
		if err := unix.Mount(mt.source, mt.target, mt.fstype, mt.flags, mt.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", mt.source, mt.target, err)
		}
	}
	return nil
}

// ptsFolder is where the pseudo-terminals of the machine's containers are.
func ptsFolder(m home.Machine) string { return filepath.Join(m.Dir, "pts") }

// bare reports whether the machine has no image: then it uses no crun.
func bare(m home.Machine) bool {
	_, err := os.Stat(m.Image())
	return err != nil
}

// reapUntil reaps every orphan of the machine until process pid has ended.
func reapUntil(pid int) error {
	for {
		var ws syscall.WaitStatus
		switch ended, err := syscall.Wait4(-1, &ws, 0, nil); {
		case err == syscall.EINTR:
		case err != nil:
			return fmt.Errorf("wait for the agent: %w", err)
		case ended == pid:
			return fmt.Errorf("the agent ended, status %#x", uint32(ws))
		}
	}
}

// awaitEnd returns when the last writer of the FIFO has closed it.
func awaitEnd(fifo string) error {
	f, err := os.Open(fifo)
	if err != nil {
		return fmt.Errorf("who holds the machine alive: %w", err)
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return errors.Join(errors.New("nobody holds the machine alive any more"), err)
}

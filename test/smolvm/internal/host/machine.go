//go:build linux

package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/snugvm/snug/test/rootfs"
	"github.com/snugvm/snug/test/smolvm/internal/guest"
	"github.com/snugvm/snug/test/smolvm/internal/home"
)

func (c *command) create(m home.Machine) error {
	if m.Exists() {
		return fmt.Errorf("vm already exists: %s", m.Name)
	}
	if err := rootfs.Build(m.Rootfs(), rootfs.Busybox); err != nil {
		return err
	}
	if c.Image == "" {
		return nil
	}
	return os.WriteFile(m.Image(), []byte(c.Image), 0o600)
}

// start starts the machine's process 1 in namespaces of its own, and returns when the agent listens.
func (c *command) start(m home.Machine) (err error) {
	if m.Running() != 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return errors.New("a machine of this double needs root: run the tests as root")
	}
	if err := forget(m); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(m.Log())
	if err != nil {
		return err
	}
	defer log.Close()
	ready, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	cmd := exec.Command(self, guest.InitArg, m.Name)
	cmd.Stderr, cmd.ExtraFiles = log, []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		return err
	}
	if err := os.WriteFile(m.Pid(), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	if err := ready.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		said, _ := os.ReadFile(m.Log())
		return errors.Join(fmt.Errorf("machine '%s' failed to start: %w\n%s", m.Name, err, said), c.stop(m))
	}
	return nil
}

// forget removes what an earlier start left.
func forget(m home.Machine) error {
	var errs []error
	for _, name := range []string{m.Socket(), m.MainID(), m.Containers()} {
		errs = append(errs, os.RemoveAll(name))
	}
	return errors.Join(errs...)
}

// stop ends all that runs in the machine: that is what the kernel does when process 1 dies.
func (c *command) stop(m home.Machine) error {
	pid := m.Running()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return poll("the end of machine "+m.Name, func() bool { return home.Ended(pid) })
}

func (c *command) remove(m home.Machine) error {
	return errors.Join(c.stop(m), os.RemoveAll(m.Dir))
}

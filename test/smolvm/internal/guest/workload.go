//go:build linux

package guest

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// workload is the process that the agent starts for an exec.
type workload struct {
	program     string
	options     []string
	positionals []string // after all options

	id      string // its container, "" in a bare machine
	owned   bool   // the container is for this exec alone
	pidFile string // where crun exec writes the command's process id
	console bool   // crun makes it a pseudo-terminal

	chroot, dir string // of a bare machine
	env         []string
}

// command returns the process, with more options.
func (w *workload) command(options ...string) *exec.Cmd {
	cmd := exec.Command(w.program, slices.Concat(w.options, options, w.positionals)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if w.chroot != "" {
		cmd.Env, cmd.Dir, cmd.SysProcAttr.Chroot = w.env, w.dir, w.chroot
	}
	return cmd
}

// kill ends what the workload runs, and then the process that started it.
func (a *agent) kill(w *workload, cmd *exec.Cmd) {
	switch {
	case w.owned:
		_ = a.crun("delete", "-f", w.id).Run() // it may have gone
	case w.pidFile != "":
		if b, err := os.ReadFile(w.pidFile); err == nil {
			killTree(string(b))
		}
	}
	_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
}

// killTree kills a process and its descendants, parents first, so that none makes another meanwhile. One whose parent
// has ended is not among them: that is how a daemon outlives its exec.
func killTree(pid string) {
	pid = strings.TrimSpace(pid)
	n, err := strconv.Atoi(pid)
	if err != nil || n <= 1 {
		return
	}
	_ = unix.Kill(n, unix.SIGSTOP)
	children, _ := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children") // none, where it has ended
	_ = unix.Kill(n, unix.SIGKILL)
	for child := range strings.FieldsSeq(string(children)) {
		killTree(child)
	}
}

//go:build linux

package box

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/rootfs"
)

// cell is a mount namespace, held by one process. Tools run in it find an empty /run, so that each has its own state,
// and one hierarchy of control groups, which is all that crun can use.
//
// Everything in a cell hangs on pipes from the test's process: where that dies without a cleanup, they end.
type cell struct {
	t         testing.TB
	dir       string
	holder    *exec.Cmd
	ended     <-chan struct{} // when the holder has
	pipes     []io.Closer
	held      *os.File // the namespace; nil until it is there
	namespace string   // as /proc names it
	joined    sync.WaitGroup
}

// newCell makes a cell, with a root file system in its folder. Setup is a shell script that runs in it at first, with
// the arguments $1 and so on; if it sets exec_in, the holder's root is that folder afterwards. Flags are of unshare(1).
func newCell(t testing.TB, kind rootfs.Kind, flags []string, setup string, args ...string) *cell {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a box makes namespaces and mounts: run the tests as root")
	}
	need(t, "unshare", "util-linux")
	dir, err := os.MkdirTemp("", "box") // a socket's path is bounded: t.TempDir is too long
	must(t, err)
	c := &cell{t: t, dir: dir}
	t.Cleanup(c.close)
	must(t, os.Chmod(dir, 0o755)) // app looks into it too
	must(t, os.Mkdir(c.bin(), 0o755))
	must(t, rootfs.Build(c.rootfs(), kind))
	script := `set -e
		exec_in=
		mount -t tmpfs -o mode=755 tmpfs /run
		mount -t cgroup2 none /sys/fs/cgroup
		` + setup + `
		echo ready
		exec >/dev/null
		if [ -n "$exec_in" ]; then exec chroot "$exec_in" ` + rootfs.Idle + `; fi
		exec cat`
	argv := slices.Concat([]string{"--mount", "--propagation", "private"}, flags, []string{"sh", "-c", script, "sh"}, args)
	c.holder = exec.Command("unshare", argv...)
	c.holder.Dir = dir
	ready, theirs, err := os.Pipe()
	must(t, err)
	defer ready.Close()
	c.holder.Stdout = theirs
	c.ended = c.start(c.holder)
	_ = theirs.Close()
	must(t, ready.SetReadDeadline(time.Now().Add(patience)))
	if line, err := bufio.NewReader(ready).ReadString('\n'); line != "ready\n" {
		said, _ := os.ReadFile(c.log()) // of a shell that got as far as that
		t.Fatalf("make a cell: %v\n%s", err, said)
	}
	// Open until the end: else its number could be another's before all that is in it is found.
	c.held, err = os.Open(c.mountNamespace())
	must(t, err)
	c.namespace, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", c.held.Fd()))
	must(t, err)
	return c
}

// bin is where the cell's own commands are.
func (c *cell) bin() string { return filepath.Join(c.dir, "bin") }

func (c *cell) mountNamespace() string {
	return fmt.Sprintf("/proc/%d/ns/mnt", c.inner())
}

// inner is the process that holds the cell: the child, where unshare has one.
func (c *cell) inner() int {
	pid := c.holder.Process.Pid
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // none
	if slices.Contains(c.holder.Args, "--fork") {
		pid, _ = strconv.Atoi(strings.TrimSpace(string(children)))
	}
	return pid
}

// cgroup is the control group below which the cell's tools are to make theirs.
func (c *cell) cgroup() string { return "/snug-" + filepath.Base(c.dir) }

// rootfs is the folder of the root file system.
func (c *cell) rootfs() string { return filepath.Join(c.dir, "rootfs") }

// script makes a command of the cell's own, that runs words and then its arguments.
func (c *cell) script(name string, words ...string) {
	c.t.Helper()
	var quoted []string
	for _, word := range words {
		quoted = append(quoted, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
	}
	script := "#!/bin/sh\nexec " + strings.Join(quoted, " ") + " \"$@\"\n"
	must(c.t, ptytest.WriteProgram(filepath.Join(c.bin(), name), []byte(script)))
}

// log is what the processes say that last as long as the cell.
func (c *cell) log() string { return filepath.Join(c.dir, "log") }

// tellLog shows the log where the test has failed by now.
func (c *cell) tellLog() {
	if c.t.Failed() {
		b, _ := os.ReadFile(c.log()) // it may not be there yet
		c.t.Logf("its log:\n%s", b)
	}
}

// start starts a process that lasts as long as its standard input, which is until the cell's end. The channel is closed
// when it has ended, which is too early as long as the cell is not.
func (c *cell) start(cmd *exec.Cmd) (ended <-chan struct{}) {
	c.t.Helper()
	log, err := os.OpenFile(c.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	must(c.t, err)
	defer log.Close()
	cmd.Stderr = log
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	stdin, err := cmd.StdinPipe()
	must(c.t, err)
	must(c.t, cmd.Start())
	c.pipes = append(c.pipes, stdin)
	over := make(chan struct{})
	c.joined.Go(func() { _ = cmd.Wait(); close(over) }) // by a signal, or by the end of its input
	return over
}

// close ends all that runs in the cell, and removes its folder.
func (c *cell) close() {
	for _, p := range slices.Backward(c.pipes) {
		_ = p.Close()
	}
	c.kill()
	c.joined.Wait()
	if c.held != nil {
		_ = c.held.Close()
		c.removeCgroup()
	}
	if err := os.RemoveAll(c.dir); err != nil {
		c.t.Error(err)
	}
}

// kill kills what is left in the cell or in a container of it.
func (c *cell) kill() {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		left := c.processes()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			c.t.Errorf("processes of the box are left after %v: %v", patience, left)
			return
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
}

// processes are those with the cell's mounts, and those of containers: their root lies in the cell's folder, which
// their mounts show.
func (c *cell) processes() (pids []int) {
	entries, _ := filepath.Glob("/proc/[0-9]*") // the pattern is valid
	for _, dir := range entries {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() || !ptytest.Alive(pid) {
			continue
		}
		namespace, _ := os.Readlink(filepath.Join(dir, "ns/mnt")) // it may have ended
		mounts, _ := os.ReadFile(filepath.Join(dir, "mountinfo"))
		if namespace != "" && namespace == c.namespace || bytes.Contains(mounts, []byte(c.dir+"/")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// removeCgroup removes the control groups that the cell's tools have made, in the one hierarchy that they saw.
func (c *cell) removeCgroup() {
	const script = `mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup && for i in $(seq 100); do
		test -d "$1" || exit 0
		find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
	done; exit 1`
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", "."+c.cgroup())
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Error(errors.Join(fmt.Errorf("remove control group %s: %w", c.cgroup(), err), errors.New(string(out))))
	}
}

//go:build linux

package box

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/test/rootfs"
)

// Name is the name of every box, as far as its tool has names.
const Name = "web"

// patience bounds every wait for something that is sure to come.
const patience = 30 * time.Second

// Storage is what can be written in a box.
type Storage int

const (
	// Writable lets root write, and execute, almost anywhere.
	Writable Storage = iota
	// NoExec has a read-only root; /tmp, /run, /root and /home/app can be written, but nothing in them executed.
	NoExec
	// ReadOnly lets nobody write, but to /dev and what is below.
	ReadOnly
)

// tmpfs are the folders that can be written with NoExec.
var tmpfs = []string{"/tmp", "/run", "/root", "/home/app"}

// Options are what a box is like.
type Options struct {
	Rootfs  rootfs.Kind
	Storage Storage
	// Entrypoint and Cmd are those of the image: of docker and podman only.
	Entrypoint, Cmd []string
	// Env are variables that every program of the box has: of docker, podman, crun and runc.
	Env []string
}

// Box is a running box.
type Box struct {
	// Rootfs is the folder of its root file system, as built; docker and podman have copied it.
	Rootfs string
	// Image is the name of the image that it was made of: of docker and podman only.
	Image string

	t      testing.TB
	cell   *cell
	env    []string
	prefix func(tty bool, user string) []string
	remove func()
}

// Prefix is the command line in front of a program: docker exec -i web. With tty, the tool makes a pseudo-terminal.
// User is root, app, or "" for whomever the tool takes. The prefix needs [Box.Env].
func (b *Box) Prefix(tty bool, user string) []string { return b.prefix(tty, user) }

// Env is the test's environment, with the tool in its PATH and told where its box is.
func (b *Box) Env() []string { return b.env }

// Command runs a program in the box, without a terminal.
func (b *Box) Command(args ...string) *exec.Cmd {
	return b.Tool(append(b.Prefix(false, ""), args...)...)
}

// Tool is any command line of the tool's, or of another program that is to find the tool.
func (b *Box) Tool(args ...string) *exec.Cmd {
	name := args[0]
	if tool := filepath.Join(b.cell.bin(), name); executable(tool) {
		name = tool // exec.Command looks in the test's own PATH
	}
	cmd := exec.Command(name, args[1:]...)
	cmd.Args[0], cmd.Env = args[0], b.env
	return cmd
}

// Processes are the command lines of all that runs in the box, or with the mounts that its tool has.
func (b *Box) Processes() (lines []string) {
	for _, pid := range b.cell.processes() {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // it may have ended
		lines = append(lines, strings.ReplaceAll(string(line), "\x00", " "))
	}
	return lines
}

// Remove ends the box as its administrator would: docker rm -f.
func (b *Box) Remove() {
	b.t.Helper()
	b.remove()
}

// newBox returns a box in a cell that was made.
func newBox(t testing.TB, c *cell, env ...string) *Box {
	b := &Box{t: t, cell: c, Rootfs: c.rootfs()}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "PATH=") {
			b.env = append(b.env, variable)
		}
	}
	b.env = append(append(b.env, "PATH="+c.bin()+":"+os.Getenv("PATH")+":/usr/sbin:/sbin"), env...)
	return b
}

// run runs a command line in the box's environment to its end, and fails the test if it fails.
func (b *Box) run(args ...string) {
	b.t.Helper()
	run(b.t, b.Tool(args...))
}

// tool wants a tool, and shadows it by a script that runs it in the cell, with flags before all others.
func (c *cell) tool(name, debianPackage string, flags ...string) {
	c.t.Helper()
	path := need(c.t, name, debianPackage)
	c.script(name, append([]string{"nsenter", "--mount=" + c.mountNamespace(), path}, flags...)...)
}

// need fails the test where a command is missing, with the line that installs it.
func need(t testing.TB, command, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(command)
	if err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} { // where Debian has them, and a user's PATH has not
		if path := filepath.Join(dir, command); executable(path) {
			return path
		}
	}
	t.Fatalf("%v\ninstall it: apt-get install --no-install-recommends %s", err, debianPackage)
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// run runs a command to its end, and fails the test if it fails.
func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &output, &output, time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, &output)
	}
}

// eventually waits until ok, which no event tells of, and not longer than for the end of what it depends on.
func eventually(t testing.TB, what string, ended <-chan struct{}, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-ended:
			t.Fatalf("ended before: %s", what)
		case <-deadline:
			t.Fatalf("not within %v: %s", patience, what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

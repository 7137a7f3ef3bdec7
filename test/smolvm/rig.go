//go:build linux

package smolvm

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/rootfs"
	"github.com/snugvm/snug/test/smolvm/internal/cmdline"
	"github.com/snugvm/snug/test/smolvm/internal/home"
)

// Profile is a generation of smolvm: the version that it is, and what its machines do when an exec comes.
type Profile struct {
	Version string
	Logic   string
}

// The three generations.
var (
	// V05 writes config.json and runs a container of its own for every exec.
	V05 = Profile{"0.5.19", "v05"}
	// V06 lets execs join a main container, and deletes one that is only just coming up.
	V06 = Profile{"0.6.7", "v06"}
	// V19 makes a container that does nothing, and lets all execs join it.
	V19 = Profile{"1.9.1", "v19"}
)

// Profiles are all of them.
var Profiles = []Profile{V05, V06, V19}

// Options change a profile.
type Options struct {
	// Version is another version with the same logic, as it matters for flags and exit statuses.
	Version string
	// Console has containers' pseudo-terminals made by crun's console socket: 80x24 at first, and every size that the
	// terminal has is forwarded within 100 ms.
	Console bool
}

// Exec is an exec that an agent saw.
type Exec struct {
	Machine     string
	Argv        []string  // the command
	Args        []string  // the words after smolvm
	TTY         bool      // -t
	Interactive bool      // -i
	Started     time.Time // when the agent had the request
	Ended       time.Time // zero: it has not
	Exit        int       // what the client was told, -1 where it had gone; valid once Ended
}

// Rig is a double of smolvm with a state folder of its own. Its machines end with the test, or with the test's process
// where that dies first.
type Rig struct {
	t       testing.TB
	version cmdline.Version
	home    home.Home
	dir     string
	alive   *os.File
}

// New returns a rig. A machine that lacks root, crun or a static busybox fails the test.
func New(t testing.TB, p Profile, o Options) *Rig {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the double of smolvm makes namespaces and mounts: run the tests as root")
	}
	if _, err := exec.LookPath("crun"); err != nil {
		t.Fatalf("%v\ninstall it: apt-get install --no-install-recommends crun", err)
	}
	if _, err := rootfs.Find(); err != nil {
		t.Fatal(err)
	}
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "smolvm") // a socket's path is bounded: t.TempDir is too long
	if err != nil {
		t.Fatal(err)
	}
	r := &Rig{t: t, home: home.Home(filepath.Join(dir, "home")), dir: dir}
	t.Cleanup(r.close)
	if err := r.fill(program, home.Settings{Version: cmp.Or(o.Version, p.Version), Logic: p.Logic, Console: o.Console}); err != nil {
		t.Fatal(err)
	}
	return r
}

// fill makes what is in the rig's folder.
func (r *Rig) fill(program []byte, s home.Settings) (err error) {
	if r.version, err = cmdline.ParseVersion(s.Version); err != nil {
		return err
	}
	if err := r.home.Create(s); err != nil {
		return err
	}
	// For writing alone it would wait for a reader.
	if r.alive, err = os.OpenFile(r.home.Alive(), os.O_RDWR, 0); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(r.dir, "bin"), 0o755); err != nil {
		return err
	}
	return ptytest.WriteProgram(filepath.Join(r.dir, "bin/smolvm"), program)
}

// build returns the program. A test process builds it once.
var build = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "smolvm-build")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cmd := exec.Command("go", "build", "-o", dir+"/smolvm", "github.com/snugvm/snug/test/smolvm/cmd/smolvm")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the double of smolvm: %w\n%s", err, out)
	}
	return os.ReadFile(dir + "/smolvm")
})

// Env returns the test's environment with smolvm in its PATH.
func (r *Rig) Env() (env []string) {
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "PATH=") && !strings.HasPrefix(variable, home.Variable+"=") {
			env = append(env, variable)
		}
	}
	return append(env, "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"), home.Variable+"="+string(r.home))
}

// Command returns smolvm with args.
func (r *Rig) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(r.dir, "bin/smolvm"), args...)
	cmd.Env = r.Env()
	return cmd
}

// Start creates a machine with an image, and starts it.
func (r *Rig) Start(machine string) {
	r.t.Helper()
	r.must(r.nameArgs("create", machine, "--image", "busybox")...)
	r.must("machine", "start", "--name", machine)
}

// StartBare creates a machine without an image, and starts it. It uses no crun, so it has no race.
func (r *Rig) StartBare(machine string) {
	r.t.Helper()
	r.must(r.nameArgs("create", machine)...)
	r.must("machine", "start", "--name", machine)
}

// Stop stops a machine, with all that runs in it.
func (r *Rig) Stop(machine string) {
	r.t.Helper()
	r.must("machine", "stop", "--name", machine)
}

// Restart stops a machine and starts it again. Its root file system stays.
func (r *Rig) Restart(machine string) {
	r.t.Helper()
	r.Stop(machine)
	r.must("machine", "start", "--name", machine)
}

// Delete stops and deletes a machine.
func (r *Rig) Delete(machine string) {
	r.t.Helper()
	r.must(r.nameArgs("delete", machine)...)
}

// nameArgs is a command line that names a machine to create or delete, in the manner of the version.
func (r *Rig) nameArgs(verb, machine string, args ...string) []string {
	words := []string{"machine", verb, machine}
	if !r.version.NamesByPosition() {
		words = []string{"machine", verb, "--name", machine}
	}
	return append(words, args...)
}

// must runs smolvm, and fails the test if it fails.
func (r *Rig) must(args ...string) {
	r.t.Helper()
	if out, err := r.Command(args...).CombinedOutput(); err != nil {
		r.t.Fatalf("smolvm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Rootfs is the folder of a machine's root file system, seen from outside.
func (r *Rig) Rootfs(machine string) string { return r.home.Machine(machine).Rootfs() }

// Execs returns every exec that the agents saw, in the order in which they did.
func (r *Rig) Execs() (all []Exec) {
	r.t.Helper()
	records, err := r.home.Records()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range records {
		all = append(all, Exec{e.Machine, e.Argv, e.Args, e.TTY, e.Interactive, e.Started, e.Ended, e.Exit})
	}
	return all
}

// Containers lists, by the ids that crun knows, the containers of a machine.
func (r *Rig) Containers(machine string) (ids []string) {
	r.t.Helper()
	entries, err := os.ReadDir(r.home.Machine(machine).Containers())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids
}

// KillContainer kills all that runs in a container, as an administrator might, and waits for its end.
func (r *Rig) KillContainer(machine, id string) {
	r.t.Helper()
	if out, err := r.crun(machine, "kill", id, "KILL"); err != nil {
		r.t.Fatalf("kill container %s: %v\n%s", id, err, out)
	}
	const limit = 10 * time.Second
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		out, err := r.crun(machine, "state", id)
		if err != nil || !bytes.Contains(out, []byte(`"status": "running"`)) {
			return // without a state crun has forgotten it
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("container %s runs on for %v after a kill", id, limit)
		}
	}
}

// crun runs crun in a machine's own namespaces: process ids in its state are theirs.
func (r *Rig) crun(machine string, args ...string) ([]byte, error) {
	m := r.home.Machine(machine)
	words := []string{"--all", "--target", strconv.Itoa(m.Running()), "crun", "--root", m.Containers(), "--cgroup-manager", "disabled"}
	return exec.Command("nsenter", append(words, args...)...).CombinedOutput()
}

// close ends the machines, and the clients that are left, and sees that nothing is.
func (r *Rig) close() {
	if r.alive != nil {
		_ = r.alive.Close()
	}
	const limit = 10 * time.Second
	var left []int
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if left = r.processes(); len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			r.t.Errorf("processes of the double are left after %v: %v", limit, left)
			break
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
	if r.t.Failed() {
		r.tell()
	}
	if err := os.RemoveAll(r.dir); err != nil {
		r.t.Error(err)
	}
}

// tell logs what a failed test's machines said.
func (r *Rig) tell() {
	machines, _ := r.home.Machines()
	for _, m := range machines {
		if said, _ := os.ReadFile(m.Log()); len(said) > 0 {
			r.t.Logf("machine %s said:\n%s", m.Name, said)
		}
	}
}

// processes are those of the double: clients and machines have its folder in their environment, crun on its command
// line, and what runs in a container in its mounts. One that is just ending may have lost all but the last.
func (r *Rig) processes() (pids []int) {
	entries, _ := filepath.Glob("/proc/[0-9]*") // the pattern is valid
	for _, dir := range entries {
		pid, err := strconv.Atoi(filepath.Base(dir))
		environment, _ := os.ReadFile(filepath.Join(dir, "environ")) // another's, or just gone
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		mounts, _ := os.ReadFile(filepath.Join(dir, "mountinfo"))
		folder := []byte(r.dir + "/")
		mine := bytes.Contains(environment, []byte(home.Variable+"="+string(r.home)+"\x00")) || bytes.Contains(line, folder) || bytes.Contains(mounts, folder)
		if err == nil && mine && pid != os.Getpid() && ptytest.Alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

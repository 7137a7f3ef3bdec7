//go:build linux

package box_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/sandbox/sandboxtest"
	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/box"
	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/rootfs"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long any one command may take.
const bound = 10 * time.Second

// boxes make a box of each tool that has options.
var boxes = map[string]func(testing.TB, box.Options) *box.Box{
	"docker": box.Docker, "podman": box.Podman, "crun": box.Crun, "runc": box.Runc, "chroot": box.Chroot, "nsenter": box.Nsenter,
}

// each runs a test on a box of each tool with the same options.
func each(t *testing.T, o box.Options, test func(t *testing.T, tool string, b *box.Box)) {
	t.Helper()
	needBoxes(t)
	for _, tool := range slices.Sorted(maps.Keys(boxes)) {
		t.Run(tool, func(t *testing.T) {
			t.Parallel() // daemons take their time to start, and boxes share nothing
			test(t, tool, boxes[tool](t, o))
		})
	}
}

func needBoxes(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers")
	}
}

// ended is how a command without a terminal ended.
type ended struct {
	status         int
	stdout, stderr string
}

func run(t *testing.T, cmd *exec.Cmd, stdin string) ended {
	t.Helper()
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(bound, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // the status says it
	if !limit.Stop() {
		t.Fatalf("no end of %q within %v: %s%s", cmd.Args, bound, &stdout, &stderr)
	}
	return ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// carriesBytes checks what a bridge builds on: bytes both ways, their end, and the exit status.
func carriesBytes(t *testing.T, b *box.Box, command ...string) {
	t.Helper()
	input := string(sandboxtest.Sequence("box", 300_000))
	got := run(t, b.Command(command...), input)
	if got.stdout != input || got.stderr != "apart\n" || got.status != 42 {
		t.Errorf("%d bytes came back of %d, or other ones; status %d, stderr %q", len(got.stdout), len(input), got.status, got.stderr)
	}
}

func TestABoxCarriesBytesAndRunsAsTwoUsersUntilItIsRemoved(t *testing.T) {
	o := box.Options{Entrypoint: []string{"echo", "from"}, Cmd: []string{"the image"}}
	each(t, o, func(t *testing.T, tool string, b *box.Box) {
		carriesBytes(t, b, "sh", "-c", "cat; echo apart >&2; exit 42")
		for user, uid := range map[string]string{"root": "0\n", "app": "1000\n"} {
			cmd := b.Tool(append(b.Prefix(false, user), "id", "-u")...)
			if got := run(t, cmd, ""); got.stdout != uid {
				t.Errorf("%q: %+v, want user %s", cmd.Args, got, uid)
			}
		}
		write := run(t, b.Command("sh", "-c", "cp /bin/busybox /tmp/echo && /tmp/echo can be executed"), "")
		if write.stdout != "can be executed\n" {
			t.Errorf("a program in /tmp: %+v", write)
		}
		if b.Image != "" {
			if got := run(t, b.Tool(tool, "run", "--rm", "--network", "none", b.Image), ""); got.stdout != "from the image\n" {
				t.Errorf("the image's own command: %+v", got)
			}
		}
		onATerminalUntilRemoved(t, tool, b)
	})
}

func onATerminalUntilRemoved(t *testing.T, tool string, b *box.Box) {
	t.Helper()
	c := ptytest.Start(t, terminal.Size{Rows: 41, Cols: 137}, b.Tool(append(b.Prefix(true, ""), "sh", "-c", "tty; read a; echo got $a; read a")...))
	c.ExpectRegexp(`(?m)^(/dev/|not a tty)`) // that of nsenter is of another namespace
	c.Send("x\r")
	c.Expect("got x")
	if tool == "chroot" {
		return // it cannot be removed
	}
	b.Remove()
	if got := c.Wait(); got == 0 {
		t.Error("the client of a removed box ends with 0")
	}
}

func TestNothingCanBeExecutedInWhatCanBeWritten(t *testing.T) {
	each(t, box.Options{Storage: box.NoExec}, func(t *testing.T, tool string, b *box.Box) {
		got := run(t, b.Command("sh", "-c", `
			for d in /tmp /run /root /home/app /dev/shm; do cp /bin/busybox $d/echo && $d/echo executed in $d; done
			touch /bin/new`), "")
		if got.stdout != "" || strings.Count(got.stderr, "ermission denied") != 5 || !strings.Contains(got.stderr, "ead-only") {
			t.Errorf("%+v", got)
		}
	})
}

func TestNothingCanBeWritten(t *testing.T) {
	each(t, box.Options{Storage: box.ReadOnly}, func(t *testing.T, tool string, b *box.Box) {
		got := run(t, b.Command("sh", "-c", `for d in / /tmp /run /root /home/app; do touch $d/new && echo written in $d; done`), "")
		if got.stdout != "" || strings.Count(got.stderr, "ead-only") != 5 {
			t.Errorf("%+v", got)
		}
	})
}

func TestThereIsNoShell(t *testing.T) {
	each(t, box.Options{Rootfs: rootfs.Bare}, func(t *testing.T, tool string, b *box.Box) {
		if got := run(t, b.Command(rootfs.Idle), "hello"); got.stdout != "hello" || got.status != 0 {
			t.Errorf("its one program: %+v", got)
		}
		if got := run(t, b.Command("/bin/sh", "-c", "echo a shell"), ""); strings.Contains(got.stdout, "a shell") || got.status == 0 {
			t.Errorf("a shell: %+v", got)
		}
	})
}

func TestShells(t *testing.T) {
	needBoxes(t)
	for kind, want := range map[rootfs.Kind]string{rootfs.Busybox: "busybox", rootfs.Dash: "dash", rootfs.Bash: "bash"} {
		b := box.Chroot(t, box.Options{Rootfs: kind})
		got := run(t, b.Command("sh", "-c", `
			if [ -n "$BASH_VERSION" ]; then echo bash; elif sh --help 2>&1 | grep -q BusyBox; then echo busybox; else echo dash; fi`), "")
		if got.stdout != want+"\n" {
			t.Errorf("%s: %+v", want, got)
		}
	}
}

func TestSSH(t *testing.T) {
	needBoxes(t)
	b := box.SSH(t)
	carriesBytes(t, b, "cat; echo apart >&2; exit 42")
	// A login runs no start-up file of whoever runs the tests.
	if got := run(t, b.Command("sh", "-c", "cd && ls -A"), ""); got.stdout != "" || got.status != 0 {
		t.Errorf("a login's home has %+v", got)
	}
	c := ptytest.Start(t, terminal.Size{Rows: 41, Cols: 137}, b.Tool(append(b.Prefix(true, "root"), "stty", "size")...))
	c.Expect("41 137")
	if got := c.Wait(); got != 0 {
		t.Errorf("status %d", got)
	}
	b.Remove()
	if got := run(t, b.Command("true"), ""); got.status != 255 {
		t.Errorf("after its end: %+v, want status 255", got)
	}
}

// makers make a box of each tool.
func makers() map[string]func(testing.TB, box.Options) *box.Box {
	all := maps.Clone(boxes)
	all["ssh"] = func(t testing.TB, _ box.Options) *box.Box { return box.SSH(t) }
	return all
}

// folder is where a box has all that is its own: its commands come first in its PATH.
func folder(b *box.Box) string {
	for _, variable := range b.Env() {
		if path, ok := strings.CutPrefix(variable, "PATH="); ok {
			first, _, _ := strings.Cut(path, ":")
			return filepath.Dir(first)
		}
	}
	return ""
}

// A box's test may end with anything still running.
func TestNothingOutlivesTheBox(t *testing.T) {
	needBoxes(t)
	for _, tool := range slices.Sorted(maps.Keys(makers())) {
		var dir string
		var client *exec.Cmd
		t.Run(tool, func(t *testing.T) {
			b := makers()[tool](t, box.Options{})
			client = b.Command("sh", "-c", "'echo up; sleep 1000'")
			if tool != "ssh" { // which hands its words to a shell
				client = b.Command("sh", "-c", "trap '' TERM HUP; setsid sleep 1000 & echo up; sleep 1000")
			}
			dir = folder(b)
			if _, err := client.StdinPipe(); err != nil {
				t.Fatal(err)
			}
			stdout, err := client.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := client.Start(); err != nil {
				t.Fatal(err)
			}
			if up, err := io.ReadAll(io.LimitReader(stdout, 2)); string(up) != "up" {
				t.Fatalf("%q, %v", up, err)
			}
		})
		limit := time.AfterFunc(bound, func() { _ = client.Process.Kill() })
		_ = client.Wait() // its box has gone
		if !limit.Stop() {
			t.Errorf("%s: the client outlives its box", tool)
		}
		if left := traces(dir); len(left) > 0 {
			t.Errorf("%s: left behind:\n%s", tool, strings.Join(left, "\n"))
		}
	}
}

// traces finds what has to do with a box's folder: itself, a control group named after it, and any process or mount
// with a name in it.
func traces(dir string) (found []string) {
	if _, err := os.Stat(dir); err == nil {
		found = append(found, dir)
	}
	found = append(found, groups(dir)...)
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range processes {
		for _, name := range []string{"cmdline", "environ", "mountinfo"} {
			b, _ := os.ReadFile(filepath.Join(p, name)) // it may have ended
			pid, _ := strconv.Atoi(filepath.Base(p))
			if bytes.Contains(b, []byte(dir+"/")) && ptytest.Alive(pid) {
				found = append(found, fmt.Sprintf("%s: %.200q", filepath.Join(p, name), b))
			}
		}
	}
	return found
}

// A test process that dies runs no cleanup: go test kills it at its timeout.
func TestBoxesEndWithTheProcessOfTheirTest(t *testing.T) {
	const variable = "BOX_TEST_DIE"
	if tool := os.Getenv(variable); tool != "" {
		b := makers()[tool](t, box.Options{})
		_, _ = fmt.Fprintln(os.Stderr, "folder", folder(b))
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // it cannot fail
	}
	needBoxes(t)
	for _, tool := range slices.Sorted(maps.Keys(makers())) {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestBoxesEndWithTheProcessOfTheirTest$")
			cmd.Env = append(os.Environ(), variable+"="+tool)
			out, _ := cmd.CombinedOutput() // killed
			_, dir, ok := strings.Cut(string(out), "folder ")
			if !ok {
				t.Fatalf("no folder in %q", out)
			}
			dir = strings.TrimSpace(dir)
			t.Cleanup(func() { forget(t, dir) })
			var left []string
			for deadline := time.Now().Add(bound); ; time.Sleep(10 * time.Millisecond) {
				left = slices.DeleteFunc(traces(dir), func(s string) bool { return !strings.HasPrefix(s, "/proc/") })
				if len(left) == 0 {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("after %v there is left:\n%s", bound, strings.Join(left, "\n"))
				}
			}
		})
	}
}

// groups are the control groups named after a box's folder, wherever this machine has its hierarchies.
func groups(dir string) (found []string) {
	for _, pattern := range []string{"/sys/fs/cgroup/snug-", "/sys/fs/cgroup/*/snug-"} {
		matches, _ := filepath.Glob(pattern + filepath.Base(dir)) // the pattern is valid
		found = append(found, matches...)
	}
	return found
}

// forget removes what the box of a killed process leaves: its folder, and control groups, of which the kernel may take
// a moment to see that they are empty.
func forget(t *testing.T, dir string) {
	t.Helper()
	_ = os.RemoveAll(dir)
	for deadline := time.Now().Add(bound); len(groups(dir)) > 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for _, group := range groups(dir) {
			_ = exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run()
		}
	}
	if left := groups(dir); len(left) > 0 {
		t.Errorf("control groups that cannot be removed: %q", left)
	}
}

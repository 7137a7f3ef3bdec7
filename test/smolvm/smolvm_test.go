//go:build linux

package smolvm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/sandbox/sandboxtest"
	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/smolvm"
)

// ended is how a command without a terminal ended.
type ended struct {
	status         int
	stdout, stderr string
}

// run runs smolvm to its end, at most for the bound.
func run(t *testing.T, r *smolvm.Rig, stdin string, args ...string) ended {
	t.Helper()
	cmd := r.Command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	must(t, cmd.Start())
	limit := time.AfterFunc(bound, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // the status says it
	if !limit.Stop() {
		t.Fatalf("no end of smolvm %q within %v: %s%s", args, bound, &stdout, &stderr)
	}
	return ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// words splits a command line up to --, and takes what follows that as it is.
func words(line string, command ...string) []string {
	return append(strings.Fields(line), command...)
}

// eachProfile runs a test on a machine dev of each generation.
func eachProfile(t *testing.T, o smolvm.Options, test func(t *testing.T, r *smolvm.Rig)) {
	t.Helper()
	needRoot(t)
	for _, p := range smolvm.Profiles {
		t.Run(p.Logic, func(t *testing.T) {
			r := smolvm.New(t, p, o)
			r.Start("dev")
			test(t, r)
		})
	}
}

// eventually waits until ok, which no event tells of.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", bound, what)
		}
	}
}

func TestAnInteractiveExecCarriesBytesBothWaysAndTheirEnd(t *testing.T) {
	eachProfile(t, smolvm.Options{}, func(t *testing.T, r *smolvm.Rig) {
		input := string(sandboxtest.Sequence("smolvm", 300_000))
		got := run(t, r, input, words("machine exec --name dev -i --", "sh", "-c", "cat; echo apart >&2; exit 42")...)
		if got.stdout != input {
			t.Errorf("%d bytes came back of %d, or other ones", len(got.stdout), len(input))
		}
		if got.status != 42 || got.stderr != "apart\n" {
			t.Errorf("status %d, stderr %q", got.status, got.stderr)
		}
	})
}

func TestFlagsReachTheCommand(t *testing.T) {
	needRoot(t)
	r := smolvm.New(t, smolvm.V19, smolvm.Options{})
	r.Start("dev")
	t.Setenv("TOKEN", "secret")
	file := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(file, []byte("filed"), 0o600))
	got := run(t, r, "ignored", words("machine exec -n dev -w /tmp -e A=1 --secret-env B=TOKEN --secret-file C="+file+" --",
		"sh", "-c", `pwd; echo "$A $B $C"; cat`)...)
	if want := (ended{0, "/tmp\n1 secret filed\n", ""}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := run(t, r, "", words("machine exec -n dev --timeout 200ms -- sleep 60")...); got.status != 124 {
		t.Errorf("--timeout: %+v, want status 124", got)
	}
	if got := run(t, r, "", words("machine exec -n dev -d --", "sh", "-c", "sleep 0.1; echo up >/tmp/up")...); got != (ended{}) {
		t.Errorf("-d: %+v", got)
	}
	eventually(t, "a detached command goes on", func() bool {
		_, err := os.Stat(filepath.Join(r.Rootfs("dev"), "tmp/up"))
		return err == nil
	})
}

func TestErrorsAreSmolvmsOwn(t *testing.T) {
	eachProfile(t, smolvm.Options{}, func(t *testing.T, r *smolvm.Rig) {
		notFound := map[string]int{"v05": 1, "v06": 1, "v19": 255}[filepath.Base(t.Name())]
		if got := run(t, r, "", words("machine exec --name dev -i -- no-such-command")...); got.status != notFound {
			t.Errorf("no such command: %+v, want status %d", got, notFound)
		}
		if got, want := run(t, r, "", words("machine exec --name gone -- true")...), (ended{1, "", "Error: vm not found: gone\n"}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got := run(t, r, "", words("machine exec --nome dev -- true")...); got.status != 2 || !strings.HasPrefix(got.stderr, "error: unexpected argument '--nome' found\n") {
			t.Errorf("a flag that is none: %+v", got)
		}
		r.Stop("dev")
		want := ended{1, "", "Error: machine 'dev' is not running. Use 'smolvm machine start --name dev' first.\n"}
		if got := run(t, r, "", words("machine exec --name dev -- true")...); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got := run(t, r, "", words("machine ls --json")...); !strings.Contains(got.stdout, `{"name":"dev","state":"stopped","image":"busybox"}`) {
			t.Errorf("ls --json: %+v", got)
		}
	})
}

func TestDeathBySignalIsToldAsEachVersionDoes(t *testing.T) {
	needRoot(t)
	for version, want := range map[string]int{"0.8.0": 255, "0.8.1": 137} {
		r := smolvm.New(t, smolvm.V06, smolvm.Options{Version: version})
		r.StartBare("dev")
		if got := run(t, r, "", words("machine exec --name dev --", "sh", "-c", "kill -KILL $$")...); got.status != want {
			t.Errorf("%s: %+v, want status %d", version, got, want)
		}
	}
}

func TestATerminalHasNoSizeAndHearsOfNone(t *testing.T) {
	eachProfile(t, smolvm.Options{}, func(t *testing.T, r *smolvm.Rig) {
		_, err := sandboxtest.BuildProbe(filepath.Join(r.Rootfs("dev"), "bin"))
		must(t, err)
		c := ptytest.Start(t, terminal.Size{Rows: 41, Cols: 137}, r.Command(words("machine exec --name dev -it --", "sh", "-c",
			"snug-probe size; read line; snug-probe size")...))
		c.Expect("size 0 0 0 0\r\n")
		c.Resize(terminal.Size{Rows: 50, Cols: 100})
		time.Sleep(200 * time.Millisecond) // nothing tells that a size was not heard of
		c.Send("\r")
		c.Expect("size 0 0 0 0\r\n")
		if got := c.Wait(); got != 0 {
			t.Errorf("status %d", got)
		}
	})
}

func TestAConsoleIsLateWithItsSize(t *testing.T) {
	eachProfile(t, smolvm.Options{Console: true}, func(t *testing.T, r *smolvm.Rig) {
		c := ptytest.Start(t, terminal.Size{Rows: 41, Cols: 137}, r.Command(words("machine exec --name dev -it --", "sh", "-c",
			`while :; do stty size; sleep 0.01; done`)...))
		if first := c.ExpectRegexp(`(\d+ \d+)\r`)[1]; first != "24 80" {
			t.Logf("the first size that was seen is %s: the program was slow to start", first)
		}
		c.Expect("41 137")
		c.Resize(terminal.Size{Rows: 50, Cols: 100})
		c.Expect("50 100")
	})
}

func TestTheSideChannelReachesTheTerminalsOfTheMachine(t *testing.T) {
	needRoot(t)
	r := smolvm.New(t, smolvm.V06, smolvm.Options{})
	r.Start("dev")
	c := ptytest.Start(t, terminal.Size{Rows: 41, Cols: 137}, r.Command(words("machine exec --name dev -it --", "sh", "-c",
		`trap 'echo now $(stty size)' WINCH; tty; while :; do sleep 0.02; done`)...))
	tty := c.ExpectRegexp(`(/dev/pts/\d+)\r`)[1]
	if got := run(t, r, "", words("machine exec --name dev --", "stty", "-F", tty, "rows", "41", "cols", "137")...); got.status != 0 {
		t.Errorf("the side channel: %+v", got)
	}
	c.Expect("now 41 137")
	if got := r.Containers("dev"); len(got) != 1 {
		t.Errorf("containers %q, want one: the side channel's exec joins the main one's", got)
	}
	if execs := r.Execs(); len(execs) != 2 || !execs[0].TTY || !execs[0].Ended.IsZero() || execs[1].TTY || execs[1].Ended.IsZero() || execs[1].Argv[0] != "stty" {
		t.Errorf("the log: %+v", execs)
	}
}

func TestClientsEndWithTheirContainerOrMachine(t *testing.T) {
	eachProfile(t, smolvm.Options{}, func(t *testing.T, r *smolvm.Rig) {
		client := func() *ptytest.Console {
			c := ptytest.Start(t, terminal.Size{Rows: 41, Cols: 137}, r.Command(words("machine exec --name dev -it --", "sh", "-c", "echo up; sleep 1000")...))
			c.Expect("up")
			return c
		}
		c := client()
		for _, id := range r.Containers("dev") {
			r.KillContainer("dev", id)
		}
		if got := c.Wait(); got != 137 {
			t.Errorf("with its container killed the client ends with %d, want 137", got)
		}
		c = client()
		r.Stop("dev")
		c.Expect("Error: agent operation failed")
		if got := c.Wait(); got != 1 {
			t.Errorf("with its machine stopped the client ends with %d, want 1", got)
		}
	})
}

func TestACommandEndsWithItsClient(t *testing.T) {
	eachProfile(t, smolvm.Options{}, func(t *testing.T, r *smolvm.Rig) {
		cmd := r.Command(words("machine exec --name dev -i --", "sh", "-c", "echo $$ >/tmp/up; while :; do date >/tmp/now; sleep 0.02; done")...)
		stdin, err := cmd.StdinPipe()
		must(t, err)
		defer stdin.Close()
		must(t, cmd.Start())
		up := filepath.Join(r.Rootfs("dev"), "tmp/up")
		eventually(t, "the command is up", func() bool { _, err := os.Stat(up); return err == nil })
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed
		eventually(t, "the exec has ended", func() bool { e := r.Execs(); return len(e) == 1 && !e[0].Ended.IsZero() })
		if got := r.Execs()[0].Exit; got != -1 {
			t.Errorf("the log has status %d, want -1: nobody was told", got)
		}
	})
}

func TestAFreshMachineEndsWithItsCommand(t *testing.T) {
	needRoot(t)
	r := smolvm.New(t, smolvm.V19, smolvm.Options{})
	output, status, late := onTerminal(t, r.Command(words("machine run -I busybox -it --", "sh", "-c", "echo in $(hostname); exit 7")...))
	if late || status != 7 || !strings.Contains(output, "in run-") {
		t.Errorf("status %d, late %v: %q", status, late, output)
	}
	if got := run(t, r, "", words("machine ls --json")...); got != (ended{0, "[]\n", ""}) {
		t.Errorf("afterwards, ls --json: %+v", got)
	}
}

func TestStatusTellsWhatEachVersionTells(t *testing.T) {
	needRoot(t)
	r := smolvm.New(t, smolvm.V06, smolvm.Options{Version: "0.8.0"})
	r.Start("dev")
	var status struct{ Name, State string }
	got := run(t, r, "", words("machine status -n dev --json")...)
	if err := json.Unmarshal([]byte(got.stdout), &status); err != nil || status.Name != "dev" || status.State != "running" {
		t.Errorf("status --json: %+v, %v", got, err)
	}
	if got := run(t, r, "", words("--version")...); got != (ended{0, "smolvm 0.8.0\n", ""}) {
		t.Errorf("--version: %+v", got)
	}
}

// A rig's test may end with anything still running.
func TestNothingOutlivesTheRig(t *testing.T) {
	needRoot(t)
	for _, p := range smolvm.Profiles {
		var dir string
		var clients []*exec.Cmd
		t.Run(p.Logic, func(t *testing.T) {
			r := smolvm.New(t, p, smolvm.Options{})
			dir = filepath.Dir(filepath.Dir(r.Command().Path))
			r.Start("dev")
			for i := range 2 {
				cmd := r.Command(words("machine exec --name dev -i --", "sh", "-c", "trap '' TERM HUP INT; echo up; setsid sleep 1000 & sleep 1000")...)
				stdout, err := cmd.StdoutPipe()
				must(t, err)
				_, err = cmd.StdinPipe()
				must(t, err)
				must(t, cmd.Start())
				clients = append(clients, cmd)
				if b, err := io.ReadAll(io.LimitReader(stdout, 2)); string(b) != "up" || err != nil {
					t.Fatalf("exec %d: %q, %v", i, b, err)
				}
			}
		})
		for _, cmd := range clients {
			_ = cmd.Wait() // the rig has killed it
		}
		if left := traces(dir); len(left) > 0 {
			t.Errorf("%s: left behind:\n%s", p.Logic, strings.Join(left, "\n"))
		}
	}
}

// traces finds what has to do with a rig's folder: itself, and any process that has a name in it, or a mount of it. The
// mounts of a container show it even where nothing else does.
func traces(dir string) (found []string) {
	if _, err := os.Stat(dir); err == nil {
		found = append(found, dir)
	}
	processes, _ := filepath.Glob("/proc/[0-9]*") // the pattern is valid
	for _, p := range processes {
		for _, name := range []string{"cmdline", "environ", "mountinfo"} {
			b, _ := os.ReadFile(filepath.Join(p, name)) // it may have ended
			pid, _ := strconv.Atoi(filepath.Base(p))
			if bytes.Contains(b, []byte(dir)) && ptytest.Alive(pid) {
				found = append(found, fmt.Sprintf("%s: %.200q", filepath.Join(p, name), b))
			}
		}
	}
	return found
}

// A test process that dies runs no cleanup: go test kills it at its timeout.
func TestMachinesEndWithTheProcessOfTheirRig(t *testing.T) {
	if os.Getenv("SMOLVM_TEST_DIE") != "" {
		r := smolvm.New(t, smolvm.V19, smolvm.Options{})
		r.Start("dev")
		_, _ = fmt.Fprintln(os.Stderr, "home", filepath.Dir(filepath.Dir(r.Command().Path)))
		must(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
	needRoot(t)
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "SMOLVM_TEST_DIE=1")
	out, _ := cmd.CombinedOutput() // killed
	_, dir, ok := strings.Cut(string(out), "home ")
	if !ok {
		t.Fatalf("no home in %q", out)
	}
	dir = strings.TrimSpace(dir)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	eventually(t, "no process is left", func() bool { return len(traces(dir)) <= 1 }) // the folder itself
}

//go:build linux

package vm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	user "github.com/snugvm/snug/test/rig"
)

func TestAKilledMachineIsToldInOneLine(t *testing.T) {
	r := newRig(t)
	run := r.run("--", "sh", "-c", "echo up >up; cat")
	stdin, err := run.StdinPipe()
	user.Must(t, err)
	var stderr bytes.Buffer
	run.Stderr = &stderr
	user.Must(t, run.Start())
	r.AwaitFile("up")
	r.Signal(user.QEMU, syscall.SIGKILL)
	status := r.Reap(run)
	_ = stdin.Close()
	if words := stderr.String(); status != 255 || !user.OneLine(words) || !strings.Contains(words, "QEMU was killed by signal 9") {
		t.Errorf("status %d, stderr %q; want 255 and one line with the cause", status, words)
	}
}

func TestAPanicOfTheGuestsKernelIsTold(t *testing.T) {
	r := newRig(t)
	got := r.Pipe(r.run("--", "sh", "-c", "echo c >/proc/sysrq-trigger || exit 42; sleep 60"), "")
	if os.Getuid() != 0 { // then the guest's user is none that could
		if got.Status != 42 {
			t.Errorf("an ordinary user at the sysrq trigger: %+v", got)
		}
		return
	}
	if got.Status != 255 || !user.OneLine(got.Stderr) || !strings.Contains(got.Stderr, "ernel panic") || !strings.Contains(got.Stderr, "sysrq") {
		t.Errorf("got %+v; want 255 and one line with the guest's last words", got)
	}
}

// Each of these fails before a program could start, and says what to do.
func TestAFailureBeforeTheStartNamesItsRemedy(t *testing.T) {
	r := newRig(t)
	empty := filepath.Join(r.Root, "empty")
	user.Must(t, os.Mkdir(empty, 0o755))
	at := func(dir string, args ...string) *exec.Cmd {
		cmd := r.Command(append(append([]string{"run"}, args...), "--", "true")...)
		cmd.Dir = dir
		return cmd
	}
	run := func(args ...string) *exec.Cmd { return at(r.Project, args...) }
	none := r.with("PATH=" + empty)
	for _, c := range []struct {
		what string
		cmd  *exec.Cmd
		want []string // in its one line
	}{
		{"no QEMU", none.Command("run", "--", "true"), []string{"QEMU was not found", "apt-get install qemu-system-x86"}},
		{"no kernel", hidden(r.with("XDG_CACHE_HOME="+empty).Command("run", "--", "true"), "mount -t tmpfs none /boot"),
			[]string{"no Linux kernel", "scripts/setup"}},
		{"no KVM", hidden(run("--accel", "kvm"), "test ! -e /dev/kvm || mount --bind /dev/null /dev/kvm"), []string{"kvm", "--accel tcg"}},
		{"no macOS", run("--accel", "hvf"), []string{"macOS", "--accel tcg"}},
		{"no memory", run("--mem", "15000G"), []string{"memory"}},
		{"a size that is none", run("--mem", "1X"), []string{"--mem 1X", "512M"}},
		{"no processor", run("--cpus", "0"), []string{"--cpus 0"}},
		{"an unknown acceleration", run("--accel", "warp"), []string{"--accel warp", "tcg"}},
		{"an unknown flag", run("--frobnicate"), []string{"--frobnicate", "--help"}},
		{"a terminal and none", run("-t", "-T"), []string{"-t", "-T"}},
		{"a bad name", run("--name", "a/b"), []string{"a/b"}},
		{"a mount of nothing", run("-v", "/no/such/folder"), []string{"/no/such/folder", "exists"}},
		{"a mount of everything", run("-v", "/:/host"), []string{"name the folders"}},
		{"a mount over the kernel's own", run("-v", r.Home+":/proc"), []string{"/proc", "another"}},
		{"a mount with too many parts", run("-v", "a:/b:c:d"), []string{"HOST[:GUEST][:ro]"}},
		{"a folder that the machine lacks", run("-w", "/no/such/folder"), []string{"/no/such/folder", "-v"}},
		{"the root folder", at("/"), []string{"project folder", "-v"}},
		{"a system folder", at("/etc"), []string{"project folder", "-v"}},
		{"the home folder", at(r.Home), []string{"home", "project folder", "-v"}},
		{"a folder that home is in", at(r.Root), []string{"home", "project folder", "-v"}},
		{"snug's own folder", at(filepath.Join(r.Root, "run")), []string{"state", "project folder", "-v"}},
	} {
		got := r.Pipe(c.cmd, "")
		if got.Status != 125 || got.Stdout != "" || !user.OneLine(got.Stderr) {
			t.Errorf("%s: %+v, want 125 and one line", c.what, got)
		}
		for _, word := range c.want {
			if !strings.Contains(got.Stderr, word) {
				t.Errorf("%s: %q does not say %q", c.what, got.Stderr, word)
			}
		}
		if left := r.Processes(); left != nil {
			t.Errorf("%s: there is left %v", c.what, left)
		}
	}
}

// Where KVM is there, it either runs the program or is refused with the remedy.
func TestAccelerationIsNeverGuessed(t *testing.T) {
	r := newRig(t)
	got := r.Pipe(r.Command("run", "--accel", "kvm", "--", "true"), "")
	if refused := got.Status == 125 && user.OneLine(got.Stderr) && strings.Contains(got.Stderr, "--accel tcg"); got != (user.Ended{}) && !refused {
		t.Errorf("--accel kvm: %+v; want a run, or 125 with the remedy", got)
	}
}

// hidden runs cmd where a script, as root of its own mounts, has hidden a part
// of the host.
func hidden(cmd *exec.Cmd, script string) *exec.Cmd {
	flags := "-m"
	if os.Getuid() != 0 {
		flags = "-rm"
	}
	argv := append([]string{"unshare", flags, "sh", "-ec", script + `; exec "$@"`, "sh"}, cmd.Args...)
	outer := exec.Command(argv[0], argv[1:]...)
	outer.Dir, outer.Env = cmd.Dir, cmd.Env
	return outer
}

//go:build linux

package vm

import (
	"crypto/ed25519"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/snugvm/snug/sandbox/sandboxtest"
	"github.com/snugvm/snug/terminal"
	user "github.com/snugvm/snug/test/rig"
	"golang.org/x/crypto/ssh"
)

// TestStockSSH drives one machine with the stock OpenSSH client.
func TestStockSSH(t *testing.T) {
	user.Need(t, "ssh", "openssh-client")
	r := newRig(t)
	run := r.run("--rm", "--name", "box", "--", "sh", "-c", "echo up >up; exec cat")
	stdin, err := run.StdinPipe()
	user.Must(t, err)
	user.Must(t, run.Start())
	r.AwaitFile("up")
	config := r.sshConfig("box")

	t.Run("the exit status is the program's", func(t *testing.T) { r.sshStatuses(config) })
	t.Run("pipes are exact and apart", func(t *testing.T) { r.sshPipes(config) })
	t.Run("the terminal has its size first and follows it", func(t *testing.T) { r.sshSizes(config) })
	t.Run("a raw terminal is exact both ways", func(t *testing.T) { r.sshRaw(config) })
	t.Run("a machine that does not run is an error", func(t *testing.T) { r.sshNowhere(config) })

	_ = stdin.Close()
	if status := r.Reap(run); status != 0 {
		t.Errorf("the machine's own session ended with %d", status)
	}
}

// sshConfig writes a configuration for ssh in which every host is the machine
// of that name, known by its key.
func (r *rig) sshConfig(machine string) string {
	r.T.Helper()
	var spec struct {
		KeeperKey []byte `json:"keeper_key"`
	}
	raw, err := os.ReadFile(filepath.Join(r.Root, "run/snug/m", machine, "config.json"))
	user.Must(r.T, err)
	user.Must(r.T, json.Unmarshal(raw, &spec))
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(spec.KeeperKey).Public())
	user.Must(r.T, err)
	known, config := filepath.Join(r.Root, "known_hosts"), filepath.Join(r.Root, "ssh_config")
	user.Must(r.T, os.WriteFile(known, append([]byte("* "), ssh.MarshalAuthorizedKey(key)...), 0o644))
	user.Must(r.T, os.WriteFile(config, []byte(strings.Join([]string{
		"ProxyCommand " + r.Snug + " proxy %h", "UserKnownHostsFile " + known,
		"StrictHostKeyChecking yes", "LogLevel ERROR", "EscapeChar none",
	}, "\n")), 0o600))
	return config
}

func (r *rig) ssh(config string, args ...string) *exec.Cmd {
	cmd := exec.Command("ssh", append([]string{"-F", config}, args...)...)
	cmd.Dir, cmd.Env = r.Project, r.Env
	return cmd
}

func (r *rig) sshStatuses(config string) {
	for command, want := range map[string]int{
		"true": 0, "exit 42": 42, "exit 255": 255, "no-such-program 2>/dev/null": 127, "kill -KILL $$": 128 + 9, "kill -TERM $$": 128 + 15,
	} {
		if got := r.Pipe(r.ssh(config, "box", command), ""); got != (user.Ended{Status: want}) {
			r.T.Errorf("%q: %+v, want status %d", command, got, want)
		}
	}
}

func (r *rig) sshPipes(config string) {
	n := 1 << 20
	got := r.Pipe(r.ssh(config, "box", probe, "check", "in", strconv.Itoa(n)), string(sandboxtest.Sequence("in", n)))
	if want := (user.Ended{Status: 42, Stdout: "ready", Stderr: ""}); got != want {
		r.T.Errorf("input: %+v, want %+v", got, want)
	}
	got = r.Pipe(r.ssh(config, "box", probe+" emit out "+strconv.Itoa(n)+"; printf err >&2"), "")
	if got.Status != 0 || got.Stderr != "err" || got.Stdout != string(sandboxtest.Sequence("out", n)) {
		r.T.Errorf("output: status %d, stderr %q, %d bytes of %d, or others", got.Status, got.Stderr, len(got.Stdout), n)
	}
}

func (r *rig) sshSizes(config string) {
	c := r.Console(r.ssh(config, "-tt", "box", probe, "watch"))
	c.Expect(user.SizeLine(user.Size))
	last := user.Size
	for i := range *trials {
		last = terminal.Size{Rows: uint16(10 + i), Cols: uint16(100 + i), XPixel: 900, YPixel: uint16(600 + i)}
		user.Must(r.T, terminal.SetSize(c.Master(), last))
	}
	c.Expect(user.SizeLine(last))
	c.Send("\x04")
	if status := c.Wait(); status != 0 {
		r.T.Errorf("exit status %d", status)
	}
}

func (r *rig) sshRaw(config string) {
	n := 256 << 10
	c := r.Console(r.ssh(config, "-tt", "box", probe, "duplex", "out", "in", strconv.Itoa(n)))
	c.Expect("ready")
	c.Send(string(sandboxtest.Sequence("in", n)))
	expectSequence(r.T, c, "out", n)
	if status := c.Wait(); status != 42 {
		r.T.Errorf("exit status %d, want 42", status)
	}
}

func (r *rig) sshNowhere(config string) {
	got := r.Pipe(r.ssh(config, "nowhere", "true"), "")
	if got.Status != 255 || !strings.Contains(got.Stderr, "no machine nowhere runs") {
		r.T.Errorf("got %+v", got)
	}
}

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
	"golang.org/x/crypto/ssh"
)

// TestStockSSH drives one machine with the stock OpenSSH client.
func TestStockSSH(t *testing.T) {
	need(t, "ssh", "openssh-client")
	r := newRig(t)
	run := r.run("--name", "box", "--", "sh", "-c", "echo up >up; exec cat")
	stdin, err := run.StdinPipe()
	must(t, err)
	must(t, run.Start())
	r.awaitFile("up")
	config := r.sshConfig("box")

	t.Run("the exit status is the program's", func(t *testing.T) { r.sshStatuses(config) })
	t.Run("pipes are exact and apart", func(t *testing.T) { r.sshPipes(config) })
	t.Run("the terminal has its size first and follows it", func(t *testing.T) { r.sshSizes(config) })
	t.Run("a raw terminal is exact both ways", func(t *testing.T) { r.sshRaw(config) })
	t.Run("a machine that does not run is an error", func(t *testing.T) { r.sshNowhere(config) })

	_ = stdin.Close()
	if status := r.reap(run); status != 0 {
		t.Errorf("the machine's own session ended with %d", status)
	}
}

// sshConfig writes a configuration for ssh in which every host is the machine
// of that name, known by its key.
func (r *rig) sshConfig(machine string) string {
	r.t.Helper()
	var spec struct {
		KeeperKey []byte `json:"keeper_key"`
	}
	raw, err := os.ReadFile(filepath.Join(r.root, "run/snug/m", machine, "config.json"))
	must(r.t, err)
	must(r.t, json.Unmarshal(raw, &spec))
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(spec.KeeperKey).Public())
	must(r.t, err)
	known, config := filepath.Join(r.root, "known_hosts"), filepath.Join(r.root, "ssh_config")
	must(r.t, os.WriteFile(known, append([]byte("* "), ssh.MarshalAuthorizedKey(key)...), 0o644))
	must(r.t, os.WriteFile(config, []byte(strings.Join([]string{
		"ProxyCommand " + r.snug + " proxy %h", "UserKnownHostsFile " + known,
		"StrictHostKeyChecking yes", "LogLevel ERROR", "EscapeChar none",
	}, "\n")), 0o600))
	return config
}

func (r *rig) ssh(config string, args ...string) *exec.Cmd {
	cmd := exec.Command("ssh", append([]string{"-F", config}, args...)...)
	cmd.Dir, cmd.Env = r.project, r.env
	return cmd
}

func (r *rig) sshStatuses(config string) {
	for command, want := range map[string]int{
		"true": 0, "exit 42": 42, "exit 255": 255, "no-such-program 2>/dev/null": 127, "kill -KILL $$": 128 + 9, "kill -TERM $$": 128 + 15,
	} {
		if got := r.pipe(r.ssh(config, "box", command), ""); got != (ended{status: want}) {
			r.t.Errorf("%q: %+v, want status %d", command, got, want)
		}
	}
}

func (r *rig) sshPipes(config string) {
	n := 1 << 20
	got := r.pipe(r.ssh(config, "box", probe, "check", "in", strconv.Itoa(n)), string(sandboxtest.Sequence("in", n)))
	if want := (ended{42, "ready", ""}); got != want {
		r.t.Errorf("input: %+v, want %+v", got, want)
	}
	got = r.pipe(r.ssh(config, "box", probe+" emit out "+strconv.Itoa(n)+"; printf err >&2"), "")
	if got.status != 0 || got.stderr != "err" || got.stdout != string(sandboxtest.Sequence("out", n)) {
		r.t.Errorf("output: status %d, stderr %q, %d bytes of %d, or others", got.status, got.stderr, len(got.stdout), n)
	}
}

func (r *rig) sshSizes(config string) {
	c := r.console(r.ssh(config, "-tt", "box", probe, "watch"))
	c.Expect(sizeLine(size))
	last := size
	for i := range *trials {
		last = terminal.Size{Rows: uint16(10 + i), Cols: uint16(100 + i), XPixel: 900, YPixel: uint16(600 + i)}
		must(r.t, terminal.SetSize(c.Master(), last))
	}
	c.Expect(sizeLine(last))
	c.Send("\x04")
	if status := c.Wait(); status != 0 {
		r.t.Errorf("exit status %d", status)
	}
}

func (r *rig) sshRaw(config string) {
	n := 256 << 10
	c := r.console(r.ssh(config, "-tt", "box", probe, "duplex", "out", "in", strconv.Itoa(n)))
	c.Expect("ready")
	c.Send(string(sandboxtest.Sequence("in", n)))
	expectSequence(r.t, c, "out", n)
	if status := c.Wait(); status != 42 {
		r.t.Errorf("exit status %d, want 42", status)
	}
}

func (r *rig) sshNowhere(config string) {
	got := r.pipe(r.ssh(config, "nowhere", "true"), "")
	if got.status != 255 || !strings.Contains(got.stderr, "no machine nowhere runs") {
		r.t.Errorf("got %+v", got)
	}
}

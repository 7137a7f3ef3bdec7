package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snugvm/snug/internal/state"
)

// Ssh is asked what it makes of the configuration.
func TestSSHConfigSaysToSSHWhatItIsMeantTo(t *testing.T) {
	if testing.Short() {
		t.Skip("runs ssh")
	}
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Fatalf("%v\ninstall it: apt-get install openssh-client", err)
	}
	dirs := state.Dirs{Runtime: filepath.Join(t.TempDir(), "it's 100%")}
	var machines []state.Machine
	for _, name := range []string{"dev", "docker:web+66c16f", "docker-web-66c16f"} {
		m := state.Machine{Name: name, Dir: filepath.Join(dirs.Runtime, "m", name)}
		machines = append(machines, m)
	}
	must(t, os.MkdirAll(machines[1].Dir, 0o700))
	must(t, os.WriteFile(machines[1].SSHSocket(), nil, 0o600)) // which is no socket
	config := filepath.Join(t.TempDir(), "config")
	text := sshConfigOf("/opt/it's 100%/snug", machines)
	text = strings.ReplaceAll(text, "test -S ", "test -e ")
	must(t, os.WriteFile(config, []byte(text), 0o600))
	proxy := func(host string) string {
		out, err := exec.Command("ssh", "-F", config, "-G", host).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if command, ok := strings.CutPrefix(line, "proxycommand "); ok {
				return strings.TrimSpace(command)
			}
		}
		return ""
	}
	const snug = `'/opt/it'\''s 100%%/snug' proxy -- `
	for host, want := range map[string]string{
		"dev.snug":               snug + "'%n'",
		"docker-web-66c16f":      snug + "'docker:web+66c16f'",
		"docker-web-66c16f.snug": snug + "'%n'",
		"dev":                    "", // it does not run
		"example.org":            "",
		"snug":                   "",
	} {
		if got := proxy(host); got != want {
			t.Errorf("%s goes by %q, want %q", host, got, want)
		}
	}
	if !strings.Contains(text, "# docker-web-66c16f would be docker-web-66c16f too, as docker:web+66c16f is.") {
		t.Errorf("two machines have one name to ssh, and nobody says so:\n%s", text)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

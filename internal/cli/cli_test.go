package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snugvm/snug/internal/firewall"
	"github.com/snugvm/snug/internal/state"
)

func TestAMessageIsHarmlessToATerminal(t *testing.T) {
	for message, want := range map[string]string{
		"plain: ä\nsecond line":                  "plain: ä\nsecond line",
		"\x1b]52;c;?\adied\x9b31m\u009b\r\u202e": " ]52;c;? died\ufffd31m   ",
	} {
		if got := printable(message); got != want {
			t.Errorf("%q becomes %q, want %q", message, got, want)
		}
	}
}

func TestATerminalAndNoneContradict(t *testing.T) {
	o := viewOptions{tty: true, noTTY: true}
	if err := new(app).complete(new(app).runCommand(), &o); err == nil || !strings.Contains(err.Error(), "use one of them") {
		t.Errorf("-t and -T: %v", err)
	}
}

func TestTheFlagGoesBeforeTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	a := &app{dirs: state.Dirs{Config: dir}}
	policy := func(args ...string) (firewall.Policy, error) {
		cmd := a.runCommand()
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		flag, err := firewall.ParsePolicy(cmd.Flags().Lookup(policyFlag).Value.String())
		if err != nil {
			t.Fatal(err)
		}
		o := viewOptions{policy: flag}
		err = a.complete(cmd, &o)
		return o.policy, err
	}
	expect := func(want firewall.Policy, args ...string) {
		t.Helper()
		if got, err := policy(args...); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", args, got, err, want)
		}
	}
	expect(firewall.Default)
	expect(firewall.Open, "--terminal-policy", "open")

	file := filepath.Join(dir, "config.toml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("terminal-policy = \"strict\"")
	expect(firewall.Strict)
	expect(firewall.Default, "--terminal-policy", "default")

	write("terminal-policy = \"lax\"")
	if _, err := policy("--terminal-policy", "open"); err == nil {
		t.Error("a wrong file is overlooked where there is a flag")
	}
}

package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/snugvm/snug/internal/firewall"
)

func TestAFileSetsWhatItNames(t *testing.T) {
	for text, want := range map[string]firewall.Policy{
		"":                                  firewall.Default,
		"# nothing\n":                       firewall.Default,
		"terminal-policy = \"strict\"\n":    firewall.Strict,
		"terminal-policy = 'open'":          firewall.Open,
		"\"terminal-policy\" = \"default\"": firewall.Default,
	} {
		c, err := parse([]byte(text))
		if err != nil || c.TerminalPolicy != want {
			t.Errorf("%q: %+v, %v, want %v", text, c, err, want)
		}
	}
}

func TestAWrongFileIsRefusedByItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"\nterminal-policy = \"lax\"\n":  `2: no terminal policy "lax": use one of strict, default, open`,
		"terminal-policy = 3\n":          `1: no terminal policy "3": use one of strict, default, open`,
		"\n\nterminal_policy = \"open\"": `3: unknown key "terminal_policy": remove it; the keys are: terminal-policy`,
		"[run]\nmem = \"4G\"\n":          `1: unknown key "run": remove it; the keys are: terminal-policy`,
		"terminal-policy = open\n":       `1: unexpected character U+006F 'o' at start of value`,
	} {
		if _, err := parse([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q:\n%v, want\n%v", text, err, want)
		}
	}
}

func TestThereNeedNotBeAFile(t *testing.T) {
	dir := t.TempDir()
	if c, err := Load(filepath.Join(dir, "config.toml")); err != nil || c != (Config{}) {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a folder is read as a file")
	}
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || err.Error()[:len(path)+3] != path+":1:" {
		t.Errorf("the error does not name file and line: %v", err)
	}
}

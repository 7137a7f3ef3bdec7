package screen

import (
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
)

var record = flag.Bool("record", false, "record the casts in testdata anew: see the README there")

// recorded are programs that a test cannot run each time, by the names of their casts: they need a network or a place of
// their own on the machine, or are large.
var recorded = map[string]func(t *testing.T) []byte{
	"claude": func(t *testing.T) []byte {
		home := recordingHome(t)
		writeFile(t, filepath.Join(home, ".claude.json"), `{"hasCompletedOnboarding":true,"theme":"dark","numStartups":3,
			"customApiKeyResponses":{"approved":["01234567890123456789"],"rejected":[]},
			"projects":{"`+home+`":{"hasTrustDialogAccepted":true,"hasCompletedProjectOnboarding":true}}}`)
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(filepath.Join(cache, "snug-e2e/claude-*/node_modules/@anthropic-ai/claude-code-linux-x64/claude"))
		if err != nil || len(found) == 0 {
			t.Fatal("no Claude Code: 'make e2e' installs it")
		}
		p := playIn(t, home, []string{
			"USER=user", "ANTHROPIC_API_KEY=sk-ant-api03-x01234567890123456789", "ANTHROPIC_BASE_URL=http://127.0.0.1:9", "DISABLE_AUTOUPDATER=1",
			"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
		}, found[len(found)-1])
		p.typing("", "❯")
		p.typing("?", "for")
		p.typing("\x7fa line of input, 世界 and é", "世界 and é")
		p.typing("\x01\x0b/", "/add-dir")
		p.typing("\x1b[B\x1b[B", "/")
		p.typing("\x15", "❯")
		p.typing("!", "!")
		p.typing("seq 3; echo done$((1+2))\r", "done3")
		p.typing("", "retrying in")
		p.typing("\x1b", "nterrupted")
		p.typing("/help\r", "Custom commands")
		p.typing("\x1b[C", "Browse")
		p.typing("\x1b", "auto mode on")
		p.typing("\x03", "again to exit")
		return p.cast("\x03")
	},
	"nethack": func(t *testing.T) []byte {
		const options = "NETHACKOPTIONS=name:snug,role:Val,race:hum,gender:fem,align:neu,color,symset:DECgraphics,!legacy,!splash_screen,!autopickup," +
			"!tombstone,disclose:none,!toptenwin,pettype:cat"
		p := playIn(t, recordingHome(t), []string{options, "LC_ALL=C"}, "/usr/games/nethack")
		p.typing("", "Dlvl:1")
		p.typing("\x1bi", "Weapons") // there may be a message that waits for a key
		p.typing("\x1b", "")
		p.typing("?", "Select one item")
		p.typing("\x1b", "")
		p.typing("\x18", "You are a Stripling")
		p.typing(">", "(2 of 2)")
		p.typing("\x1b", "")
		p.typing("hhhhhhjjjjjjlllllllllllkkkkkk20s\x1b\x1b", "")
		p.typing("O", "Set what options")
		p.typing(">>", "(3 of")
		p.typing("\x1b", "")
		p.typing("#quit\r", "Really quit")
		return p.cast("y\r\r\r")
	},
	"npm": func(t *testing.T) []byte {
		home := recordingHome(t)
		writeFile(t, filepath.Join(home, "package.json"), "{}")
		p := playIn(t, home, []string{"NPM_CONFIG_UPDATE_NOTIFIER=false", "NPM_CONFIG_LOGLEVEL=notice", "NPM_CONFIG_REGISTRY=" + os.Getenv("NPM_CONFIG_REGISTRY")},
			"bash", "-c", "npm install express@4 chalk@4 && npm ls --color=always && npm explain ms --color=always && npm nonsense")
		return p.cast("")
	},
}

// recordingHome is a folder whose name says nothing of the machine.
func recordingHome(t *testing.T) string {
	home := filepath.Join(os.TempDir(), "project")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	return home
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRecordedProgramsLookAsInTmux(t *testing.T) {
	o := startOracle(t, castCols, castRows)
	for name, program := range recorded {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".gz")
			if *record {
				writeCast(t, file, program(t))
			}
			o.t = t
			o.follows(readCast(t, file))
		})
	}
}

func writeCast(t *testing.T, file string, cast []byte) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, _ := gzip.NewWriterLevel(f, gzip.BestCompression) // the level is a valid one
	if _, err := z.Write(cast); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

func readCast(t *testing.T, file string) []byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	cast, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return cast
}

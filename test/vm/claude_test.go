//go:build linux && e2e

package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/test/ptytest"
	user "github.com/snugvm/snug/test/rig"
)

// claudeVersion is pinned: the test reads its screen.
const claudeVersion = "2.1.331"

// claudeSettings are those of somebody who has used Claude Code before, with a
// key that no server knows. So it opens at its prompt, without a network.
const (
	claudeKey      = "sk-ant-api03-x01234567890123456789"
	claudeSettings = `{"hasCompletedOnboarding":true,"theme":"dark","numStartups":3,
		"customApiKeyResponses":{"approved":["01234567890123456789"],"rejected":[]},
		"projects":{"PROJECT":{"hasTrustDialogAccepted":true,"hasCompletedProjectOnboarding":true}}}`
)

// TestE2EClaudeFitsItsPane is the case that snug grew from: a coding agent in a
// microVM in a tmux pane.
func TestE2EClaudeFitsItsPane(t *testing.T) {
	r := newRig(t)
	claude := installClaude(t)
	r.Write("settings", strings.Replace(claudeSettings, "PROJECT", r.Project, 1), 0o644)
	began := time.Now()
	tm := r.tmux(`$RUN --mem 2G -v ` + filepath.Dir(claude) + `:/opt/claude-code:ro \
		-e ANTHROPIC_API_KEY=` + claudeKey + ` -e DISABLE_AUTOUPDATER=1 -e CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 \
		-- sh -c 'cp settings ~/.claude.json; exec /opt/claude-code/claude'; echo ended with $?; read end`)
	tm.SetTimeout(4 * time.Minute) // it starts slowly in software emulation, and waits for the network that is not there
	tm.WaitText("Claude Code v" + claudeVersion)
	promptAsWideAs(tm, int(user.Size.Cols))
	t.Logf("Claude Code's prompt %v after snug run", time.Since(began).Round(100*time.Millisecond))
	t.Logf("its screen:\n%s", tm.Capture())

	for _, pane := range panes {
		began := time.Now()
		tm.ResizeWindow(pane.cols, pane.rows)
		promptAsWideAs(tm, pane.cols)
		t.Logf("drawn anew at %dx%d after %v", pane.cols, pane.rows, time.Since(began).Round(10*time.Millisecond))
	}
	tm.Type("a line of input")
	tm.WaitText("a line of input")
	tm.Send("C-c") // clears the line
	tm.WaitFor("an empty prompt", func(screen string) bool { return !strings.Contains(screen, "a line of input") })
	tm.Send("C-c")
	tm.Send("C-c")
	tm.WaitText("ended with 0")
	user.IsWhole(t, tm)
	tm.Send("Enter")
	tm.WaitFlag("pane_dead", true)
}

// promptAsWideAs waits for the two rules around Claude Code's prompt, each as
// wide as the pane and nothing else that wide or wider.
func promptAsWideAs(tm *ptytest.Tmux, cols int) {
	rule := strings.Repeat("─", cols)
	tm.WaitFor("a prompt between two rules as wide as the pane", func(screen string) bool {
		all := lines(screen)
		for i := range all {
			if i+2 < len(all) && all[i] == rule && strings.HasPrefix(all[i+1], "❯") && all[i+2] == rule {
				return true
			}
		}
		return false
	})
}

// installClaude installs Claude Code from npm and returns its program. It is
// kept for the next run, below the user's cache.
func installClaude(t *testing.T) string {
	t.Helper()
	npm := user.Need(t, "npm", "npm")
	cache, err := os.UserCacheDir()
	user.Must(t, err)
	dir := filepath.Join(cache, "snug-e2e", "claude-"+claudeVersion)
	program := filepath.Join(dir, "node_modules/@anthropic-ai/claude-code-linux-x64/claude")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	user.Must(t, os.MkdirAll(dir, 0o755))
	// The package of the platform is the program; the package that names it
	// would only link to it, by a script that npm may refuse to run.
	install := exec.Command(npm, "install", "--no-fund", "--no-audit", "--prefix", dir,
		"@anthropic-ai/claude-code-linux-x64@"+claudeVersion)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	return program
}

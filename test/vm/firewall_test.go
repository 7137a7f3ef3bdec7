//go:build linux

package vm

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	user "github.com/snugvm/snug/test/rig"
)

// hostile is what a guest may print to learn what was copied, to have the terminal type for it, and to change it.
const hostile = "\x1b]52;c;?\a" + // tmux would type what was copied
	"\x1bPtmux;\x1b\x1b]52;c;cHduZWQ=\a\x1b\\" + // the same as the next, wrapped
	"\x1b]52;c;cHduZWQbWzIwMX4K\a" + // "pwned", the end of a bracketed paste, a line end
	"\x1b[21t" + // its title
	"\x1b[8;10;10t" + // its size
	"\x1bP$qrm -rf\x1b\\" + "\x1b_Gi=1,t=f;L2V0Yy9wYXNzd2Q=\x1b\\" +
	"\x9b31m" + "\x1bP@kitty-cmd{}\x1b\\" +
	"\x1b]2;a fine title\a"

// asks prints a file raw, asks for the terminal's status, and keeps what is typed up to the answer. One process reads all
// of it: some for each byte would take a minute where the machine is slow.
const asks = `stty raw -echo; cat hostile; printf '\033[5n'
perl -e 'while (sysread STDIN, $c, 1) { $typed .= $c; last if $typed =~ /\e\[0n/ } print $typed' >typed; stty sane`

func TestAGuestGetsNothingOutOfTheTerminal(t *testing.T) {
	r := newRig(t)
	r.Write("hostile", hostile, 0o644)
	r.Write("asks", asks, 0o644)
	tm := r.tmux(`read start; $RUN -- sh asks; echo ended with $?; read end`)
	tm.SetBuffer("a secret")
	tm.Send("Enter")
	screen := tm.WaitText("ended with 0")
	want := "\x1b]52;c;\x1b\\" + "\x1b]l\x1b\\" + "\x1bP0$r\x1b\\" + "\x1b_Gi=1;EPERM:refused by snug\x1b\\" + "\x1b[0n"
	if got := r.Read("typed"); got != want {
		t.Errorf("typed was %q, want %q", got, want)
	}
	if got := tm.Buffer(); strings.Contains(got, "\x1b") {
		t.Errorf("what was copied is now %q", got)
	}
	if got := tm.Format("#{pane_title} #{pane_width}x#{pane_height}"); got != "a fine title 137x41" {
		t.Errorf("the pane is %q", got)
	}
	if said := "kept from the terminal by policy default: read of the clipboard (1), write to the clipboard (1)"; !strings.Contains(screen, said) {
		t.Errorf("not said: %s\n%s", said, screen)
	}
}

func TestAStrictPolicyOfTheConfigurationGuardsTheClipboard(t *testing.T) {
	r := newRig(t)
	r.configure(t, "terminal-policy = \"strict\"\n")
	r.Write("hostile", "\x1b]52;c;cHduZWQ=\a", 0o644)
	tm := r.tmux(`read start; $RUN -- cat hostile; echo ended with $?; read end`)
	tm.SetBuffer("a secret")
	tm.Send("Enter")
	tm.WaitText("ended with 0")
	if got := tm.Buffer(); got != "a secret" {
		t.Errorf("what was copied is now %q", got)
	}
}

func TestAnOpenPolicyPassesEveryByte(t *testing.T) {
	r := newRig(t)
	r.configure(t, "terminal-policy = \"strict\"\n") // the flag goes first
	content := []byte(hostile)
	for c := range 256 {
		content = append(content, byte(c))
	}
	content = append(content, "\x18\x1b\\"...)
	r.Write("bytes", string(content), 0o644)
	c := r.Console(r.run("--terminal-policy", "open", "--escape", "none", "--", "sh", "-c", "stty raw -echo; printf begin; cat bytes; printf end; stty sane"))
	c.Expect("begin")
	if got := strings.TrimSuffix(c.Expect("end"), "end"); got != string(content) {
		t.Errorf("%q came, want %q", got, content)
	}
	c.ExpectEOF()
}

// A program without a PTY may have a terminal on its output all the same.
func TestOutputOfPipesIsFilteredOnATerminalAlone(t *testing.T) {
	r := newRig(t)
	r.Write("hostile", "a\x1b[21tb\x1b]52;c;?\ac", 0o644)
	script := "cat hostile; cat hostile >&2"

	cmd := r.run("--", "sh", "-c", script)
	cmd.Stdin = bytes.NewReader(nil) // no terminal, so no PTY
	c := r.Console(cmd)
	c.ExpectRegexp("abc.*abc")
	if out := c.ExpectEOF(); bytes.Contains(c.Output(), []byte("\x1b[21t")) {
		t.Errorf("the terminal got %q", out)
	}
	got := r.Pipe(r.run("--", "sh", "-c", script), "")
	if all := r.Read("hostile"); got != (user.Ended{Status: 0, Stdout: all, Stderr: all}) {
		t.Errorf("pipes carry %+v", got)
	}
}

func TestAWrongPolicyIs125(t *testing.T) {
	r := newRig(t)
	got := r.Pipe(r.Command("run", "--terminal-policy", "lax", "true"), "")
	if got.Status != 125 || !strings.Contains(got.Stderr, "use one of strict, default, open") {
		t.Errorf("a wrong flag: %+v", got)
	}
	r.configure(t, "\nterminal-polcy = \"open\"\n")
	got = r.Pipe(r.Command("run", "true"), "")
	if got.Status != 125 || !strings.Contains(got.Stderr, `config.toml:2: unknown key "terminal-polcy"`) {
		t.Errorf("a wrong file: %+v", got)
	}
	got = r.Pipe(r.Command("__complete", "run", "--terminal-policy", ""), "")
	if !strings.HasPrefix(got.Stdout, "strict\ndefault\nopen\n") {
		t.Errorf("completion offers %q", got.Stdout)
	}
}

// configure writes the user's configuration.
func (r *rig) configure(t *testing.T, text string) {
	t.Helper()
	dir := filepath.Join(r.Home, ".config", "snug")
	user.Must(t, os.MkdirAll(dir, 0o755))
	user.Must(t, os.WriteFile(filepath.Join(dir, "config.toml"), []byte(text), 0o644))
}

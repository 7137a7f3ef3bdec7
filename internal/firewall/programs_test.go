package firewall_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snugvm/snug/internal/firewall"
	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
)

var size = terminal.Size{Rows: 41, Cols: 137, XPixel: 1370, YPixel: 820}

// programs are what people use a terminal for, and how each is driven to its end.
var programs = []struct {
	name, debian string
	argv         []string
	drive        func(*ptytest.Console)
}{
	{"vim", "vim", []string{"vim", "-u", "NONE", "-N", "-i", "NONE", "-c", "syntax on | set title mouse=a number hlsearch t_RV= | set filetype=c", "file.c"}, func(c *ptytest.Console) {
		c.Expect("main")
		c.Send("/int\r")
		c.Send("ihello, wörld \x1b")
		c.Expect("hello")
		c.Send(":split\r:vsplit\r")
		c.Send("Gyyp:set list\r:normal 3J\r")
		c.Resize(terminal.Size{Rows: 30, Cols: 90})
		c.Send(":echo 'at ' . 'end'\r")
		c.Expect("at end")
		c.Send(":qa!\r")
	}},
	{"vim in a terminal that says it is xterm", "vim", []string{"vim", "-u", "NONE", "-N", "-i", "NONE", "file.c"}, func(c *ptytest.Console) {
		c.Expect("\x1b[>c")
		c.Send("\x1b[>41;370;0c") // vim asks for the codes of keys by XTGETTCAP
		c.Expect("\x1bP+q")
		c.Send(":qa!\r")
	}},
	{"htop", "htop", []string{"htop"}, func(c *ptytest.Console) {
		c.Expect("F10")
		c.Send("\x1bOB\x1bOBt")
		c.Send("\x1b[15~") // as a tree
		c.Resize(terminal.Size{Rows: 30, Cols: 100})
		c.Send("q")
	}},
	{"top", "procps", []string{"top", "-d", "0.2"}, func(c *ptytest.Console) {
		c.Expect("PID")
		c.Send("z1c")
		c.Expect("PID")
		c.Send("q")
	}},
	{"less", "less", []string{"less", "-R", "colours"}, func(c *ptytest.Console) {
		c.Expect("line")
		c.Send(" /line 77\r")
		c.Expect("77")
		c.Send("Gg\x1b[6~q")
	}},
	{"bash with readline", "bash", []string{"bash", "--norc", "--noprofile", "-i"}, func(c *ptytest.Console) {
		c.Expect("bash-")
		c.Send("echo one two three")
		c.Send("\x01\x1bf\x0bäö\x12echo\x07\x15")
		c.Send("PS1='\\[\\e]0;\\w\\a\\]\\[\\e[1;32m\\]\\u\\[\\e[0m\\]> '\r")
		c.Expect("> ")
		c.Send("ls --color=always -l /\t\t\x15")
		c.Send("ls --color=always -la / /dev; false; echo done-$((40+2))\r")
		c.Expect("done-42\r\n") // what is typed before, the kernel echoes amid the output
		c.Send("printf '%s\\n' äöü €😀 終端; exit\r")
	}},
	{"git", "git", []string{"sh", "-c", `git init -q repo && cd repo && git config user.name n && git config user.email e@example.org &&
		for i in 1 2 3; do echo $i >f; git add f; git commit -qm "number $i: ä"; done; git checkout -qb side; echo 5 >f; git commit -qam side
		GIT_PAGER=cat git log --color --graph --decorate --stat -p --all; git status; GIT_PAGER='less -R' git -c color.ui=always log -p`}, func(c *ptytest.Console) {
		c.Expect("\x1b[?1h")
		c.Send("G")
		c.Expect("(END)")
		c.Send("q")
	}},
	{"ls", "coreutils", []string{"ls", "--color=always", "-la", "/", "/usr/bin"}, nil},
	{"grep, diff, dmesg colours", "grep", []string{"sh", "-c", "grep --color=always -n in file.c; diff --color=always -u file.c colours"}, nil},
	{"tput", "ncurses-bin", []string{"sh", "-c", `for c in clear bold smso rmso sgr0 smul rmul smcup rmcup civis cnorm smkx rmkx cuu1 el ed dl1 il1 rmacs smacs bel flash \
		"cup 5 5" "setaf 3" "setab 200" "csr 2 20" "ich 3" "dch 3" "indn 2" "ech 4" "hpa 3" "vpa 4" sc rc op oc smir rmir smam rmam "sgr 1 1 1 1 1 0 0 0 1" u7 u9; do
			tput $c; printf 'xyz\n'; done`}, nil},
	// Driven from within: what comes at once tmux takes for pasted, not for its keys.
	{"tmux", "tmux", []string{"tmux", "-L", "firewall", "-f", "/dev/null", "new-session", "sh"}, func(c *ptytest.Console) {
		c.Expect("[0]")
		c.Send("tmux -L firewall split-window \\; split-window -h \\; select-pane -t 0; echo in a pane\r")
		c.Expect("in a pane")
		c.Expect("┬")
		c.Send("tmux -L firewall kill-server\r")
	}},
	{"watch", "procps", []string{"watch", "-c", "-n", "0.2", "ls --color=always /"}, func(c *ptytest.Console) {
		c.Expect("Every")
		c.Expect("tmp")
		c.Send("\x03")
	}},
}

// TestRealProgramsLookTheSame demands that not a byte of what programs print is changed, at any policy.
func TestRealProgramsLookTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("drives other programs")
	}
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			output := record(t, p.debian, p.argv, p.drive)
			for _, policy := range []firewall.Policy{firewall.Default, firewall.Strict} {
				want := output
				if policy == firewall.Strict && strings.Contains(p.name, "xterm") {
					want = without(t, output, "\x1bP+q", "\x1b\\") // answered instead
				}
				for _, piece := range []int{len(output), 1, 7, 4096} {
					compare(t, policy, through(policy, output, piece), want)
				}
			}
		})
	}
}

// Midnight Commander is not everywhere.
func TestMidnightCommanderLooksTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("drives other programs")
	}
	if _, err := exec.LookPath("mc"); err != nil {
		t.Log("no mc here: nothing was compared")
		return
	}
	output := record(t, "mc", []string{"mc", "-x", "-u"}, func(c *ptytest.Console) {
		c.Expect("Quit")
		c.Send("\x1bOB\x1bOB\t\x1b[19~") // F8, on the parent
		c.Expect("Cannot")
		c.Send("\r\x1b[21~") // F10
	})
	for _, policy := range []firewall.Policy{firewall.Default, firewall.Strict} {
		compare(t, policy, through(policy, output, 4096), output)
	}
}

// tput init and reset are the difference that is meant: xterm's own description takes the window back to 80 columns,
// which a program in a guest has no business to do.
func TestTerminalsAreNotResizedByTheirOwnReset(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tput")
	}
	output := record(t, "ncurses-bin", []string{"sh", "-c", "tput init; tput reset"}, nil)
	want := strings.ReplaceAll(string(output), "\x1b[?3;4l", "\x1b[?4l")
	if want == string(output) {
		t.Errorf("%q: tput has changed, and so must this test", output)
	}
	for _, policy := range []firewall.Policy{firewall.Default, firewall.Strict} {
		compare(t, policy, through(policy, output, 4096), []byte(want))
	}
}

// record runs a program in a folder of its own and returns all that it printed.
func record(t *testing.T, debian string, argv []string, drive func(*ptytest.Console)) []byte {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Fatalf("%v\ninstall it: apt-get install %s", err, debian)
	}
	dir := t.TempDir()
	var colours strings.Builder
	for range 20 {
		for i := range 10 {
			colours.WriteString("\x1b[1;3" + string(rune('0'+i%8)) + "mline\x1b[0m\x1b[K " + strings.Repeat("77 ", i) + "\n")
		}
	}
	for name, content := range map[string]string{
		"file.c": "#include <stdio.h>\n\nint main(void)\n{\n\treturn puts(\"hello, wörld\");\n}\n", "colours": colours.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMUX_TMPDIR=" + dir, "TERM=xterm-256color", "COLORTERM=truecolor", "LANG=C.UTF-8"}
	c := ptytest.Start(t, size, cmd)
	if drive != nil {
		drive(c)
	}
	c.ExpectEOF()
	return c.Output()
}

// through feeds output to a filter in pieces, and returns what passes.
func through(policy firewall.Policy, output []byte, piece int) (all []byte) {
	f := firewall.New(policy)
	for len(output) > 0 {
		n := min(piece, len(output))
		out, _ := f.Feed(output[:n])
		all, output = append(all, out...), output[n:]
	}
	return all
}

// compare fails the test where got and want differ, and shows where.
func compare(t *testing.T, policy firewall.Policy, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	around := func(b []byte) []byte { return b[max(0, i-20):min(len(b), i+60)] }
	t.Fatalf("%v: the output differs at byte %d of %d:\n%q, want\n%q", policy, i, len(want), around(got), around(want))
}

// without removes each string that begins with start and ends with end.
func without(t *testing.T, output []byte, start, end string) (rest []byte) {
	t.Helper()
	found := false
	for {
		before, after, ok := bytes.Cut(output, []byte(start))
		rest = append(rest, before...)
		if !ok {
			if !found {
				t.Fatalf("there is no %q", start)
			}
			return rest
		}
		if _, output, ok = bytes.Cut(after, []byte(end)); !ok {
			t.Fatalf("%q has no end", start)
		}
		found = true
	}
}

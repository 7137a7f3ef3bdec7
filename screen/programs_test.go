package screen

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
)

// player types at a program that runs on a PTY and believes that a screen is its terminal: queries are answered.
type player struct {
	t       *testing.T
	console *ptytest.Console
	screen  *Screen
	seen    int
}

const castCols, castRows = 80, 24

func play(t *testing.T, argv ...string) *player {
	t.Helper()
	return playIn(t, t.TempDir(), nil, argv...)
}

// playIn is play in a folder, and with more in its environment.
func playIn(t *testing.T, home string, env []string, argv ...string) *player {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Fatalf("%v\ninstall it: apt-get install %s (Debian)", err, argv[0])
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = home
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TERM=xterm-256color", "COLORTERM=truecolor", "LC_ALL=C.UTF-8", "PS1=$ ", "LESSHISTFILE=-",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
	}
	cmd.Env = append(cmd.Env, env...)
	return &player{
		t: t, console: ptytest.Start(t, terminal.Size{Cols: castCols, Rows: castRows}, cmd), screen: New(castCols, castRows, Options{Scrollback: 1000}),
	}
}

// typing sends keys, and waits until the screen shows text.
func (p *player) typing(keys, text string) {
	p.t.Helper()
	if keys != "" {
		p.console.Send(keys)
	}
	deadline := time.Now().Add(20 * time.Second)
	for !p.shows(text) {
		if time.Now().After(deadline) {
			p.t.Fatalf("%q is not shown after %q:\n%s\noutput %q", text, keys, p.screen.Text(), p.console.Output())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (p *player) shows(text string) bool {
	output := p.console.Output()
	_, _ = p.screen.Write(output[p.seen:])
	p.seen = len(output)
	if replies := p.screen.TakeReplies(); len(replies) > 0 {
		p.console.Send(string(replies))
	}
	return strings.Contains(p.screen.Text(), text)
}

// cast ends the program and returns all that it has written.
func (p *player) cast(keys string) []byte {
	p.t.Helper()
	if keys != "" {
		p.console.Send(keys)
	}
	p.console.ExpectEOF()
	return p.console.Output()
}

// programs are casts of real programs, made anew by each test run.
var programs = map[string]func(t *testing.T) []byte{
	"bash": func(t *testing.T) []byte {
		p := play(t, "bash", "--norc", "--noprofile", "-i")
		p.typing("", "$")
		p.typing("echo "+strings.Repeat("long ", 40)+"end", "end")
		p.typing("\x01\x1b[C\x1b[C\x1b[Cinserted\x05 more", "more") // Home, right, text, End
		p.typing("\x17\x17\x17\x1b[D\x1b[D\x04\x0b done1", "done1") // kill words, delete, kill the rest
		p.typing("\r", "not found\n$")
		p.typing("\x12long", "reverse-i-search")
		p.typing("\x07\x15printf '\\033[31mr\\033[44me\\033[0md\\t\\ttab\\bB\\n\\033[2Kdone%s\\n' 2\r", "done2\n$")
		p.typing("for i in $(seq 40); do echo \"$i 世界 é\"; done; clear; echo done$((1+2))\r", "done3\n$")
		return p.cast("exit\r")
	},
	"vim": func(t *testing.T) []byte {
		p := play(t, "vim", "-u", "NONE", "-N", "--cmd", "syntax on", "--cmd", "set hlsearch showcmd ruler number", "text.c")
		p.typing("", "text.c")
		for i, keys := range []string{
			"", "iint main(void)\n{\n\treturn 世界 + \"é\";\n}\n\x1b", ":split\r", "yyP20p", "/return\r", "Vjjd", "\x06\x02Gggu", ":vsplit\r", ":help\r",
			"\x04\x04\x15", ":set nowrap list\r", "zt",
		} {
			// The text appears only when vim has come to executing it.
			p.typing(keys, "")
			p.typing(fmt.Sprintf("\x1b:echo 'step'.'%d'\r", i), fmt.Sprintf("step%d", i))
		}
		return p.cast(":qa!\r")
	},
	"less": func(t *testing.T) []byte {
		p := play(t, "sh", "-c", `seq -f "line %g `+strings.Repeat("word ", 20)+`" 300 >f; exec less -R f`)
		p.typing("", "line 12") // the last of the first page
		p.typing(" ", "line 22")
		p.typing("/line 77\r", "line 77")
		p.typing("G", "line 300")
		p.typing("bk", "line 280")
		return p.cast("q")
	},
	"htop": func(t *testing.T) []byte {
		p := play(t, "htop", "-d", "20")
		p.typing("", "Load average")
		p.typing("h", "strace")
		p.typing(" ", "F10")
		p.typing("\x1bOQ", "Categories") // F2
		p.typing("\x1b[21~", "Load average")
		return p.cast("q")
	},
	"mc": func(t *testing.T) []byte {
		p := play(t, "mc", "--nosubshell")
		p.typing("", "Quit")
		p.typing("\x1c", "hotlist") // a dialog, with its shadow
		p.typing("\x1b[21~\x1b[18~folder", "Create")
		p.typing("\r", "/folder")
		return p.cast("\x1b[21~\r")
	},
	"git log": func(t *testing.T) []byte {
		here, err := filepath.Abs("..")
		if err != nil {
			t.Fatal(err)
		}
		return play(t, "git", "-c", "safe.directory=*", "-C", here, "--no-pager", "log", "--graph", "--color=always", "--stat", "-n", "20").cast("")
	},
	"progress": func(t *testing.T) []byte {
		return play(t, "bash", "-c", `
			printf '\033[?25l'
			for i in $(seq 0 7 100); do
				printf '\r\033[K\033[1;36m⠙\033[0m installing [\033[42m%*s\033[0m%*s] %d%%' $((i/4)) '' $((25-i/4)) '' $i
				printf '\n\033[2mstep %d\033[22m\033[K\033[1A' $i
			done
			printf '\n\n\033[?25h\033[32m✔\033[39m added 42 packages\n'
			tput smcup; tput cup 5 10; tput setaf 3; echo alternate; tput rmcup; tput cuu1; tput el; echo end`).cast("")
	},
}

func TestProgramsLookAsInTmux(t *testing.T) {
	o := startOracle(t, castCols, castRows)
	for name, program := range programs {
		t.Run(name, func(t *testing.T) {
			o.t = t
			o.follows(program(t))
		})
	}
}

// follows fails unless the cast looks the same in tmux and on the screen, not only at its end, where most programs have
// tidied up.
func (o *oracle) follows(cast []byte) {
	o.t.Helper()
	o.t.Logf("%d bytes", len(cast))
	s := New(castCols, castRows, Options{})
	o.write(reset)
	for looks := 40; len(cast) > 0; looks-- {
		piece := cast[:min(len(cast), max(1, len(cast)/max(looks, 1)))]
		var b Boundary
		if n := b.Scan(piece); n > 0 {
			piece = piece[:n]
		} else {
			piece = cast
		}
		cast = cast[len(piece):]
		o.write(string(piece))
		_, _ = s.Write(piece)
		if d := o.compare(s); d != "" {
			o.t.Fatalf("%s\nafter %q", d, piece[max(0, len(piece)-2000):])
		}
	}
	if err := restores(s); err != nil {
		o.t.Error(err)
	}
}

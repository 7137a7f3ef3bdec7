package command

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/snugvm/snug/internal/wire"
)

// This file makes the command lines by which a tool runs a program itself, where
// no agent can be placed (Local).

// direct is the command line by which the tool itself runs a program. The words
// of env and dir are the tool's own flags: nothing else is there to apply them.
func (p *Plan) direct(target string, s wire.Start) ([]string, error) {
	template := p.execTemplate(s.Pty != nil)
	flags, err := p.programFlags(s)
	if err != nil {
		return nil, err
	}
	at := slices.Index(template, "{flags}")
	if at < 0 {
		at = slices.Index(template, "{target}")
	}
	if at < 0 || p.row == generic {
		at = len(template)
	}
	argv := p.fill(template[:at], target)
	argv = append(argv, flags...)
	argv = append(argv, p.fill(template[at:], target)...)
	return append(argv, p.programWords(s)...), nil
}

func (p *Plan) execTemplate(tty bool) []string {
	if tty && p.row.terminal != nil {
		return p.row.terminal
	}
	return p.row.carrier
}

// typesAhead reports whether what is typed before the tool reads it is to stay as
// it is: the program has a terminal of its own, which does with it what terminals
// do. Done here as well, it would be done twice, and an end of file be lost.
func (p *Plan) typesAhead() bool { return p.row.terminal != nil && !p.row.modes }

// programFlags are the program's variables and folder as flags of the tool. A
// tool without a flag for variables gives its program those that it likes.
func (p *Plan) programFlags(s wire.Start) (flags []string, err error) {
	env, dir := p.row.flagOf(roleEnv), p.row.flagOf(roleDir)
	if p.row.run != nil && env == "" {
		env, dir = "-e", "-w" // of the exec: those of the run are the machine's
	}
	if s.Dir != "" {
		if dir == "" {
			return nil, &Error{Kind: Failed, Tool: p.Tool, Words: "it has no flag for a working directory, and no agent is in the machine to change to " + s.Dir,
				Remedy: "leave -w out"}
		}
		flags = append(flags, dir, s.Dir)
	}
	if env == "" {
		return flags, nil
	}
	for _, e := range variables(s) {
		if name, _, _ := strings.Cut(e, "="); !p.offered(name) {
			flags = append(flags, env, e)
		}
	}
	return flags, nil
}

// offered reports whether a variable is one that snug offers to every program of
// its own accord. A tool's own way stays the tool's: crun, for one, drops all of a
// container's variables where a flag names any.
func (p *Plan) offered(name string) bool {
	offered := slices.Contains([]string{"TERM", "LANG", "COLORTERM", "TERM_PROGRAM"}, name) || strings.HasPrefix(name, "LC_")
	return offered && !slices.ContainsFunc(p.Env, func(e Env) bool { return e.Name == name })
}

// variableName is what a shell takes for the name of a variable.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// variables are the variables of a program as NAME=VALUE.
func variables(s wire.Start) (all []string) {
	for _, e := range s.Env {
		if variableName.MatchString(e.Name) && !strings.Contains(e.Value, "\x00") && (e.Name != "TERM" || s.Pty == nil) {
			all = append(all, e.Name+"="+e.Value)
		}
	}
	if s.Pty != nil && s.Pty.Term != "" {
		all = append(all, "TERM="+s.Pty.Term)
	}
	return all
}

// flagOf is the first name of the row's flag of that role, or "".
func (r *row) flagOf(role role) string {
	for _, f := range r.flags() {
		if f.role == role {
			return f.names[0]
		}
	}
	return ""
}

// loginShell is what a shell runs where no program is named.
const loginShell = `exec "${SHELL:-/bin/sh}" -l`

// programWords are the program's words for the tool.
func (p *Plan) programWords(s wire.Start) []string {
	switch {
	case len(s.Args) > 0:
		return p.words(s.Args)
	case s.Command != "" && p.row.quoted:
		return []string{s.Command} // the tool hands it to a shell as it is
	case s.Command != "":
		return p.words([]string{"sh", "-c", s.Command})
	case p.row.program == programShell && p.row.run == nil:
		return nil // the tool knows what to run
	}
	return p.words([]string{"sh", "-c", loginShell})
}

// words are those of a program, as one where the tool joins them for a shell.
func (p *Plan) words(args []string) []string {
	if p.row.expands {
		args = slices.Clone(args)
		for i, w := range args {
			args[i] = strings.ReplaceAll(w, "$", "$$")
		}
	}
	if !p.row.quoted {
		return args
	}
	var quoted []string
	for _, w := range args {
		quoted = append(quoted, quote(w))
	}
	return []string{strings.Join(quoted, " ")}
}

// setScript runs a program on a terminal whose size it sets first. Its arguments
// are rows, columns, the two halves of a nonce, a folder or "", the wanted TERM or
// "" and the first letter of it, the number of variables, these, and the program.
//
// It says two marks (markFilter) to stderr, which on a terminal is the terminal.
// The first asks for the size, which comes as a line of input: that it arrives
// proves that the tool copies to and fro, and so has done all that it does to the
// terminal at the start. Crun sets a size of its own then, later than its program
// begins. The second is the ready mark, with the process id, which becomes the
// program's, and the name of its input. On pipes, and without stty, it is the only
// one. A program that cannot be run gets the shell's own status for that, 126 or
// 127.
//
// The terminal's description is looked up as the agent does, for the same reason:
// a TERM that the machine does not know is worse than another one.
const setScript = `
sn_a=$3; sn_b=$4;
if [ -n "$6" ]; then
sn_w=xterm-256color;
for sn_t in "$6:$7" xterm-256color:x xterm:x vt220:v vt100:v linux:l; do
for sn_d in "$HOME/.terminfo" /etc/terminfo /lib/terminfo /usr/share/terminfo /usr/lib/terminfo /usr/local/share/terminfo; do
if [ -e "$sn_d/${sn_t##*:}/${sn_t%:*}" ]; then sn_w=${sn_t%:*}; break 2; fi;
done; done;
TERM=$sn_w; export TERM;
fi;
sn_t=$(tty 2>/dev/null) || sn_t=$(readlink "/proc/$$/fd/0") || sn_t=;
sn_o=$(stty -g 2>/dev/null) || sn_o=echo;
sn_s=0; if [ "$1" != 0 ] && stty -echo rows "$1" cols "$2" 2>/dev/null; then
printf "\033]snug%s%s;?\007" "$sn_a" "$sn_b" >&2;
read -r sn_r sn_c; stty "$sn_o"; stty rows "$sn_r" cols "$sn_c" && sn_s=1;
fi;
if [ -n "$5" ]; then cd "$5" || exit 125; fi;
sn_n=$8; shift 8;
while [ "$sn_n" -gt 0 ]; do export "$1"; shift; sn_n=$((sn_n-1)); done;
printf "\033]snug%s%s;%s;%s;%s\007" "$sn_a" "$sn_b" "$sn_s" "$$" "$sn_t" >&2;
exec "$@"
`

// sizeScript sets the size of one terminal, which is named by its path or, where
// it has none, as the input of the program on it.
const sizeScript = `exec stty rows "$1" cols "$2" <"$3"`

// hangScript ends a program whose tool's client was killed and has left it: only
// where the process still has its input, so no other that has got its number. A
// terminal has gone with the client of some tools, and the program minds that or
// not.
const hangScript = `
sn_is() { case $(readlink "/proc/$1/fd/0") in "$2"|"$2 (deleted)") return 0;; esac; return 1; };
sn_is "$@" || exit 0;
kill -HUP "-$1" || kill -HUP "$1"; sleep 1;
sn_is "$@" || exit 0;
kill -KILL "-$1" || kill -KILL "$1"
`

func oneLineScript(script string) string {
	return strings.TrimSpace(strings.ReplaceAll(script, "\n", " "))
}

// setting is the command line that runs a program by setScript.
func (p *Plan) setting(target string, s wire.Start, size wire.Size, nonce string) []string {
	term := ""
	if s.Pty != nil {
		term = s.Pty.Term
	}
	if strings.ContainsAny(term, "/:\x00") || strings.HasPrefix(term, ".") {
		term = "" // no name of a description
	}
	letter := term[:min(1, len(term))]
	env := slices.DeleteFunc(variables(s), func(e string) bool { return s.Pty != nil && strings.HasPrefix(e, "TERM=") })
	half := len(nonce) / 2
	words := []string{
		"sh", "-c", oneLineScript(setScript), "snug",
		strconv.Itoa(int(size.Rows)), strconv.Itoa(int(size.Cols)), nonce[:half], nonce[half:],
		s.Dir, term, letter, strconv.Itoa(len(env)),
	}
	words = append(words, env...)
	switch {
	case len(s.Args) > 0:
		words = append(words, s.Args...)
	case s.Command != "":
		words = append(words, "sh", "-c", s.Command)
	default:
		words = append(words, "sh", "-c", loginShell)
	}
	return append(p.fill(p.execTemplate(s.Pty != nil), target), p.words(words)...)
}

// sizing is the command line that sets the size of a terminal in the machine.
func (p *Plan) sizing(target, tty string, size wire.Size) []string {
	return p.side(target, sizeScript, strconv.Itoa(int(size.Rows)), strconv.Itoa(int(size.Cols)), tty)
}

// hanging is the command line that ends a program which has lost its client.
func (p *Plan) hanging(target, tty string, pid int) []string {
	return p.side(target, oneLineScript(hangScript), strconv.Itoa(pid), tty)
}

func (p *Plan) side(target, script string, args ...string) []string {
	words := append([]string{"sh", "-c", script, "snug"}, args...)
	return append(p.fill(p.row.carrier, target), p.words(words)...)
}

// Bridge is how a program in a machine and a terminal on the host meet.
type Bridge string

// Bridges. All but BridgeAgent are lesser ones: they know less of the program.
const (
	BridgeAuto   Bridge = "auto"   // the best one that is possible
	BridgeAgent  Bridge = "agent"  // the agent, in the machine
	BridgeStty   Bridge = "stty"   // the tool's own terminal, its size set by stty
	BridgeNative Bridge = "native" // the tool's own terminal, with all that the tool does for it
)

// Bridges are the names of all, for a flag.
func Bridges() []string {
	return []string{string(BridgeAuto), string(BridgeAgent), string(BridgeStty), string(BridgeNative)}
}

// Set takes a name, for a flag.
func (b *Bridge) Set(name string) error {
	if !slices.Contains(Bridges(), name) {
		return fmt.Errorf("use %s", strings.Join(Bridges(), ", "))
	}
	*b = Bridge(name)
	return nil
}

func (b *Bridge) String() string { return string(*b) }

// Type is what the flag's value is called.
func (b *Bridge) Type() string { return strings.Join(Bridges(), "|") }

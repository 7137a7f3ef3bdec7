package command

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TTY says whether a command line asks for a terminal.
type TTY int

// Values of TTY. Auto is a tool that gives the program a terminal where it has
// one itself.
const (
	Auto TTY = iota
	Yes
	No
)

// Env is one variable for the program.
type Env struct {
	Name, Value string
	// FromHost says that the command line names the variable only: its value is
	// the host's, and where the host has none there is none.
	FromHost bool
}

// Plan is what a command line means: the machine, and the program in it. What is
// exported of it is the program's part, which travels in-band.
type Plan struct {
	Tool string // the row's name: docker
	Name string // for people: docker:web
	// Program is the program and its arguments; Command is a line for the user's
	// shell instead. Where both are empty a login shell is meant.
	Program []string
	Command string
	Dir     string // working directory; "" for the exec's own
	Env     []Env
	TTY     TTY
	Stdin   bool          // false: the program's input is at its end
	Timeout time.Duration // after which the program is killed, status 124; 0 for never
	// Fresh says that Start makes a machine of its own, which no other command
	// line can mean; the Key then says only from what.
	Fresh bool

	row    *row
	argv0  string
	verb   string
	target string
	image  string   // of a fresh machine
	global []string // flags to repeat in front of the subcommand
	flags  []string // flags to repeat behind it
	keys   []string // of the flags among them that say where and as whom
	entry  *string  // --entrypoint of a fresh machine
	remove bool     // a fresh machine is to be removed, not only stopped
}

// Key is the machine's key: two command lines with the same key mean the same
// machine and the same user in it, and so the same agent. Variables that the tool
// looks at (KeyVariables) belong to it.
func (p *Plan) Key(getenv func(string) string) string {
	parts := append([]string{p.Tool}, slices.Sorted(slices.Values(p.keys))...)
	parts = append(parts, "target="+p.target)
	if p.image != "" {
		parts = append(parts, "image="+p.image)
	}
	for _, name := range p.row.variables {
		if v := getenv(name); v != "" {
			parts = append(parts, "$"+name+"="+v)
		}
	}
	for i, part := range parts { // no two lists of parts make one key
		parts[i] = strconv.Quote(part)
	}
	return strings.Join(parts, " ")
}

// Plain says that the tool's name for the machine, Name, tells all of its Key.
func (p *Plan) Plain(getenv func(string) string) bool {
	return len(p.keys) == 0 && !slices.ContainsFunc(p.row.variables, func(v string) bool { return getenv(v) != "" })
}

// KeyID is a name for files made of a key.
func KeyID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])[:16]
}

// carrier is the command line of the exec.
func (p *Plan) carrier(target string) []string {
	words := launcher
	if p.row.quoted {
		var quoted []string
		for _, w := range launcher {
			quoted = append(quoted, quote(w))
		}
		words = []string{strings.Join(quoted, " ")}
	}
	return append(p.fill(p.row.carrier, target), words...)
}

// fill puts the plan into a template of words.
func (p *Plan) fill(template []string, target string) (argv []string) {
	for _, w := range template {
		switch w {
		case "{tool}":
			argv = append(argv, p.argv0)
		case "{global}":
			argv = append(argv, p.global...)
		case "{flags}":
			argv = append(argv, p.flags...)
		default:
			w = strings.ReplaceAll(w, "{target}", target)
			argv = append(argv, strings.ReplaceAll(w, "{image}", p.image))
		}
	}
	return argv
}

// UsageError is a command line that snug does not understand.
type UsageError struct {
	Tool    string
	Problem string
	Usage   string // what would be understood
}

func (e *UsageError) Error() string {
	return fmt.Sprintf("%s: %s: snug understands %s", e.Tool, e.Problem, e.Usage)
}

// Parse reads a tool's command line, the tool's name first.
func Parse(argv []string) (*Plan, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, &UsageError{"snug", "no command line", "the command lines of " + strings.Join(Tools(), ", ")}
	}
	tool := path.Base(argv[0])
	rows := rowsOf(tool)
	if len(rows) == 0 {
		return nil, &UsageError{tool, "unknown tool", "the command lines of " + strings.Join(Tools(), ", ") +
			"; for any other, name its exec: --exec '" + tool + " exec -i BOX' -- PROGRAM ARG..."}
	}
	p := &parser{tool: tool, rows: rows, plan: &Plan{Tool: tool, argv0: argv[0], Stdin: true}, rest: argv[1:]}
	if err := p.verb(); err != nil {
		return nil, err
	}
	if err := p.words(); err != nil {
		return nil, err
	}
	return p.finish()
}

// Wrap makes the plan for a tool that is not in the table: exec is its command
// line up to where a program would follow, and connects stdin.
func Wrap(exec []string, program []string) (*Plan, error) {
	if len(exec) == 0 || exec[0] == "" {
		return nil, &UsageError{"--exec", "no command line", generic.usage}
	}
	tool := path.Base(exec[0])
	p := &Plan{
		Tool: tool, Name: tool, Program: program, Stdin: true, row: generic,
		argv0: exec[0], flags: slices.Clone(exec[1:]), keys: slices.Clone(exec),
	}
	if len(exec) > 1 {
		p.Name += ":" + exec[len(exec)-1]
	}
	return p, nil
}

// Tools are the names of the tools in the table.
func Tools() []string {
	var names []string
	for _, r := range table {
		if !slices.Contains(names, r.tool) {
			names = append(names, r.tool)
		}
	}
	return names
}

func rowsOf(tool string) (rows []*row) {
	for _, r := range table {
		if r.tool == tool {
			rows = append(rows, r)
		}
	}
	return rows
}

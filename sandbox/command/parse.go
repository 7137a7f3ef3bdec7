package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// role is what a flag is to snug.
type role string

const (
	roleKey     role = "key"     // repeated for the exec; says where or as whom
	roleKeep    role = "keep"    // repeated for the exec; changes nothing that matters
	roleUser    role = "user"    // a key that is shown
	roleTarget  role = "target"  // names the machine
	roleEnv     role = "env"     // in-band
	roleDir     role = "dir"     // in-band
	roleTimeout role = "timeout" // in-band
	roleTTY     role = "tty"     //
	roleNoTTY   role = "notty"   //
	roleStdin   role = "stdin"   //
	roleNoStdin role = "nostdin" //
	roleDrop    role = "drop"    // of no use any more
	roleRefuse  role = "refuse"  // nothing is left to look at
	roleEntry   role = "entry"   // --entrypoint
	roleRemove  role = "remove"  // --rm
	roleMode    role = "mode"    // lxc's --mode
)

// flagSpec is one flag of a tool.
type flagSpec struct {
	role  role
	names []string // the last one is its name in a key
	value arity
}

// arity says whether a flag has a value.
type arity int

const (
	none     arity = iota // true, or what stands behind a "="
	required              // behind a "=", in the same word, or the next word
	optional              // behind a "=" or, for a letter, in the same word
)

// flags reads a row's list of flags: a line for each, with its role, its names
// and then "=" if it has a value, "=?" if it may have one.
func flags(list string) map[string]*flagSpec {
	all := make(map[string]*flagSpec)
	for line := range strings.Lines(list) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		f := &flagSpec{role: role(words[0]), names: words[1:]}
		switch last := words[len(words)-1]; last {
		case "=":
			f.value = required
		case "=?":
			f.value = optional
		}
		if f.value != none {
			f.names = f.names[:len(f.names)-1]
		}
		for _, n := range f.names {
			all[n] = f
		}
	}
	return all
}

// parser reads one command line.
type parser struct {
	tool string
	rows []*row // of the tool
	row  *row   // once it is known
	plan *Plan
	rest []string

	user    string
	dashes  bool // "--" stood before the program
	hasWord bool // the word that names the machine or image was there
	program []string
	stdin   bool // asked for
}

func (p *parser) errorf(format string, args ...any) error {
	var usage string
	if p.row != nil {
		usage = p.row.usage
	} else {
		var all []string
		for _, r := range p.rows {
			all = append(all, r.usage)
		}
		usage = strings.Join(all, ", or ")
	}
	return &UsageError{p.tool, fmt.Sprintf(format, args...), usage}
}

// verb reads the flags of the tool itself, and its subcommand.
func (p *parser) verb() error {
	for {
		for _, r := range p.rows {
			for _, verb := range r.verbs {
				if words := strings.Fields(verb); hasPrefix(p.rest, words) && (p.row == nil || len(verb) > len(p.plan.verb)) {
					p.row, p.plan.row, p.plan.verb = r, r, verb
				}
			}
		}
		if p.row != nil && (p.plan.verb != "" || !p.moreVerbs()) {
			p.rest = p.rest[len(strings.Fields(p.plan.verb)):]
			return nil
		}
		if len(p.rest) == 0 {
			return p.errorf("no subcommand")
		}
		if !strings.HasPrefix(p.rest[0], "-") {
			return p.errorf("unknown subcommand %q", p.rest[0])
		}
		// All rows of a tool have the same flags in front of the subcommand.
		if err := p.flag(p.rows[0].global(), p.rows[0].style, true); err != nil {
			return err
		}
	}
}

// moreVerbs reports whether any row of the tool has a subcommand.
func (p *parser) moreVerbs() bool {
	return slices.ContainsFunc(p.rows, func(r *row) bool { return slices.ContainsFunc(r.verbs, func(v string) bool { return v != "" }) })
}

func hasPrefix(words, prefix []string) bool {
	return len(words) >= len(prefix) && slices.Equal(words[:len(prefix)], prefix)
}

// words reads what follows the subcommand, up to the program.
func (p *parser) words() error {
	known := p.row.flags()
	for len(p.rest) > 0 {
		w := p.rest[0]
		switch {
		case w == "--":
			p.rest, p.dashes = p.rest[1:], true
			if p.row.word != "" && !p.hasWord {
				if len(p.rest) == 0 {
					return p.errorf("no %s", p.row.word)
				}
				p.takeWord()
			}
			p.program = p.rest
			return nil
		case len(w) > 1 && w[0] == '-' && (!p.hasWord || p.row.interspersed):
			if err := p.flag(known, p.row.style, false); err != nil {
				return err
			}
		case p.row.word != "" && !p.hasWord:
			p.takeWord()
			if len(p.rest) > 0 && p.rest[0] == "--" && !p.row.interspersed && !p.row.dashes {
				p.program = p.rest // the program's own
				return nil
			}
		default:
			p.program = p.rest
			return nil
		}
	}
	return nil
}

func (p *parser) takeWord() {
	p.hasWord = true
	if p.row.run != nil {
		p.plan.image = p.rest[0]
	} else {
		p.plan.target = p.rest[0]
	}
	p.rest = p.rest[1:]
}

// style is how a tool reads its flags.
type style int

const (
	stylePflag  style = iota // -it, -uroot, -u=root, --user=root
	styleGetopt              // the same, but the value of -u=root is "=root"
	styleGoFlag              // -user root, --user=root; no letters together
)

// flag reads one word of flags, and the value behind it.
func (p *parser) flag(known map[string]*flagSpec, s style, global bool) error {
	word := p.rest[0]
	p.rest = p.rest[1:]
	name, value, hasValue := strings.Cut(word, "=")
	if s == styleGoFlag && known[name] == nil && strings.HasPrefix(name, "-") {
		if long := "-" + name; known[long] != nil { // -user is --user
			name = long
		}
	}
	if strings.HasPrefix(word, "--") || s == styleGoFlag || known[name] != nil && len(name) > 2 {
		f := known[name]
		if f == nil {
			return p.errorf("unknown flag %s", name)
		}
		return p.one(f, name, value, hasValue, global)
	}
	for letters := word[1:]; letters != ""; {
		name = "-" + letters[:1]
		letters = letters[1:]
		f := known[name]
		if f == nil {
			return p.errorf("unknown flag %s", name)
		}
		value, hasValue = letters, letters != "" && f.value != none
		if strings.HasPrefix(letters, "=") && s != styleGetopt {
			value, hasValue = letters[1:], true
		}
		if hasValue {
			letters = ""
		}
		if err := p.one(f, name, value, hasValue, global); err != nil {
			return err
		}
	}
	return nil
}

// one applies one flag.
func (p *parser) one(f *flagSpec, name, value string, hasValue, global bool) error {
	if f.value == required && !hasValue {
		if len(p.rest) == 0 {
			return p.errorf("%s has no value", name)
		}
		value, hasValue = p.rest[0], true
		p.rest = p.rest[1:]
	}
	on := true
	if f.value == none && hasValue {
		var err error
		if on, err = strconv.ParseBool(value); err != nil {
			return p.errorf("%s is true or false, not %q", name, value)
		}
	}
	switch f.role {
	case roleKey, roleKeep, roleUser:
		p.keep(f, name, value, hasValue, global)
		return nil
	case roleRefuse:
		return p.errorf("%s leaves nothing that snug could show; run this line without snug", name)
	}
	return p.inBand(f, name, value, on)
}

// keep repeats a flag for the exec.
func (p *parser) keep(f *flagSpec, name, value string, hasValue, global bool) {
	words := []string{name}
	switch {
	case hasValue && f.value == required:
		words = append(words, value)
	case hasValue && !strings.HasPrefix(name, "--") && len(name) == 2:
		words[0] += value
	case hasValue:
		words[0] += "=" + value
	}
	if global {
		p.plan.global = append(p.plan.global, words...)
	} else {
		p.plan.flags = append(p.plan.flags, words...)
	}
	if f.role != roleKeep {
		p.plan.keys = append(p.plan.keys, f.names[len(f.names)-1]+"="+value)
	}
	if f.role == roleUser {
		p.user = value
	}
}

// inBand applies a flag that the exec does not get.
func (p *parser) inBand(f *flagSpec, name, value string, on bool) error {
	switch f.role {
	case roleTarget:
		p.plan.target = value
	case roleEnv:
		n, v, found := strings.Cut(value, "=")
		if n == "" {
			return p.errorf("%s %q names no variable", name, value)
		}
		p.plan.Env = append(p.plan.Env, Env{n, v, !found})
	case roleDir:
		p.plan.Dir = value
	case roleTimeout:
		d, err := duration(value)
		if err != nil {
			return p.errorf("%s %q is no duration, such as 30s or 5m", name, value)
		}
		p.plan.Timeout = d
	case roleTTY:
		p.plan.TTY = No
		if on {
			p.plan.TTY = Yes
		}
	case roleNoTTY:
		p.plan.TTY = No
	case roleStdin:
		p.stdin = on
	case roleNoStdin:
		p.plan.Stdin = false
	case roleEntry:
		p.plan.entry = &value
	case roleRemove:
		p.plan.remove = on
	case roleMode:
		modes := map[string]TTY{"auto": Auto, "interactive": Yes, "non-interactive": No}
		tty, known := modes[value]
		if !known {
			return p.errorf("%s is auto, interactive or non-interactive, not %q", name, value)
		}
		p.plan.TTY = tty
	}
	return nil
}

func duration(s string) (time.Duration, error) {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		err = fmt.Errorf("negative duration %v", d)
	}
	return d, err
}

// finish checks that all is there, and fills in what the tool would.
func (p *parser) finish() (*Plan, error) {
	plan, r := p.plan, p.row
	if r.word != "" && !p.hasWord {
		return nil, p.errorf("no %s", r.word)
	}
	for _, w := range []string{plan.target, plan.image} {
		if p.hasWord && strings.HasPrefix(w, "-") {
			return nil, p.errorf("%q is no %s", w, r.word)
		}
	}
	if len(p.program) > 0 && r.mustDash && !p.dashes {
		return nil, p.errorf("no -- before the program")
	}
	if len(p.program) == 0 && r.program == programNeeded {
		return nil, p.errorf("no program")
	}
	if r.stdinAsked {
		plan.Stdin = p.stdin
	}
	if r.ttyAsked && plan.TTY == Auto {
		plan.TTY = No
	}
	if plan.target == "" {
		plan.target = r.target
	}
	plan.Program = slices.Clone(p.program)
	plan.Fresh = r.run != nil
	if r.fix != nil {
		if err := r.fix(p); err != nil {
			return nil, err
		}
	}
	if plan.Name == "" {
		plan.Name = p.name()
	}
	return plan, nil
}

// name is what people call the machine.
func (p *parser) name() string {
	name := p.plan.target
	if name == "" {
		name = p.plan.image
	}
	if p.user != "" {
		name = p.user + "@" + name
	}
	return strings.TrimSuffix(p.tool+":"+name, ":")
}

// Split splits a line into words as a shell does, without expanding anything.
func Split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quoted, escaped := false, rune(0), false
	for _, c := range line {
		switch {
		case escaped:
			if quoted == '"' && !strings.ContainsRune("\"\\$`", c) {
				word.WriteByte('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quoted != '\'':
			escaped, inWord = true, true
		case quoted != 0:
			if c == quoted {
				quoted = 0
			} else {
				word.WriteRune(c)
			}
		case c == '\'' || c == '"':
			quoted, inWord = c, true
		case strings.ContainsRune(" \t\n", c):
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quoted != 0 || escaped {
		return nil, fmt.Errorf("%q ends within a quote", line)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

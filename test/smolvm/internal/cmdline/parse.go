package cmdline

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// DefaultName is the machine that a command means when it names none.
const DefaultName = "default"

// Invocation is what one command line asks for.
type Invocation struct {
	Verb       string // of smolvm machine, or "version"
	Name       string // the machine
	Image      string // create and run: where the machine's root file system comes from, "" for none
	Env        []string
	SecretEnv  []string // K=VARIABLE of the caller
	SecretFile []string // K=PATH of the caller
	Workdir    string
	Timeout    time.Duration // 0: none

	Interactive bool // -i
	TTY         bool // -t
	Stream      bool
	Detach      bool
	JSON        bool

	Command []string // what follows --
}

// UsageError is a command line that smolvm does not accept. It ends with status 2, as clap's do.
type UsageError struct{ Problem string }

func (e *UsageError) Error() string { return e.Problem }

func usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// Parse reads the words after smolvm.
func Parse(v Version, args []string) (Invocation, error) {
	if len(args) == 1 && (args[0] == "--version" || args[0] == "-V") {
		return Invocation{Verb: "version"}, nil
	}
	if len(args) == 0 || args[0] != "machine" {
		return Invocation{}, unexpected(first(args), "smolvm needs a subcommand: machine")
	}
	verb := first(args[1:])
	if !slices.Contains(verbs, verb) {
		return Invocation{}, unexpected(verb, "smolvm machine needs a subcommand: "+strings.Join(verbs, ", "))
	}
	p := parser{version: v, invocation: Invocation{Verb: verb, Name: DefaultName}}
	if err := p.words(args[2:]); err != nil {
		return Invocation{}, err
	}
	if verb == "shell" {
		p.invocation.Interactive, p.invocation.TTY, p.invocation.Command = true, true, []string{"/bin/sh"}
	}
	return p.invocation, p.complete()
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func unexpected(word, otherwise string) error {
	if word == "" {
		return usage("%s", otherwise)
	}
	if strings.HasPrefix(word, "-") {
		return usage("unexpected argument '%s' found", word)
	}
	return usage("unrecognized subcommand '%s'", word)
}

type parser struct {
	version    Version
	invocation Invocation
	named      bool
}

// words reads the words after the verb.
func (p *parser) words(args []string) error {
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		var err error
		switch {
		case word == "--" && p.takesCommand():
			p.invocation.Command = args
			return nil
		case strings.HasPrefix(word, "--"):
			args, err = p.long(word, args)
		case len(word) > 1 && word[0] == '-':
			args, err = p.short(word, args)
		default:
			err = p.positional(word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) takesCommand() bool {
	return p.invocation.Verb == "exec" || p.invocation.Verb == "run"
}

// positional reads a word that is no flag: the name of a machine to create or delete, before 1.0.2.
func (p *parser) positional(word string) error {
	if !p.namesByPosition() || p.named {
		return usage("unexpected argument '%s' found", word)
	}
	p.invocation.Name, p.named = word, true
	return nil
}

func (p *parser) namesByPosition() bool {
	return (p.invocation.Verb == "create" || p.invocation.Verb == "delete") && p.version.NamesByPosition()
}

// long reads --FLAG, --FLAG VALUE or --FLAG=VALUE.
func (p *parser) long(word string, rest []string) ([]string, error) {
	name, value, given := strings.Cut(word[2:], "=")
	f := p.find(func(f flag) bool { return f.long == name })
	switch {
	case f == nil:
		return nil, usage("unexpected argument '--%s' found", name)
	case !f.takesValue && given:
		return nil, usage("unexpected value '%s' for '--%s' found; no more were expected", value, name)
	case f.takesValue && !given:
		if len(rest) == 0 || looksLikeFlag(rest[0]) {
			return nil, f.lacksValue()
		}
		value, rest = rest[0], rest[1:]
	}
	return rest, p.set(f, value)
}

// short reads a group of one-letter flags; the first that takes a value takes the rest of the word, or the next.
func (p *parser) short(word string, rest []string) ([]string, error) {
	for i := 1; i < len(word); i++ {
		f := p.find(func(f flag) bool { return f.short != 0 && f.short == word[i] })
		if f == nil {
			return nil, usage("unexpected argument '-%c' found", word[i])
		}
		if !f.takesValue {
			if err := p.set(f, ""); err != nil {
				return nil, err
			}
			continue
		}
		value := strings.TrimPrefix(word[i+1:], "=")
		if i+1 == len(word) {
			if len(rest) == 0 || looksLikeFlag(rest[0]) {
				return nil, f.lacksValue()
			}
			value, rest = rest[0], rest[1:]
		}
		return rest, p.set(f, value)
	}
	return rest, nil
}

func looksLikeFlag(word string) bool { return len(word) > 1 && word[0] == '-' }

func (p *parser) find(is func(flag) bool) *flag {
	for i := range flags {
		f := &flags[i]
		if is(*f) && slices.Contains(f.verbs, p.invocation.Verb) && p.version.Since(f.since) {
			return f
		}
	}
	return nil
}

func (p *parser) set(f *flag, value string) error {
	if f.long == "name" {
		if p.named {
			return usage("the argument '--name <NAME>' cannot be used multiple times")
		}
		p.named = true
	}
	if err := f.set(&p.invocation, value); err != nil {
		return usage("invalid value '%s' for '--%s': %v", value, f.long, err)
	}
	return nil
}

// complete checks what no single word shows.
func (p *parser) complete() error {
	switch i := p.invocation; {
	case (i.Verb == "create" || i.Verb == "delete") && !p.named:
		return usage("the following required arguments were not provided: <NAME>")
	case i.Verb == "exec" && len(i.Command) == 0:
		return usage("the following required arguments were not provided: <COMMAND>...")
	case i.Verb == "run" && i.Image == "":
		return usage("the following required arguments were not provided: --image <IMAGE>")
	case i.Detach && (i.Interactive || i.TTY):
		return usage("the argument '--detach' cannot be used with '--interactive' or '--tty'")
	}
	return nil
}

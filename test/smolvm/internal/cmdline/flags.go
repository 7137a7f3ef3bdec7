package cmdline

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// verbs are the subcommands of smolvm machine.
var verbs = []string{"exec", "shell", "run", "ls", "status", "create", "start", "stop", "delete"}

// Since when what holds.
var (
	jsonStatus = Version{0, 8, 0}
	nameByFlag = Version{1, 0, 2} // create and delete; a position before
	newer      = Version{1, 0, 0}
)

type flag struct {
	long       string
	short      byte // 0: none
	takesValue bool
	verbs      []string
	since      Version
	set        func(i *Invocation, value string) error
}

func (f *flag) lacksValue() error {
	return usage("a value is required for '--%s <%s>' but none was supplied", f.long, strings.ToUpper(f.long))
}

// flags may hold one name several times, for other verbs or versions. The first that fits counts.
var flags = []flag{
	{long: "name", short: 'n', takesValue: true, verbs: words("shell status start stop"), set: setName},
	{long: "name", short: 'n', takesValue: true, verbs: words("exec"), since: newer, set: setName},
	{long: "name", takesValue: true, verbs: words("exec"), set: setName},
	{long: "name", short: 'n', takesValue: true, verbs: words("run"), since: newer, set: setName},
	{long: "name", short: 'n', takesValue: true, verbs: words("create delete"), since: nameByFlag, set: setName},
	{long: "image", short: 'I', takesValue: true, verbs: words("run create"), set: func(i *Invocation, v string) error { i.Image = v; return nil }},
	{long: "workdir", short: 'w', takesValue: true, verbs: words("exec run"), set: func(i *Invocation, v string) error { i.Workdir = v; return nil }},
	{long: "env", short: 'e', takesValue: true, verbs: words("exec run"), set: appendTo(func(i *Invocation) *[]string { return &i.Env })},
	{long: "secret-env", takesValue: true, verbs: words("exec run"), since: newer, set: appendTo(func(i *Invocation) *[]string { return &i.SecretEnv })},
	{long: "secret-file", takesValue: true, verbs: words("exec run"), since: newer, set: appendTo(func(i *Invocation) *[]string { return &i.SecretFile })},
	{long: "timeout", takesValue: true, verbs: words("exec run"), set: setTimeout},
	{long: "interactive", short: 'i', verbs: words("exec run"), set: on(func(i *Invocation) *bool { return &i.Interactive })},
	{long: "tty", short: 't', verbs: words("exec run"), set: on(func(i *Invocation) *bool { return &i.TTY })},
	{long: "stream", verbs: words("exec"), set: on(func(i *Invocation) *bool { return &i.Stream })},
	{long: "detach", short: 'd', verbs: words("exec run"), since: newer, set: on(func(i *Invocation) *bool { return &i.Detach })},
	{long: "json", verbs: words("ls"), set: on(func(i *Invocation) *bool { return &i.JSON })},
	{long: "json", verbs: words("status"), since: jsonStatus, set: on(func(i *Invocation) *bool { return &i.JSON })},
	{long: "force", short: 'f', verbs: words("delete"), set: func(*Invocation, string) error { return nil }},
}

func words(s string) []string { return strings.Fields(s) }

func on(field func(*Invocation) *bool) func(*Invocation, string) error {
	return func(i *Invocation, _ string) error { *field(i) = true; return nil }
}

// appendTo collects KEY=VALUE.
func appendTo(field func(*Invocation) *[]string) func(*Invocation, string) error {
	return func(i *Invocation, value string) error {
		if key, _, ok := strings.Cut(value, "="); !ok || key == "" {
			return errors.New("expected KEY=VALUE")
		}
		*field(i) = append(*field(i), value)
		return nil
	}
}

func setName(i *Invocation, name string) error {
	if name == "" || strings.ContainsAny(name, "/ ") || strings.HasPrefix(name, ".") {
		return errors.New("not a machine's name")
	}
	i.Name = name
	return nil
}

// setTimeout reads 5, 5s or 500ms.
func setTimeout(i *Invocation, value string) (err error) {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		value = strconv.FormatUint(seconds, 10) + "s"
	}
	if i.Timeout, err = time.ParseDuration(value); err != nil || i.Timeout <= 0 {
		return errors.New("expected a duration")
	}
	return nil
}

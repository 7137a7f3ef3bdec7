package cmdline

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func version(t *testing.T, s string) Version {
	t.Helper()
	v, err := ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatEachVersionAccepts(t *testing.T) {
	exec := func(change func(*Invocation)) Invocation {
		i := Invocation{Verb: "exec", Name: "default", Command: []string{"sh"}}
		change(&i)
		return i
	}
	for _, c := range []struct {
		version, line string
		want          Invocation
	}{
		{"0.5.19", "--version", Invocation{Verb: "version"}},
		{"0.5.19", "machine exec -- sh", exec(func(*Invocation) {})},
		{"0.5.19", "machine exec --name dev -- sh", exec(func(i *Invocation) { i.Name = "dev" })},
		{"0.5.19", "machine exec --name=dev -- sh", exec(func(i *Invocation) { i.Name = "dev" })},
		{"0.5.19", "machine exec -i -t -- sh", exec(func(i *Invocation) { i.Interactive, i.TTY = true, true })},
		{"0.5.19", "machine exec -it -- sh -c -- x", exec(func(i *Invocation) {
			i.Interactive, i.TTY, i.Command = true, true, []string{"sh", "-c", "--", "x"}
		})},
		{"0.5.19", "machine exec -w /tmp -e A=1 -eB=2 -e=C=3 -- sh", exec(func(i *Invocation) {
			i.Workdir, i.Env = "/tmp", []string{"A=1", "B=2", "C=3"}
		})},
		{"0.5.19", "machine exec -ite A=1 -- sh", exec(func(i *Invocation) { i.Interactive, i.TTY, i.Env = true, true, []string{"A=1"} })},
		{"0.5.19", "machine exec --timeout 5 --stream -- sh", exec(func(i *Invocation) { i.Timeout, i.Stream = 5*time.Second, true })},
		{"0.5.19", "machine exec --timeout=500ms -- sh", exec(func(i *Invocation) { i.Timeout = 500 * time.Millisecond })},
		{"1.9.1", "machine exec -n dev -- sh", exec(func(i *Invocation) { i.Name = "dev" })},
		{"1.9.1", "machine exec -ndev -- sh", exec(func(i *Invocation) { i.Name = "dev" })},
		{"1.9.1", "machine exec -d -- sh", exec(func(i *Invocation) { i.Detach = true })},
		{"1.9.1", "machine exec --secret-env A=B --secret-file C=/d -- sh", exec(func(i *Invocation) {
			i.SecretEnv, i.SecretFile = []string{"A=B"}, []string{"C=/d"}
		})},
		{"0.5.19", "machine shell -n dev", Invocation{Verb: "shell", Name: "dev", Interactive: true, TTY: true, Command: []string{"/bin/sh"}}},
		{"0.5.19", "machine run -I alpine -it -- sh", Invocation{
			Verb: "run", Name: "default", Image: "alpine", Interactive: true, TTY: true, Command: []string{"sh"},
		}},
		{"0.5.19", "machine run --image alpine", Invocation{Verb: "run", Name: "default", Image: "alpine"}},
		{"0.5.19", "machine ls --json", Invocation{Verb: "ls", Name: "default", JSON: true}},
		{"0.5.19", "machine status -n dev", Invocation{Verb: "status", Name: "dev"}},
		{"0.8.0", "machine status --name dev --json", Invocation{Verb: "status", Name: "dev", JSON: true}},
		{"1.0.1", "machine create dev --image alpine", Invocation{Verb: "create", Name: "dev", Image: "alpine"}},
		{"1.0.2", "machine create --name dev --image alpine", Invocation{Verb: "create", Name: "dev", Image: "alpine"}},
		{"1.0.1", "machine delete -f dev", Invocation{Verb: "delete", Name: "dev"}},
		{"1.9.1", "machine delete --name dev", Invocation{Verb: "delete", Name: "dev"}},
		{"0.5.19", "machine stop --name dev", Invocation{Verb: "stop", Name: "dev"}},
		{"0.5.19", "machine start", Invocation{Verb: "start", Name: "default"}},
	} {
		got, err := Parse(version(t, c.version), strings.Fields(c.line))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: smolvm %s\ngot  %+v, %v\nwant %+v", c.version, c.line, got, err, c.want)
		}
	}
}

func TestWhatEachVersionRefuses(t *testing.T) {
	for _, c := range []struct{ version, line, want string }{
		{"0.5.19", "", "needs a subcommand"},
		{"0.5.19", "container exec", "unrecognized subcommand 'container'"},
		{"0.5.19", "machine", "needs a subcommand"},
		{"0.5.19", "machine attach", "unrecognized subcommand 'attach'"},
		{"0.5.19", "machine exec -n dev -- sh", "unexpected argument '-n' found"},
		{"0.9.0", "machine exec -itn dev -- sh", "unexpected argument '-n' found"},
		{"0.9.0", "machine exec -d -- sh", "unexpected argument '-d' found"},
		{"0.9.0", "machine exec --secret-env A=B -- sh", "unexpected argument '--secret-env' found"},
		{"1.9.1", "machine exec -u root -- sh", "unexpected argument '-u' found"},
		{"1.9.1", "machine exec sh", "unexpected argument 'sh' found"},
		{"1.9.1", "machine exec --name dev", "not provided: <COMMAND>"},
		{"1.9.1", "machine exec --", "not provided: <COMMAND>"},
		{"1.9.1", "machine exec --name -- sh", "a value is required for '--name <NAME>'"},
		{"1.9.1", "machine exec --name a --name b -- sh", "cannot be used multiple times"},
		{"1.9.1", "machine exec --name ../a -- sh", "invalid value '../a' for '--name'"},
		{"1.9.1", "machine exec -e A -- sh", "invalid value 'A' for '--env'"},
		{"1.9.1", "machine exec --timeout never -- sh", "invalid value 'never' for '--timeout'"},
		{"1.9.1", "machine exec --tty=yes -- sh", "unexpected value 'yes' for '--tty'"},
		{"1.9.1", "machine exec -dt -- sh", "cannot be used with"},
		{"1.9.1", "machine shell -n dev -- sh", "unexpected argument '--' found"},
		{"1.9.1", "machine run -it -- sh", "not provided: --image"},
		{"0.7.9", "machine status --name dev --json", "unexpected argument '--json' found"},
		{"1.0.2", "machine create dev", "unexpected argument 'dev' found"},
		{"1.0.1", "machine create --name dev", "unexpected argument '--name' found"},
		{"1.0.1", "machine create a b", "unexpected argument 'b' found"},
		{"1.9.1", "machine delete", "not provided: <NAME>"},
	} {
		_, err := Parse(version(t, c.version), strings.Fields(c.line))
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.Contains(usage.Problem, c.want) {
			t.Errorf("%s: smolvm %s: got %v, want a usage error with %q", c.version, c.line, err, c.want)
		}
	}
}

func TestVersionsAreOrdered(t *testing.T) {
	if v := version(t, "0.8.1"); !v.Since(Version{0, 8, 1}) || v.Since(Version{0, 8, 2}) || v.Since(Version{1, 0, 0}) || !v.Since(Version{0, 7, 9}) {
		t.Errorf("%v is not in its place", v)
	}
	for _, bad := range []string{"", "1", "1.2", "1.2.x", "1.2.-3", "1.2.3.4"} {
		if _, err := ParseVersion(bad); err == nil {
			t.Errorf("ParseVersion(%q) succeeds", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1.9.1", "machine exec -itn dev -e A=1 -- sh")
	f.Add("0.5.19", "machine create dev --image=alpine")
	f.Fuzz(func(t *testing.T, v, line string) {
		parsed, err := ParseVersion(v)
		if err != nil {
			return
		}
		if got, err := Parse(parsed, strings.Fields(line)); err == nil && got.Verb == "" {
			t.Errorf("smolvm %s is accepted, and means nothing", line)
		}
	})
}

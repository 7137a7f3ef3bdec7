//go:build linux

package command

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/snugvm/snug/internal/wire"
)

func directly(t *testing.T, line string, s wire.Start) string {
	t.Helper()
	plan, err := Parse(strings.Fields(line))
	must(t, err)
	s.Args = plan.Program
	if s.Command = plan.Command; s.Dir == "" {
		s.Dir = plan.Dir
	}
	argv, err := plan.direct(plan.target, s)
	if err != nil {
		return err.Error()
	}
	return strings.Join(argv, " ")
}

func TestTheToolsOwnCommandLine(t *testing.T) {
	onTerminal := wire.Start{Pty: &wire.Pty{Term: "xterm"}, Env: []wire.Env{{Name: "A", Value: "1"}, {Name: "TERM", Value: "x"}, {Name: "no name", Value: "x"}}}
	onPipes := wire.Start{Env: []wire.Env{{Name: "A", Value: "1"}}}
	for line, want := range map[string][2]string{
		"docker -c c exec -it -u app -w /w web vim a": {
			"docker -c c exec -i -t -e A=1 -w /w -u app web vim a", "docker -c c exec -i -e A=1 -w /w -u app web vim a"},
		"smolvm machine exec -it --name dev -- claude": {
			"smolvm machine exec --name dev -i -t -e A=1 -- claude", "smolvm machine exec --name dev -i -e A=1 -- claude"},
		"kubectl exec -it -n ns pod -- sh": {"kubectl exec -i -t -n ns pod -- sh", "kubectl exec -i -n ns pod -- sh"},
		"crun exec -t web top":             {"crun exec -t -e A=1 web top", "crun exec -e A=1 web top"},
		"ssh -t host vim a":                {"ssh -t host vim a", "ssh -T host vim a"},
		"ssh host":                         {"ssh -t host", "ssh -T host"},
		"lxc exec box top":                 {"lxc exec -t --env A=1 box -- top", "lxc exec -T --env A=1 box -- top"},
		"chroot /root top":                 {"chroot /root top", "chroot /root top"},
	} {
		for i, s := range []wire.Start{onTerminal, onPipes} {
			// Which of a row's flags comes first is nothing to rely on.
			got, want := strings.Fields(directly(t, line, s)), strings.Fields(want[i])
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q", line, directly(t, line, s))
			}
		}
	}
	if got := directly(t, "kubectl exec pod -- sh", wire.Start{Dir: "/w"}); !strings.Contains(got, "no flag for a working directory") {
		t.Errorf("kubectl with a folder: %q", got)
	}
}

// strange are words that any quoting might lose.
var strange = []string{"a b", "", "'", `"`, "$HOME", "${HOME}", "`id`", "\\", "*", "-n", "--", "a\nb", "ä\x01", "!", ";", "$(exit 1)"}

// What stands behind the program passes a shell, or two of them for ssh.
func TestWordsPassTheShellUnharmed(t *testing.T) {
	s := wire.Start{Args: append([]string{"printf", "%s\\0"}, strange...), Env: []wire.Env{{Name: "A", Value: "it's $1"}}, Dir: "/"}
	for _, plan := range []*Plan{
		{row: &row{tool: "x", carrier: fields("env")}},
		{row: &row{tool: "x", carrier: fields("sh -c"), quoted: true}},
	} {
		argv := plan.setting("", s, wire.Size{}, testNonce)
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "sn_n=kept")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || string(out) != strings.Join(strange, "\x00")+"\x00" {
			t.Errorf("%q, %v", out, err)
		}
		_, marks := filterBy([]byte(stderr.String()), func(n int) int { return n })
		if len(marks) != 1 || marks[0].sized || marks[0].pid == 0 || marks[0].input != "/dev/null" {
			t.Errorf("stderr %q: %+v", stderr.String(), marks)
		}
	}
}

func FuzzWords(f *testing.F) {
	for _, w := range strange {
		f.Add(w, "b", "v")
	}
	f.Fuzz(func(t *testing.T, a, b, value string) {
		if strings.Contains(a+b+value, "\x00") {
			return
		}
		plan := &Plan{row: &row{tool: "x", carrier: fields("sh -c"), quoted: true}}
		s := wire.Start{Args: []string{"sh", "-c", `printf '%s\0' "$@" "$V"`, "sh", a, b}, Env: []wire.Env{{Name: "V", Value: value}}}
		argv := plan.setting("", s, wire.Size{}, testNonce)
		out, err := exec.Command(argv[0], argv[1:]...).Output()
		if want := a + "\x00" + b + "\x00" + value + "\x00"; err != nil || string(out) != want {
			t.Errorf("%q, %v; want %q", out, err, want)
		}
	})
}

func TestTheToolsWordForNoProgramIsTranslated(t *testing.T) {
	crun := "2026-01-01T00:00:00.000000Z: executable file `nope` not found in $PATH: No such file or directory\n"
	runc := "ERRO[0000] exec failed: unable to start container process: exec: \"nope\": executable file not found in $PATH\n"
	for words, want := range map[string]uint32{
		crun: 127, runc: 127, "cat: x: No such file or directory\n": 1, "": 1, crun + strings.Repeat("x", longestRefusal): 1,
		"exec /etc/passwd: permission denied\n": 126,
	} {
		r := &refusal{}
		for _, c := range []byte(words) {
			if got, _ := r.look(wire.Stderr, []byte{c}); len(got) != 1 || got[0] != c {
				t.Fatalf("%q became %q", c, got)
			}
		}
		if got := r.translate(&wire.Exit{Status: 1}); got.Status != want {
			t.Errorf("%q: %d, want %d", words, got.Status, want)
		}
		if got := r.translate(&wire.Exit{Status: 3}); got.Status != 3 {
			t.Errorf("%q: status 3 became %d", words, got.Status)
		}
	}
}

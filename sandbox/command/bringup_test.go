//go:build linux

package command

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/relay"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/sandboxtest"
	"github.com/snugvm/snug/test/ptytest"
)

// box is a sandbox as far as a bring-up can tell: a folder that is the only one
// the script may use, and a PATH.
type box struct {
	t      *testing.T
	dir    string
	bin    string
	tool   []string // what stands in front of the launcher, for tests to change
	config Config
	mu     sync.Mutex
	said   []string // progress
}

// of is the box for a test within the test that has made it.
func (b *box) of(t *testing.T) *box { return &box{t: t, dir: b.dir, bin: b.bin, config: b.config} }

// every program that the script may use, for boxes to choose from.
var every = []string{"chmod", "head", "dd", "gzip", "uname", "rm", "cat"}

// newBox returns a box with the given shell and programs, each NAME or
// NAME=PATH.
func newBox(t *testing.T, sh []string, programs ...string) *box {
	t.Helper()
	dir, err := os.MkdirTemp("", "snug-box-")
	must(t, err)
	b := &box{t: t, dir: filepath.Join(dir, "d"), bin: filepath.Join(dir, "bin")}
	must(t, os.Mkdir(b.dir, 0o700))
	must(t, os.Mkdir(b.bin, 0o700))
	find(t, sh[0])
	b.script("sh", "exec "+strings.Join(sh, " ")+` "$@"`)
	for _, p := range programs {
		b.script(p, "exec "+find(t, p)+` "$@"`)
	}
	b.tool = b.shell()
	mark := wire.NewMark()
	b.config = Config{
		Agent:  agent.Config{Mark: mark[:], HostKey: make([]byte, 32)},
		Binary: func(string) ([]byte, error) { return os.ReadFile(agentFile) },
		Lock: func(context.Context) (func(), error) {
			b.mu.Lock()
			return b.mu.Unlock, nil
		},
		Progress: func(s string) { b.said = append(b.said, s) },
		Patience: 20 * time.Second,
		Folders:  []string{b.dir},
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return b
}

// shell is an exec in the box.
func (b *box) shell() []string {
	return []string{"env", "-i", "PATH=" + b.bin, "HOME=" + b.dir, "IMAGE=yes"}
}

func find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is missing: apt-get install --no-install-recommends busybox-static coreutils gzip", program)
	}
	return path
}

// script puts a program into the box. Its interpreter is the host's.
func (b *box) script(name, text string) {
	b.t.Helper()
	must(b.t, ptytest.WriteProgram(filepath.Join(b.bin, name), []byte("#!/bin/sh\n"+text+"\n")))
}

func (b *box) plan() *Plan {
	b.t.Helper()
	p, err := Wrap(b.tool, nil)
	must(b.t, err)
	return p
}

func (b *box) start() (*Machine, error) {
	b.config.Plan = b.plan()
	return start(b.t.Context(), b.config, binaries)
}

// binaries are shared by the boxes: to pack them takes its time.
var binaries = &agents{find: func(string) ([]byte, error) { return os.ReadFile(agentFile) }}

func (b *box) mustStart() *Machine {
	b.t.Helper()
	m, err := b.start()
	must(b.t, err)
	b.t.Cleanup(func() { must(b.t, m.Kill()) })
	return m
}

func (b *box) host(m *Machine) *sandboxtest.Host {
	b.t.Helper()
	peer, err := b.config.Agent.Peer()
	must(b.t, err)
	return sandboxtest.NewHost(b.t, m, peer, 30*time.Second)
}

// works runs a program in the machine.
func (b *box) works(m *Machine) {
	b.t.Helper()
	p := b.host(m).Start(wire.Start{Args: []string{probe, "echo", "5"}, Env: []wire.Env{{Name: "TERM", Value: "x"}}})
	p.Expect("ready")
	p.Type("hello")
	p.WantExit(42)
}

// left is what a bring-up left in the box that is not the agent's own.
func (b *box) left() (names []string) {
	entries, _ := os.ReadDir(b.dir)
	for _, e := range entries {
		if e.Name() != relay.UserFolder(os.Geteuid()) {
			names = append(names, e.Name())
		}
	}
	return names
}

var shells = map[string][]string{
	"dash": {"/usr/bin/dash"}, "bash": {"/usr/bin/bash", "--posix"}, "busybox": {"/usr/bin/busybox", "sh"},
}

func TestBringUpInEveryShellWithWhateverProgramsThereAre(t *testing.T) {
	sets := map[string][]string{
		"everything": every,
		"head":       {"chmod", "head"},
		"dd":         {"chmod", "dd"},
		"head gzip":  {"chmod", "head", "gzip", "rm"},
		"cat":        {"chmod", "cat", "gzip"},
	}
	for name, sh := range shells {
		for set, programs := range sets {
			t.Run(name+" with "+set, func(t *testing.T) {
				b := newBox(t, sh, programs...)
				began := time.Now()
				m := b.mustStart()
				cold := time.Since(began)
				b.works(m)
				must(t, m.Kill())
				began = time.Now()
				again := b.mustStart()
				t.Logf("cold %v, warm %v", cold, time.Since(began))
				b.works(again)
				if len(b.said) != 1 {
					t.Errorf("said %q: the agent was to be sent once", b.said)
				}
				if left := b.left(); len(left) > 0 && set != "head" && set != "dd" && set != "cat" {
					t.Errorf("left behind: %q", left)
				}
			})
		}
	}
}

// What busybox has of its own it takes, so these are run by another shell.
func TestBringUpByOtherProgramsThanTheirUsualOnes(t *testing.T) {
	strict := `case "$*" in *fullblock*) echo "dd: unknown operand" >&2; exit 1;; esac; exec ` + find(t, "dd") + ` "$@"`
	for name, scripts := range map[string]map[string]string{
		"busybox head":          {"head": "exec /usr/bin/busybox head \"$@\""},
		"busybox dd":            {"dd": "exec /usr/bin/busybox dd \"$@\""},
		"a dd without iflag":    {"dd": strict},
		"a gzip that is broken": {"head": "exec " + find(t, "head") + ` "$@"`, "gzip": "exit 1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, shells["dash"], "chmod")
			for program, text := range scripts {
				b.script(program, text)
			}
			b.works(b.mustStart())
		})
	}
}

// trials is how far the tests that repeat go.
var trials = flag.Int("trials", 20, "how often tests repeat what may fail by chance")

// positions are at which of n bytes a direction is torn: each of the first and
// last ones, and between them about as many times.
func positions(n, edge, times int) (at []int) {
	step := max(1, n/times)
	for i := 0; i <= n; {
		at = append(at, i)
		if i < edge || i > n-edge {
			i++
		} else {
			i += 1 + rand.N(2*step)
		}
	}
	return at
}

// Wherever the exec is torn on the way to the hello, the next one makes it good.
func TestBringUpTornAnywhere(t *testing.T) {
	for name, cold := range map[string]bool{"cold": true, "warm": false} {
		for direction := range 2 {
			t.Run(name+[]string{" to the machine", " from the machine"}[direction], func(t *testing.T) {
				b := newBox(t, shells["dash"], every...)
				n := [2]int{}
				n[0], n[1] = b.carried()
				if !cold { // it was cold, and has made it warm
					n[0], n[1] = b.carried()
				}
				times, edge, cuts := *trials/2, 3, 0
				if cold { // which takes its time
					times, edge = times/3, 1
				}
				for _, at := range positions(n[direction]-1, edge, times) {
					if cold {
						must(t, os.RemoveAll(b.dir))
						must(t, os.Mkdir(b.dir, 0o700))
					}
					f := whole()
					f.Times = 1
					if direction == 0 {
						f.CutIn = at
					} else {
						f.CutOut = at
					}
					execs := b.faulty(f)
					m, err := b.start()
					if err != nil {
						t.Fatalf("torn after %d bytes of %d: %v", at, n[direction], err)
					}
					if cuts%8 == 0 {
						b.works(m)
					}
					if execs() != 2 && at < n[direction]-1 {
						t.Errorf("torn after %d bytes of %d: %d execs", at, n[direction], execs())
					}
					must(t, m.Kill())
					cuts++
				}
				t.Logf("%d cuts in %d bytes", cuts, n[direction])
			})
		}
	}
}

// What a tool does instead of the exec, four times of five.
func TestBringUpThatGoesWrongIsTriedAgain(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	for name, instead := range map[string]string{
		"nothing":              "exit 0",
		"torn config":          `echo "parse error: trailing garbage" >&2; exit 1`,
		"killed":               "kill -9 $$",
		"another program":      "echo hello; exit 0",
		"an echo":              "cat",
		"an echo in quotes":    `while read -r x; do echo "you said: $x"; done`,
		"a shell without us":   "read x; exit 7",
		"half an answer":       `read -r x; a=${x#*sn_a=}; a=${a%%;*}; b=${x#*sn_b=}; b=${b%%;*}; echo "@$a$b warm"; sleep 60`,
		"a lie":                `read -r x; a=${x#*sn_a=}; a=${a%%;*}; b=${x#*sn_b=}; b=${b%%;*}; echo "@$a$b warm x86_64 /"; read x`,
		"another one's answer": "echo @00112233445566778899aabbccddeeff hello; exit 0",
	} {
		t.Run(name, func(t *testing.T) {
			b := b.of(t)
			f := whole()
			f.Instead, f.Times = instead, tries-1
			if strings.Contains(name, "echo") {
				b.config.Patience, f.Times = 3*time.Second, 1 // such an exec says nothing more
			}
			execs := b.faulty(f)
			m, err := b.start()
			must(t, err)
			b.works(m)
			if n := execs(); n != f.Times+1 {
				t.Errorf("%d execs, want %d", n, f.Times+1)
			}
			must(t, m.Kill())
		})
	}
}

func TestBringUpGivesUpWithTheToolsWords(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	f := whole()
	f.Instead, f.Times = `echo "parse error: trailing garbage" >&2; exit 1`, 100
	execs := b.faulty(f)
	_, err := b.start()
	var e *Error
	if !errors.As(err, &e) || e.Kind != Failed || !strings.Contains(err.Error(), "parse error: trailing garbage") || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("error %v", err)
	}
	if execs() != tries {
		t.Errorf("%d execs, want %d", execs(), tries)
	}
}

func TestNoiseBeforeTheAnswerIsSkipped(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	for name, noise := range map[string]string{
		"a motd":              "Welcome!\r\n * Documentation: https://example.org\r\n",
		"a prompt":            "\x1b[?2004h$ ",
		"half a line":         "@0123456789 ",
		"a very long line":    strings.Repeat("noise ", 100_000/6),
		"every byte":          strings.Repeat(string([]byte{0, 1, 2, 255, 254, '@', '\n', '\r'}), 100),
		"another one's hello": "@00112233445566778899aabbccddeeff hello\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := b.of(t)
			f := whole()
			f.Noise, f.Times = noise, 100
			execs := b.faulty(f)
			m := b.mustStart()
			b.works(m)
			if execs() != 1 {
				t.Errorf("%d execs", execs())
			}
		})
	}
}

func TestSlowToolIsOnlySlow(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	b := newBox(t, shells["busybox"], every...)
	f := whole()
	f.Slow, f.Times = true, 100
	execs := b.faulty(f)
	b.works(b.mustStart())
	if execs() != 1 {
		t.Errorf("%d execs", execs())
	}
}

func TestHungToolIsGivenUpInTime(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	f := whole()
	f.Instead, f.Times = "sleep 4242", 100
	b.faulty(f)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("the user has no more patience"))
	defer cancel()
	b.config.Plan = b.plan()
	began := time.Now()
	_, err := Start(ctx, b.config)
	if err == nil || !strings.Contains(err.Error(), "no more patience") || time.Since(began) > 5*time.Second {
		t.Errorf("error %v after %v", err, time.Since(began))
	}
	b.await("the tool is killed, and what it started", func() bool { return alive("sleep\x004242") == 0 })
}

func TestAgentThatIsThereAndBrokenIsSentAgain(t *testing.T) {
	content, err := os.ReadFile(agentFile)
	must(t, err)
	for name, broken := range map[string][]byte{
		"empty":      nil,
		"a half":     content[:len(content)/2],
		"a header":   content[:64],
		"a script":   []byte("echo no; exit 3\n"),
		"an imitant": append(slices.Clip(content), 'x'),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, shells["dash"], every...)
			m, err := b.start()
			must(t, err)
			must(t, m.Kill())
			names, err := filepath.Glob(b.dir + "/snug-agent-*/agent-*")
			if len(names) != 1 || err != nil {
				t.Fatalf("agents %q, %v", names, err)
			}
			must(t, ptytest.WriteProgram(names[0], broken))
			b.works(b.mustStart())
			if got, err := os.ReadFile(names[0]); string(got) != string(content) {
				t.Errorf("the agent was not replaced: %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestFolderThatWillNotDoIsPassedOver(t *testing.T) {
	for name, c := range map[string]struct {
		folders []string
		tool    string // in front of the shell
		works   bool
	}{
		"missing, not writable":     {[]string{"/nowhere", "/proc/self", "/sys", "", "it's", "GOOD"}, "", true},
		"only such":                 {[]string{"/nowhere", "/proc/self", "/sys"}, "", false},
		"full":                      {[]string{"GOOD"}, "ulimit -f 100", false},
		"name too long for sockets": {[]string{"LONG", "GOOD"}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, shells["dash"], every...)
			long := filepath.Join(filepath.Dir(b.dir), strings.Repeat("long", 30))
			must(t, os.Mkdir(long, 0o700))
			b.config.Folders = nil
			for _, f := range c.folders {
				b.config.Folders = append(b.config.Folders, strings.NewReplacer("GOOD", b.dir, "LONG", long).Replace(f))
			}
			if c.tool != "" {
				b.script("limit", c.tool+`; exec "$@"`)
				b.tool = append(b.shell(), b.bin+"/limit")
			}
			m, err := b.start()
			if c.works {
				must(t, err)
				b.works(m)
				must(t, m.Kill())
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != NoFolder || !errors.Is(err, ErrNoFolder) || !errors.Is(err, ErrNoAgentPossible) {
				t.Errorf("error %v", err)
			}
			if left := b.left(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// A folder where nothing may be executed shows only when something is.
func TestFolderThatDoesNotExecuteIsPassedOver(t *testing.T) {
	b := newBox(t, shells["dash"], "head", "rm")
	b.script("chmod", "exit 0") // what a mount with noexec comes to
	_, err := b.start()
	if !errors.Is(err, ErrNoFolder) {
		t.Errorf("error %v", err)
	}
}

func TestMachineWithoutAShell(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	must(t, os.Remove(filepath.Join(b.bin, "sh")))
	b.tool = []string{"env", "PATH=" + b.bin}
	_, err := b.start()
	t.Log(err)
	if !errors.Is(err, ErrNoShell) || !errors.Is(err, ErrNoAgentPossible) {
		t.Errorf("error %v", err)
	}
}

func TestToolThatIsNotInstalled(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	b.tool = []string{"no-such-tool", "exec", "-i", "box"}
	_, err := b.start()
	var e *Error
	if !errors.As(err, &e) || e.Kind != NotInstalled || !strings.Contains(err.Error(), "no-such-tool") {
		t.Errorf("error %v", err)
	}
}

func TestMachineOfAnotherArchitectureOrSystem(t *testing.T) {
	for uname, kind := range map[string]Kind{
		`case $1 in -m) echo riscv64;; *) echo Linux;; esac`: NoAgent,
		`case $1 in -m) echo amd64;; *) echo FreeBSD;; esac`: NotLinux,
	} {
		b := newBox(t, shells["dash"], "chmod", "head", "rm")
		b.script("uname", uname)
		// As on an older kernel, which does not say it in /proc.
		b.script("sh", `shift; exec /usr/bin/dash -c "$(echo "$1" | sed 's/;eval/;snug=$(echo "$snug" | \/usr\/bin\/sed s=proc.sys.kernel.arch=nowhere=);eval/')"`)
		b.config.Binary = func(arch string) ([]byte, error) {
			if arch != "amd64" && arch != "arm64" {
				return nil, errors.New("no agent for " + arch)
			}
			return os.ReadFile(agentFile)
		}
		b.tool = []string{"env", "PATH=" + b.bin + ":/usr/bin:/bin"}
		b.config.Plan = b.plan()
		_, err := Start(t.Context(), b.config)
		var e *Error
		if !errors.As(err, &e) || e.Kind != kind || !errors.Is(err, ErrNoAgentPossible) {
			t.Errorf("error %v", err)
		}
	}
}

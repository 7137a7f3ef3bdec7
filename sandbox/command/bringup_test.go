//go:build linux

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/relay"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/sandboxtest"
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
	must(b.t, os.WriteFile(filepath.Join(b.bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755))
}

func (b *box) plan() *Plan {
	b.t.Helper()
	p, err := Wrap(b.tool, nil)
	must(b.t, err)
	return p
}

func (b *box) start() (*Machine, error) {
	b.config.Plan = b.plan()
	return Start(b.t.Context(), b.config)
}

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
		if e.Name() != "snug-"+strconv.Itoa(os.Geteuid()) {
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

var _ = fmt.Sprint
var _ = errors.New
var _ = relay.Ended

//go:build linux

package front

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/command"
	"github.com/snugvm/snug/sandbox/sandboxtest"
	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/rig"
)

// alike are the tools whose exec is made as that of another: podman's as docker's,
// runc's as crun's, nsenter's as chroot's. Their turn is the long run.
var alike = []string{"podman", "runc", "nsenter"}

// conforms runs the suite that every sandbox runs, on the box's machine.
func conforms(f *front) {
	if *trials <= 20 && slices.Contains(alike, f.tool) {
		f.T.Logf("NOT CHECKED: the suite takes 20 s, and %s is like another tool: use -trials=21 or more", f.tool)
		return
	}
	dir := "/tmp"
	if f.tool == "ssh" { // which leads to this machine
		dir = f.T.TempDir()
	}
	sandboxtest.Run(f.T, func(t *testing.T) sandboxtest.Subject {
		mark := wire.NewMark()
		config := agent.Config{Mark: mark[:], HostKey: make([]byte, 32)}
		m, err := command.Start(t.Context(), command.Config{
			Plan: f.plan(t), Agent: config, Patience: patience,
			Binary: func(arch string) ([]byte, error) {
				return os.ReadFile("../../internal/guestbin/bin/snug-agent-linux-" + arch)
			},
			Lock: func(context.Context) (func(), error) { return func() {}, nil },
		})
		rig.Must(t, err)
		t.Cleanup(func() { rig.Must(t, m.Kill()) })
		peer, err := config.Peer()
		rig.Must(t, err)
		return sandboxtest.Subject{Machine: m, Peer: peer, Probe: f.probe, Dir: dir, Patience: patience, Trials: max(2, *trials/10)}
	})
}

// plan is the tool's command line as this process can run it: by a script of the
// tool's name that has the box's variables.
func (f *front) plan(t *testing.T) *command.Plan {
	t.Helper()
	line := f.line("true")
	script := "#!/bin/sh\nexec env " + quote(f.box.Env()) + " " + f.tool + ` "$@"` + "\n"
	line[0] = filepath.Join(t.TempDir(), f.tool)
	rig.Must(t, ptytest.WriteProgram(line[0], []byte(script)))
	p, err := command.Parse(line)
	rig.Must(t, err)
	return p
}

//go:build linux

package command

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/sandboxtest"
	"github.com/snugvm/snug/test/ptytest"
)

// newLocal returns a machine without an agent of its own, whose tool runs programs
// on this host.
func newLocal(t *testing.T, bridge Bridge) (*Local, wire.Peer) {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "tool")
	must(t, ptytest.WriteProgram(tool, []byte(`#!/bin/sh
[ -n "$CLEAN" ] || exec env -i CLEAN=1 PATH="$PATH" HOME=/root "$0" "$@"
unset CLEAN
while [ "$1" != box ]; do
	case $1 in
	-e) export "$2";;
	-w) cd "$2" || exit 1;;
	*) exit 1;;
	esac
	shift 2
done
shift
exec "$@"
`)))
	mark, seed := wire.NewMark(), make([]byte, 32)
	_, _ = rand.Read(seed) // never fails
	plan := &Plan{Tool: "tool", Name: "tool:box", argv0: tool, target: "box", row: &row{
		tool: "tool", execFlags: "env -e =\n dir -w =", carrier: fields("{tool} {flags} {target}"),
	}}
	var turn sync.Mutex
	cfg := Config{Plan: plan, Agent: agent.Config{Mark: mark[:], HostKey: seed}, Lock: func(context.Context) (func(), error) {
		turn.Lock()
		return turn.Unlock, nil
	}}
	m, err := StartLocal(t.Context(), LocalConfig{Config: cfg, Bridge: bridge})
	must(t, err)
	t.Cleanup(func() { must(t, m.Kill()) })
	peer, err := cfg.Agent.Peer()
	must(t, err)
	return m, peer
}

func TestSuiteOfTheSttyBridge(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	sandboxtest.Run(t, func(t *testing.T) sandboxtest.Subject {
		m, peer := newLocal(t, BridgeStty)
		return sandboxtest.Subject{
			Machine: m, Peer: peer, Probe: probe, Dir: t.TempDir(), Patience: 20 * time.Second, Trials: 20,
			Lacks: map[sandboxtest.Feature]string{
				sandboxtest.Terminfo: "nothing can be put there",
				sandboxtest.Failures: "only the tool's status says it",
			},
		}
	})
}

//go:build linux

package sandboxtest_test

import (
	"flag"
	"testing"
	"time"

	"github.com/snugvm/snug/sandbox/sandboxtest"
	"go.uber.org/goleak"
)

var trials = flag.Int("trials", 20, "how often tests repeat what may fail by chance")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, sandboxtest.Stranded()) }

func TestMachineWithoutASandbox(t *testing.T) {
	sandboxtest.Run(t, func(t *testing.T) sandboxtest.Subject {
		dir := t.TempDir()
		m, err := sandboxtest.NewInProcess(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Kill() })
		peer, err := m.Agent().Peer()
		if err != nil {
			t.Fatal(err)
		}
		probe, err := sandboxtest.BuildProbe(dir)
		if err != nil {
			t.Fatal(err)
		}
		return sandboxtest.Subject{Machine: m, Peer: peer, Probe: probe, Dir: dir,
			Patience: 30 * time.Second, Trials: *trials}
	})
}

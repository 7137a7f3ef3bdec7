//go:build linux

package command

import (
	"os"
	"testing"

	"github.com/snugvm/snug/sandbox/sandboxtest"
)

// agentFile and probe are built once for the tests.
var agentFile, probe string

func TestMain(m *testing.M) {
	if text := os.Getenv("SNUG_TEST_FAULTS"); text != "" {
		os.Exit(beFaulty(text, os.Args[1:]))
	}
	os.Exit(sandboxtest.Main(m, func(dir string) (err error) {
		if agentFile, err = sandboxtest.BuildAgent(dir); err == nil {
			probe, err = sandboxtest.BuildProbe(dir)
		}
		return err
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

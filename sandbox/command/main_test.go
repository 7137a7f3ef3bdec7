//go:build linux

package command

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/snugvm/snug/sandbox/sandboxtest"
	"go.uber.org/goleak"
)

// agentBinary and probe are built once for the tests.
var agentFile, probe string

func TestMain(m *testing.M) {
	if text := os.Getenv("SNUG_TEST_FAULTS"); text != "" {
		os.Exit(beFaulty(text, os.Args[1:]))
	}
	dir, err := os.MkdirTemp("", "snug-command-")
	if err == nil {
		agentFile = filepath.Join(dir, "snug-agent")
		err = build(agentFile, "./../../cmd/snug-agent")
	}
	if err == nil {
		probe = filepath.Join(dir, "probe")
		err = build(probe, "./../sandboxtest/probe")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	if err := goleak.Find(sandboxtest.Stranded()); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(to, pkg string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", to, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

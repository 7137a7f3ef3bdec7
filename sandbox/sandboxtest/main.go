package sandboxtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// Main is the TestMain of a package whose tests share programs: prepare makes them in a
// folder, which is gone after the tests. It returns the exit status, which is no 0 if
// goroutines are left over.
func Main(m *testing.M, prepare func(dir string) error) (status int) {
	dir, err := os.MkdirTemp("", "snug-tests-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	status = m.Run()
	if err := goleak.Find(Stranded()); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// BuildProbe compiles the program that the suite runs in machines into dir
// and returns its path. It is static: any Linux of this architecture runs it.
func BuildProbe(dir string) (string, error) {
	return build(filepath.Join(dir, "snug-probe"), "github.com/snugvm/snug/sandbox/sandboxtest/probe")
}

// BuildAgent compiles snug-agent into dir, for this architecture, and returns its path.
func BuildAgent(dir string) (string, error) {
	return build(filepath.Join(dir, "snug-agent"), "github.com/snugvm/snug/cmd/snug-agent")
}

func build(to, pkg string) (string, error) {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", to, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return to, nil
}

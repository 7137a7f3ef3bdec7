package sandboxtest

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BuildProbe compiles the program that the suite runs in machines into dir
// and returns its path. It is static: any Linux of this architecture runs it.
func BuildProbe(t testing.TB, dir string) string {
	t.Helper()
	probe := filepath.Join(dir, "snug-probe")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", probe, "github.com/snugvm/snug/sandbox/sandboxtest/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the probe: %v\n%s", err, out)
	}
	return probe
}

// Sequence returns the n bytes that the probe knows by the same seed. They
// are random: every value comes, and no part equals another.
func Sequence(seed string, n int) []byte {
	b := make([]byte, n)
	_, _ = io.ReadFull(rand.NewChaCha8(sha256.Sum256([]byte(seed))), b) // never fails
	return b
}

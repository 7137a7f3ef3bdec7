package qemu

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const (
	// kvmDeadline bounds the probe: a KVM that hangs cannot be interrupted
	// but by a kill.
	kvmDeadline = time.Second
	// kvmLoops is how many turns the probe's guest makes.
	kvmLoops = 100_000
	// kvmSlow separates processors that run these loops (below 1 ms) from
	// hypervisors that emulate them (150 ms and more).
	kvmSlow = 20 * time.Millisecond

	kvmOK = "ok" // the child's word for a KVM that works
)

// ProbeKVM reports whether KVM really runs a guest here, and what it found in
// words for the user. A device that opens proves nothing. childArgv is a command
// that calls KVMLoop, normally a hidden one of this binary: it runs as a child,
// since it may hang.
func ProbeKVM(ctx context.Context, childArgv []string) (ok bool, why string) {
	ctx, cancel := context.WithTimeout(ctx, kvmDeadline)
	defer cancel()
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, childArgv[0], childArgv[1:]...)
	cmd.Stdout = &output
	cmd.WaitDelay = kvmDeadline
	err := cmd.Run()
	answer, _, _ := strings.Cut(output.String(), "\n")
	switch {
	case ctx.Err() != nil:
		return false, fmt.Sprintf("/dev/kvm opens, but a small guest on it did not end within %v", kvmDeadline)
	case err != nil:
		return false, fmt.Sprintf("the probe of /dev/kvm failed: %v", err)
	case answer == "":
		return false, "the probe of /dev/kvm said nothing"
	}
	answer = plain(answer)
	if rest, works := strings.CutPrefix(answer, kvmOK+" "); works {
		return true, rest
	}
	return false, answer
}

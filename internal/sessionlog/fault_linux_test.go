package sessionlog

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestARealDiskThatIsFull(t *testing.T) {
	if testing.Short() {
		t.Skip("mounts a file system")
	}
	root := t.TempDir()
	if err := unix.Mount("snug", root, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("mount a small tmpfs: %v\nrun this as root", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(root, 0)) })
	dir := filepath.Join(root, "log")
	clock := newClock()
	l, err := Create(dir, clock.opts(), nil, Checkpoint{})
	must(t, err)
	defer l.Close()
	written := fill(t, l, syscall.ENOSPC)
	if got := output(read(t, dir)); len(got) != written {
		t.Errorf("%d bytes are there, %d were written", len(got), written)
	}
	clock.pass(time.Second)
	if err := l.Checkpoint(Checkpoint{Offset: l.Offset()}); !errors.Is(err, ErrGap) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a checkpoint on a full disk: %v", err)
	}
	must(t, unix.Mount("snug", root, "tmpfs", unix.MS_REMOUNT, "size=1m"))
	must(t, l.Checkpoint(Checkpoint{Offset: l.Offset()}))
	must(t, l.Output([]byte("again")))
	all := events(read(t, dir))
	if gap, ok := all[len(all)-2].(Gap); !ok || gap.From != uint64(written) || gap.To != l.Offset()-5 {
		t.Errorf("in the end there is %+v", all[len(all)-2:])
	}
}

// fill appends output until that fails, and returns how much could be written.
func fill(t *testing.T, l *Log, want error) (written int) {
	t.Helper()
	p := make([]byte, 1000)
	for {
		err := l.Output(p)
		if errors.Is(err, want) && l.Gap() {
			return written
		}
		must(t, err)
		written += len(p)
	}
}

// limitedFolder names the variable by which the test's binary is told to write against a limit on file sizes.
const limitedFolder = "SESSIONLOG_TEST_LIMITED"

func TestALimitOnFileSizes(t *testing.T) {
	if dir := os.Getenv(limitedFolder); dir != "" {
		limit := unix.Rlimit{Cur: 20_000, Max: 20_000}
		must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &limit))
		l, err := Create(dir, Options{}, nil, Checkpoint{})
		must(t, err)
		defer l.Close()
		written := fill(t, l, syscall.EFBIG)
		must(t, l.Checkpoint(Checkpoint{Offset: l.Offset()}))
		must(t, l.Output([]byte("again")))
		if got := output(read(t, dir)); len(got) != written+5 {
			t.Errorf("%d bytes are there, %d were written", len(got), written+5)
		}
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestALimitOnFileSizes$")
	child.Env = append(os.Environ(), limitedFolder+"="+filepath.Join(t.TempDir(), "log"))
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

package qemu_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/guestinit"
	"github.com/snugvm/snug/internal/machine"
	"github.com/snugvm/snug/sandbox/qemu"
	"github.com/snugvm/snug/sandbox/sandboxtest"
	"go.uber.org/goleak"
)

// The guest of these tests is testdata/guest, whose process 1 is guestinit and
// whose agent sends back what it gets. It boots in software emulation, which
// every host has.

const bootTime = 60 * time.Second // for a loaded machine: it takes 3 s

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "kvm-loop":
			exit(qemu.KVMLoop(os.Stdout))
		case "hang":
			select {}
		case "start":
			exit(startAndLeave(os.Args[2], os.Args[3], os.Args[4]))
		}
	}
	goleak.VerifyTestMain(m, sandboxtest.Stranded())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// config is a machine's, whole but for what a test is about.
func config(t *testing.T) qemu.Config {
	t.Helper()
	if testing.Short() {
		t.Skip("boots a microVM")
	}
	binary, _, err := qemu.FindBinary(t.Context())
	if err != nil {
		t.Fatalf("%v", err)
	}
	khz, err := qemu.MeasureTSC()
	if err != nil {
		t.Fatal(err)
	}
	dir := shortDir(t)
	kernel, vmlinux := kernel(t)
	settings := guestinit.Config{Hostname: "test", Agent: agent.Config{User: agent.User{Name: "root", Home: "/root"}}}
	initrd := initrd(t, kernel, dir, "./testdata/guest", settings, new(machine.Etc))
	return qemu.Config{Dir: dir, Binary: binary, Accel: qemu.TCG, Kernel: vmlinux, Initrd: initrd,
		MemoryMiB: 256, CPUs: 1, TSCKHz: khz}
}

// shortDir is a folder for a machine: t.TempDir is too long for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// kernel finds one in the store that scripts/setup fills.
func kernel(t *testing.T) (k machine.Kernel, vmlinux string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if k, err = machine.FindKernel(filepath.Join(cache, "snug", "kernels"), "/"); err != nil {
		t.Fatal(err)
	}
	if vmlinux, err = k.Vmlinux(filepath.Join(cache, "snug", "boot")); err != nil {
		t.Fatal(err)
	}
	return k, vmlinux
}

// initrd makes an initramfs in dir, with the program of a package as process 1.
func initrd(t *testing.T, k machine.Kernel, dir, program string, settings guestinit.Config, etc *machine.Etc) string {
	t.Helper()
	binary := filepath.Join(dir, "agent")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the guest's agent: %v\n%s", err, out)
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	base, err := k.Base(dir, content)
	if err != nil {
		t.Fatal(err)
	}
	initrd := filepath.Join(dir, "initrd")
	if err := machine.WriteInitrd(initrd, base, settings, etc); err != nil {
		t.Fatal(err)
	}
	return initrd
}

func start(t *testing.T, c qemu.Config) *qemu.VM {
	t.Helper()
	vm, err := qemu.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := vm.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("console:\n%s", vm.Console())
		}
	})
	return vm
}

// limited is a context for one wait.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	t.Cleanup(cancel)
	return ctx
}

// alive reports whether QEMU listens in dir.
func alive(dir string) bool {
	conn, err := net.Dial("unix", filepath.Join(dir, "link.sock"))
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// echo sends b over the link and demands it back.
func echo(t *testing.T, link io.ReadWriteCloser, b []byte) {
	t.Helper()
	if err := link.(net.Conn).SetDeadline(time.Now().Add(bootTime)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := link.Write(b)
		sent <- err
	}()
	got := make([]byte, len(b))
	_, err := io.ReadFull(link, got)
	if err = errors.Join(err, <-sent); err != nil {
		t.Fatalf("echo of %d bytes: %v", len(b), err)
	}
	if !bytes.Equal(got, b) {
		t.Fatalf("echo of %d bytes came back changed", len(b))
	}
}

func dial(t *testing.T, vm *qemu.VM) io.ReadWriteCloser {
	t.Helper()
	link, err := vm.Dial(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// tell gives c an initramfs with other settings.
func tell(t *testing.T, c *qemu.Config, settings guestinit.Config) {
	t.Helper()
	base, err := filepath.Glob(filepath.Join(c.Dir, "initramfs-*"))
	if err != nil || len(base) != 1 {
		t.Fatalf("base initramfs: %v, %v", base, err)
	}
	c.Initrd = filepath.Join(c.Dir, "initrd-"+filepath.Base(t.Name()))
	if err := machine.WriteInitrd(c.Initrd, base[0], settings, new(machine.Etc)); err != nil {
		t.Fatal(err)
	}
}

// locked gives c a lock, and returns a test of whether somebody holds it.
func locked(t *testing.T, c *qemu.Config) (held func() bool) {
	t.Helper()
	open := func() *os.File {
		f, err := os.OpenFile(filepath.Join(c.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	c.Lock = open()
	if err := syscall.Flock(int(c.Lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		f := open()
		defer func() { _ = f.Close() }()
		return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
	}
}

// TestMachine boots a machine with as many shares as it can have, which process 1
// must mount all before the link answers.
func TestMachine(t *testing.T) {
	c := config(t)
	var settings guestinit.Config
	for i := range qemu.MaxShares {
		tag := fmt.Sprintf("t%d", i)
		c.Shares = append(c.Shares, qemu.Share{Tag: tag, Path: c.Dir, ReadOnly: true})
		settings.Shares = append(settings.Shares, guestinit.Share{Tag: tag, Path: "/mnt/" + tag, ReadOnly: true})
	}
	tell(t, &c, settings)
	held := locked(t, &c)
	began := time.Now()
	vm := start(t, c)
	if err := c.Lock.Close(); err != nil {
		t.Fatal(err)
	}
	if err := vm.SignOfLife(limited(t)); err != nil {
		t.Fatal(err)
	}
	t.Logf("sign of life after %v", time.Since(began).Round(time.Millisecond))
	link := dial(t, vm)
	echo(t, link, []byte("x"))
	t.Logf("link echo after %v", time.Since(began).Round(time.Millisecond))

	t.Run("link carries 1 MiB exactly both ways", func(t *testing.T) {
		b := make([]byte, 1<<20)
		_, _ = rand.Read(b)
		echo(t, link, b)
	})
	t.Run("link is opened again 50 times", func(t *testing.T) {
		for i := range 50 {
			if err := link.Close(); err != nil {
				t.Fatal(err)
			}
			link = dial(t, vm)
			echo(t, link, fmt.Appendf(nil, "connection %d", i))
		}
	})
	t.Run("lock is held for life", func(t *testing.T) {
		if !held() {
			t.Error("QEMU does not hold the lock")
		}
	})
	t.Run("kill leaves no process", func(t *testing.T) {
		if err := vm.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := vm.Wait(); err != nil {
			t.Errorf("Wait after Kill = %v, want nil", err)
		}
		if alive(c.Dir) || held() {
			t.Error("QEMU still listens, or holds the lock")
		}
	})
}

func TestDeathIsToldWithItsCause(t *testing.T) {
	c := config(t)
	t.Run("kernel panic", func(t *testing.T) {
		broken := c
		broken.Append = []string{"rdinit=/none", "root=/dev/none"}
		wantCause(t, start(t, broken).Wait(), "kernel panic")
	})
	t.Run("kill -9 of QEMU", func(t *testing.T) {
		vm := start(t, c)
		if err := vm.SignOfLife(limited(t)); err != nil {
			t.Fatal(err)
		}
		vm.KillProcess()
		wantCause(t, vm.Wait(), "QEMU was killed by signal 9")
		if _, err := vm.Dial(limited(t)); err == nil || !strings.Contains(err.Error(), "signal 9") {
			t.Errorf("Dial of a dead machine = %v, want its cause", err)
		}
	})
	t.Run("process 1 fails", func(t *testing.T) {
		settings := c
		tell(t, &settings, guestinit.Config{Shares: []guestinit.Share{{Tag: "absent", Path: "/usr"}}})
		wantCause(t, start(t, settings).Wait(), "snug: mount 9p at /usr")
	})
}

func wantCause(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("cause = %v, want one line with %q", err, words)
	}
}

func TestStartFailsWithQEMUsOwnWords(t *testing.T) {
	c := config(t)
	for _, test := range []struct {
		name  string
		spoil func(*qemu.Config)
		want  string
	}{
		{"no kernel file", func(c *qemu.Config) { c.Kernel = "/nonexistent" }, "could not open kernel"},
		{"not a kernel", func(c *qemu.Config) { c.Kernel = c.Initrd }, "kernel"},
		{"absurd memory", func(c *qemu.Config) { c.MemoryMiB = 1 << 30 }, "memory"},
		{"absent share", func(c *qemu.Config) {
			c.Shares = []qemu.Share{{Tag: "a", Path: "/nonexistent"}}
		}, "/nonexistent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := c
			test.spoil(&c)
			vm, err := qemu.Start(limited(t), c)
			if err == nil {
				err = vm.Wait()
			}
			wantCause(t, err, test.want)
		})
	}
}

func TestAdoptAfterTheStarterIsGone(t *testing.T) {
	c := config(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(self, "start", c.Dir, c.Kernel, c.Initrd).CombinedOutput(); err != nil {
		t.Fatalf("start in another process: %v\n%s", err, out)
	}
	vm, err := qemu.Adopt(limited(t), c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = vm.Kill() })
	link := dial(t, vm)
	echo(t, link, []byte("still here"))
	if err := vm.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := vm.Wait(); err != nil || alive(c.Dir) {
		t.Errorf("after Kill: Wait = %v, alive = %v", err, alive(c.Dir))
	}
	if _, err := qemu.Adopt(limited(t), c.Dir); err == nil {
		t.Error("a dead machine was adopted")
	}
}

// startAndLeave starts a machine, as a process that then ends.
func startAndLeave(dir, kernel, initrd string) error {
	binary, _, err := qemu.FindBinary(context.Background())
	if err != nil {
		return err
	}
	khz, err := qemu.MeasureTSC()
	if err != nil {
		return err
	}
	_, err = qemu.Start(context.Background(), qemu.Config{Dir: dir, Binary: binary, Accel: qemu.TCG,
		Kernel: kernel, Initrd: initrd, MemoryMiB: 256, CPUs: 1, TSCKHz: khz})
	return err
}

func TestKVMProbeAlwaysAnswers(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ok, why := qemu.ProbeKVM(t.Context(), []string{self, "kvm-loop"})
	t.Logf("kvm: %v: %s", ok, why)
	if why == "" {
		t.Error("the answer has no reason")
	}
	began := time.Now()
	if ok, why := qemu.ProbeKVM(t.Context(), []string{self, "hang"}); ok || !strings.Contains(why, "did not end") {
		t.Errorf("probe that hangs = %v, %q", ok, why)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("probe that hangs took %v", took)
	}
}

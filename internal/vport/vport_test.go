package vport

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// The real port is tested in a VM (sandbox/qemu). Here a socket pair stands in
// for it, which is the same to the poller.
func pair(t *testing.T) (*Port, *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if err := syscall.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	port, err := newPort(os.NewFile(uintptr(fds[0]), "port"))
	if err != nil {
		t.Fatal(err)
	}
	host := os.NewFile(uintptr(fds[1]), "host")
	t.Cleanup(func() { _ = port.Close(); _ = host.Close() })
	return port, host
}

func TestPortIsFoundByItsName(t *testing.T) {
	class := t.TempDir()
	for device, name := range map[string]string{"vport1p1": "spice\n", "vport1p2": "link\n"} {
		if err := os.MkdirAll(filepath.Join(class, device), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(class, device, "name"), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := find(class, "link"); err != nil || got != "vport1p2" {
		t.Errorf("find(link) = %q, %v; want vport1p2", got, err)
	}
	if _, err := find(class, "lin"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("find(lin) = %v, want not exist", err)
	}
}

func TestBytesPassBothWaysWhileBothWait(t *testing.T) {
	port, host := pair(t)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() { _, _ = io.Copy(port, io.LimitReader(port, int64(len(sent)))) }()
	go func() { _, _ = host.Write(sent) }()
	got := make([]byte, len(sent))
	if err := host.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(host, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Error("echo differs from what was sent")
	}
}

func TestAbsentHostIsNotTheEnd(t *testing.T) {
	port, host := pair(t)
	read := make(chan error, 1)
	go func() {
		_, err := port.Read(make([]byte, 1))
		read <- err
	}()
	if err := host.Close(); err != nil { // read(2) returns 0 from here on
		t.Fatal(err)
	}
	select {
	case err := <-read:
		t.Fatalf("Read returned %v while the host was away", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-read; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read after Close = %v, want os.ErrClosed", err)
	}
}

package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLockEndsWithItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	wantHeld(t, path, false)
	holder := play(t, dirs(t), nil, "holder", path)
	holder.ready(t)
	wantHeld(t, path, true)
	if _, err := TryLock(path); !errors.Is(err, ErrLocked) {
		t.Errorf("TryLock of a held lock: %v, want ErrLocked", err)
	}
	holder.kill9()
	wantHeld(t, path, false)
}

func TestLockWaitsUntilItsContextEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := Lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want a deadline error that names the lock", err)
	}
	time.AfterFunc(20*time.Millisecond, func() { _ = held.Close() })
	unlock, err := Lock(patience(t), path)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	wantHeld(t, path, false)
}

// A lock on a file that has lost its name guards nothing.
func TestLockFollowsTheName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	old, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close() }()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	now, err := TryLock(path)
	if err != nil {
		t.Fatalf("lock of the new file: %v", err)
	}
	defer func() { _ = now.Close() }()
	wantHeld(t, path, true)
}

func TestInheritedRefusesAnotherFile(t *testing.T) {
	dir := t.TempDir()
	other, err := os.Create(filepath.Join(dir, "other"))
	if err != nil {
		t.Fatal(err)
	}
	fd := other.Fd()
	if _, err := Inherited(fd, filepath.Join(dir, "lock")); err == nil {
		t.Error("took a descriptor that is not the lock")
	}
	if err := other.Close(); err == nil {
		t.Error("left the wrong descriptor open")
	}
}

func wantHeld(t *testing.T, path string, want bool) {
	t.Helper()
	if got, err := Held(path); err != nil || got != want {
		t.Errorf("held: %v, %v, want %v", got, err, want)
	}
}

func TestAwaitSeesTheEndOfAHolderThatRemovedTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := Await(t.Context(), path); err != nil {
		t.Errorf("no file: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Await made the file: %v", err)
	}
	holder, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Await(expired, path); !errors.Is(err, context.Canceled) {
		t.Errorf("held: %v", err)
	}
	awaited := make(chan error)
	go func() { awaited <- Await(t.Context(), path) }()
	time.Sleep(20 * time.Millisecond) // likely to be waiting by now; right either way
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-awaited; err != nil {
		t.Errorf("removed, then free: %v", err)
	}
}

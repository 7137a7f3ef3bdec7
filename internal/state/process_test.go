package state

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The tests' second processes are this test binary again, told its part in
// SNUG_STATE_PART and its words in the arguments. A part says "ready …" on
// stdout when it holds what it should, then waits for its stdin to end.
var parts = map[string]func(d Dirs, words []string) (string, error){
	// keeper is handed the lock of a claim, and starts a machine that holds
	// the machine's lock and outlives it.
	"keeper": func(d Dirs, words []string) (string, error) {
		m, err := d.Machine(words[0])
		if err != nil {
			return "", err
		}
		if _, err := Inherited(3, m.KeeperLock()); err != nil {
			return "", err
		}
		if err := m.WritePID(); err != nil {
			return "", err
		}
		alive, err := m.LockMachine(context.Background())
		if err != nil {
			return "", err
		}
		qemu := exec.Command("sleep", "60")
		qemu.ExtraFiles = []*os.File{alive}
		if err := qemu.Start(); err != nil {
			return "", err
		}
		return fmt.Sprint(qemu.Process.Pid), alive.Close()
	},
	// claimer claims the next name around a folder.
	"claimer": func(d Dirs, words []string) (string, error) {
		m, _, err := d.ClaimNext(context.Background(), FolderNames(words[0]))
		return m.Name, err
	},
	// holder holds a lock, by path.
	"holder": func(_ Dirs, words []string) (string, error) {
		held, err := TryLock(words[0])
		holderKeeps = held
		return "", err
	},
}

// holderKeeps keeps the collector from closing, and so unlocking, a held file.
var holderKeeps *os.File

func TestMain(m *testing.M) {
	part, ok := parts[os.Getenv("SNUG_STATE_PART")]
	if !ok {
		os.Exit(m.Run())
	}
	d, err := Locate(os.Getenv)
	word := ""
	if err == nil {
		word, err = part(d, os.Args[1:])
	}
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	fmt.Println("ready", word)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// process is a second process playing a part.
type process struct {
	*exec.Cmd
	stdout *bufio.Reader
}

// play starts a part, handing it lock as descriptor 3 unless nil.
func play(t *testing.T, d Dirs, lock *os.File, part string, words ...string) process {
	t.Helper()
	cmd := exec.Command(os.Args[0], words...)
	cmd.Env = append(os.Environ(), "SNUG_STATE_PART="+part, "XDG_RUNTIME_DIR="+filepath.Dir(d.Runtime))
	cmd.Stderr = os.Stderr
	if lock != nil {
		cmd.ExtraFiles = []*os.File{lock}
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := process{cmd, bufio.NewReader(out)}
	t.Cleanup(p.kill9)
	return p
}

// ready waits until the part holds what it should and returns its word.
func (p process) ready(t *testing.T) (word string) {
	t.Helper()
	line, err := p.stdout.ReadString('\n')
	word, ready := strings.CutPrefix(line, "ready ")
	if err != nil || !ready {
		t.Fatalf("process said %q, %v", line, err)
	}
	return strings.TrimSpace(word)
}

// kill9 kills the process and returns when it is gone, and its locks with it.
func (p process) kill9() {
	_ = p.Process.Kill()
	_ = p.Wait()
}

// dirs are folders of the test's own.
func dirs(t *testing.T) Dirs {
	t.Helper()
	root, err := os.MkdirTemp("/tmp", "st") // short: sockets have to fit below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	d, err := Locate(func(string) string { return root })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

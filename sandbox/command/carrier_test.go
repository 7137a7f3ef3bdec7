//go:build linux

package command

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// faults are what a tool does wrong in its first execs. The tests' own binary is
// that tool: what follows on its command line is what it is to run.
type faults struct {
	// Log counts the execs: a byte for each.
	Log string
	// Times is how many of them are faulty; all others are whole.
	Times int
	// CutIn and CutOut are after how many bytes each direction is torn, and the
	// program killed; less than 0 for never.
	CutIn, CutOut int
	// Slow carries byte by byte.
	Slow bool
	// Noise comes on stdout before anything else.
	Noise string
	// Instead is a shell command that runs instead of what was asked for.
	Instead string
}

const faultsVariable = "SNUG_TEST_FAULTS"

// faulty returns the tool in front of a box's own, and a way to count its execs.
func (b *box) faulty(f faults) (execs func() int) {
	b.t.Helper()
	self, err := os.Executable()
	must(b.t, err)
	f.Log = b.dir + ".execs"
	text, err := json.Marshal(f)
	must(b.t, err)
	_ = os.Remove(f.Log)
	// A binary with the race detector sleeps for a second before it exits.
	b.tool = append(b.shell(), "GORACE=atexit_sleep_ms=0", faultsVariable+"="+string(text), self)
	return func() int {
		log, _ := os.ReadFile(f.Log)
		return len(log)
	}
}

// whole is faults without any.
func whole() faults { return faults{CutIn: -1, CutOut: -1} }

// beFaulty is the tool. It returns its exit status.
func beFaulty(text string, argv []string) int {
	var f faults
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	_ = os.Unsetenv(faultsVariable)
	log, err := os.OpenFile(f.Log, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err == nil {
		_, err = log.WriteString("x")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	if st, err := log.Stat(); err == nil && st.Size() > int64(f.Times) {
		f = whole()
	}
	_ = log.Close()
	return f.run(argv)
}

func (f *faults) run(argv []string) int {
	if f.Instead != "" {
		argv = []string{"/bin/sh", "-c", f.Instead}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return 98
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 98
	}
	cmd.Stderr = os.Stderr
	_, _ = os.Stdout.WriteString(f.Noise)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 97
	}
	torn := make(chan struct{})
	tear := sync.OnceFunc(func() { close(torn) })
	go func() { // ends with this process
		if f.carry(in, os.Stdin, f.CutIn) {
			tear()
		}
		_ = in.Close()
	}()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if f.carry(os.Stdout, out, f.CutOut) {
			tear()
		}
	}()
	select {
	case <-torn:
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return 137
	case <-ended:
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// carry copies up to limit bytes and reports whether it came that far.
func (f *faults) carry(to io.Writer, from io.Reader, limit int) (torn bool) {
	buf := make([]byte, 32<<10)
	if f.Slow {
		buf = buf[:1]
	}
	for carried := 0; ; {
		n, err := from.Read(buf)
		if limit >= 0 {
			n = min(n, limit-carried)
		}
		carried += n
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return false
			}
		}
		if limit >= 0 && carried == limit {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// carried runs a bring-up and returns how many bytes go each way.
func (b *box) carried() (in, out int) {
	b.t.Helper()
	tee := b.dir + ".tee"
	b.script("tee-exec", `/usr/bin/tee `+tee+`.in | "$@" | /usr/bin/tee `+tee+`.out`)
	b.tool = append(b.shell(), b.bin+"/tee-exec")
	m, err := b.start()
	must(b.t, err)
	must(b.t, m.first.Close())
	defer func() { must(b.t, m.Kill()) }() // which is an exec of its own
	for i, name := range []string{tee + ".in", tee + ".out"} {
		st, err := os.Stat(name)
		must(b.t, err)
		if i == 0 {
			in = int(st.Size())
		} else {
			out = int(st.Size())
		}
	}
	return in, out
}

// alive counts the processes whose command line has word in it.
func alive(word string) (n int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		line, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if strings.Contains(string(line), word) {
			n++
		}
	}
	return n
}

func (b *box) await(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("not in time: %s", what)
		}
	}
}

//go:build linux

package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/box"
	"github.com/snugvm/snug/test/ptytest"
)

// snug is the built command.
const snug = "../bin/snug"

// patience bounds every wait for what comes within milliseconds.
const patience = 30 * time.Second

// way is a way to have a program on a terminal.
type way struct {
	name string
	// missing says how to get what it lacks here; "" is nothing.
	missing func() string
	// start returns a command line that shows the session of a shell script.
	start func(t *testing.T, script string) *exec.Cmd
	// attach begins such a session, of a script that prints lastWords in the
	// end, and returns how to come back to it; nil where one cannot.
	attach func(t *testing.T, script string) func() *exec.Cmd
}

var ways = []way{
	{
		name:    "bare pty",
		missing: func() string { return "" },
		start:   func(_ *testing.T, script string) *exec.Cmd { return exec.Command("sh", "-c", script) },
	},
	{
		name:    "snug",
		missing: func() string { return lacks("make build", snug) },
		start: func(t *testing.T, script string) *exec.Cmd {
			return newSnug(t)("wrap", "--escape", "none", "--exec", "env", "--", "sh", "-c", script)
		},
		attach: func(t *testing.T, script string) func() *exec.Cmd {
			command := newSnug(t)
			first := show(t, command("wrap", "--escape", "none", "--exec", "env", "--", "sh", "-c", script))
			first.await(lastWords)
			first.leave()
			return func() *exec.Cmd { return command("attach", "--escape", "none") }
		},
	},
	{
		name:    "tmux",
		missing: func() string { return lacks("apt-get install tmux", "tmux") },
		start:   func(t *testing.T, script string) *exec.Cmd { return newTmux(t)("new-session", script) },
		attach: func(t *testing.T, script string) func() *exec.Cmd {
			command := newTmux(t)
			first := show(t, command("new-session", script))
			first.await(lastWords)
			first.leave()
			return func() *exec.Cmd { return command("attach-session") }
		},
	},
	{
		name:    "ssh to localhost",
		missing: missingSSH,
		start: func(t *testing.T, script string) *exec.Cmd {
			return box.SSH(t).Tool("ssh", "-e", "none", "-t", box.Name, script)
		},
	},
}

// there returns the ways that are there, and says which are not.
func there() (all []way) {
	for _, w := range ways {
		if get := w.missing(); get != "" {
			fmt.Printf("%s is missing: %s\n", w.name, get)
			continue
		}
		all = append(all, w)
	}
	return all
}

// lacks returns get if one of the programs is not there.
func lacks(get string, programs ...string) string {
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return get
		}
	}
	return ""
}

func missingSSH() string {
	if os.Geteuid() != 0 {
		return "run this as root, who can start a server of one's own"
	}
	if lacks("x", "sshd") != "" && lacks("x", "/usr/sbin/sshd") != "" {
		return "apt-get install openssh-server"
	}
	return lacks("apt-get install openssh-client util-linux", "ssh", "ssh-keygen", "unshare")
}

// newSnug returns command lines of snug for a user of their own, whose machines end with the test.
func newSnug(t *testing.T) func(args ...string) *exec.Cmd {
	t.Helper()
	home := newHome(t)
	path, err := filepath.Abs(snug)
	if err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(path, args...)
		cmd.Dir = home
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TERM=xterm-256color", "LANG=C.UTF-8", "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "XDG_STATE_HOME=" + home}
		return cmd
	}
	t.Cleanup(func() {
		var machines []struct{ Name string }
		out, err := command("ls", "--json").Output()
		if err == nil {
			err = json.Unmarshal(out, &machines)
		}
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		for _, m := range machines {
			if out, err := command("stop", m.Name).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
	})
	return command
}

// newTmux returns command lines of a tmux server that ends with the test.
func newTmux(t *testing.T) func(args ...string) *exec.Cmd {
	t.Helper()
	home := newHome(t)
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command("tmux", append([]string{"-f", "/dev/null", "-S", filepath.Join(home, "tmux"), "set-option", "-g", "status", "off", ";"}, args...)...)
		cmd.Dir = home
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TERM=xterm-256color", "LANG=C.UTF-8", "HOME=" + home}
		return cmd
	}
	t.Cleanup(func() { _ = command("kill-server").Run() })
	return command
}

// newHome returns a folder whose path is short enough for that of a socket.
func newHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "bench")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after what still writes in it was told to end
		for deadline := time.Now().Add(patience); os.RemoveAll(home) != nil; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("something still writes in %s", home)
			}
		}
	})
	return home
}

// shown is a command on a terminal, and the user's side of that.
type shown struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	buf    []byte
}

func show(t *testing.T, cmd *exec.Cmd) *shown {
	t.Helper()
	master := ptytest.StartBare(t, terminal.Size{Rows: rows, Cols: cols}, cmd)
	if err := master.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &shown{t, cmd, master, make([]byte, 64<<10)}
}

// await reads until what is wanted has come.
func (s *shown) await(want string) {
	s.t.Helper()
	var got []byte
	for !bytes.Contains(got, []byte(want)) {
		n, err := s.master.Read(s.buf)
		got = append(got, s.buf[:n]...)
		if err != nil {
			s.t.Fatalf("%q: %v instead of %q: %q", s.cmd.Args, err, want, got)
		}
	}
}

// leave closes the terminal.
func (s *shown) leave() {
	_ = s.master.Close()
	_ = s.cmd.Wait() // it was hung up on
}

// TestKeys prints how long a key that is pressed takes to a program, and its echo
// back, each way in turn.
func TestKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const keys = 1000
	all := there()
	terminals, took := make([]*shown, len(all)), make([][]time.Duration, len(all))
	for n, w := range all {
		terminals[n] = show(t, w.start(t, "stty raw -echo; printf ready; exec cat"))
		t.Cleanup(terminals[n].leave)
		terminals[n].await("ready")
	}
	for i := range keys {
		key := []string{"~", "^"}[i%2] // which come in no sequence that draws
		for n, s := range terminals {
			began := time.Now()
			if _, err := s.master.WriteString(key); err != nil {
				t.Fatal(err)
			}
			s.await(key)
			took[n] = append(took[n], time.Since(began))
		}
	}
	fmt.Printf("a key and its echo, %d of each\n", keys)
	table(all, took)
}

// lastWords are those of a session that one comes back to.
const lastWords = "that-is-all"

// TestAttach prints how long it takes from a command to the screen of a session
// that is there, each way in turn.
func TestAttach(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const times = 40
	all := slices.DeleteFunc(there(), func(w way) bool { return w.attach == nil })
	comeBack, took := make([]func() *exec.Cmd, len(all)), make([][]time.Duration, len(all))
	for n, w := range all {
		comeBack[n] = w.attach(t, "seq -f 'line %g of many' 12000; printf "+lastWords+"; exec sleep 1000")
	}
	for range times {
		for n := range all {
			began := time.Now()
			s := show(t, comeBack[n]())
			s.await(lastWords)
			took[n] = append(took[n], time.Since(began))
			s.leave()
		}
	}
	fmt.Printf("from a command to the screen of a session, %d of each\n", times)
	table(all, took)
}

// table prints medians, and what nearly all are below, in milliseconds, and how
// many times each median that of snug is.
func table(ways []way, took [][]time.Duration) {
	fmt.Printf("%-18s %10s %10s %10s\n", "ms", "median", "99 %", "snug / it")
	for _, all := range took {
		slices.Sort(all)
	}
	ours := slices.IndexFunc(ways, func(w way) bool { return w.name == "snug" })
	for n, all := range took {
		times := "-"
		if ours >= 0 {
			times = fmt.Sprintf("%.1f", float64(median(took[ours]))/float64(median(all)))
		}
		fmt.Printf("%-18s %10.3f %10.3f %10s\n", ways[n].name, ms(median(all)), ms(all[len(all)*99/100]), times)
	}
}

func median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

//go:build linux

package front

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/rig"
)

func TestTwentyMachinesAreListed(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	const machines = 20
	for i := range machines {
		cmd := r.Command("wrap", "--exec", fmt.Sprintf("env N=%d", i), "--", "sh", "-c", "cat; exit 3")
		stdin, err := cmd.StdinPipe()
		rig.Must(t, err)
		rig.Must(t, cmd.Start())
		defer func() { // in the end all of them go at once
			_ = stdin.Close()
			if status := r.Reap(cmd); status != 3 {
				t.Errorf("machine %d: exit status %d", i, status)
			}
		}()
	}
	var names []string
	r.Eventually("20 machines with a session each", func() bool {
		names = nil
		for _, m := range r.List() {
			if len(m.Sessions) == 1 && m.Error == "" && m.Bridge == "agent" {
				names = append(names, m.Name)
			}
		}
		return len(names) == machines
	})
	got := r.Pipe(r.Command("ls"), "")
	if got.Status != 0 || got.Stderr != "" || strings.Count(got.Stdout, "\n") != 1+2*machines {
		t.Errorf("snug ls: %+v", got)
	}
	for _, name := range names {
		if strings.Count(got.Stdout, "\n"+name+" ") != 1 {
			t.Errorf("%s is not listed once:\n%s", name, got.Stdout)
		}
	}
}

// debris is what a crash can leave of a machine, in its folder.
var debris = map[string]func(t *testing.T, dir string){
	"an empty folder": func(*testing.T, string) {},
	"a socket": func(t *testing.T, dir string) {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "ssh.sock"), Net: "unix"})
		rig.Must(t, err)
		l.SetUnlinkOnClose(false)
		rig.Must(t, l.Close())
	},
	"locks":         files("keeper.lock", "", "machine.lock", ""),
	"half a config": files("keeper.lock", "", "config.json", `{"na`),
	"half a config of a machine behind a tool": files("keeper.lock", "", "elsewhere", "", "config.json", `{"na`),
	"no config of one":                         files("keeper.lock", "", "elsewhere", ""),
}

// files makes files of names and contents.
func files(pairs ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		for i := 0; i < len(pairs); i += 2 {
			rig.Must(t, os.WriteFile(filepath.Join(dir, pairs[i]), []byte(pairs[i+1]), 0o600))
		}
	}
}

func TestWhatACrashLeavesIsInNobodysWay(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	program := []string{"wrap", "--exec", "env", "--", "sh", "-c", "cat; exit 3"}
	start(r, "read -r l")
	name := r.Names()[0]
	r.Stop(name)
	for what, leave := range debris {
		t.Run(what, func(t *testing.T) {
			r := r.For(t)
			for _, c := range []struct {
				args   []string
				status int
				stdout string
			}{
				{[]string{"ls"}, 0, ""},
				{[]string{"ls", "--json"}, 0, "[]\n"},
				{program, 3, "in"},
				{[]string{"screen", name}, 125, ""},
				{[]string{"rm", name}, 125, ""}, // nothing runs
			} {
				dir := filepath.Join(r.Root, "run", "snug", "m", name)
				rig.Must(t, os.MkdirAll(dir, 0o700))
				leave(t, dir)
				got := r.Pipe(r.Command(c.args...), "in")
				if got.Status != c.status || got.Stdout != c.stdout {
					t.Errorf("snug %s: %+v, want %d and %q", c.args[0], got, c.status, c.stdout)
				}
				r.NothingLeft()
			}
			dir := filepath.Join(r.Root, "run", "snug", "m", name)
			rig.Must(t, os.MkdirAll(dir, 0o700))
			leave(t, dir)
			c := r.Console(r.Command("attach", name))
			c.Expect("no machine " + name + " runs")
			if status := c.Wait(); status != 125 {
				t.Errorf("snug attach ends with %d", status)
			}
			r.NothingLeft()
		})
	}
}

// Whoever finds a machine without a keeper starts one, and may be killed over it.
func TestWhoStartsAKeeperMayBeKilledOverIt(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	start(r, "read -r l; exit 5")
	name := r.Names()[0]
	for range *trials {
		for _, pid := range r.PIDs(rig.Keeper) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // one whose starter was killed may be ending
			ptytest.AwaitGone(t, pid)
		}
		cmd := r.Command("ls")
		rig.Must(t, cmd.Start())
		time.Sleep(rand.N(60 * time.Millisecond)) // at whatever it is about
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	c := r.Console(r.Command("attach", name))
	c.Expect("up")
	c.Send("\r")
	if status := c.Wait(); status != 5 {
		t.Errorf("snug attach ended with %d, want the program's 5: %s", status, c.Output())
	}
	r.NothingLeft()
}

//go:build linux

package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/sandboxtest"
	"golang.org/x/sys/unix"
)

func TestProgramRunsInTheEnvironmentOfTheExec(t *testing.T) {
	b := newBox(t)
	t.Setenv("IMAGE", "has this")
	t.Setenv("PATH", os.Getenv("PATH")+":/image/bin")
	t.Setenv("SHLVL", "9")
	p := b.host().Start(wire.Start{Args: []string{probe, "env", "IMAGE", "PATH", "HOME", "SHLVL"}})
	p.WantExit(0)
	here, err := os.Getwd()
	must(t, err)
	want := "dir=" + strconv.Quote(here) + "\nIMAGE=\"has this\"\nPATH=" + strconv.Quote(os.Getenv("PATH")) +
		"\nHOME=" + strconv.Quote(os.Getenv("HOME")) + "\nSHLVL=\"\"\n"
	if p.Stdout() != want {
		t.Errorf("the program sees\n%s\nwant\n%s", p.Stdout(), want)
	}
}

// The exec's TMPDIR may be a folder of the host's.
func TestTerminfoIsDeliveredWithoutATMPDIR(t *testing.T) {
	b := newBox(t)
	t.Setenv("TMPDIR", "/no/such/folder")
	p := b.host().Start(wire.Start{Args: []string{probe, "term"}, Pty: &wire.Pty{Term: "odd-terminal", Terminfo: []byte{0x1a, 1}}})
	p.WantExit(0)
	if got := p.Stdout(); got != "term=\"odd-terminal\" entry=1a01\r\n" {
		t.Errorf("the program says %q", got)
	}
}

func TestProgramOnAPTYOutlivesItsRelay(t *testing.T) {
	b := newBox(t)
	h := b.host()
	p := h.Start(wire.Start{Args: []string{probe, "watch"}, Pty: &wire.Pty{Term: "xterm", Size: wire.Size{Rows: 41, Cols: 137}}})
	p.Expect("size 41 137 0 0")
	pid := b.pid()
	b.all()[0].kill() // kill -9
	p.Resize(wire.Size{Rows: 50, Cols: 150})
	p.Expect("size 50 150 0 0")
	p.Type("\x04")
	p.WantExit(0)
	if b.pid() != pid || len(b.all()) != 2 {
		t.Errorf("agent %d became %d, with %d relays", pid, b.pid(), len(b.all()))
	}
}

// Both directions at once while relays are killed: nothing is lost or doubled.
func TestKilledRelaysLoseNothing(t *testing.T) {
	const size = 4 << 20
	b := newBox(t)
	h := b.host()
	out, in := sandboxtest.Sequence("out", size), sandboxtest.Sequence("in", size)
	p := h.Start(wire.Start{Args: []string{probe, "duplex", "out", "in", strconv.Itoa(size)}})
	p.Expect("ready")
	stop := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		const handshake = 16 << 10 // within it a test's host takes no second chance
		for killed := 0; killed < 10; {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond): // how far a link is has no event
			}
			links := h.Links()
			if _, toHost := links[len(links)-1].Carried(); len(links) > killed && toHost > handshake {
				all := b.all()
				_ = all[len(all)-1].cmd.Process.Kill()
				killed++
			}
		}
	})
	p.Send(in)
	_ = p.CloseWrite()
	p.WantExit(42)
	close(stop)
	killer.Wait()
	if p.Stdout() != "ready"+string(out) {
		t.Errorf("%d bytes of output are not the %d that were sent", len(p.Stdout()), size)
	}
	t.Logf("%d relays", len(b.all()))
}

func TestLinkCutAnywhereIsOneLinkToTheAgent(t *testing.T) {
	b := newBox(t)
	h := b.host()
	h.CutLinks(func(link int) (int, int) {
		if link >= 20 {
			return sandboxtest.Whole, sandboxtest.Whole
		}
		return 20 + link*40, sandboxtest.Whole
	})
	p := h.Start(wire.Start{Args: []string{probe, "echo", "5"}})
	p.Expect("ready")
	p.Type("hello")
	p.WantExit(42)
	if p.Stdout() != "readyhello" {
		t.Errorf("output %q", p.Stdout())
	}
}

func TestNewerRelayReplacesTheOlder(t *testing.T) {
	b := newBox(t)
	first, err := b.Dial(t.Context())
	must(t, err)
	second, err := b.Dial(t.Context())
	must(t, err)
	if n, err := first.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the older relay read %d bytes, %v", n, err)
	}
	if said := first.(*enterProcess).stderr.String(); strings.Contains(said, Ended) {
		t.Errorf("the older relay said %q", said)
	}
	_ = second.Close()
}

func TestManyAtOnceStartOneAgent(t *testing.T) {
	b := newBox(t)
	if _, err := b.Dial(t.Context()); err != nil { // installs the binary
		t.Fatal(err)
	}
	for round := range 5 {
		must(t, b.Kill())
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := b.Dial(context.Background()); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		agents := 0
		entries, _ := os.ReadDir("/proc")
		for _, e := range entries {
			line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
			if strings.Contains(string(line), Attend+"\x00"+b.folder()) {
				agents++
			}
		}
		if agents != 1 {
			t.Errorf("round %d: %d agents", round, agents)
		}
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	b := newBox(t)
	_, err := b.Dial(t.Context())
	must(t, err)
	pid := b.pid()
	must(t, unix.Kill(pid, unix.SIGKILL))
	if !exists(filepath.Join(b.folder(), socketName)) {
		t.Fatal("no stale socket to test with")
	}
	_, err = b.Dial(t.Context())
	must(t, err)
	if b.pid() == pid {
		t.Error("the same agent")
	}
}

func TestGoodbyeEndsTheAgentAndCleansUp(t *testing.T) {
	b := newBox(t)
	link, err := b.Dial(t.Context())
	must(t, err)
	peer, err := b.config.Peer()
	must(t, err)
	conn, err := wire.Connect(t.Context(), link, peer)
	must(t, err)
	pid := b.pid()
	ok, _, err := conn.SendRequest(wire.RequestShutdown, true, nil)
	if !ok || err != nil {
		t.Fatalf("goodbye: %v, %v", ok, err)
	}
	_ = conn.Close()
	if said := b.all()[0].stderr.String(); !strings.Contains(said, Ended) {
		t.Errorf("the relay said %q, not that the agent has ended", said)
	}
	await(t, "the folder is gone", func() bool { return !exists(b.folder()) })
	await(t, "the agent is gone", func() bool { return !alive(pid) })
	_, err = b.Dial(t.Context())
	must(t, err)
}

// alive reports whether a process runs; one that nobody reaped does not.
func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestEndEndsAnAgentThatNobodyCanReach(t *testing.T) {
	b := newBox(t)
	p := b.host().Start(wire.Start{Args: []string{probe, "linger"}, Pty: &wire.Pty{Term: "xterm"}})
	await(t, "an agent", func() bool { return b.pid() != 0 })
	hello := b.hello()
	hello.End, hello.Config = true, nil
	_, answer, err := b.enter(filepath.Join(b.base(), AgentFile(b.hash)), hello)
	if err != nil || answer != "@"+hello.Nonce+" "+AnswerEnded {
		t.Errorf("answer %q, %v", answer, err)
	}
	if exists(b.folder()) {
		t.Error("its folder is left")
	}
	_ = p
}

func TestAgentThatIsStoppedIsEndedSurely(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for what does not come")
	}
	b := newBox(t)
	_, err := b.Dial(t.Context())
	must(t, err)
	must(t, unix.Kill(b.pid(), unix.SIGSTOP))
	must(t, b.Kill())
	if exists(b.folder()) {
		t.Error("its folder is left")
	}
}

// The agent holds nothing of the exec that started it, or that exec could never
// end. It lets go once it has said that it is ready.
func TestAgentHoldsNothingOfItsExec(t *testing.T) {
	b := newBox(t)
	_, err := b.Dial(t.Context())
	must(t, err)
	pid := b.pid()
	for fd := range 3 {
		await(t, fmt.Sprintf("descriptor %d is /dev/null", fd), func() bool {
			name, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/fd/" + strconv.Itoa(fd))
			return err == nil && name == "/dev/null"
		})
	}
	if dir, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd"); dir != "/" {
		t.Errorf("working directory %q, %v", dir, err)
	}
	if sid, err := unix.Getsid(pid); sid != pid {
		t.Errorf("session %d, %v", sid, err)
	}
	// A tool may kill its exec with all that descends from it.
	if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); strings.Contains(string(stat), ") S "+strconv.Itoa(b.all()[0].cmd.Process.Pid)+" ") {
		t.Errorf("the agent is a child of the relay: %s, %v", stat, err)
	}
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if got := strings.Split(strings.Trim(string(line), "\x00"), "\x00"); len(got) != 3 || err != nil {
		t.Errorf("command line %q, %v: only the folder may show", got, err)
	}
}

func TestIdleAgentEnds(t *testing.T) {
	b := newBox(t)
	must(t, os.Mkdir(b.base(), 0o700))
	began := time.Now()
	err := serve(t.Context(), b.folder(), b.config, func() {}, idle{100 * time.Millisecond, time.Hour})
	if err == nil || time.Since(began) < 100*time.Millisecond || exists(b.folder()) {
		t.Errorf("ended with %v after %v, folder left: %v", err, time.Since(began), exists(b.folder()))
	}
}

func TestSecondAgentOfAFolderSaysThatThereIsOne(t *testing.T) {
	b := newBox(t)
	_, err := b.Dial(t.Context())
	must(t, err)
	if err := Serve(t.Context(), b.folder(), b.config, func() {}); !errors.Is(err, ErrLive) {
		t.Errorf("error %v, want ErrLive", err)
	}
}

func TestTornBinaryIsNotInstalled(t *testing.T) {
	b := newBox(t)
	content, err := os.ReadFile(binary)
	must(t, err)
	name := b.upload(append(content, 'x')) // runs, and is another
	_, answer, err := b.enter(name, b.hello())
	must(t, err)
	if !strings.Contains(answer, AnswerFail+" "+FailBinary) || exists(name) || exists(b.base()) {
		t.Errorf("answer %q; upload left: %v, installed: %v", answer, exists(name), exists(b.base()))
	}
}

func TestFolderOfSomebodyElseIsRefused(t *testing.T) {
	if os.Geteuid() != 0 && testing.Short() {
		t.Skip("needs root to give a folder away")
	}
	for what, put := range map[string]func(string) error{
		"another user's": func(name string) error { return errors.Join(os.Mkdir(name, 0o700), os.Chown(name, 1, -1)) },
		"a link":         func(name string) error { return os.Symlink(os.TempDir(), name) },
		"a file":         func(name string) error { return os.WriteFile(name, nil, 0o700) },
	} {
		b := newBox(t)
		must(t, put(b.base()))
		_, answer, err := b.enter(b.uploaded(), b.hello())
		must(t, err)
		if !strings.Contains(answer, AnswerFail+" "+FailFolder) {
			t.Errorf("%s: answer %q", what, answer)
		}
		must(t, os.RemoveAll(b.base()))
	}
}

func TestInstallRemovesOtherVersionsAndOldUploads(t *testing.T) {
	b := newBox(t)
	must(t, os.Mkdir(b.base(), 0o700))
	older := filepath.Join(b.base(), "agent-0123")
	must(t, os.WriteFile(older, nil, 0o700))
	dead, fresh := b.upload(nil), b.upload(nil)
	long := time.Now().Add(-2 * unfinished)
	must(t, os.Chtimes(dead, long, long))
	_, err := b.Dial(t.Context())
	must(t, err)
	if exists(older) || exists(dead) || !exists(fresh) {
		t.Errorf("older version left: %v, dead upload left: %v, fresh one kept: %v", exists(older), exists(dead), exists(fresh))
	}
}

// The two halves by themselves: serve returns when relays are taken, and does
// nothing where an agent is up; relay only carries.
func TestServeAndRelayByTheirOwnNames(t *testing.T) {
	b := newBox(t)
	must(t, os.Mkdir(b.base(), 0o700))
	config, err := json.Marshal(b.config)
	must(t, err)
	serve := func() {
		cmd := exec.Command(binary, "serve", b.folder())
		cmd.Stdin = bytes.NewReader(config)
		out, err := cmd.CombinedOutput() // would not end if the agent held it
		if err != nil {
			t.Fatalf("serve: %v: %s", err, out)
		}
	}
	serve()
	pid := b.pid()
	serve()
	if pid == 0 || b.pid() != pid {
		t.Errorf("agent %d, then %d", pid, b.pid())
	}
	cmd := exec.Command(binary, "relay", b.folder())
	cmd.Stdin = bytes.NewReader(b.config.Mark[:16]) // half a mark, then the end
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("relay: %v: %s", err, out)
	}
	must(t, b.Kill())
	if out, err := exec.Command(binary, "relay", b.folder()).CombinedOutput(); err == nil || !strings.Contains(string(out), "no agent serves this folder") {
		t.Errorf("relay to nobody: %v: %s", err, out)
	}
}

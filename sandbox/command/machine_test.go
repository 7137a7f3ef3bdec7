//go:build linux

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/relay"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/sandboxtest"
	"github.com/snugvm/snug/test/ptytest"
)

// agents is how many agents of the box there are.
func (b *box) agents() int {
	return alive(relay.Attend + "\x00" + filepath.Join(b.dir, relay.UserFolder(os.Geteuid())))
}

func TestSessionGoesOnWhenTheToolIsKilled(t *testing.T) {
	const size = 2 << 20
	b := newBox(t, shells["dash"], every...)
	m := b.mustStart()
	h := b.host(m)
	pty := &wire.Pty{Term: "xterm", Size: wire.Size{Rows: 41, Cols: 137}}
	watch := h.Start(wire.Start{Args: []string{probe, "watch"}, Pty: pty})
	watch.Expect("size 41 137 0 0")
	p := h.Start(wire.Start{Args: []string{probe, "duplex", "out", "in", strconv.Itoa(size)}})
	p.Expect("ready")
	for n := range 3 {
		m.dialing.Lock()
		pid := m.last.cmd.Process.Pid
		m.dialing.Unlock()
		must(t, syscall.Kill(-pid, syscall.SIGKILL))
		watch.Resize(wire.Size{Rows: 42 + uint16(n), Cols: 137})
		watch.Expect(fmt.Sprintf("size %d 137", 42+n))
	}
	p.Send(sandboxtest.Sequence("in", size))
	_ = p.CloseWrite()
	p.WantExit(42)
	if p.Stdout() != "ready"+string(sandboxtest.Sequence("out", size)) {
		t.Errorf("%d bytes of output are not the %d that were sent", len(p.Stdout()), size)
	}
	watch.Resize(wire.Size{Rows: 50, Cols: 150})
	watch.Expect("size 50 150 0 0")
	watch.Type("\x04")
	watch.WantExit(0)
	if m.ended() || b.agents() != 1 {
		t.Errorf("machine ended: %v; %d agents", m.ended(), b.agents())
	}
}

// Where the agent is, it stays: an exec that fails there is tried again there, for
// in another folder there would be another agent, without the programs.
func TestAgentIsNeverLookedForElsewhere(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	b.config.Folders = []string{b.dir, t.TempDir()}
	m := b.mustStart()
	p := b.host(m).Start(wire.Start{Args: []string{probe, "echo", "5"}})
	p.Expect("ready")

	f := whole()
	f.Times = 1
	f.Instead = `read -r x; a=${x#*sn_a=}; a=${a%%;*}; b=${x#*sn_b=}; b=${b%%;*}
		echo "@$a$b warm x86_64 ` + b.dir + `"; read -r x; read -r x; echo "@$a$b fail folder busy"`
	execs := b.faulty(f)
	m.dialing.Lock()
	m.plan = b.plan()
	pid := m.last.cmd.Process.Pid
	m.dialing.Unlock()
	must(t, syscall.Kill(-pid, syscall.SIGKILL))
	p.Type("hello")
	p.WantExit(42)
	if n := execs(); n < 2 || b.agents() != 1 {
		t.Errorf("%d execs, %d agents; want one exec that failed and one more, and one agent", n, b.agents())
	}
}

func TestStatusesAreTheProgramsOwn(t *testing.T) {
	b := newBox(t, shells["busybox"], every...)
	h := b.host(b.mustStart())
	for args, want := range map[string]uint32{"exit 0": 0, "exit 255": 255, "die KILL": 137, "die TERM": 143} {
		exit, err := h.Start(wire.Start{Args: append([]string{probe}, strings.Fields(args)...)}).Wait()
		if err != nil || exit.Status != want {
			t.Errorf("%s: %+v, %v; want %d", args, exit, err, want)
		}
	}
	for program, want := range map[string]uint32{"/no/such/program": 127, "no-such-program": 127, b.dir: 126} {
		_, err := h.Start(wire.Start{Args: []string{program}}).Wait()
		var f *wire.Failure
		if !errors.As(err, &f) || f.Status != want {
			t.Errorf("%s: %v, want %d", program, err, want)
		}
	}
	p := h.Start(wire.Start{Args: []string{probe, "env", "IMAGE", "HOME", "PATH"}, Dir: "/", Env: []wire.Env{{Name: "PATH", Value: "/x"}}})
	p.WantExit(0)
	if want := "dir=\"/\"\nIMAGE=\"yes\"\nHOME=" + strconv.Quote(b.dir) + "\nPATH=\"/x\"\n"; p.Stdout() != want {
		t.Errorf("the program sees\n%swant\n%s", p.Stdout(), want)
	}
}

func TestKillEndsTheAgentAndItsPrograms(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	execs := b.faulty(whole())
	m, err := b.start()
	must(t, err)
	p := b.host(m).Start(wire.Start{Args: []string{probe, "watch"}, Pty: &wire.Pty{Term: "xterm", Size: wire.Size{Rows: 4, Cols: 7}}})
	p.Expect("size 4 7")
	must(t, m.Kill())
	if b.agents() != 0 || execs() != 2 {
		t.Errorf("%d agents, %d execs; want none, and one exec to end it", b.agents(), execs())
	}
	b.await("no program", func() bool { return alive(probe+"\x00watch") == 0 })
	if err := m.Wait(); err != nil {
		t.Errorf("Wait after Kill: %v", err)
	}
	if _, err := m.Dial(t.Context()); err == nil {
		t.Error("Dial after Kill")
	}
	must(t, m.Kill())
	if left, _ := filepath.Glob(b.dir + "/snug-agent-*/*"); len(left) != 1 {
		t.Errorf("left: %q; want the binary, for the next time", left)
	}
}

func TestDialThatNobodyWaitsForRunsNoExec(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	execs := b.faulty(whole())
	m := b.mustStart()
	h := b.host(m)
	p := h.Start(wire.Start{Args: []string{probe, "watch"}, Pty: &wire.Pty{Term: "xterm", Size: wire.Size{Rows: 4, Cols: 7}}})
	p.Expect("size 4 7")
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("nobody waits")
	cancel(reason)
	if _, err := m.Dial(ctx); !errors.Is(err, reason) {
		t.Errorf("dial: %v, want the reason", err)
	}
	p.Type("\x04")
	p.WantExit(0)
	if execs() != 1 || len(h.Links()) != 1 {
		t.Errorf("%d execs and %d links, want one of each", execs(), len(h.Links()))
	}
}

func TestKillAfterGoodbyeNeedsNoExec(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	execs := b.faulty(whole())
	m, err := b.start()
	must(t, err)
	link, err := m.Dial(t.Context())
	must(t, err)
	peer, err := b.config.Agent.Peer()
	must(t, err)
	conn, err := wire.Connect(t.Context(), link, peer)
	must(t, err)
	ok, _, err := conn.SendRequest(wire.RequestShutdown, true, nil)
	if !ok || err != nil {
		t.Fatalf("goodbye: %v, %v", ok, err)
	}
	_ = conn.Close()
	_ = conn.Wait()
	must(t, m.Kill())
	if execs() != 1 {
		t.Errorf("%d execs, want 1", execs())
	}
	b.await("no agent", func() bool { return b.agents() == 0 })
}

// fakeDocker is a docker whose containers are files, for the rows that call it.
const fakeDocker = `
case $1 in
image) [ -e "$DIR/pulled" ] || { echo "Error response from daemon: No such image: $5" >&2; exit 1; }
	printf '["/entry","-x"]\n["default"]\n';;
pull) : >"$DIR/pulled";;
run) while [ "$1" != --name ]; do shift; done; echo "$*" >"$DIR/c-$2"; echo 0123456789abcdef;;
exec) [ -e "$DIR/c-$3" ] || { echo "Error response from daemon: No such container: $3" >&2; exit 1; }
	shift 3; exec "$@";;
stop) echo stopped >"$DIR/stopped";;
rm) rm -f "$DIR/c-$4";;
esac`

func (b *box) docker(args ...string) *Plan {
	b.t.Helper()
	b.script("docker", "DIR="+b.dir+"\n"+fakeDocker)
	p, err := Parse(append([]string{filepath.Join(b.bin, "docker")}, args...))
	must(b.t, err)
	return p
}

func TestRemovedMachineIsFoundOutByTheNextDial(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	must(t, os.WriteFile(b.dir+"/c-web", nil, 0o600))
	b.config.Plan = b.docker("exec", "-it", "web", "sh")
	m, err := Start(t.Context(), b.config)
	must(t, err)
	link, err := m.Dial(t.Context())
	must(t, err)
	must(t, os.Remove(b.dir+"/c-web"))
	_ = link.Close()
	if m.ended() {
		t.Error("the machine was taken for dead with its client")
	}
	_, err = m.Dial(t.Context())
	var e *Error
	if !errors.As(err, &e) || e.Kind != Missing || !strings.Contains(err.Error(), "No such container: web") || !strings.Contains(err.Error(), "docker ps -a") {
		t.Errorf("error %v", err)
	}
	if cause := m.Wait(); !errors.Is(cause, err) {
		t.Errorf("Wait: %v", cause)
	}
	must(t, m.Kill())
	b.endAgent()
}

func TestRunMakesTheMachineAndEndsIt(t *testing.T) {
	for _, c := range []struct {
		flags []string
		gone  bool
	}{{[]string{"--rm"}, true}, {nil, false}} {
		b := newBox(t, shells["dash"], every...)
		p := b.docker(append(append([]string{"run", "-it"}, c.flags...), "--name", "w", "img", "a", "b")...)
		must(t, p.Resolve(t.Context()))
		if got := strings.Join(p.Program, " "); got != "/entry -x a b" {
			t.Errorf("program %q", got)
		}
		b.config.Plan = p
		m, err := Start(t.Context(), b.config)
		must(t, err)
		b.works(m)
		if m.Target() != "w" {
			t.Errorf("target %q", m.Target())
		}
		// A later keeper adopts it.
		b.config.Target = m.Target()
		adopted, err := Start(t.Context(), b.config)
		must(t, err)
		b.works(adopted)
		must(t, adopted.Kill())
		_, err = os.Stat(b.dir + "/c-w")
		if gone := errors.Is(err, os.ErrNotExist); gone != c.gone {
			t.Errorf("%q: gone %v", c.flags, gone)
		}
		_ = m.last.Close()
		b.endAgent()
	}
}

// endAgent ends an agent whose machine, being a file, cannot take it along.
func (b *box) endAgent() {
	b.config.Plan, b.config.Target = b.plan(), ""
	m, err := Start(b.t.Context(), b.config)
	must(b.t, err)
	must(b.t, m.Kill())
}

func TestFailedStartLeavesNoMachine(t *testing.T) {
	b := newBox(t, shells["dash"], every...)
	b.config.Folders = []string{"/nowhere"}
	b.config.Plan = b.docker("run", "-it", "img", "sh")
	_, err := Start(t.Context(), b.config)
	if !errors.Is(err, ErrNoFolder) {
		t.Errorf("error %v", err)
	}
	if left, _ := filepath.Glob(b.dir + "/c-*"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs root")
	}
	if os.Geteuid() != 0 {
		t.Fatal("chroot needs root: run the tests as root, or with -short")
	}
}

// startLine brings a machine up by a real command line.
func startLine(t *testing.T, folders []string, argv ...string) (*Machine, agent.Config) {
	t.Helper()
	p, err := Parse(argv)
	must(t, err)
	mark := wire.NewMark()
	config := agent.Config{Mark: mark[:], HostKey: make([]byte, 32)}
	m, err := Start(t.Context(), Config{
		Plan: p, Agent: config, Patience: 20 * time.Second, Folders: folders,
		Binary: func(string) ([]byte, error) { return os.ReadFile(agentFile) },
		Lock:   func(context.Context) (func(), error) { return func() {}, nil },
	})
	must(t, err)
	t.Cleanup(func() { must(t, m.Kill()) })
	return m, config
}

// A root that has busybox and nothing else: no /dev, no /proc, no passwd.
func TestBareRoot(t *testing.T) {
	needRoot(t)
	root, err := os.MkdirTemp("", "snug-root-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(root)) })
	for _, d := range []string{"bin", "tmp"} {
		must(t, os.Mkdir(filepath.Join(root, d), 0o755))
	}
	content, err := os.ReadFile(find(t, "busybox"))
	must(t, err)
	must(t, ptytest.WriteProgram(root+"/bin/busybox", content))
	for _, applet := range []string{"sh", "chmod", "head"} {
		must(t, os.Symlink("busybox", root+"/bin/"+applet))
	}
	m, config := startLine(t, nil, "chroot", root, "sh")
	peer, err := config.Peer()
	must(t, err)
	h := sandboxtest.NewHost(t, m, peer, 30*time.Second)
	p := h.Start(wire.Start{Args: []string{"sh", "-c", "echo in; pwd; exit 7"}})
	p.WantExit(7)
	if p.Stdout() != "in\n/\n" {
		t.Errorf("output %q", p.Stdout())
	}
	_, err = h.Start(wire.Start{Args: []string{"sh"}, Pty: &wire.Pty{Term: "xterm"}}).Wait()
	var f *wire.Failure
	if !errors.As(err, &f) || f.Status != 125 || !strings.Contains(f.Message, "/dev/ptmx") {
		t.Errorf("a terminal: %v, want 125 and words", err)
	}
	if _, err := os.Stat(root + "/dev"); err == nil {
		t.Error("the bring-up made /dev")
	}
}

func TestTwoUsersOfOneMachineHaveAnAgentEach(t *testing.T) {
	needRoot(t)
	dir, err := os.MkdirTemp("", "snug-users-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.Chmod(dir, 0o777|os.ModeSticky))
	daemon, theirs := startLine(t, []string{dir}, "chroot", "--userspec=1:1", "/", "id")
	root, ours := startLine(t, []string{dir}, "chroot", "/", "id")
	for _, c := range []struct {
		m      *Machine
		config agent.Config
		uid    string
	}{{daemon, theirs, "1\n"}, {root, ours, "0\n"}} {
		peer, err := c.config.Peer()
		must(t, err)
		h := sandboxtest.NewHost(t, c.m, peer, 30*time.Second)
		p := h.Start(wire.Start{Args: []string{"id", "-u"}})
		p.WantExit(0)
		if p.Stdout() != c.uid {
			t.Errorf("the program is user %q, want %q", p.Stdout(), c.uid)
		}
		tty := h.Start(wire.Start{Args: []string{"sh", "-c", "stty size && : >$(tty)"}, Pty: &wire.Pty{Term: "xterm", Size: wire.Size{Rows: 9, Cols: 99}}})
		tty.WantExit(0)
	}
}

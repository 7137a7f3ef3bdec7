//go:build linux

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/keeper"
	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
	"github.com/snugvm/snug/sandbox/sandboxtest"
	"golang.org/x/crypto/ssh"
)

// desk is a user's surroundings, with machines in this process.
type desk struct {
	t   *testing.T
	app *app
	out *os.File
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	root, err := os.MkdirTemp("", "cli") // a socket's path is bounded: t.TempDir is too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	t.Setenv("XDG_RUNTIME_DIR", root)
	t.Setenv("XDG_CONFIG_HOME", root)
	dirs, err := state.Locate(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(root, "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	return &desk{t, &app{in: out, out: out, err: out, dirs: dirs}, out}
}

// machine claims a name and listens as its keeper would.
func (d *desk) machine(name string) (*machineSpec, net.Listener) {
	d.t.Helper()
	m, lock, err := d.app.dirs.Claim(context.Background(), name)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = lock.Close() })
	spec := newSpec(false)
	spec.Command, spec.Dir = []string{"run", "vim"}, "/project"
	if err := m.WriteConfig(&spec); err != nil {
		d.t.Fatal(err)
	}
	l, err := net.Listen("unix", m.SSHSocket())
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = l.Close() })
	return &spec, l
}

// keep runs programs, each in a session on a terminal that nobody looks at, in
// a machine of that name.
func (d *desk) keep(name string, programs ...string) {
	d.t.Helper()
	inner, err := sandboxtest.NewInProcess(d.t.TempDir())
	if err != nil {
		d.t.Fatal(err)
	}
	spec, l := d.machine(name)
	k := keeper.New(keeper.Config{
		Boot: func(context.Context, func(wire.Notice)) (sandbox.Machine, wire.Peer, error) {
			peer, err := inner.Agent().Peer()
			return inner, peer, err
		},
		HostKey: spec.keeperKey(), Cleanup: func() error { return nil }, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = k.Serve(ctx, l) })
	d.t.Cleanup(func() {
		cancel()
		wg.Wait()
		_ = inner.Kill()
	})
	socket, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		d.t.Fatal(err)
	}
	conn, err := greetKeeper(d.t.Context(), socket, spec)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, program := range programs {
		d.start(&wg, conn, program)
	}
	d.t.Cleanup(func() { _ = conn.Close() })
}

func (d *desk) start(wg *sync.WaitGroup, conn ssh.Conn, program string) {
	d.t.Helper()
	v := &watcher{ready: make(chan struct{})}
	v.session = wire.NewSession(wire.NewID(), wire.Start{
		Args: []string{"sh", "-c", program + "; exec sleep 1000"}, Unseen: true,
		Pty: &wire.Pty{Term: "xterm", Size: wire.Size{Rows: 5, Cols: 30}},
	}, v)
	wg.Go(func() { _ = v.session.Run(conn) })
	select {
	case <-v.ready:
	case <-time.After(20 * time.Second):
		d.t.Fatal("the program does not start")
	}
}

// watcher takes the output of a session.
type watcher struct {
	session *wire.Session
	ready   chan struct{}
	n       uint64
}

func (w *watcher) Flushed(uint64) {}

func (w *watcher) Output(s wire.Stream, p []byte) {
	w.n += uint64(len(p))
	w.session.Ack(s, w.n)
}
func (w *watcher) Exited(wire.Exit) {}

func (w *watcher) EndOutput(wire.Stream) {}
func (w *watcher) InputSafe(uint64)      {}
func (w *watcher) Ready()                { close(w.ready) }
func (w *watcher) Notice(wire.Notice)    {}

// run runs a command line and returns what it printed.
func (d *desk) run(args ...string) (string, error) {
	d.t.Helper()
	if err := errors.Join(d.out.Truncate(0), seek(d.out)); err != nil {
		d.t.Fatal(err)
	}
	root := d.app.root()
	root.SetArgs(args)
	err := root.Execute()
	printed, rerr := os.ReadFile(d.out.Name())
	if rerr != nil {
		d.t.Fatal(rerr)
	}
	return string(printed), err
}

func seek(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// eventually runs a command line until it prints what is wanted.
func (d *desk) eventually(want string, args ...string) string {
	d.t.Helper()
	var printed string
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if printed, err = d.run(args...); err == nil && strings.Contains(printed, want) {
			return printed
		}
	}
	d.t.Fatalf("snug %q prints no %q but %q, %v", args, want, printed, err)
	return ""
}

func TestScreenPrintsWhatASessionShows(t *testing.T) {
	d := newDesk(t)
	d.keep("box", `printf '\033]2;the title\a\033[1;31mhot\033[m <&> 世界'`)
	if got := d.eventually("世界", "screen"); got != "hot <&> 世界\n\n\n\n\n" {
		t.Errorf("as text: %q", got)
	}
	if got, err := d.run("screen", "b", "--ansi"); err != nil || !strings.HasPrefix(got, "\x1b[1;31mhot") {
		t.Errorf("with colours: %q, %v", got, err)
	}
	if got, err := d.run("screen", "box/1", "--svg"); err != nil || !strings.HasPrefix(got, "<svg") || !strings.Contains(got, "&lt;&amp;&gt;") {
		t.Errorf("as SVG: %q, %v", got, err)
	}
	file := filepath.Join(t.TempDir(), "screen.png")
	if got, err := d.run("screen", "-o", file); err != nil || got != "" {
		t.Errorf("into a file: %q, %v", got, err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if img, err := png.Decode(f); err != nil || img.Bounds().Dx() != 30*12+2*padding || img.Bounds().Dy() != 5*26+2*padding {
		t.Errorf("a PNG of %v, %v", img, err)
	}
}

func TestSessionsAreListedBelowTheirMachine(t *testing.T) {
	d := newDesk(t)
	d.keep("box", `printf '\033]2;the title\a'`, "true")
	listed := d.eventually("   the title\n", "ls") // not only in the command line
	for _, want := range []string{"box    qemu", "\n  /1   30x5   1 viewer   idle 0s   sh -c printf", "the title\n  /2   30x5   1 viewer"} {
		if !strings.Contains(listed, want) {
			t.Errorf("no %q in\n%s", want, listed)
		}
	}
	asJSON, err := d.run("ls", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var machines []map[string]any
	if err := json.Unmarshal([]byte(asJSON), &machines); err != nil {
		t.Fatal(err)
	}
	one, _ := machines[0]["sessions"].([]any)[0].(map[string]any)
	for field, want := range map[string]any{"number": 1., "terminal": true, "columns": 30., "rows": 5., "viewers": 1., "title": "the title"} {
		if one[field] != want {
			t.Errorf("%s is %v, want %v", field, one[field], want)
		}
	}
	_, err = d.run("screen")
	if err == nil || !strings.Contains(err.Error(), "there are 2 sessions: name one of\n  box/1   sh -c printf") || !strings.Contains(err.Error(), "\n  box/2   sh -c true") {
		t.Errorf("which of two: %v", err)
	}
}

func TestASilentKeeperHoldsUpNobodyForLong(t *testing.T) {
	d := newDesk(t)
	d.keep("alive", "true")
	d.machine("silent") // nobody answers
	began := time.Now()
	listed, err := d.run("ls")
	if took := time.Since(began); took > 3*listPatience {
		t.Errorf("snug ls took %v", took)
	}
	if err != nil || !strings.Contains(listed, "\n  /1   ") || !strings.Contains(listed, "  sessions unknown: the keeper of silent does not answer within 2s\n") {
		t.Errorf("%v\n%s", err, listed)
	}
	if _, err := d.run("screen", "silent"); err == nil || !strings.Contains(err.Error(), "does not answer within 2s") {
		t.Errorf("its screen: %v", err)
	}
}

func TestSessionsAreChosenByName(t *testing.T) {
	pty, pipes := wire.SessionInfo{Number: 1, Pty: true, Program: "a\x1b[2Jb"}, wire.SessionInfo{Number: 2}
	h := func(name string, sessions ...wire.SessionInfo) holding {
		return holding{machine: state.Machine{Name: name}, sessions: sessions}
	}
	lost := holding{machine: state.Machine{Name: "lost"}, err: errors.New("no answer")}
	for _, c := range []struct {
		all  []holding
		arg  string
		want string // the session, or part of the error
	}{
		{[]holding{h("web-1", pty, pipes)}, "", "web-1/1"},
		{[]holding{h("web-1", pty, pipes)}, "web-1/2", "web-1/2"},
		{[]holding{h("web-1", pty), h("web-11", pty)}, "web-1", "web-1/1"},
		{[]holding{h("web-1", pty), h("db-1", pty)}, "d", "db-1/1"},
		{[]holding{h("web-1", pty), h("web-2", pty)}, "w", "w may be web-1 or web-2: use more of its name"},
		{[]holding{h("web-1", pty), h("web-2", pty)}, "", "name one of\n  web-1/1   a [2Jb\n  web-2/1   a [2Jb"},
		{[]holding{h("web-1", pipes)}, "web-1", "web-1 has no session on a terminal"},
		{[]holding{h("web-1", pty)}, "web/7", "web-1 has no session 7"},
		{[]holding{h("web-1", pty)}, "web/x", "name it as MACHINE/NUMBER"},
		{[]holding{h("web-1", pty)}, "/1", "name it as MACHINE/NUMBER"},
		{[]holding{h("web-1", pty)}, "db", "no machine db runs"},
		{[]holding{h("web-1", pty), lost}, "", "no answer"},
		{[]holding{h("web-1", pty), lost}, "web", "web-1/1"},
		{nil, "", "there is no session on a terminal"},
		{nil, "/1", "MACHINE/NUMBER"},
	} {
		got, err := choose(c.all, c.arg, "")
		if err == nil && sessionName(got.machine, got.session) == c.want || err != nil && strings.Contains(err.Error(), c.want) {
			continue
		}
		t.Errorf("%q: %s/%d, %v; want %s", c.arg, got.machine.Name, got.session.Number, err, c.want)
	}
}

func TestTheFormatIsTheFlagsTheFilesOrTheOutputs(t *testing.T) {
	for _, c := range []struct {
		o          screenOptions
		onTerminal bool
		want       format
	}{
		{screenOptions{}, true, formatANSI},
		{screenOptions{}, false, formatText},
		{screenOptions{text: true}, true, formatText},
		{screenOptions{svg: true}, true, formatSVG},
		{screenOptions{png: true}, false, formatPNG},
		{screenOptions{png: true}, true, ""},
		{screenOptions{png: true, file: "x"}, true, formatPNG},
		{screenOptions{file: "x.svg"}, true, formatSVG},
		{screenOptions{file: "x"}, true, formatText},
		{screenOptions{ansi: true, file: "x.svg"}, true, formatANSI},
	} {
		got, err := c.o.format(c.onTerminal)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v on a terminal %v: %q, %v, want %q", c.o, c.onTerminal, got, err, c.want)
		}
	}
}

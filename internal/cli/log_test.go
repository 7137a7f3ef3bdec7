//go:build linux

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/asciicast"
	"github.com/snugvm/snug/internal/sessionlog"
	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/screen"
	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
)

// began is when the sessions of the tests did.
var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// logDesk is a desk with logs that no keeper writes.
type logDesk struct {
	*desk
	now  time.Time
	logs map[string]string // folders, by machine
}

func newLogDesk(t *testing.T) *logDesk {
	t.Helper()
	d := newDesk(t)
	t.Setenv("XDG_STATE_HOME", filepath.Dir(d.out.Name()))
	dirs, err := state.Locate(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	d.app.dirs = dirs
	return &logDesk{d, began, map[string]string{}}
}

// lose has all of a machine go at once, as in a reboot. It returns the name of its
// logs.
func (d *logDesk) lose(machine string) string {
	d.t.Helper()
	m, err := d.app.dirs.Machine(machine)
	d.must(err)
	d.must(os.RemoveAll(m.Dir))
	defer delete(d.logs, machine)
	return filepath.Base(d.logs[machine])
}

// log begins the log of a session.
func (d *logDesk) log(machine string, number uint32, o sessionlog.Options) *sessionlog.Log {
	d.t.Helper()
	if d.logs[machine] == "" {
		ctx := context.Background()
		m, lock, err := d.app.dirs.Claim(ctx, machine)
		d.must(err)
		logs, err := m.HoldLogs(ctx)
		d.must(err)
		d.must(lock.Close()) // no keeper is asked
		logs.Close()
		d.logs[machine] = logs.Dir
	}
	o.Now = func() time.Time { return d.now }
	l, err := sessionlog.Create(filepath.Join(d.logs[machine], strconv.FormatUint(uint64(number), 10)), o, []byte(`{"program":"claude --resume","term":"xterm"}`), sessionlog.Checkpoint{Size: small})
	d.must(err)
	d.t.Cleanup(func() { _ = l.Close() })
	return l
}

func (d *logDesk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// print runs a command line that must work.
func (d *logDesk) print(args ...string) string {
	d.t.Helper()
	printed, err := d.run(args...)
	d.must(err)
	return printed
}

var small, large = sessionlog.Size{Rows: 5, Cols: 30}, sessionlog.Size{Rows: 41, Cols: 137}

// live is a session that was looked at, typed in, resized, and ended.
func (d *logDesk) live(l *sessionlog.Log) {
	d.t.Helper()
	id := "0123456789abcdef"
	for _, step := range []func() error{
		l.Ready,
		func() error { return l.Viewer(sessionlog.Viewer{ID: id, Joined: true, Size: large}) },
		func() error { return l.Output([]byte("$ \xff")) },
		func() error { return l.Input(id, 3, []byte("ls\r")) },
		func() error { return l.Output([]byte("a b\r\n")) },
		func() error { return l.Input(id, 1, []byte("x")) },
		func() error { d.now = d.now.Add(time.Minute); return l.Input(id, 1, []byte("y")) },
		func() error { _, err := l.Resize(large); return err },
		func() error { return l.Viewer(sessionlog.Viewer{ID: id}) },
		func() error { return l.Ignored(id, 8) },
		func() error { return l.Input(id, 0, nil) },
		l.OutputEnd,
		func() error { return l.Exit(sessionlog.Exit{Status: 130, Signal: "INT"}) },
	} {
		d.now = d.now.Add(500 * time.Millisecond)
		d.must(step())
	}
}

func TestLogTellsWhatHappened(t *testing.T) {
	d := newLogDesk(t)
	d.live(d.log("web-1", 1, sessionlog.Options{}))
	var want strings.Builder
	for _, line := range []struct {
		ms    int
		words string
	}{
		{0, "start of claude --resume, 30x5"}, {500, "the program runs"}, {1000, "viewer 01234567 joined, 137x41"}, {2000, "viewer 01234567 typed 4 bytes in 1s"},
		{63500, "viewer 01234567 typed 1 byte"}, {64000, "resized to 137x41"}, {64500, "viewer 01234567 left"},
		{65500, "viewer 01234567 ended its input"}, {66500, "ended by SIGINT: exit status 130; 8 bytes of output"},
	} {
		fmt.Fprintf(&want, "%s   %s\n", began.Add(time.Duration(line.ms)*time.Millisecond).Local().Format("2006-01-02 15:04:05.000"), line.words)
	}
	for _, args := range [][]string{{"log"}, {"log", "web"}, {"log", "web-1/1"}, {"log", "-f"}} {
		if got := d.print(args...); got != want.String() {
			t.Errorf("snug %q prints\n%s\nwant\n%s", args, got, &want)
		}
	}
}

func TestLogPrintsTheOutputAsItWas(t *testing.T) {
	d := newLogDesk(t)
	l := d.log("web-1", 1, sessionlog.Options{SegmentSize: 1, Limit: 300})
	d.live(l)
	if got := d.print("log", "--output"); got != "$ \xffa b\r\n" {
		t.Errorf("got %q", got)
	}
	for range 3 {
		d.must(l.Output([]byte("more")))
		d.must(l.Checkpoint(sessionlog.Checkpoint{Offset: l.Offset()}))
	}
	if got := d.print("log", "--output"); !strings.HasPrefix(got, "snug: ") || !strings.Contains(got, " bytes of output, from the 1th on, are not in the log\n") {
		t.Errorf("where the start is gone: %q", got)
	}
}

func TestLogAsJSONIsAnObjectALine(t *testing.T) {
	d := newLogDesk(t)
	d.live(d.log("web-1", 1, sessionlog.Options{RecordInput: true}))
	var events []string
	for line := range strings.Lines(d.print("log", "--json")) {
		var o map[string]any
		d.must(json.Unmarshal([]byte(line), &o))
		events = append(events, o["event"].(string))
		switch o["event"] {
		case "checkpoint":
			if o["program"] != "claude --resume" || o["columns"] != 30. || o["time"] != "2026-01-02T03:04:05Z" || o["elapsed_seconds"] != 0. {
				t.Errorf("the first is %v", o)
			}
		case "input":
			if o["bytes"] == 3. && o["content"] != "bHMN" {
				t.Errorf("input is %v", o)
			}
		case "exit":
			if o["status"] != 130. || o["signal"] != "INT" || o["core"] != false || o["elapsed_seconds"] != 66.5 {
				t.Errorf("the exit is %v", o)
			}
		}
	}
	if got := strings.Join(events, " "); got != "checkpoint ready join output input output input input resize leave input input output_end exit" {
		t.Errorf("events %s", got)
	}
}

func TestLogsAreChosenByName(t *testing.T) {
	d := newLogDesk(t)
	if _, err := d.run("log"); err == nil || !strings.Contains(err.Error(), "there is no log of a session") {
		t.Errorf("without any: %v", err)
	}
	d.log("web-1", 1, sessionlog.Options{})
	d.log("web-1", 2, sessionlog.Options{})
	d.log("docker:web", 1, sessionlog.Options{})
	for arg, want := range map[string]string{
		"":        "there are logs of 3 sessions: name one of\n  docker:web/1   claude --resume\n  web-1/1   claude --resume\n  web-1/2",
		"web":     "there are logs of 2 sessions",
		"d":       "",
		"web/2":   "",
		"web/7":   "web-1 has no log of a session 7",
		"web/x":   "name it as MACHINE/NUMBER",
		"/1":      "name it as MACHINE/NUMBER",
		"db":      "there is no log of a machine db",
		"web-1/1": "",
	} {
		_, err := d.run("log", arg)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", arg, err, want)
		}
	}
	names, _ := d.app.completeLog(nil, nil, "")
	if got := fmt.Sprintf("%q", names); got != `["docker:web/1\tclaude --resume" "web-1/1\tclaude --resume" "web-1/2\tclaude --resume"]` {
		t.Errorf("completed are %s", got)
	}
}

// Of a machine that went without an end its logs tell, until they are removed.
func TestLostMachinesAreKnownByTheirLogs(t *testing.T) {
	d := newLogDesk(t)
	lose := func(machine, words string) string {
		d.must(d.log(machine, 1, sessionlog.Options{}).Output([]byte(words)))
		return d.lose(machine)
	}
	fails := func(want string, args ...string) {
		t.Helper()
		if _, err := d.run(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("snug %q: %v, want %q", args, err, want)
		}
	}
	prints := func(want string, args ...string) {
		t.Helper()
		if got, err := d.run(args...); err != nil || got != want {
			t.Errorf("snug %q prints %q, %v, want %q", args, got, err, want)
		}
	}
	only := lose("db", "data")
	prints("data", "log", "--output")
	prints("no machine runs: db is gone, as after a crash or a reboot; 'snug log db' tells what happened in it\n", "ls")
	first, second := lose("web-1", "first"), lose("web-1", "second")
	prints("no machine runs: 3 are gone, as after a crash or a reboot; 'snug log' tells what happened in them\n", "ls")
	fails("name one of\n  "+only+"/1   claude --resume\n  "+first+"/1   claude --resume\n  "+second+"/1", "log")
	prints("second", "log", "--output", "web-1")
	prints("second", "log", "--output", "web")
	prints("second", "log", "--output", "web-1/1")
	prints("first", "log", "--output", first)
	prints("first", "log", "--output", first+"/1")
	if _, events := d.cast(d.print("record", first)); len(events) != 1 || events[0].Text != "first" {
		t.Errorf("the recording of a lost session is %v", events)
	}
	fails("machine web-1 is gone, as after a crash or a reboot: 'snug log web-1' tells what happened in it", "screen", "web-1/1")
	fails("machine "+first+" is gone", "stop", first)
	names, _ := d.app.completeRemovable(nil, nil, "")
	if got := fmt.Sprint(names); got != fmt.Sprintf("[%[1]s\t%[4]s %[2]s\t%[4]s %[3]s\t%[4]s]", only, first, second, "its logs: it is gone") {
		t.Errorf("completed are %s", got)
	}

	l := d.log("web-1", 1, sessionlog.Options{})
	d.must(l.Output([]byte("third")))
	prints("third", "log", "--output")
	prints("third", "log", "--output", "web-1")
	prints("first", "log", "--output", first)
	d.lose("web-1")

	fails("there are logs of 3 machines web-1 that are gone: name one of\n  "+first+"\n  "+second, "rm", "web-1")
	prints("", "rm", first, "db")
	fails("no machine db runs", "rm", "db")
	fails("no machine "+first+" runs", "rm", first)
	prints("second", "log", "--output", second)
}

// cast reads a recording.
func (d *logDesk) cast(recording string) (h asciicast.Header, events []asciicast.Event) {
	d.t.Helper()
	r, err := asciicast.NewReader(strings.NewReader(recording))
	d.must(err)
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Header(), events
		}
		d.must(err)
		events = append(events, e)
	}
}

func TestRecordMakesARecordingOfAllThereIs(t *testing.T) {
	d := newLogDesk(t)
	d.live(d.log("web-1", 1, sessionlog.Options{RecordInput: true}))
	h, events := d.cast(d.print("record"))
	if h.Version != asciicast.V3 || h.Cols != 30 || h.Rows != 5 || h.Term != "xterm" || h.Command != "claude --resume" || !h.Time.Equal(began) {
		t.Errorf("header %+v", h)
	}
	ms := time.Millisecond
	want := []asciicast.Event{
		{Time: 1500 * ms, Code: "o", Text: "$ \ufffd"}, {Time: 2000 * ms, Code: "i", Text: "ls\r"}, {Time: 2500 * ms, Code: "o", Text: "a b\r\n"},
		{Time: 3000 * ms, Code: "i", Text: "x"}, {Time: 63500 * ms, Code: "i", Text: "y"}, {Time: 64000 * ms, Code: "r", Text: "137x41"},
		{Time: 66500 * ms, Code: "x", Text: "130"},
	}
	if fmt.Sprint(events) != fmt.Sprint(want) {
		t.Errorf("events\n%v, want\n%v", events, want)
	}
	file := filepath.Join(t.TempDir(), "x.cast")
	if got := d.print("record", "--v2", "-o", file, "web"); got != "" {
		t.Errorf("into a file: %q", got)
	}
	b, err := os.ReadFile(file)
	d.must(err)
	if h, events := d.cast(string(b)); h.Version != asciicast.V2 || fmt.Sprint(events) != fmt.Sprint(want[:len(want)-1]) {
		t.Errorf("as v2: %+v\n%v", h, events)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// What is dropped, or could not be written, is in the snapshot that follows.
func TestARecordingShowsTheScreenThoughMuchIsMissing(t *testing.T) {
	for name, lose := range map[string]func(l *sessionlog.Log){
		"the start is dropped": func(*sessionlog.Log) {},
		"there is a gap":       func(l *sessionlog.Log) { l.Skip(l.Offset() + 100) },
	} {
		d := newLogDesk(t)
		l := d.log("web-1", 1, sessionlog.Options{SegmentSize: 400, Limit: 3000})
		s := screen.New(30, 5, screen.Options{Scrollback: 20})
		for i := range 60 {
			p := fmt.Appendf(nil, "\x1b[%dmline %d\x1b[m\r\n\x1b]2;title %d\a", 31+i%7, i, i)
			_, _ = s.Write(p)
			d.must(l.Output(p))
			if i == 50 {
				lose(l)
			}
			if l.Due() {
				snapshot := s.Snapshot(screen.SnapshotOptions{Scrollback: -1})
				d.must(l.Checkpoint(sessionlog.Checkpoint{Offset: l.Offset(), Size: small, Snapshot: snapshot}))
			}
		}
		h, events := d.cast(d.print("record"))
		again := screen.New(h.Cols, h.Rows, screen.Options{Scrollback: 20})
		for _, e := range events {
			if e.Code == asciicast.Output {
				_, _ = again.Write([]byte(e.Text))
			}
		}
		if again.Text() != s.Text() || again.Title() != "title 59" {
			t.Errorf("%s: the recording shows\n%s\nwant\n%s", name, again.Text(), s.Text())
		}
	}
}

func TestBytesThatAreNotForATerminalAreRefusedThere(t *testing.T) {
	d := newLogDesk(t)
	d.live(d.log("web-1", 1, sessionlog.Options{}))
	for line, want := range map[string]string{
		"record":       "a recording is not for a terminal: write it to a file, with -o FILE",
		"log --output": "raw output is not for a terminal: redirect it",
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asSnug+"="+line)
		c := ptytest.Start(t, terminal.Size{Rows: 24, Cols: 200}, cmd)
		c.Expect("snug: " + want)
		if status := c.Wait(); status != statusFailed {
			t.Errorf("snug %s: exit status %d", line, status)
		}
	}
}

func TestARecordingThatIsInterruptedIsWhole(t *testing.T) {
	d := newLogDesk(t)
	l := d.log("web-1", 1, sessionlog.Options{})
	d.must(l.Output([]byte("half \xe4\xb8")))
	file := filepath.Join(t.TempDir(), "x.cast")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asSnug+"=record -f -o "+file)
	d.must(cmd.Start())
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, []byte("half")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("what is there is not written")
		}
	}
	d.must(cmd.Process.Signal(os.Interrupt))
	d.must(cmd.Wait())
	b, err := os.ReadFile(file)
	d.must(err)
	if _, events := d.cast(string(b)); fmt.Sprint(events) != "[{0s o half } {0s o \ufffd}]" {
		t.Errorf("events %v", events)
	}
}

func TestWhoFollowsEndsWithTheSession(t *testing.T) {
	d := newLogDesk(t)
	l := d.log("web-1", 1, sessionlog.Options{})
	d.must(l.Output([]byte("first ")))
	file := filepath.Join(t.TempDir(), "x.cast")
	done := make(chan error, 1)
	go func() {
		root := d.app.root()
		root.SetArgs([]string{"record", "-f", "-o", file})
		done <- root.Execute()
	}()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, []byte("first")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("what is there is not written")
		}
	}
	d.must(l.Output([]byte("last")))
	d.must(l.Exit(sessionlog.Exit{Status: 3}))
	d.must(<-done)
	b, err := os.ReadFile(file)
	d.must(err)
	if _, events := d.cast(string(b)); fmt.Sprint(events) != "[{0s o first } {0s o last} {0s x 3}]" {
		t.Errorf("events %v", events)
	}
}

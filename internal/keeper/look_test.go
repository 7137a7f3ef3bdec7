//go:build linux

package keeper_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
)

// asker asks for the cursor's place at each of some columns, one after another,
// and writes down what it is told.
const asker = `stty raw -echo; printf ready; i=1; while [ $i -le %d ]; do printf '\033[1;%%dH\033[6n' $i; IFS= read -rsd R a; echo "${a#*;}" >>told; i=$((i+1)); done
	printf '\033[5n'; IFS= read -rsd n a; echo "${a#*[}" >>told; exec sleep 1000`

func ask(times int, folder string) wire.Start {
	start := onPty("")
	start.Args = []string{"bash", "-c", fmt.Sprintf(asker, times)}
	start.Pty.Size.Cols = 200
	start.Dir = folder
	return start
}

// told waits for all answers and checks that there is one for each question.
func told(t *testing.T, times int, folder string) {
	t.Helper()
	var want strings.Builder
	for i := range times {
		fmt.Fprintln(&want, i+1)
	}
	want.WriteString("0\n")
	var got []byte
	await(t, "an answer to each question", func() bool {
		got, _ = os.ReadFile(filepath.Join(folder, "told"))
		return strings.Count(string(got), "\n") > times || !strings.HasPrefix(want.String(), string(got))
	})
	if string(got) != want.String() {
		t.Errorf("the program was told %q", got)
	}
}

func TestQueriesAreAnsweredWhenNobodyLooks(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	folder := t.TempDir()
	start := ask(20, folder)
	start.Unseen = true // its output reaches no terminal
	v := r.view(start)
	told(t, 20, folder)
	_ = v.conn.Close()
}

// answering is a viewer with a terminal, which is killed after some answers.
type answering struct {
	*viewer
	terminal *screen.Screen
	seen     uint64
	left     int
	gone     chan struct{}
}

func (a *answering) Output(s wire.Stream, p []byte) {
	if a.left == 0 {
		return // killed: neither shown nor acknowledged
	}
	_, _ = a.terminal.Write(p)
	if answer := a.terminal.TakeReplies(); len(answer) > 0 {
		_, _ = a.session.Write(answer)
		if a.left--; a.left == 0 {
			close(a.gone)
			return
		}
	}
	a.seen += uint64(len(p))
	a.session.Ack(s, a.seen)
}

// The viewer's terminal answers, and is killed at any moment: with an answer
// given, on its way, or arrived; with the question's output acknowledged or not.
func TestNoQueryIsAnsweredTwiceOrByNobodyAroundADetach(t *testing.T) {
	const times = 30
	for trial := range 15 {
		r := newRig(t)
		r.boot <- nil
		folder := t.TempDir()
		a := &answering{
			viewer:   &viewer{ready: make(chan struct{}), ran: make(chan error, 1)},
			terminal: screen.New(200, 24, screen.Options{}), left: 1 + trial, gone: make(chan struct{}),
		}
		a.dial(r)
		a.session = wire.NewSession(wire.NewID(), ask(times, folder), a)
		a.run(r)
		select {
		case <-a.gone:
		case <-time.After(patience):
			t.Fatal("the terminal is not asked")
		}
		time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
		_ = a.conn.Close()
		told(t, times, folder)
	}
}

// look is a connection that asks.
func (r *rig) look() *viewer {
	r.t.Helper()
	v := &viewer{}
	v.dial(r)
	return v
}

func TestSessionsAreListedWithTheirNumbers(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	first := onPty(`printf '\033]2;a title\a'; exec cat`)
	first.Pty.Size = wire.Size{Rows: 30, Cols: 100, XPixel: 1000, YPixel: 600}
	v := r.view(first)
	<-v.ready // so it is the first
	p := r.view(sh("exec cat"))
	<-p.ready
	gone := r.view(sh("true"))
	if _, err := gone.end(t); err != nil {
		t.Fatal(err)
	}
	v.session.Resize(wire.Size{Rows: 31, Cols: 100})
	_ = v.conn.Close()

	looker := r.look()
	var listed []wire.SessionInfo
	await(t, "a title, a size, and no viewer", func() bool {
		var err error
		var total uint32
		if listed, total, err = wire.AskSessions(looker.conn); err != nil || int(total) != len(listed) {
			t.Fatalf("%d of %d sessions, %v", len(listed), total, err)
		}
		return len(listed) == 2 && listed[0].Title != "" && listed[0].Viewers == 0
	})
	for i := range listed {
		if listed[i].Idle < 0 || listed[i].Idle > patience {
			t.Errorf("idle for %v", listed[i].Idle)
		}
		if age := time.Since(listed[i].Started); age < 0 || age > patience {
			t.Errorf("started %v ago", age)
		}
		listed[i].Idle, listed[i].Started = 0, time.Time{}
	}
	want := wire.SessionInfo{Number: 1, Program: "sh -c " + first.Args[2], Pty: true, Size: wire.Size{Rows: 31, Cols: 100}, Title: "a title"}
	if listed[0] != want && listed[0].Size.Rows == 31 {
		t.Errorf("got  %+v\nwant %+v", listed[0], want)
	}
	if want := (wire.SessionInfo{Number: 2, Program: "sh -c exec cat", Viewers: 1}); listed[1] != want {
		t.Errorf("got  %+v\nwant %+v", listed[1], want)
	}
	_ = p.session.CloseWrite()
}

func TestTheScreenOfASessionIsThatOfAllItsOutput(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	v := r.view(onPty(`stty raw -echo; seq -f 'line %04.0f' 500; printf '\033[1;31mred\033[m done'; exec cat`))
	v.awaitText(t, "done")
	looker := r.look()
	at, err := wire.AskScreen(looker.conn, 1, -1)
	if err != nil {
		t.Fatal(err)
	}
	s := screen.New(int(at.Cols), int(at.Rows), screen.Options{Scrollback: 1000})
	_, _ = s.Write(at.Bytes)
	whole := screen.New(80, 24, screen.Options{Scrollback: 1000})
	_, _ = whole.Write([]byte(v.text(wire.Stdout)))
	if s.ANSI() != whole.ANSI() || s.Scrollback() != whole.Scrollback() || at.Offset != uint64(len(v.text(wire.Stdout))) {
		t.Errorf("at %d, with %d lines of scrollback:\n%s\nwant\n%s", at.Offset, s.Scrollback(), s.ANSI(), whole.ANSI())
	}
}

func TestAScreenThatIsNotThereIsRefusedInWords(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	p := r.view(sh("echo up; exec cat"))
	p.awaitText(t, "up")
	looker := r.look()
	for number, want := range map[uint32]string{1: "session 1 runs on pipes", 7: "no session 7"} {
		if _, err := wire.AskScreen(looker.conn, number, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("screen of %d: %v, want %s", number, err, want)
		}
	}
	if ch, _, err := looker.conn.OpenChannel("screen@snug", []byte("odd")); err == nil {
		_ = ch.Close()
		t.Error("a malformed request was granted")
	}
}

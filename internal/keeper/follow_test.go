//go:build linux

package keeper

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
)

var size = wire.Size{Rows: 10, Cols: 40}

// ptySession is a session without a program, whose screen is followed until
// the test ends.
func ptySession(t *testing.T) *session {
	t.Helper()
	k := New(Config{Log: slog.New(slog.DiscardHandler)})
	s := newSession(k, memo{ID: "0123456789abcdef", Number: 1, Pty: true}, wire.Start{Pty: &wire.Pty{Size: size}}, wire.Notice{})
	s.met = true
	var wg sync.WaitGroup
	wg.Go(s.follow.run)
	t.Cleanup(func() {
		s.out.End()
		wg.Wait()
	})
	return s
}

// output is what programs print, and what none does.
func output(r *rand.Rand, tokens int) []byte {
	kinds := []func() string{
		func() string { return "some words " },
		func() string { return "\r\n" },
		func() string { return "世界e\u0301👩\u200d🚀" },
		func() string { return fmt.Sprintf("\x1b[%d;%dH", 1+r.IntN(10), 1+r.IntN(40)) },
		func() string { return fmt.Sprintf("\x1b[%d;38;5;%dm", r.IntN(9), r.IntN(256)) },
		func() string { return fmt.Sprintf("\x1b[%d;%dr", 1+r.IntN(4), 5+r.IntN(6)) },
		func() string { return fmt.Sprintf("\x1b[%d%c", r.IntN(5), "@PLMSTXJK"[r.IntN(9)]) },
		func() string { return fmt.Sprintf("\x1b]2;title %d\x1b\\", r.IntN(99)) },
		func() string {
			return []string{"\x1b[?1049h", "\x1b[?1049l", "\x1b7", "\x1b8", "\x1b[?2004h"}[r.IntN(5)]
		},
		func() string { return []string{"\x1b[6n", "\x1b[c", "\x1b", "\x1b[", "\xe4\xb8"}[r.IntN(5)] },
	}
	var b strings.Builder
	for range tokens {
		b.WriteString(kinds[r.IntN(len(kinds))]())
	}
	return []byte(b.String())
}

// same fails the test unless two screens are one.
func same(t *testing.T, what string, got, want *screen.Screen) {
	t.Helper()
	all := screen.SnapshotOptions{Scrollback: -1}
	if g, w := got.Snapshot(all), want.Snapshot(all); string(g) != string(w) {
		t.Errorf("%s: the screen is\n%s\nwant\n%s\nas bytes %.300q\nwant     %.300q", what, got.Text(), want.Text(), g, w)
	}
}

// fresh is a terminal that was just switched on, as a viewer's.
func fresh(size wire.Size) *screen.Screen {
	return screen.New(int(size.Cols), int(size.Rows), screen.Options{Scrollback: scrollback})
}

// resize gives the session's terminal a size, as its leading viewer does.
func resize(s *session, size wire.Size) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setSize(size)
}

// looker is a viewer's terminal.
type looker struct {
	*view
	shows *screen.Screen
}

// look joins a session with a terminal of that size.
func look(s *session, size wire.Size) *looker {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &view{s: s, a: new(wire.Attachment), size: size}
	v.forget()
	v.history = scrollback
	s.views[v.a] = v
	return &looker{v, fresh(size)}
}

// read shows some of what comes, and reports whether more can.
func (l *looker) read(n int) bool {
	buf := make([]byte, n)
	n, err := l.Read(buf)
	_, _ = l.shows.Write(buf[:n])
	_ = l.Ack(l.Next())
	return err == nil
}

// joined is what a viewer sees that joins while the program prints.
func joined(s *session) *screen.Screen {
	l := look(s, size)
	for l.read(1000) {
	}
	s.Detach(l.a)
	return l.shows
}

func TestSnapshotAndLiveTailMeetWithoutGapOrOverlap(t *testing.T) {
	for trial := range 10 {
		r := rand.New(rand.NewPCG(uint64(trial), 1))
		s, all := ptySession(t), output(r, 30_000) // more than a buffer holds
		viewers := make(chan *screen.Screen)
		const joiners = 5
		whole := fresh(size)
		for sent, cut := 0, 0; sent < len(all); {
			if cut < joiners && sent >= cut*len(all)/joiners {
				cut++
				go func() { viewers <- joined(s) }() // ends with the output
			}
			n := min(1+r.IntN(2000), len(all)-sent)
			agentSide{s}.Output(wire.Stdout, all[sent:sent+n])
			_, _ = whole.Write(all[sent : sent+n])
			sent += n
		}
		s.out.End()
		for range joiners {
			same(t, fmt.Sprintf("trial %d, snapshot and tail", trial), <-viewers, whole)
		}
		at := s.snapshotAt(screen.SnapshotOptions{Scrollback: -1}, nil)
		if at.Offset != uint64(len(all)) {
			t.Errorf("the screen stands at %d of %d", at.Offset, len(all))
		}
		if base := s.out.Base(); base != at.Offset {
			t.Errorf("output from %d on is kept, which everybody has", base)
		}
	}
}

func TestSizesReachTheScreenInOrderWithTheOutput(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	s, whole := ptySession(t), fresh(size)
	for n := range 300 {
		if n%maxMarks == 0 {
			s.follow.stand(false, nil) // however slow the screen is: so many sizes wait for it, and no more
		}
		p := output(r, 20)
		agentSide{s}.Output(wire.Stdout, p)
		_, _ = whole.Write(p)
		if r.IntN(3) > 0 {
			continue
		}
		to := wire.Size{Cols: uint16(2 + r.IntN(60)), Rows: uint16(2 + r.IntN(20))}
		resize(s, wire.Size{Cols: 1, Rows: 1}) // not the last
		resize(s, to)
		whole.Resize(int(to.Cols), int(to.Rows))
	}
	resize(s, wire.Size{Cols: 33, Rows: 7, XPixel: 330, YPixel: 70})
	resize(s, wire.Size{Cols: 0, Rows: 7})
	whole.Resize(33, 7)
	at, _ := s.follow.stand(true, nil)
	same(t, "after the output and all sizes", at, whole)
}

func TestSizesThatWaitForAScreenAreBounded(t *testing.T) {
	s := newSession(New(Config{}), memo{ID: "0123456789abcdef", Number: 1, Pty: true}, wire.Start{Pty: &wire.Pty{Size: size}}, wire.Notice{})
	for n := range 3 * maxMarks {
		_ = s.out.Append([]byte("x"))
		resize(s, wire.Size{Cols: uint16(10 + n), Rows: 5})
	}
	if len(s.marks) > maxMarks {
		t.Errorf("%d sizes wait", len(s.marks))
	}
	at, _ := s.follow.stand(false, nil)
	if cols, _ := at.Size(); cols != 10+3*maxMarks-1 {
		t.Errorf("%d columns", cols)
	}
}

// A viewer that has all is not held up by a screen that lags, and the program
// is only once the buffer is full.
func TestOutputReachesViewersBeforeTheScreen(t *testing.T) {
	s := ptySession(t)
	s.follow.mu.Lock() // the screen is busy
	in, err := s.out.Reader(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]byte, held)
	agentSide{s}.Output(wire.Stdout, all)
	for n := 0; n < len(all); {
		m, err := in.Read(make([]byte, len(all)))
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if base := s.out.Base(); base != 0 {
		t.Errorf("output up to %d was given up, which the screen has not seen", base)
	}
	s.follow.mu.Unlock()
	agentSide{s}.Output(wire.Stdout, []byte("more")) // goes on once the screen does
}

// A session that is asked for as its machine ends has no program, and no screen.
func TestAViewerOfASessionThatCameTooLateCanLeave(t *testing.T) {
	k := New(Config{Log: slog.New(slog.DiscardHandler)})
	k.users = 0
	s, _, late := k.session("0123456789abcdef", wire.Start{Pty: &wire.Pty{Size: size}})
	if !late {
		t.Fatal("it did not come too late")
	}
	a := new(wire.Attachment)
	for _, stream := range []wire.Stream{wire.Stdout, wire.Stderr} {
		if _, err := s.Output(a, stream, 0); err != nil {
			t.Error(err)
		}
	}
	s.Detach(a)
	s.Left(a)
}

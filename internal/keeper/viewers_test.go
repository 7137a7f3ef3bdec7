//go:build linux

package keeper_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
)

var (
	wide  = wire.Size{Rows: 41, Cols: 137}
	small = wire.Size{Rows: 20, Cols: 60}
)

// shows is what a terminal of that size shows which was given all that came.
func (v *viewer) shows(size wire.Size) string {
	s := screen.New(int(size.Cols), int(size.Rows), screen.Options{})
	_, _ = s.Write([]byte(v.text(wire.Stdout)))
	return s.Text()
}

func (v *viewer) awaitShown(t *testing.T, size wire.Size, want string) {
	t.Helper()
	await(t, "a screen with "+want, func() bool { return strings.Contains(v.shows(size), want) })
}

// sizes is a program that says its terminal's size whenever that changes, and
// echoes lines.
const sizes = `trap 'echo "size $(stty size)"' WINCH; stty -echo; echo "size $(stty size)"; while :; do read -r -t 0.1 l && echo "heard $l"; done`

func TestTheLastOneThatAPersonTypedInHasTheSize(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	start := onPty(sizes)
	start.Pty.Size = wide
	start.Args = []string{"bash", "-c", sizes}
	first := r.view(start)
	first.awaitShown(t, wide, "size 41 137")
	second := r.join(wire.Join{Number: 1}, small)
	second.awaitShown(t, small, "size 41 137")
	second.session.Resize(wire.Size{Rows: 21, Cols: 61})

	// Focus, mouse, and answers are no typing.
	_, _ = second.session.Write([]byte("\x1b[I\x1b[<0;1;1M\x1b[?62c"))
	_, _ = first.session.Write([]byte("one\r"))
	first.awaitShown(t, wide, "heard")
	if text := first.shows(wide); strings.Contains(text, "size 20 60") || strings.Contains(text, "size 21 61") {
		t.Errorf("a viewer in which nobody typed gave its size:\n%s", text)
	}
	_, _ = second.session.Write([]byte("two\r"))
	second.awaitShown(t, wire.Size{Rows: 21, Cols: 61}, "size 21 61")
	first.awaitShown(t, wide, "two")
	_ = second.conn.Close() // the one before leads again
	first.awaitShown(t, wide, "size 41 137")
}

func TestAReadOnlyViewerOnlyLooks(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	start := onPty("")
	start.Pty.Size = wide
	start.Args = []string{"bash", "-c", sizes}
	first := r.view(start)
	first.awaitShown(t, wide, "size 41 137")
	looks := r.join(wire.Join{Number: 1, ReadOnly: true}, small)
	looks.awaitShown(t, small, "size 41 137")
	_, _ = looks.session.Write([]byte("unheard\r"))
	await(t, "its input to be taken", func() bool { return looks.safeInput() == uint64(len("unheard\r")) })
	_, _ = first.session.Write([]byte("loud\r"))
	looks.awaitShown(t, small, "heard loud")
	if text := first.text(wire.Stdout); strings.Contains(text, "unheard") || strings.Count(text, "size") > 1 {
		t.Errorf("a read-only viewer was heard:\n%s", text)
	}
	_ = first.conn.Close()
	await(t, "one viewer", func() bool { return r.keeper.Sessions()[0].Viewers == 1 })
	if got := r.keeper.Sessions()[0].Size; got != wide {
		t.Errorf("a read-only viewer that is alone gave its size: %+v", got)
	}
}

func TestAViewerThatStealsIsAlone(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	first := r.view(onPty("echo up; exec sleep 1000"))
	first.awaitText(t, "up")
	thief := r.join(wire.Join{Number: 1, Steal: true}, small)
	_, err := first.end(t)
	if _, away := errors.AsType[*wire.Detached](err); !away {
		t.Errorf("the other one's end is %v", err)
	}
	thief.awaitShown(t, small, "up")
	if err := wire.Command(thief.conn, wire.RequestDetach, wire.Control{Session: 1}); err != nil {
		t.Error(err)
	}
	if _, err := thief.end(t); err == nil {
		t.Error("a command did not detach it")
	}
	await(t, "no viewer", func() bool { return r.keeper.Sessions()[0].Viewers == 0 })
	asks := r.look()
	for _, c := range []struct {
		request string
		number  uint32
		ok      bool
	}{
		{wire.RequestForget, 1, false}, // it runs
		{wire.RequestKill, 7, false},
		{wire.RequestKill, 1, true},
	} {
		err := wire.Command(asks.conn, c.request, wire.Control{Session: c.number, Signal: "KILL"})
		if (err == nil) != c.ok {
			t.Errorf("%s of %d: %v", c.request, c.number, err)
		}
	}
	await(t, "its end", func() bool { return r.keeper.Sessions()[0].Ended })
	if info := r.keeper.Sessions()[0]; info.Exit.Status != 137 || info.Exit.Signal != "KILL" {
		t.Errorf("it is said to have ended with %+v", info.Exit)
	}
	if err := wire.Command(asks.conn, wire.RequestForget, wire.Control{Session: 1}); err != nil {
		t.Error(err)
	}
	_ = asks.conn.Close()
	r.served1(t)
}

func TestThereIsNothingToAttachToWhereThereIsNoTerminal(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	pipes := r.view(sh("cat"))
	<-pipes.ready
	for _, number := range []uint32{1, 2} {
		_, err := r.attach(number).end(t)
		if f, ok := errors.AsType[*wire.Failure](err); !ok || f.Status != 125 {
			t.Errorf("session %d: %v", number, err)
		}
	}
	_ = pipes.session.CloseWrite()
}

// What a program has written before ^C is stale then: a viewer that has yet to
// see it is shown the screen.
func TestWhatWasWrittenBeforeAnInterruptIsNotShownAfterIt(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	v := &viewer{ready: make(chan struct{}), ran: make(chan error, 1), stalled: make(chan struct{})}
	v.dial(r)
	v.session = wire.NewSession(wire.NewID(), onPty("trap 'echo; echo interrupted; exit 4' INT; seq 1 100000; sleep 100 & wait"), v)
	v.run(r)
	written := func(what string) {
		t.Helper()
		await(t, what, func() bool {
			at, err := r.keeper.Screen(1, 0)
			return err == nil && bytes.Contains(at.Bytes, []byte(what))
		})
	}
	written("100000")
	_, _ = v.session.Write([]byte{3})
	written("interrupted")
	close(v.stalled)
	exit, err := v.end(t)
	if err != nil || exit.Status != 4 {
		t.Fatalf("exit %+v, %v", exit, err)
	}
	if text := v.text(wire.Stdout); len(text) > wire.Credit+64<<10 || !strings.Contains(text, "interrupted") {
		t.Errorf("%d bytes were shown, which end with %.200q", len(text), text[max(0, len(text)-200):])
	}
}

//go:build linux

package keeper_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/snugvm/snug/internal/wire"
)

// meter lets so many bytes pass, at most so many at a time, and then stalls until
// it is freed.
type meter struct {
	limit, step int64
	carried     atomic.Int64
	stalls      chan struct{} // closed once it stalls
	freed       chan struct{} // closed to have it go on
	once        sync.Once
}

func newMeter(limit, step int64) *meter {
	return &meter{limit: limit, step: step, stalls: make(chan struct{}), freed: make(chan struct{})}
}

// take returns how many of n bytes may pass now; none once closed is.
func (m *meter) take(n int, closed <-chan struct{}) (int, error) {
	left := m.limit - m.carried.Load()
	if left <= 0 {
		m.once.Do(func() { close(m.stalls) })
		select {
		case <-m.freed:
			left = m.step
		case <-closed:
			return 0, io.ErrClosedPipe
		}
	}
	return int(min(int64(n), left, m.step)), nil
}

// stalled reports whether it stalls, or has.
func (m *meter) stalled() bool {
	select {
	case <-m.stalls:
		return true
	default:
		return false
	}
}

// weak is a stream that has a meter in one direction.
type weak struct {
	io.ReadWriteCloser
	*meter      // of what is read, or with writes of what is written
	writes      bool
	closed      chan struct{}
	onceClosing sync.Once
}

// newWeak is a link that carries so many bytes from the guest.
func newWeak(limit, step int64) *weak {
	return &weak{meter: newMeter(limit, step), closed: make(chan struct{})}
}

// over puts the weak link in place of one.
func (w *weak) over(link io.ReadWriteCloser) io.ReadWriteCloser {
	w.ReadWriteCloser = link
	return w
}

// Read takes from the other end.
func (w *weak) Read(p []byte) (int, error) {
	if w.writes {
		return w.ReadWriteCloser.Read(p)
	}
	n, err := w.take(len(p), w.closed)
	if err != nil {
		return 0, err
	}
	n, err = w.ReadWriteCloser.Read(p[:n])
	w.carried.Add(int64(n))
	return n, err
}

// Write gives to the other end.
func (w *weak) Write(p []byte) (int, error) {
	if !w.writes {
		return w.ReadWriteCloser.Write(p)
	}
	for done := 0; ; {
		n, err := w.take(len(p)-done, w.closed)
		if err != nil {
			return done, err
		}
		n, err = w.ReadWriteCloser.Write(p[done : done+n])
		w.carried.Add(int64(n))
		if done += n; err != nil || done == len(p) {
			return done, err
		}
	}
}

// Close closes this end.
func (w *weak) Close() error {
	w.onceClosing.Do(func() { close(w.closed) })
	return w.ReadWriteCloser.Close()
}

// weakConn is a weak stream to a keeper.
type weakConn struct {
	net.Conn
	weak io.ReadWriteCloser
}

func (c *weakConn) Read(p []byte) (int, error)  { return c.weak.Read(p) }
func (c *weakConn) Write(p []byte) (int, error) { return c.weak.Write(p) }
func (c *weakConn) Close() error                { return c.weak.Close() }

const endless = 1 << 40

// brief is a program on a terminal that leaves a line in a file of its folder.
func brief(folder string) wire.Start {
	s := onPty("echo started >>begun; seq 200; exit 7")
	s.Dir = folder
	return s
}

// startedOnce fails the test unless the program of a folder was started once.
func startedOnce(t *testing.T, folder string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(folder, "begun"))
	if err != nil || string(got) != "started\n" {
		t.Errorf("the program was started: %q, %v", got, err)
	}
}

// ended7 fails the test unless the viewer hears the status of brief, and its
// terminal shows the last of what that printed.
func (v *viewer) ended7(t *testing.T) {
	t.Helper()
	if exit, err := v.end(t); err != nil || exit.Status != 7 {
		t.Errorf("%+v, %v", exit, err)
	}
	if shown := v.shows(wire.Size{Rows: 24, Cols: 80}); !strings.Contains(shown, "199\n200") {
		t.Errorf("shown\n%s", shown)
	}
}

// A keeper has read so many bytes of what the agent said, of its first greeting
// and of a program's end and of all in between, and then dies.
func TestAKeeperThatDiesAtAnyByteStartsAProgramOnce(t *testing.T) {
	whole := newWeak(endless, endless)
	dieAt(t, whole, func(*rig, *viewer) {})
	all := whole.carried.Load()
	const deaths = 40
	for i := range int64(deaths) {
		at := all * i / deaths
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			link := newWeak(at, endless)
			dieAt(t, link, func(r *rig, v *viewer) {
				select {
				case <-link.stalls:
				case <-v.session.Done():
					return // by another way of what is said
				}
				r.die()
				v.again(t, r)
			})
		})
	}
}

// dieAt runs brief over a link, with a death of the keeper in between.
func dieAt(t *testing.T, link *weak, death func(*rig, *viewer)) {
	t.Helper()
	r, folder := newRig(t), t.TempDir()
	r.machine.through(link.over)
	r.boot <- nil
	v := r.view(brief(folder))
	death(r, v)
	v.ended7(t)
	startedOnce(t, folder)
}

// attentive is a program that notes what it hears, and ends as brief does.
func attentive(folder string) wire.Start {
	s := onPty(`echo started >>begun; while read -r l; do echo "$l" >>heard; [ "$l" = stop ] && break; seq 200; done; exit 7`)
	s.Dir = folder
	return s
}

// A keeper has said so many bytes, to its agent or to its viewer, or has heard so
// many, and then dies: what was typed is heard once.
func TestAKeeperThatDiesRightAfterItSaidOrHeardSomethingDoublesNothing(t *testing.T) {
	for name, c := range map[string]struct{ fromViewer, writes bool }{
		"said to the viewer":  {fromViewer: true},
		"heard of the viewer": {fromViewer: true, writes: true},
		"said to the agent":   {writes: true},
		"heard of the agent":  {},
	} {
		t.Run(name, func(t *testing.T) {
			meter := func(limit int64) *weak {
				w := newWeak(limit, endless)
				w.writes = c.writes
				return w
			}
			whole := meter(endless)
			greeting, all := typeAndDie(t, whole, c.fromViewer)
			const deaths = 25
			for i := range int64(deaths) {
				at := greeting + (all-greeting)*i/deaths
				t.Run(fmt.Sprint(at), func(t *testing.T) { typeAndDie(t, meter(at), c.fromViewer) })
			}
		})
	}
}

// typeAndDie runs attentive over a weak link to the agent, or from the viewer, and
// has the keeper die where that stalls. It returns what was carried before there
// was a session, without which a viewer has nothing to come back to, and until the
// program had answered.
func typeAndDie(t *testing.T, w *weak, fromViewer bool) (greeting, all int64) {
	t.Helper()
	r, folder := newRig(t), t.TempDir()
	v := &viewer{ready: make(chan struct{}), ran: make(chan error, 1)}
	if fromViewer {
		v.over = func(c net.Conn) net.Conn { return &weakConn{c, w.over(c)} }
	} else {
		r.machine.through(w.over)
	}
	r.boot <- nil
	v.dial(r)
	v.over = nil // the next connection is whole
	if fromViewer {
		greeting = w.carried.Load()
	}
	v.session = wire.NewSession(wire.NewID(), attentive(folder), v)
	_, _ = v.session.Write([]byte("typed\r"))
	v.run(r)
	size := wire.Size{Rows: 24, Cols: 80}
	await(t, "an answer, or a link that stalls", func() bool { return w.stalled() || strings.Contains(v.shows(size), "199\n200") })
	all = w.carried.Load()
	if w.stalled() {
		r.die()
		_ = v.conn.Close()
		v.again(t, r)
		v.awaitShown(t, size, "199\n200")
	} else {
		close(w.freed) // it took fewer bytes this time
	}
	_, _ = v.session.Write([]byte("stop\r"))
	v.ended7(t)
	startedOnce(t, folder)
	if got := heard(t, folder); !slices.Equal(got, []string{"typed", "stop"}) {
		t.Errorf("the program has heard %q", got)
	}
	return greeting, all
}

// A keeper has told its viewer so many bytes of all from a program's start to its
// end, and then dies.
func TestAKeeperThatDiesWhileItTellsOfAnEndLeavesItToTheNext(t *testing.T) {
	whole := newWeak(endless, endless)
	greeting := endAndDie(t, whole)
	all := whole.carried.Load()
	const deaths = 40
	for i := range int64(deaths) {
		at := greeting + (all-greeting)*i/deaths
		t.Run(fmt.Sprint(at), func(t *testing.T) { endAndDie(t, newWeak(at, endless)) })
	}
}

// endAndDie runs brief for a viewer with a weak way from the keeper, which dies
// where that stalls, and returns what was carried before there was a session.
func endAndDie(t *testing.T, w *weak) (greeting int64) {
	t.Helper()
	r, folder := newRig(t), t.TempDir()
	r.boot <- nil
	v := &viewer{ready: make(chan struct{}), ran: make(chan error, 1)}
	v.over = func(c net.Conn) net.Conn { return &weakConn{c, w.over(c)} }
	v.dial(r)
	v.over = nil // the next connection is whole
	greeting = w.carried.Load()
	v.session = wire.NewSession(wire.NewID(), brief(folder), v)
	v.run(r)
	select {
	case <-v.session.Done():
		close(w.freed)
	case <-w.stalls:
		r.die()
		_ = v.conn.Close()
		v.again(t, r)
	}
	v.ended7(t)
	startedOnce(t, folder)
	return greeting
}

func TestAKeeperThatDiesWhileItsMachineBootsStartsAProgramOnce(t *testing.T) {
	r, folder := newRig(t), t.TempDir()
	v := r.view(brief(folder))
	await(t, "progress", func() bool { v.mu.Lock(); defer v.mu.Unlock(); return len(v.notices) > 0 })
	r.die()
	v.again(t, r)
	v.ended7(t)
	startedOnce(t, folder)
}

func TestAnEndThatItsViewerHasNotAcknowledgedIsToldByTheNextKeeper(t *testing.T) {
	r, folder := newRig(t), t.TempDir()
	r.boot <- nil
	v := &viewer{ready: make(chan struct{}), ran: make(chan error, 1), stalled: make(chan struct{})}
	v.dial(r)
	v.session = wire.NewSession(wire.NewID(), brief(folder), v)
	v.run(r)
	await(t, "the end", func() bool { s := r.keeper.Sessions(); return len(s) == 1 && s[0].Ended })
	r.die()
	close(v.stalled)
	v.again(t, r)
	v.ended7(t)
	startedOnce(t, folder)
}

// What the next keeper cannot go on with is 125 where nothing had started, and
// 255 where something had.
func TestAViewerHearsWhyNoKeeperGoesOn(t *testing.T) {
	for name, started := range map[string]bool{"nothing had started": false, "a program ran": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			v := r.view(onPty("echo up; exec sleep 1000"))
			want := uint32(125)
			if started {
				want = 255
				r.boot <- nil
				v.awaitText(t, "up")
			} else {
				await(t, "progress", func() bool { v.mu.Lock(); defer v.mu.Unlock(); return len(v.notices) > 0 })
			}
			r.dieThen(errors.New("no such machine"))
			v.again(t, r)
			_, err := v.end(t)
			if f, ok := errors.AsType[*wire.Failure](err); !ok || f.Status != want || !strings.Contains(f.Message, "no such machine") {
				t.Errorf("the viewer heard %v, want %d", err, want)
			}
		})
	}
}

// numbers are the lines of a session that says them in order.
func numbers(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "n%d\r\n", i)
	}
	return b.String()
}

func TestAViewerThatComesWhileTheLinkIsWeakIsShownAll(t *testing.T) {
	stalling := newWeak(12<<10, endless)
	for name, link := range map[string]func(io.ReadWriteCloser) io.ReadWriteCloser{
		"stalls":           stalling.over,
		"one byte at once": func(l io.ReadWriteCloser) io.ReadWriteCloser { return newWeak(endless, 1).over(l) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.machine.through(link)
			r.boot <- nil
			start := onPty("")
			start.Args = []string{"bash", "-c", "stty -echo; for i in {1..4000}; do echo n$i; done; read -r l; echo n4001; exit 4"}
			start.Pty.Size = wide
			first := r.view(start)
			if name == "stalls" {
				<-stalling.stalls // in the midst of a packet, and what was shown by then is chance
			} else {
				first.awaitText(t, "n500\r\n")
			}
			viewers := []*viewer{first, r.join(wire.Join{Number: 1}, wide), r.join(wire.Join{Number: 1}, small)}
			viewers[1].awaitText(t, "\x1b[H") // the screen of that moment
			if name == "stalls" {
				close(stalling.freed)
			}
			viewers[2].awaitShown(t, small, "n4000")
			_, _ = first.session.Write([]byte("\r"))
			for i, v := range viewers {
				if exit, err := v.end(t); err != nil || exit.Status != 4 {
					t.Errorf("viewer %d: %+v, %v", i, exit, err)
				}
			}
			if got, want := first.text(wire.Stdout), numbers(1, 4001); got != want {
				t.Errorf("%d bytes came, want %d: they end with %.100q", len(got), len(want), got[max(0, len(got)-100):])
			}
			if got, want := viewers[1].shows(wide), first.shows(wide); got != want {
				t.Errorf("who came later is shown\n%s\nwant\n%s", got, want)
			}
			r.served1(t)
		})
	}
}

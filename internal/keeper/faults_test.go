//go:build linux

package keeper_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/snugvm/snug/internal/wire"
)

// weak is a link that carries so many bytes from the guest, at most so many at a
// time, and then stalls until it is closed or freed.
type weak struct {
	io.ReadWriteCloser
	limit, step int64
	carried     atomic.Int64
	stalls      chan struct{} // closed once it stalls
	freed       chan struct{} // closed to have it go on
	closed      chan struct{}
	once, twice sync.Once
}

func newWeak(limit, step int64) *weak {
	return &weak{limit: limit, step: step, stalls: make(chan struct{}), freed: make(chan struct{}), closed: make(chan struct{})}
}

// over puts the weak link in place of one.
func (w *weak) over(link io.ReadWriteCloser) io.ReadWriteCloser {
	w.ReadWriteCloser = link
	return w
}

// Read takes from the guest.
func (w *weak) Read(p []byte) (int, error) {
	left := w.limit - w.carried.Load()
	if left <= 0 {
		w.once.Do(func() { close(w.stalls) })
		select {
		case <-w.freed:
			left = w.step
		case <-w.closed:
			return 0, io.ErrClosedPipe
		}
	}
	n, err := w.ReadWriteCloser.Read(p[:min(int64(len(p)), left, w.step)])
	w.carried.Add(int64(n))
	return n, err
}

// Close closes the host's end.
func (w *weak) Close() error {
	w.twice.Do(func() { close(w.closed) })
	return w.ReadWriteCloser.Close()
}

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

//go:build linux

package front

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/screen"
	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
	"github.com/snugvm/snug/test/rig"
)

// The session has the size of the terminal that somebody typed in last; others see
// as much of it as they can.
func TestTheLatestTypistsSizeIsTheSessions(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	large := r.Tmux("exec $SNUG " + here + "sh -c 'stty -echo; echo up; trap \"stty size\" WINCH; while :; do read -r l && echo heard $l; done'")
	large.WaitText("up")
	large.Line("one")
	large.WaitText("heard one")
	small := r.TmuxAt(80, 24, "exec $SNUG attach")
	small.WaitText("heard one")
	watcher := r.TmuxAt(60, 20, "exec $SNUG attach --read-only")
	watcher.WaitText("heard one")
	size := func(cols, rows int) {
		t.Helper()
		r.Eventually(fmt.Sprintf("the session has %dx%d", cols, rows), func() bool {
			s := r.List()[0].Sessions[0]
			return s.Columns == cols && s.Rows == rows && s.Viewers == 3
		})
	}
	size(137, 41)
	small.Line("two")
	size(80, 24)
	small.WaitText("24 80")
	large.WaitText("heard two")
	watcher.Line("three") // which goes nowhere
	watcher.ResizeWindow(50, 15)
	large.Line("four")
	size(137, 41)
	watcher.WaitText("heard four")
	large.WaitText("41 137")
	for _, tm := range []interface{ Capture() string }{large, small, watcher} {
		if s := tm.Capture(); strings.Contains(s, "three") {
			t.Errorf("what a read-only viewer typed arrived:\n%s", s)
		}
	}
	thief := r.Tmux("exec $SNUG attach --steal")
	thief.WaitText("heard four")
	for _, tm := range []interface{ WaitFlag(string, bool) }{large, small, watcher} {
		tm.WaitFlag("pane_dead", true)
	}
	if s := large.Capture(); !strings.Contains(s, "another viewer has taken the session over") {
		t.Errorf("who was sent away is told\n%s", s)
	}
	r.Stop(r.Names()[0])
}

// printing prints 20 MB of lines once it is told to, and then what it has printed.
const printing = `stty -echo; echo up; read -r l; yes 0123456789012345678901234567890123456789 | head -n 500000; touch done; echo the end; read -r l`

// A viewer that does not go on holds up neither the program nor another viewer, and
// shows the screen as soon as it goes on.
func TestAStoppedViewerHoldsUpNobody(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	tm := r.Tmux("exec $SNUG " + here + "sh -c '" + printing + "'")
	tm.WaitText("up")
	stopped := r.PID(rig.Viewer)
	other := r.Tmux("exec $SNUG attach")
	r.Eventually("two look", func() bool { return r.List()[0].Sessions[0].Viewers == 2 })
	rig.Must(t, syscall.Kill(stopped, syscall.SIGSTOP))
	other.Line("go")
	r.AwaitEmptyFile("done")
	other.WaitText("the end")
	if s := tm.Capture(); strings.Contains(s, "the end") {
		t.Fatal("the viewer was not stopped")
	}
	rig.Must(t, syscall.Kill(stopped, syscall.SIGCONT))
	tm.WaitText("the end")
	rig.Shows(t, "after SIGCONT", tm, rig.Settled(t, other))
	r.Stop(r.Names()[0])
}

// A terminal that takes next to nothing of 20 MB is given little more than screens,
// and shows the right one in the end.
func TestASlowTerminalIsShownTheScreen(t *testing.T) {
	needTools(t)
	r := newRig(t, nil)
	tm := r.Tmux("exec $SNUG " + here + "sh -c '" + printing + "'")
	tm.WaitText("up")

	cmd := r.Command("attach", "--read-only")
	master := ptytest.StartBare(t, terminal.Size{Rows: 24, Cols: 80}, cmd)
	defer master.Close()
	slow := &slowTerminal{master: master, shows: screen.New(80, 24, screen.Options{})}
	defer func() { _ = cmd.Process.Signal(syscall.SIGTERM); _, _ = io.Copy(io.Discard, master); _ = cmd.Wait() }()

	tm.Line("go")
	r.AwaitEmptyFile("done")
	for deadline := time.Now().Add(patience); !strings.Contains(slow.shows.Text(), "the end"); {
		slow.take(t)
		if time.Now().After(deadline) {
			t.Fatalf("after %d bytes it shows\n%s", slow.taken, slow.shows.Text())
		}
	}
	t.Logf("%d bytes of 20 MB", slow.taken)
	if slow.taken > 2<<20 {
		t.Errorf("the slow terminal was given %d bytes", slow.taken)
	}
	r.Stop(r.Names()[0])
}

// slowTerminal takes little at a time.
type slowTerminal struct {
	master *os.File
	shows  *screen.Screen
	taken  int
}

// take takes nothing while the program prints, which a link of 1 KB/s hardly does,
// and what is on its way once the test calls it.
func (s *slowTerminal) take(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1024)
	n, err := s.master.Read(buf)
	if err != nil {
		t.Fatalf("after %d bytes: %v; it shows\n%s", s.taken, err, s.shows.Text())
	}
	s.taken += n
	_, _ = s.shows.Write(buf[:n])
}

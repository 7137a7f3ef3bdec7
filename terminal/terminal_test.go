package terminal_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
)

func TestSizesTravelVerbatimWithTheirPixels(t *testing.T) {
	_, tty := ptytest.OpenPTY(t)
	for _, want := range []terminal.Size{
		{},
		{Rows: 41, Cols: 137},
		{Rows: 41, Cols: 137, XPixel: 1373, YPixel: 821},
		{Rows: 65535, Cols: 65535, XPixel: 65535, YPixel: 65535},
	} {
		if err := terminal.SetSize(tty, want); err != nil {
			t.Fatal(err)
		}
		if got, err := terminal.GetSize(tty); err != nil || got != want {
			t.Errorf("GetSize = %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestRawModePassesEveryByteAndRestoreIsExact(t *testing.T) {
	master, tty := ptytest.OpenPTY(t)
	before, err := terminal.MakeRaw(tty)
	if err != nil {
		t.Fatal(err)
	}
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	for _, way := range []struct{ from, to *os.File }{{master, tty}, {tty, master}} {
		if _, err := way.from.Write(all[:]); err != nil {
			t.Fatal(err)
		}
		var got [256]byte
		for n := 0; n < len(got); {
			k, err := way.to.Read(got[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
		if !bytes.Equal(got[:], all[:]) {
			t.Errorf("%s to %s: got %q", way.from.Name(), way.to.Name(), got)
		}
	}
	if now, _ := terminal.GetState(tty); now.Equal(before) {
		t.Error("the state is unchanged in raw mode")
	}
	if err := terminal.Restore(tty, before); err != nil {
		t.Fatal(err)
	}
	if now, _ := terminal.GetState(tty); !now.Equal(before) {
		t.Errorf("restored to %v, want %v", now, before)
	}
}

func TestAPollableFileStaysPollable(t *testing.T) {
	master, _ := ptytest.OpenPTY(t)
	if _, err := terminal.GetState(master); err != nil {
		t.Fatal(err)
	}
	if err := master.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := master.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v, want a deadline's error", err)
	}
}

func TestWhatIsNotATerminalSaysSo(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := terminal.GetState(null); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("GetState: %v, want ENOTTY", err)
	}
	if _, err := terminal.GetSize(null); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("GetSize: %v, want ENOTTY", err)
	}
	if terminal.IsTerminal(null) || terminal.IsTerminal(nil) {
		t.Error("IsTerminal is true of /dev/null or of nil")
	}
	_, tty := ptytest.OpenPTY(t)
	if !terminal.IsTerminal(tty) {
		t.Error("IsTerminal is false of a pty")
	}
}

func TestWatchStartsWithAnEventAndCoalesces(t *testing.T) {
	_, tty := ptytest.OpenPTY(t)
	w := terminal.Watch(tty)
	defer w.Stop()
	<-w.C
	for rows := range uint16(200) {
		if err := terminal.SetSize(tty, terminal.Size{Rows: rows + 1, Cols: 80}); err != nil {
			t.Fatal(err)
		}
		w.Mark()
	}
	<-w.C
	if got, err := w.Size(); err != nil || got.Rows != 200 {
		t.Errorf("size %v, %v after 200 resizes; want 200 rows", got, err)
	}
	select {
	case <-w.C:
		t.Error("a second event for resizes that were read already")
	default:
	}
}

func TestWatchHearsTheKernel(t *testing.T) {
	_, tty := ptytest.OpenPTY(t)
	w := terminal.Watch(tty)
	<-w.C
	for _, s := range []unix.Signal{unix.SIGWINCH, unix.SIGCONT} {
		if err := unix.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		select {
		case <-w.C:
		case <-time.After(10 * time.Second):
			t.Errorf("no event after %v", s)
		}
	}
	w.Stop()
	w.Stop()
	w.Mark()
	if _, open := <-w.C; open {
		t.Error("C is open after Stop")
	}
}

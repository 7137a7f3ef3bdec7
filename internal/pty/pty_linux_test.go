package pty_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/pty"
	"github.com/snugvm/snug/test/ptytest"
	"golang.org/x/sys/unix"
)

// deep lets the stack grow.
//
//go:noinline
func deep(n int) byte {
	var room [256]byte
	if n > 0 {
		room[n] = deep(n - 1)
	}
	return room[n/2]
}

// A stack that the garbage collector shrinks while the kernel is asked for the name
// takes the answer elsewhere, unless the pointer is the kernel's from the start. Where
// that went wrong, another's terminal was opened.
func TestTheEndsBelongTogetherWhateverBecomesOfTheStack(t *testing.T) {
	ptytest.OpenPTY(t) // has the name that is asked for with an answer of 0
	stop := make(chan struct{})
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	defer collector.Wait()
	defer close(stop)
	for range 5000 {
		var opener sync.WaitGroup
		opener.Go(func() {
			deep(200)
			master, slave, err := pty.Open()
			if err != nil {
				t.Error(err)
				return
			}
			defer master.Close()
			defer slave.Close()
			n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
			if want := fmt.Sprintf("/dev/pts/%d", n); err != nil || slave.Name() != want {
				t.Errorf("the slave is %s, of the master's %s, %v", slave.Name(), want, err)
			}
		})
		if opener.Wait(); t.Failed() {
			return
		}
	}
}

func TestTheMasterHasDeadlinesAndAnEnd(t *testing.T) {
	master, _ := ptytest.OpenPTY(t)
	if err := master.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := master.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read that is late: %v", err)
	}
	if err := master.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { _, err := master.Read(make([]byte, 1)); ended <- err }()
	master.Close()
	if err := <-ended; err == nil {
		t.Error("a read outlived the master")
	}
}

func TestTheSlaveBlocksAndIsNobodysControllingTerminal(t *testing.T) {
	_, slave := ptytest.OpenPTY(t)
	flags, err := unix.FcntlInt(slave.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags of the slave: %#x, %v", flags, err)
	}
	if _, err := unix.IoctlGetInt(int(slave.Fd()), unix.TIOCGSID); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("its session: %v", err)
	}
}

//go:build linux

package keeper_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/snugvm/snug/internal/wire"
)

// logged reports whether a session has left its log.
func (r *rig) logged() bool {
	entries, _ := os.ReadDir(r.logs)
	return len(entries) > 0
}

// A machine whose folder was removed ends with its last viewer, of which there may
// be none.
func TestAMachineThatNobodyFindsEndsWithItsLastViewer(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	first := r.view(onPty("echo up; exec sleep 1000"))
	first.awaitShown(t, small, "up")
	second := r.attach(1)
	second.awaitShown(t, small, "up")
	r.hidden.Store(true)
	r.moved <- struct{}{}
	_ = first.conn.Close()
	third := r.attach(1) // it got in before
	third.awaitShown(t, small, "up")
	_ = second.conn.Close()
	_ = third.conn.Close()
	r.served1(t)
	if !r.logged() {
		t.Error("the log of a session whose end nobody could see is gone")
	}

	r = newRig(t)
	r.boot <- nil
	v := r.view(onPty("echo up; exec sleep 1000"))
	v.awaitShown(t, small, "up")
	_ = v.conn.Close()
	look := r.look()
	await(t, "nobody looks", func() bool {
		all, _, err := wire.AskSessions(look.conn)
		return err == nil && len(all) == 1 && all[0].Viewers == 0
	})
	_ = look.conn.Close()
	r.hidden.Store(true)
	r.moved <- struct{}{}
	r.served1(t)
}

// Where the host goes down a session's log stays, though a viewer saw that end.
func TestLogsStayWhereNobodyAskedForTheEnd(t *testing.T) {
	for _, lost := range []bool{true, false} {
		r := newRig(t)
		r.boot <- nil
		r.lost.Store(lost)
		v := r.view(onPty("echo up; exec sleep 1000"))
		v.awaitShown(t, small, "up")
		r.seen = make(chan struct{})
		r.stop()
		if _, err := v.end(t); err == nil {
			t.Error("the session ended as if by itself")
		}
		await(t, "the session is forgotten", func() bool { return len(r.keeper.Sessions()) == 0 })
		close(r.seen)
		r.served1(t)
		if r.logged() != lost {
			t.Errorf("lost: %v, and there is a log: %v", lost, r.logged())
		}
	}
}

// A keeper may die between the making of a session's folder and the first that it writes.
func TestAnEmptyFolderOfASessionIsNoLog(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	v := r.view(onPty("echo up; read -r line; exit 7"))
	v.awaitShown(t, small, "up")
	empty := filepath.Join(r.logs, "2")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	r.die()
	r.attach(1).awaitShown(t, small, "up")
	if _, err := os.Lstat(empty); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

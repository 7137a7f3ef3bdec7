//go:build linux

package keeper_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/crypto/ssh"
)

// Files are read and written by a program of the machine's, on pipes.
func TestSFTPSubsystem(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	var v viewer
	v.dial(r)
	s, err := wire.OpenSubsystem(v.conn, wire.SubsystemSFTP)
	if err != nil {
		t.Fatal(err)
	}
	c, err := sftp.NewClientPipe(s, s)
	if err != nil {
		t.Fatal(err, s.Why())
	}
	name, want := filepath.Join(t.TempDir(), "file"), bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	f, err := c.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(want); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v, want the %d that were written", len(got), err, len(want))
	}
	listed, _, err := wire.AskSessions(v.conn)
	if err != nil || len(listed) != 1 || listed[0].Pty || listed[0].Program != "sftp" {
		t.Errorf("listed %+v, %v, want one sftp on pipes", listed, err)
	}
	_ = c.Close()
	_ = s.Close()
	if err := s.Why(); err != nil {
		t.Error(err)
	}
}

// A terminal that was asked for before makes no difference, as with sshd; and
// no other service is there.
func TestSubsystemsOfAStockClient(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	var v viewer
	v.dial(r)
	ch, reqs, err := v.conn.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(reqs)
	pty := struct {
		Term       string
		C, R, X, Y uint32
		Modes      string
	}{Term: "xterm", C: 80, R: 24}
	if ok, err := ch.SendRequest("pty-req", true, ssh.Marshal(pty)); err != nil || !ok {
		t.Fatal(ok, err)
	}
	subsystem := func(name string) bool {
		ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{name}))
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if subsystem("netconf") {
		t.Error("there is a subsystem that nobody has made")
	}
	if !subsystem(wire.SubsystemSFTP) {
		t.Error("there is no sftp")
	}
	if subsystem(wire.SubsystemSFTP) {
		t.Error("a session has two programs")
	}
	c, err := sftp.NewClientPipe(ch, ch)
	if err != nil {
		t.Fatal(err)
	}
	if wd, err := c.Getwd(); err != nil || !strings.HasPrefix(wd, "/") {
		t.Errorf("working directory %q, %v", wd, err)
	}
	_ = c.Close()
	_ = ch.Close()
}

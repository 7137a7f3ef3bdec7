//go:build unix

package cli

import (
	"net"
	"path/filepath"
	"testing"
)

// Who began to make a keeper's socket may have been killed over it.
func TestASocketThatWasNeverFinishedIsInNobodysWay(t *testing.T) {
	name := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name + ".new", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for range 2 { // the second is the next keeper's
		listener, conn, err := listen(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = listener.Close(), conn.Close()
	}
}

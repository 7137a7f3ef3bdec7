//go:build linux

package agent

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

// A process that had to wait for the processor finds that the time has passed, and
// reads what is there all the same.
func TestWhatIsThereIsReadThoughTheTimeHasPassed(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("tail"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 3)
	for _, want := range []string{"tai", "l"} {
		if n, err := readWithin(r, b, -time.Second); string(b[:n]) != want || err != nil {
			t.Errorf("read %q, %v, want %q", b[:n], err, want)
		}
	}
	if n, err := readWithin(r, b, time.Millisecond); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("where nothing is: %d bytes, %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := readWithin(r, b, time.Minute); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d bytes, %v", n, err)
	}
}

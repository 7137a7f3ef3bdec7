package sessionlog

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tight is a disk with so many bytes left. A write that does not fit is done in part.
type tight struct {
	disk
	left     int
	stuck    bool // nothing can be cut off
	failures int
}

type tightFile struct {
	file
	disk *tight
	size int64
}

func (d *tight) append(path string, size int64) (file, error) {
	f, err := d.disk.append(path, size)
	if err != nil {
		return nil, err
	}
	return &tightFile{f, d, size}, nil
}

func (f *tightFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p[:min(len(p), f.disk.left)])
	f.disk.left -= n
	f.size += int64(n)
	if err == nil && n < len(p) {
		f.disk.failures++
		err = &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	return n, err
}

func (f *tightFile) Truncate(size int64) error {
	if f.disk.stuck {
		return syscall.EIO
	}
	f.disk.left += int(f.size - size)
	f.size = size
	return f.file.Truncate(size)
}

func TestAFullDiskIsSaidOnceAndTheLogGoesOnOnceThereIsRoom(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		clock, disk := newClock(), &tight{left: 10_000, stuck: stuck}
		opts := clock.opts()
		opts.system = disk
		l, dir := create(t, opts)
		must(t, l.Output([]byte("before")))
		disk.left = 10
		err := l.Output([]byte("lost"))
		if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrGap) || !strings.Contains(err.Error(), "make room on the disk") {
			t.Errorf("a full disk: %v", err)
		}
		if err := l.Input("v", 2, nil); !errors.Is(err, ErrGap) || !l.Gap() || l.Due() || l.Offset() != 10 {
			t.Errorf("then: %v, at %d", err, l.Offset())
		}
		if got := output(read(t, dir)); string(got) != "before" {
			t.Errorf("a reader reads %q", got)
		}
		clock.pass(time.Second)
		if !l.Due() {
			t.Error("no attempt is due after a second")
		}
		if err := l.Checkpoint(Checkpoint{Offset: 10}); !errors.Is(err, ErrGap) || !errors.Is(err, syscall.ENOSPC) || l.Due() {
			t.Errorf("still full: %v", err)
		}
		if names := segments(t, dir); len(names) != 1 {
			t.Errorf("there is %q", names)
		}
		disk.left = 10_000
		clock.pass(time.Second)
		must(t, l.Checkpoint(Checkpoint{Offset: 10, Snapshot: []byte("beforelost")}))
		must(t, l.Output([]byte("after")))
		must(t, l.Close())

		var got []string
		for _, rec := range read(t, dir)[1:] {
			switch e := rec.Event.(type) {
			case Output:
				got = append(got, string(e.Data))
			case Gap:
				got = append(got, fmt.Sprintf("gap %d-%d", e.From, e.To))
			case Checkpoint:
				got = append(got, fmt.Sprintf("checkpoint %d %v %d", e.Offset, e.AfterGap, e.Input.All))
			}
		}
		if got := strings.Join(got, ", "); got != "before, gap 6-10, checkpoint 10 true 2, after" {
			t.Errorf("in the end: %s", got)
		}
	}
}

func TestADiskThatFillsAtAnyMomentLeavesNoHalfRecord(t *testing.T) {
	clock, disk := newClock(), &tight{left: 10_000}
	opts := clock.opts()
	opts.system, opts.SegmentSize, opts.Limit = disk, 3000, 30_000
	l, dir := create(t, opts)
	rng := rand.New(rand.NewPCG(3, 4))
	var all []byte
	told, gaps := 0, 0
	for i := range 3000 {
		if i%10 == 0 {
			disk.left = rng.IntN(6000)
			clock.pass(time.Second)
		}
		p := bytes.Repeat([]byte{byte(i)}, rng.IntN(400))
		all = append(all, p...)
		if err := l.Output(p); err != nil && !errors.Is(err, ErrGap) {
			told++
		}
		if l.Due() {
			if err := l.Checkpoint(Checkpoint{Offset: l.Offset(), Snapshot: newest(all)}); err != nil && !errors.Is(err, ErrGap) {
				told++
			}
		}
		if i%100 == 0 {
			for _, rec := range read(t, dir) {
				must(t, genuine(rec, all))
			}
		}
	}
	for _, rec := range read(t, dir) {
		must(t, genuine(rec, all))
		if _, ok := rec.Event.(Gap); ok {
			gaps++
		}
	}
	if told == 0 || gaps == 0 || told >= disk.failures {
		t.Errorf("%d failures, %d told, %d gaps in the end", disk.failures, told, gaps)
	}
}

func TestALaterKeeperMaySkipWhatItCannotHave(t *testing.T) {
	l, dir := create(t, Options{})
	must(t, l.Output([]byte("abc")))
	l.Skip(2)
	must(t, l.Output([]byte("d")))
	l.Skip(10)
	if err := l.Output([]byte("x")); !errors.Is(err, ErrGap) || !l.Due() {
		t.Errorf("after a skip: %v, due %v", err, l.Due())
	}
	must(t, l.Checkpoint(Checkpoint{Offset: 11}))
	if got := events(read(t, dir)); len(got) != 3 || got[2] != (Gap{4, 11}) {
		t.Errorf("got %+v", got)
	}
}

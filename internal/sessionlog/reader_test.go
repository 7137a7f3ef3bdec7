package sessionlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

func newReader(t *testing.T, dir string) *Reader {
	t.Helper()
	r, err := NewReader(dir)
	must(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestAReaderFollowsToTheExit(t *testing.T) {
	l, dir := create(t, Options{SegmentSize: 2000, Limit: 1 << 30})
	r := newReader(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	type result struct {
		out  []byte
		last Event
		err  error
	}
	done := make(chan result, 1)
	go func() {
		var res result
		for rec, err := range r.Follow(ctx) {
			if res.err = err; err == nil {
				res.last = rec.Event
			}
			if o, ok := rec.Event.(Output); ok {
				if o.Offset != uint64(len(res.out)) {
					res.err = errors.New("output is missing, or doubled")
				}
				res.out = append(res.out, o.Data...)
			}
		}
		done <- res
	}()
	all := writeMany(t, l, rand.New(rand.NewPCG(5, 6)), 2000)
	must(t, l.Exit(Exit{Status: 7}))
	res := <-done
	if res.err != nil || !bytes.Equal(res.out, all) || res.last != (Exit{Status: 7}) {
		t.Errorf("%v: %d bytes of %d, in the end %+v", res.err, len(res.out), len(all), res.last)
	}
}

func TestAReaderThatComesAfterTheExitDoesNotWait(t *testing.T) {
	l, dir := create(t, Options{SegmentSize: 1, Limit: 1})
	must(t, l.Exit(Exit{}))
	must(t, l.Checkpoint(Checkpoint{})) // the exit is only in the checkpoint now
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, err := range newReader(t, dir).Follow(ctx) {
		must(t, err)
	}
}

func TestAReaderEndsWithTheFolder(t *testing.T) {
	l, dir := create(t, Options{})
	must(t, l.Output([]byte("x")))
	r := newReader(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n := 0
	for rec, err := range r.Follow(ctx) {
		must(t, err)
		if n++; n == 2 {
			must(t, l.Output([]byte("the last")))
			must(t, os.RemoveAll(dir))
			// Another session may have the name at once.
			other, err := Create(dir, Options{}, nil, Checkpoint{})
			must(t, err)
			must(t, other.Output([]byte("another's")))
			defer other.Close()
		}
		if o, ok := rec.Event.(Output); ok && string(o.Data) == "another's" {
			t.Error("the reader went on with another session")
		}
	}
	if n != 3 {
		t.Errorf("%d records were read", n)
	}
}

func TestAReaderThatIsCancelledSaysSo(t *testing.T) {
	_, dir := create(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	var last error
	for rec, err := range newReader(t, dir).Follow(ctx) {
		if last = err; rec.Event != nil {
			cancel()
		}
	}
	cancel()
	if !errors.Is(last, context.Canceled) {
		t.Errorf("got %v", last)
	}
}

func TestASegmentThatIsDroppedUnderTheReaderIsAGap(t *testing.T) {
	l, dir := create(t, Options{SegmentSize: 1000, Limit: 5000})
	rng := rand.New(rand.NewPCG(7, 8))
	r := newReader(t, dir)
	if _, err := r.Next(); err != nil { // the first segment is open
		t.Fatal(err)
	}
	all := writeMany(t, l, rng, 200)
	records := drain(t, r)
	var gaps []Gap
	end := uint64(0)
	for i, rec := range records {
		must(t, genuine(rec, all))
		switch e := rec.Event.(type) {
		case Output:
			end = e.Offset + uint64(len(e.Data))
		case Gap:
			if c, ok := records[i+1].Event.(Checkpoint); e.From != end || !ok || e.To != c.Offset {
				t.Errorf("%+v after %d, then %+v", e, end, records[i+1])
			}
			gaps = append(gaps, e)
			end = e.To
		}
	}
	if len(gaps) != 1 || end != uint64(len(all)) {
		t.Errorf("gaps %+v; the end is %d of %d", gaps, end, len(all))
	}
}

func TestAReaderSeesHalfARecordOnceItIsWhole(t *testing.T) {
	l, dir := create(t, newClock().opts())
	must(t, l.Close())
	path := filepath.Join(dir, segmentName(1))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer f.Close()
	info, err := f.Stat()
	must(t, err)
	r := newReader(t, dir)
	_, err = r.Next()
	must(t, err)
	for _, torn := range []string{"first", "second"} { // the first is cut off, and never comes
		record := appendFrame(nil, 0, Output{0, []byte(torn)})
		for i := range record {
			if _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Fatalf("half a record: %v", err)
			}
			_, err = f.Write(record[i : i+1])
			must(t, err)
			if torn == "first" && i == len(record)/2 {
				must(t, f.Truncate(info.Size()))
				break
			}
		}
	}
	rec, err := r.Next()
	if o, ok := rec.Event.(Output); err != nil || !ok || string(o.Data) != "second" {
		t.Errorf("got %+v, %v", rec, err)
	}
}

func TestAReaderBeginsWhereItIsWanted(t *testing.T) {
	l, dir := create(t, Options{})
	for _, text := range []string{"aaa", "bbb", "ccc"} {
		must(t, l.Output([]byte(text)))
		must(t, l.Checkpoint(Checkpoint{Offset: l.Offset()}))
	}
	for offset, want := range []uint64{0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 9} {
		r := newReader(t, dir)
		must(t, r.SeekOutput(uint64(offset)))
		rec, err := r.Next()
		if c, ok := rec.Event.(Checkpoint); err != nil || !ok || c.Offset != want {
			t.Errorf("from %d: %+v, %v", offset, rec, err)
		}
	}
}

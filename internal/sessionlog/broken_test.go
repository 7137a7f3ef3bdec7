package sessionlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestATornRecordIsCutOffWhereverItWasTorn(t *testing.T) {
	l, dir := create(t, Options{})
	must(t, l.Output([]byte("whole")))
	path := filepath.Join(dir, segmentName(1))
	whole, err := os.Stat(path)
	must(t, err)
	must(t, l.Output([]byte("torn")))
	must(t, l.Close())
	content, err := os.ReadFile(path)
	must(t, err)
	for n := whole.Size(); n < int64(len(content)); n++ {
		must(t, os.WriteFile(path, content[:n], 0o600))
		if got := output(read(t, dir)); string(got) != "whole" {
			t.Fatalf("torn at %d: a reader reads %q", n, got)
		}
		l, s := reopen(t, dir, Options{})
		if s.Offset != 5 || s.Torn != n-whole.Size() {
			t.Fatalf("torn at %d: %+v", n, s)
		}
		must(t, l.Output([]byte(" again")))
		must(t, l.Close())
		if got := output(read(t, dir)); string(got) != "whole again" {
			t.Fatalf("torn at %d: %q", n, got)
		}
	}
}

// Power loss may leave the name of a new segment and not its content.
func TestASegmentWithoutAWholeCheckpointIsAsIfItWereNotThere(t *testing.T) {
	l, dir := create(t, Options{})
	must(t, l.Output([]byte("first")))
	must(t, l.Checkpoint(Checkpoint{Offset: 5}))
	must(t, l.Close())
	path := filepath.Join(dir, segmentName(2))
	content, err := os.ReadFile(path)
	must(t, err)
	for n := range content {
		must(t, os.WriteFile(path, content[:n], 0o600))
		must(t, os.WriteFile(filepath.Join(dir, unfinished), content[:n], 0o600))
		if got := output(read(t, dir)); string(got) != "first" {
			t.Fatalf("with %d bytes: %q", n, got)
		}
		l, s := reopen(t, dir, Options{})
		if s.Offset != 5 || s.Checkpoint.Offset != 0 {
			t.Fatalf("with %d bytes: %+v", n, s)
		}
		if names := segments(t, dir); len(names) != 1 {
			t.Fatalf("with %d bytes: there is %q", n, names)
		}
		must(t, l.Close())
	}
	must(t, os.WriteFile(filepath.Join(dir, segmentName(1)), nil, 0o600))
	if _, _, err := Open(dir, Options{}); !errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("without any: %v", err)
	}
}

func TestABrokenOlderSegmentIsDroppedWithAllBeforeIt(t *testing.T) {
	l, dir := create(t, Options{})
	for range 4 {
		must(t, l.Output([]byte("abc")))
		must(t, l.Checkpoint(Checkpoint{Offset: l.Offset()}))
	}
	must(t, l.Close())
	path := filepath.Join(dir, segmentName(3))
	content, err := os.ReadFile(path)
	must(t, err)
	content[len(content)-1]++
	must(t, os.WriteFile(path, content, 0o600))

	if got := events(read(t, dir)); !reflect.DeepEqual(got, []Event{
		Output{0, []byte("abc")}, Output{3, []byte("abc")}, Gap{6, 9}, Output{9, []byte("abc")},
	}) {
		t.Errorf("a reader reads %+v", got)
	}
	l, s := reopen(t, dir, Options{})
	if s.Offset != 12 {
		t.Errorf("state %+v", s)
	}
	if got := events(read(t, dir)); !reflect.DeepEqual(got, []Event{Output{9, []byte("abc")}, Resumed{}}) {
		t.Errorf("kept is %+v", got)
	}
	must(t, l.Close())
}

func TestALogOfALaterVersionIsLeftAlone(t *testing.T) {
	l, dir := create(t, Options{})
	must(t, l.Close())
	path := filepath.Join(dir, segmentName(1))
	content, err := os.ReadFile(path)
	must(t, err)
	content[len(magic)]++
	must(t, os.WriteFile(path, content, 0o600))
	if _, _, err := Open(dir, Options{}); err == nil || errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("open: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
		t.Errorf("it was changed: %v", err)
	}
}

// unknown is an event of a later version.
type unknown struct{}

func (unknown) kind() kind               { return 200 }
func (unknown) appendTo(b []byte) []byte { return append(b, "later"...) }

func TestKindsOfALaterVersionAreSkipped(t *testing.T) {
	l, dir := create(t, Options{})
	must(t, l.append(unknown{}))
	must(t, l.Output([]byte("x")))
	must(t, l.Close())
	if got := events(read(t, dir)); !reflect.DeepEqual(got, []Event{Output{0, []byte("x")}}) {
		t.Errorf("got %+v", got)
	}
	if _, s := reopen(t, dir, Options{}); s.Offset != 1 || s.Torn != 0 {
		t.Errorf("state %+v", s)
	}
}

// writeMany writes until there are many segments, and returns all output. A checkpoint's snapshot is the newest output.
func writeMany(t *testing.T, l *Log, rng *rand.Rand, n int) []byte {
	t.Helper()
	var all []byte
	for range n {
		p := make([]byte, 1+rng.IntN(300))
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		all = append(all, p...)
		must(t, l.Output(p))
		must(t, l.Input("v", 1, nil))
		if l.Due() {
			must(t, l.Checkpoint(Checkpoint{Offset: uint64(len(all)), Snapshot: newest(all)}))
		}
	}
	return all
}

func newest(all []byte) []byte { return all[max(0, len(all)-100):] }

// genuine returns an error if a record is not of the session whose output was all.
func genuine(rec Record, all []byte) error {
	switch e := rec.Event.(type) {
	case Output:
		if end := e.Offset + uint64(len(e.Data)); end > uint64(len(all)) || !bytes.Equal(e.Data, all[e.Offset:end]) {
			return fmt.Errorf("wrong output at %d", e.Offset)
		}
	case Checkpoint:
		if e.Offset > uint64(len(all)) || !bytes.Equal(e.Snapshot, newest(all[:e.Offset])) {
			return fmt.Errorf("wrong checkpoint at %d", e.Offset)
		}
	case Gap, Resumed:
	case Input:
		if e.Viewer != "v" || e.N != 1 {
			return fmt.Errorf("wrong input %+v", e)
		}
	default:
		return fmt.Errorf("there is %+v", e)
	}
	return nil
}

func TestWhateverIsBrokenNothingWrongIsRead(t *testing.T) {
	l, dir := create(t, Options{SegmentSize: 3000, Limit: 20_000})
	rng := rand.New(rand.NewPCG(1, 2))
	all := writeMany(t, l, rng, 150)
	must(t, l.Close())
	names := segments(t, dir)
	whole := map[string][]byte{}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		whole[name] = content
	}
	for trial := range 300 {
		must(t, os.RemoveAll(dir))
		must(t, os.Mkdir(dir, 0o700))
		for _, name := range names {
			must(t, os.WriteFile(filepath.Join(dir, name), whole[name], 0o600))
		}
		for range 1 + rng.IntN(3) {
			name := names[rng.IntN(len(names))]
			must(t, os.WriteFile(filepath.Join(dir, name), damage(rng, whole[name]), 0o600))
		}
		for _, rec := range read(t, dir) {
			if err := genuine(rec, all); err != nil {
				t.Fatalf("trial %d: a reader reads: %v", trial, err)
			}
		}
		l, s, err := Open(dir, Options{SegmentSize: 3000, Limit: 20_000})
		if errors.Is(err, ErrNoCheckpoint) {
			continue
		}
		must(t, err)
		if err := genuine(Record{Event: s.Checkpoint}, all); err != nil {
			t.Fatalf("trial %d: %v", trial, err)
		}
		for rec, err := range s.Records() {
			must(t, err)
			if err := genuine(rec, all); err != nil {
				t.Fatalf("trial %d: the next keeper reads: %v", trial, err)
			}
		}
		must(t, l.Close())
		offset := uint64(0)
		for i, rec := range read(t, dir) { // what is left has no holes
			switch e := rec.Event.(type) {
			case Checkpoint:
				if i > 0 && e.Offset != offset {
					t.Fatalf("trial %d: a hole before %d", trial, e.Offset)
				}
				offset = e.Offset
			case Output:
				offset += uint64(len(e.Data))
			case Gap:
				t.Fatalf("trial %d: %+v", trial, e)
			}
		}
	}
}

// damage returns content with some of it changed, gone, doubled, or zero.
func damage(rng *rand.Rand, content []byte) []byte {
	b := bytes.Clone(content)
	at := rng.IntN(len(b))
	to := min(len(b), at+1+rng.IntN(64))
	switch rng.IntN(5) {
	case 0:
		return b[:at]
	case 1:
		b[at] ^= 1 << rng.IntN(8)
	case 2:
		clear(b[at:])
	case 3:
		return append(b[:at], content[to:]...)
	case 4:
		return append(b[:to], content[at:]...)
	}
	return b
}

func FuzzSegment(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "log")
	l, err := Create(dir, Options{RecordInput: true}, []byte("meta"), Checkpoint{Snapshot: []byte("screen"), Size: Size{1, 2, 3, 4}})
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range []Event{
		Output{Data: []byte("x")}, Input{Viewer: "v", N: 2, Content: []byte("ls")}, Input{Viewer: "v", N: 3, Ignored: true}, Resize{0, Size{1, 2, 3, 4}}, Viewer{"v", true, Size{}, true}, Ready{},
		OutputEnd{}, Exit{1, "HUP", true}, Failure{2, "lost"}, Clock{time.Unix(1, 2)}, Resumed{}, Arrived{Totals{3, map[string]uint64{"v": 3}}},
	} {
		if err := appendEvent(l, e); err != nil {
			f.Fatal(err)
		}
	}
	content, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		f.Fatal(err)
	}
	_ = l.Close()
	f.Add(content)
	f.Fuzz(func(t *testing.T, b []byte) {
		// Checksums that fit let the fuzzer get behind them.
		file, err := os.Create(filepath.Join(t.TempDir(), "segment"))
		must(t, err)
		defer file.Close()
		_, err = file.Write(fixChecksums(bytes.Clone(b)))
		must(t, err)
		s := &segment{file: file}
		c, err := s.begin()
		var cur cursor
		for cur.begin(c); err == nil; {
			var rec Record
			if rec, err = cur.next(s); err != nil {
				break
			}
			again := appendFrame(nil, rec.Elapsed, rec.Event)
			f, _, err := parseFrame(again)
			must(t, err)
			e, err := f.event()
			if err != nil || !reflect.DeepEqual(e, rec.Event) {
				t.Fatalf("%+v becomes %+v, %v", rec.Event, e, err)
			}
		}
		if !errors.Is(err, io.EOF) && !isBroken(err) && b[len(magic)] == version {
			t.Fatal(err)
		}
	})
}

// fixChecksums makes the checksums right of what looks like records.
func fixChecksums(b []byte) []byte {
	for rest := b[min(len(b), int(headerSize)):]; ; {
		_, n, err := parseFrame(rest)
		if errors.Is(err, errBroken) && len(rest) >= frameSize {
			length := int(rest[0]) | int(rest[1])<<8 | int(rest[2])<<16 | int(rest[3])<<24
			if n = frameSize + length; length > maxPayload || n > len(rest) {
				return b
			}
			sum := checksum(rest[:n])
			rest[4], rest[5], rest[6], rest[7] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
			if _, _, err = parseFrame(rest); err != nil {
				return b
			}
		} else if err != nil {
			return b
		}
		rest = rest[n:]
	}
}

func TestACheckpointsTimeHasNoZone(t *testing.T) {
	l, dir := create(t, Options{Now: func() time.Time { return time.Now().In(time.FixedZone("east", 3600)) }})
	must(t, l.Close())
	if at := read(t, dir)[0].Time; at.Location() != time.UTC || time.Since(at).Abs() > time.Hour/2 {
		t.Errorf("it is %v", at)
	}
}

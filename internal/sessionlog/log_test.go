package sessionlog

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		writeUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// clock is a wall clock that goes when it is told.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time       { return c.now }
func (c *clock) pass(d time.Duration) { c.now = c.now.Add(d) }
func (c *clock) opts() Options        { return Options{Now: c.Now} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// create begins a log in a folder of its own.
func create(t *testing.T, opts Options) (*Log, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	l, err := Create(dir, opts, []byte(`{"id":"x"}`), Checkpoint{Size: Size{Rows: 24, Cols: 80}})
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l, dir
}

// reopen opens a log that was closed.
func reopen(t *testing.T, dir string, opts Options) (*Log, *State) {
	t.Helper()
	l, s, err := Open(dir, opts)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l, s
}

// read returns all records of a log.
func read(t *testing.T, dir string) []Record {
	t.Helper()
	r, err := NewReader(dir)
	must(t, err)
	defer r.Close()
	return drain(t, r)
}

func drain(t *testing.T, r *Reader) (all []Record) {
	t.Helper()
	for rec, err := range r.All() {
		must(t, err)
		all = append(all, rec)
	}
	return all
}

// events are what happened, but for checkpoints.
func events(all []Record) (events []Event) {
	for _, rec := range all {
		if _, ok := rec.Event.(Checkpoint); !ok {
			events = append(events, rec.Event)
		}
	}
	return events
}

// output is the output in records.
func output(all []Record) (out []byte) {
	for _, rec := range all {
		if o, ok := rec.Event.(Output); ok {
			out = append(out, o.Data...)
		}
	}
	return out
}

// segments are the names in a log's folder.
func segments(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func onDisk(t *testing.T, dir string) (total int64) {
	t.Helper()
	for _, name := range segments(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		total += info.Size()
	}
	return total
}

func TestAllThatHappenedIsReadAgain(t *testing.T) {
	clock := newClock()
	opts := clock.opts()
	opts.RecordInput = true
	l, dir := create(t, opts)
	size := Size{41, 137, 1233, 861}
	want := []Event{
		Viewer{"v1", true, size, false}, Resize{0, size}, Ready{}, Output{0, []byte("hel\x00\xff")}, Input{Viewer: "v1", N: 3, Content: []byte("ls\r")},
		Input{N: 1, Content: []byte{4}}, Output{5, []byte("lo")}, Input{Viewer: "v1", N: 9, Ignored: true}, Input{Viewer: "v1"}, Viewer{"v1", false, size, true}, OutputEnd{7}, Exit{139, "SEGV", true},
		Failure{255, "lost"},
	}
	for _, e := range want {
		clock.pass(time.Second)
		must(t, appendEvent(l, e))
	}
	all := read(t, dir)
	first, ok := all[0].Event.(Checkpoint)
	if !ok || first.Size != (Size{Rows: 24, Cols: 80}) || string(first.Meta) != `{"id":"x"}` || first.AfterGap {
		t.Errorf("first comes %+v", all[0])
	}
	if got := events(all); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	for i, rec := range all {
		if at := time.Duration(i) * time.Second; rec.Elapsed != at || !rec.Time.Equal(newClock().now.Add(at)) {
			t.Errorf("record %d is of %v, %v", i, rec.Elapsed, rec.Time)
		}
	}
}

// appendEvent appends an event by the method that is made for it.
func appendEvent(l *Log, e Event) error {
	switch e := e.(type) {
	case Output:
		return l.Output(e.Data)
	case Input:
		if e.Ignored {
			return l.Ignored(e.Viewer, int(e.N))
		}
		return l.Input(e.Viewer, int(e.N), e.Content)
	case Resize:
		_, err := l.Resize(e.Size)
		return err
	case Viewer:
		return l.Viewer(e)
	case Ready:
		return l.Ready()
	case OutputEnd:
		return l.OutputEnd()
	case Exit:
		return l.Exit(e)
	case Failure:
		return l.Failure(e)
	}
	return l.append(e)
}

func TestInputIsCountedAndNotKept(t *testing.T) {
	l, dir := create(t, Options{})
	must(t, l.Input("v", 6, []byte("secret")))
	if got := events(read(t, dir)); !reflect.DeepEqual(got, []Event{Input{Viewer: "v", N: 6}}) {
		t.Errorf("got %+v", got)
	}
	for _, name := range segments(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if bytes.Contains(b, []byte("secret")) {
			t.Error("what was typed is on the disk")
		}
	}
}

func TestALaterKeeperKnowsAll(t *testing.T) {
	clock := newClock()
	l, dir := create(t, clock.opts())
	must(t, l.Ready())
	must(t, l.Output([]byte("before")))
	must(t, l.Input("a", 3, nil))
	must(t, l.Input("b", 4, nil))
	must(t, l.Ignored("b", 1))
	clock.pass(time.Minute)
	must(t, l.Checkpoint(Checkpoint{Offset: 6, Size: Size{Rows: 5, Cols: 6}, Snapshot: []byte("screen")}))
	clock.pass(time.Second)
	must(t, l.Output([]byte("after")))
	must(t, l.Input("a", 10, nil))
	must(t, l.Ignored("a", 20))
	_, err := l.Resize(Size{7, 8, 9, 10})
	must(t, err)
	must(t, l.Close())
	if err := l.Output([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}

	clock.pass(time.Hour)
	l, s := reopen(t, dir, clock.opts())
	if string(s.Meta) != `{"id":"x"}` || s.Offset != 11 || s.Size != (Size{7, 8, 9, 10}) || !s.Ready || s.Ended() || s.Torn != 0 ||
		s.Elapsed != time.Minute+time.Second || !s.Time.Equal(newClock().now.Add(s.Elapsed)) {
		t.Errorf("state %+v", s)
	}
	if want := (Totals{17, map[string]uint64{"a": 33, "b": 5}}); !reflect.DeepEqual(s.Input, want) {
		t.Errorf("input %+v, want %+v", s.Input, want)
	}
	c := s.Checkpoint
	if want := (Totals{7, map[string]uint64{"a": 3, "b": 5}}); c.Offset != 6 || string(c.Snapshot) != "screen" || !reflect.DeepEqual(c.Input, want) {
		t.Errorf("checkpoint %+v", c)
	}
	must(t, l.Output([]byte("!")))
	var after []Event
	for rec, err := range s.Records() {
		must(t, err)
		after = append(after, rec.Event)
	}
	if want := []Event{Output{6, []byte("after")}, Input{Viewer: "a", N: 10}, Input{Viewer: "a", N: 20, Ignored: true}, Resize{11, Size{7, 8, 9, 10}}}; !reflect.DeepEqual(after, want) {
		t.Errorf("after the checkpoint %+v, want %+v", after, want)
	}
	all := read(t, dir)
	last := all[len(all)-2:]
	if got := events(last); !reflect.DeepEqual(got, []Event{Resumed{}, Output{11, []byte("!")}}) || last[1].Elapsed != s.Elapsed+time.Hour {
		t.Errorf("then %+v", last)
	}
}

func TestTheEndIsKnownThoughItsSegmentIsDropped(t *testing.T) {
	l, dir := create(t, Options{SegmentSize: 1, Limit: 1})
	must(t, l.Ready())
	must(t, l.OutputEnd())
	must(t, l.Exit(Exit{Status: 3}))
	must(t, l.Checkpoint(Checkpoint{}))
	must(t, l.Close())
	if names := segments(t, dir); len(names) != 1 {
		t.Errorf("there is %q", names)
	}
	_, s := reopen(t, dir, Options{})
	if !s.Ready || !s.OutputEnd || s.Exit == nil || s.Exit.Status != 3 || !s.Ended() {
		t.Errorf("state %+v", s)
	}
}

func TestTheSizeOnDiskIsBounded(t *testing.T) {
	const limit, segment = 20_000, 2_000
	l, dir := create(t, Options{SegmentSize: segment, Limit: limit})
	var all []byte
	for range 50 {
		p := bytes.Repeat([]byte("x"), 700)
		all = append(all, p...)
		must(t, l.Output(p))
		if l.Due() {
			must(t, l.Checkpoint(Checkpoint{Offset: l.Offset()}))
		}
		if got := onDisk(t, dir); got > limit+1000 {
			t.Fatalf("%d bytes", got)
		}
	}
	records := read(t, dir)
	first := records[0].Event.(Checkpoint)
	if first.Offset == 0 || first.AfterGap {
		t.Errorf("the log begins with %+v", first)
	}
	if got := output(records); !bytes.Equal(got, all[first.Offset:]) || len(got) < limit/2 {
		t.Errorf("%d bytes of output are kept", len(got))
	}
	for _, rec := range records {
		if g, ok := rec.Event.(Gap); ok {
			t.Errorf("there is %+v", g)
		}
	}
}

func TestTheNewestCheckpointStaysWhateverItsSize(t *testing.T) {
	l, dir := create(t, Options{SegmentSize: 100, Limit: 1000})
	for range 5 {
		must(t, l.Checkpoint(Checkpoint{Snapshot: make([]byte, 5000)}))
	}
	if names := segments(t, dir); len(names) != 1 || names[0] != segmentName(6) {
		t.Errorf("there is %q", names)
	}
}

func TestOthersCannotReadALog(t *testing.T) {
	_, dir := create(t, Options{})
	err := filepath.Walk(dir, func(path string, info fs.FileInfo, err error) error {
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	must(t, err)
}

func TestALogHasOneWriter(t *testing.T) {
	l, dir := create(t, Options{})
	if _, _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("two writers: %v", err)
	}
	must(t, l.Close())
	if _, err := Create(dir, Options{}, nil, Checkpoint{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
}

func TestACheckpointIsOfTheOutputSoFar(t *testing.T) {
	l, _ := create(t, Options{})
	must(t, l.Output([]byte("abc")))
	if err := l.Checkpoint(Checkpoint{Offset: 2}); err == nil || !strings.Contains(err.Error(), "offset 2, the log is at 3") || l.Gap() {
		t.Errorf("got %v", err)
	}
	if err := l.Checkpoint(Checkpoint{Offset: 3, Snapshot: make([]byte, MaxSnapshot+1)}); err == nil || !strings.Contains(err.Error(), "take less scrollback") {
		t.Errorf("got %v", err)
	}
}

func TestLargeOutputIsSplit(t *testing.T) {
	l, dir := create(t, Options{})
	p := bytes.Repeat([]byte("0123456789"), 100_000)
	must(t, l.Output(p))
	all := read(t, dir)
	if !bytes.Equal(output(all), p) || len(events(all)) != 4 {
		t.Errorf("%d events with %d bytes", len(events(all)), len(output(all)))
	}
}

// A wall clock may be set, and be wrong at boot.
func TestElapsedTimeNeverGoesBackward(t *testing.T) {
	const minute = time.Minute
	for _, c := range []struct{ jump, want time.Duration }{
		{-1000 * time.Hour, 0}, {time.Hour, time.Hour}, {40 * 365 * 24 * time.Hour, longestPause},
	} {
		clock := newClock()
		l, dir := create(t, clock.opts())
		clock.pass(minute)
		must(t, l.Ready())
		clock.pass(-2 * minute) // where not even this process's own clock is right
		must(t, l.Output([]byte("x")))
		must(t, l.Close())
		clock.now = newClock().now.Add(c.jump)
		l, _ = reopen(t, dir, clock.opts())
		clock.pass(time.Second)
		must(t, l.Output([]byte("y")))
		var last Record
		for _, rec := range read(t, dir) {
			if rec.Elapsed < last.Elapsed {
				t.Errorf("%+v after %+v", rec, last)
			}
			last = rec
		}
		since := max(0, c.jump+minute) // of when x was written
		if c.want == longestPause {
			since = longestPause
		}
		if want := minute + since + time.Second; last.Elapsed != want || !last.Time.Equal(clock.now) {
			t.Errorf("after a jump of %v: %v, %v, want %v, %v", c.jump, last.Elapsed, last.Time, want, clock.now)
		}
	}
}

// A machine sleeps: its wall clock goes on, and the time that elapses does not.
func TestTimesAreRightAfterASleep(t *testing.T) {
	l, dir := create(t, Options{})
	slept := func(d time.Duration) func() time.Time {
		return func() time.Time { return time.Now().Round(0).Add(d) }
	}
	must(t, l.Output([]byte("before")))
	l.mu.Lock()
	l.opts.Now = slept(8 * time.Hour)
	l.start = l.opts.Now().Add(-l.now.Elapsed)
	l.mu.Unlock()
	must(t, l.Output([]byte("after")))
	must(t, l.Output([]byte("wards")))
	all := read(t, dir)
	if got := events(all); len(got) != 4 || got[1].kind() != kindClock {
		t.Fatalf("there is %+v", got)
	}
	for i, rec := range all[1:] {
		want := time.Now()
		if i > 0 {
			want = want.Add(8 * time.Hour)
		}
		if rec.Time.Sub(want).Abs() > time.Hour || rec.Elapsed > time.Hour {
			t.Errorf("%+v is at %v", rec.Event, rec.Time)
		}
	}
}

func TestASegmentThatIsNeverFullStillHasAnEnd(t *testing.T) {
	l, dir := create(t, Options{SegmentSize: 1000})
	for range 10 {
		if err := l.Output(make([]byte, 200_000)); errors.Is(err, ErrGap) {
			break
		}
	}
	if got := onDisk(t, dir); !l.Gap() || got > leastOverdue+300_000 {
		t.Errorf("%d bytes, gap %v", got, l.Gap())
	}
	must(t, l.Checkpoint(Checkpoint{Offset: l.Offset()}))
}

func TestLargeInputIsSplit(t *testing.T) {
	l, dir := create(t, Options{RecordInput: true})
	p := bytes.Repeat([]byte("0123456789"), 100_000)
	must(t, l.Input("v", len(p), p))
	var got []byte
	for _, e := range events(read(t, dir)) {
		in := e.(Input)
		if got = append(got, in.Content...); int(in.N) != len(in.Content) || len(in.Content) > maxOutput {
			t.Errorf("%d bytes, %d of content", in.N, len(in.Content))
		}
	}
	if !bytes.Equal(got, p) {
		t.Errorf("%d bytes of %d", len(got), len(p))
	}
}

func TestViewersThatLeftAreForgottenInTheEnd(t *testing.T) {
	l, dir := create(t, Options{})
	must(t, l.Viewer(Viewer{ID: "stays", Joined: true}))
	must(t, l.Input("stays", 1, nil))
	for i := range 2 * maxGone {
		id := string(rune('a'+i%26)) + strings.Repeat("x", i)
		must(t, l.Input(id, 1, nil))
		must(t, l.Viewer(Viewer{ID: id}))
	}
	must(t, l.Close())
	l, s := reopen(t, dir, Options{})
	if n := len(s.Input.By); n != maxGone+1 || s.Input.By["stays"] != 1 || s.Input.All != 2*maxGone+1 {
		t.Errorf("%d viewers are known, and %d bytes", n, s.Input.All)
	}
	_ = l
}

// BenchmarkOutput is what a record costs the path of a program's output: a prompt's echo, and the most that is read at
// once. Every MiB there is a checkpoint of 100 KiB.
func BenchmarkOutput(b *testing.B) {
	for _, size := range []int{1, 100, 32 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			l, err := Create(filepath.Join(b.TempDir(), "log"), Options{}, nil, Checkpoint{})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			p, snapshot := make([]byte, size), make([]byte, 100<<10)
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := l.Output(p); err != nil {
					b.Fatal(err)
				}
				if l.Due() {
					if err := l.Checkpoint(Checkpoint{Offset: l.Offset(), Snapshot: snapshot}); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkOpen is how long a later keeper needs for a log at its limit.
func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "log")
	l, err := Create(dir, Options{}, nil, Checkpoint{})
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 100)
	for range 200_000 {
		if err := l.Output(p); err != nil {
			b.Fatal(err)
		}
		if l.Due() {
			if err := l.Checkpoint(Checkpoint{Offset: l.Offset()}); err != nil {
				b.Fatal(err)
			}
		}
	}
	_ = l.Close()
	for b.Loop() {
		l, _, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		_ = l.Close()
	}
}

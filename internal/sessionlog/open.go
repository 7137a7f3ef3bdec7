package sessionlog

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// ErrNoCheckpoint says that nothing in a log can be used.
var ErrNoCheckpoint = errors.New("session log has no checkpoint that is whole: remove its folder")

// State is what a log says of its session, as Open finds it.
type State struct {
	// Checkpoint is the last one. Of the fields that the log sets, it is those of that time; below are those of the
	// end.
	Checkpoint Checkpoint

	Meta      []byte
	Offset    uint64 // of the end of output: what comes next in the log begins there
	Size      Size
	Input     Totals
	Elapsed   time.Duration // when the last record was written
	Time      time.Time     // UTC
	Ready     bool
	OutputEnd bool
	Exit      *Exit
	Failure   *Failure
	// Torn is how many bytes of a torn or broken end were cut off.
	Torn int64

	path string
	end  int64 // of the file
}

// Ended reports whether the session is over.
func (s *State) Ended() bool { return s.Exit != nil || s.Failure != nil }

// Records returns what came after the checkpoint, in order, up to the end at the time of Open. It reads the segment, so it
// is for the time before the next checkpoint. The error, if any, comes
// last, with a zero record.
func (s *State) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		f, err := os.Open(s.path)
		if err != nil {
			yield(Record{}, fmt.Errorf("session log: %w", err))
			return
		}
		seg := &segment{file: f}
		defer seg.close()
		c, err := seg.begin()
		var cur cursor
		for cur.begin(c); err == nil && seg.at < s.end; {
			var rec Record
			if rec, err = cur.next(seg); err == nil && !yield(rec, nil) {
				return
			}
		}
		if err != nil {
			yield(Record{}, fmt.Errorf("session log: %w", err))
		}
	}
}

// Open goes on with the log in dir, of which the writer is gone. It cuts off a torn end, drops what is broken, and
// appends that the log was resumed; if that fails, the log has a gap, and no more.
func Open(dir string, opts Options) (*Log, *State, error) {
	opts = opts.withDefaults()
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open session log: %w", err)
	}
	l := &Log{dir: dir, opts: opts, system: opts.system, lock: lock}
	state, err := l.recover()
	if err != nil {
		_ = lock.Close()
		return nil, nil, fmt.Errorf("open session log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.append(Resumed{}) // a gap is its owner's to find
	return l, state, nil
}

func (l *Log) recover() (*State, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	if err := l.system.remove(filepath.Join(l.dir, unfinished)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	all := numbers(entries)
	for len(all) > 0 {
		newest := all[len(all)-1]
		all = all[:len(all)-1]
		state, err := l.readLast(newest)
		if err == nil {
			l.number = newest
			if err = l.keepWhole(all); err == nil {
				err = l.resume(state)
			}
			return state, err
		}
		if !isBroken(err) {
			return nil, err
		}
		// Its checkpoint did not get to the disk: it holds nothing.
		if err := l.system.remove(filepath.Join(l.dir, segmentName(newest))); err != nil {
			return nil, err
		}
	}
	return nil, ErrNoCheckpoint
}

func (l *Log) open(name string) (*os.File, error) { return os.Open(filepath.Join(l.dir, name)) }

// readLast reads the segment that is gone on with.
func (l *Log) readLast(number uint64) (*State, error) {
	seg, c, err := openSegment(l.open, number)
	if err != nil {
		return nil, err
	}
	defer seg.close()
	s := &State{
		Checkpoint: c, Meta: c.Meta, Size: c.Size, Input: Totals{c.Input.All, maps.Clone(c.Input.By)},
		Ready: c.Ready, OutputEnd: c.OutputEnd, Exit: c.Exit, Failure: c.Failure,
		path: filepath.Join(l.dir, segmentName(number)),
	}
	l.size = seg.at
	l.now.Input.By = s.Input.By
	l.gone = slices.Sorted(maps.Keys(s.Input.By)) // or about to come back, which noteViewer then sees
	var cur cursor
	for cur.begin(c); ; {
		rec, err := cur.next(seg)
		if errors.Is(err, io.EOF) || isBroken(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		l.replay(s, rec.Event)
	}
	info, err := seg.file.Stat()
	if err != nil {
		return nil, err
	}
	s.Offset, s.Elapsed, s.Time = cur.offset, cur.last.Elapsed, cur.last.Time
	s.end, s.Torn = seg.at, info.Size()-seg.at
	l.records = seg.at - l.size
	l.size = seg.at
	l.anchor = cur.anchor
	return s, nil
}

// replay has the state know what happened.
func (l *Log) replay(s *State, e Event) {
	switch e := e.(type) {
	case Input:
		if !e.Ignored {
			s.Input.All += e.N
		}
		s.Input.By[e.Viewer] += e.N
	case Arrived:
		s.Input = Totals{e.Input.All, maps.Clone(e.Input.By)}
	case Resize:
		s.Size = e.Size
	case Viewer:
		l.noteViewer(e)
	case Ready:
		s.Ready = true
	case OutputEnd:
		s.OutputEnd = true
	case Exit:
		s.Exit = &e
	case Failure:
		s.Failure = &e
	}
}

// resume makes the log one that goes on after the state.
func (l *Log) resume(s *State) (err error) {
	now := l.opts.Now()
	pause := min(max(now.Sub(s.Time), 0), longestPause)
	l.start = now.Add(-s.Elapsed - pause)
	l.now = Checkpoint{
		Offset: s.Offset, Size: s.Size, Meta: s.Meta, Elapsed: s.Elapsed, Input: Totals{s.Input.All, maps.Clone(s.Input.By)},
		Ready: s.Ready, OutputEnd: s.OutputEnd, Exit: s.Exit, Failure: s.Failure,
	}
	l.file, err = l.system.append(s.path, s.end)
	return err
}

// keepWhole keeps of the older segments those that are whole and follow each other up to the newest.
func (l *Log) keepWhole(all []uint64) error {
	next := l.number
	for len(all) > 0 {
		number := all[len(all)-1]
		size, err := l.wholeSize(number)
		if err != nil && !isBroken(err) {
			return err
		}
		if err != nil || number != next-1 {
			break
		}
		l.older = append(l.older, segmentSize{number, size})
		next, all = number, all[:len(all)-1]
	}
	slices.Reverse(l.older)
	for _, number := range all {
		if err := l.system.remove(filepath.Join(l.dir, segmentName(number))); err != nil {
			return err
		}
	}
	return nil
}

// wholeSize returns the size of a segment in which nothing is broken.
func (l *Log) wholeSize(number uint64) (int64, error) {
	seg, c, err := openSegment(l.open, number)
	if err != nil {
		return 0, err
	}
	defer seg.close()
	var cur cursor
	for cur.begin(c); err == nil; {
		_, err = cur.next(seg)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return seg.at, err
}

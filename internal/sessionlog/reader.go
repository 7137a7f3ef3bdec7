package sessionlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/fsnotify/fsnotify"
)

// ErrRemoved says that the log that is followed was removed.
var ErrRemoved = errors.New("session log was removed")

// Reader reads a log from its oldest record on, also while it is written, and changes nothing. It is for one goroutine
// at a time.
type Reader struct {
	root    *os.Root // the folder itself, whatever has its name later
	dir     string
	watcher *fsnotify.Watcher // nil until the first Wait
	gone    bool

	segment *segment
	number  uint64 // of the segment, or of the last one that was read
	newer   bool   // there are newer segments, so this one is finished
	hole    bool   // records before the next checkpoint are missing
	cursor  cursor
	pending *Record // the checkpoint behind a gap
	ended   bool    // an exit or failure was read
}

// NewReader opens the log in dir.
func NewReader(dir string) (*Reader, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("read session log: %w", err)
	}
	return &Reader{root: root, dir: dir}, nil
}

// SeekOutput has the reader begin with the last checkpoint that has no more output before it than offset; if there is
// none, with the oldest. It is called before Next.
func (r *Reader) SeekOutput(offset uint64) error {
	all, err := r.list()
	if err != nil {
		return fmt.Errorf("read session log: %w", err)
	}
	for i := len(all) - 1; i > 0; i-- {
		s, c, err := openSegment(r.root.Open, all[i])
		if err != nil {
			continue // dropped, or broken: Next says so
		}
		s.close()
		if c.Offset <= offset {
			r.number = all[i] - 1
			break
		}
	}
	return nil
}

// Next returns the next record, or io.EOF if there is none, at least not yet. The first is a checkpoint, and so is the one
// after a gap; one that continues the records before it can be ignored.
func (r *Reader) Next() (Record, error) {
	if r.pending != nil {
		rec := *r.pending
		r.pending = nil
		return rec, nil
	}
	rec, err := r.next()
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read session log: %w", err)
	}
	switch e := rec.Event.(type) {
	case Exit, Failure:
		r.ended = true
	case Checkpoint:
		r.ended = r.ended || e.Ended()
	}
	return rec, err
}

func (r *Reader) next() (Record, error) {
	for {
		if r.segment == nil {
			if rec, found, err := r.advance(); found || err != nil {
				return rec, err
			}
			continue
		}
		rec, err := r.cursor.next(r.segment)
		switch {
		case err == nil:
			return rec, nil
		case !errors.Is(err, io.EOF) && !isBroken(err):
			return Record{}, err
		case r.newer:
			r.hole = r.hole || isBroken(err)
			r.segment.close()
			r.segment = nil
			continue
		}
		// A writer that begins a segment has done with the one before. So if there is one now, what this one has gained
		// since it was read is all that it will ever have.
		all, err := r.list()
		if err != nil {
			return Record{}, err
		}
		if len(all) == 0 || all[len(all)-1] <= r.number {
			return Record{}, io.EOF
		}
		r.newer = true
	}
}

// advance goes on to the next segment. It finds none at this try if the one that it tried is broken or gone.
func (r *Reader) advance() (rec Record, found bool, err error) {
	all, err := r.list()
	if err != nil {
		return Record{}, false, err
	}
	for len(all) > 0 && all[0] <= r.number {
		all = all[1:]
	}
	if len(all) == 0 {
		return Record{}, false, io.EOF
	}
	s, c, err := openSegment(r.root.Open, all[0])
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Record{}, false, nil // dropped since: a later one is there
	case isBroken(err):
		r.number, r.hole = all[0], true
		return Record{}, false, nil
	case err != nil:
		return Record{}, false, err
	}
	first := r.cursor.last.Event == nil
	end := r.cursor.offset
	missing := !first && (r.hole || c.AfterGap || c.Offset != end || all[0] != r.number+1)
	r.segment, r.number, r.newer, r.hole = s, all[0], len(all) > 1, false
	checkpoint := r.cursor.begin(c)
	if missing {
		r.pending = &checkpoint
		return Record{checkpoint.Elapsed, checkpoint.Time, Gap{end, c.Offset}}, true, nil
	}
	return checkpoint, true, nil
}

// Ended reports whether the session's end was read.
func (r *Reader) Ended() bool { return r.ended }

// list returns the numbers of the segments; none of a folder that is removed.
func (r *Reader) list() ([]uint64, error) {
	f, err := r.root.Open(".")
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, err
	}
	defer func() { _ = f.Close() }()
	entries, err := f.ReadDir(-1)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return numbers(entries), err
}

// Wait waits until there may be more to read, or returns [ErrRemoved] once the folder is gone and all that was in it is
// read.
func (r *Reader) Wait(ctx context.Context) error {
	if r.watcher == nil {
		w, err := fsnotify.NewWatcher()
		if err != nil {
			return fmt.Errorf("watch session log: %w", err)
		}
		r.watcher = w
		if err := w.Add(r.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("watch session log: %w", err)
		}
		return nil // what came before the watch is seen by reading
	}
	if r.gone {
		return ErrRemoved
	}
	if r.removed() {
		r.gone = true
		return nil // once more: it may have grown before it went
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.watcher.Events:
	case err := <-r.watcher.Errors:
		if !errors.Is(err, fsnotify.ErrEventOverflow) { // events were lost, so there was one
			return fmt.Errorf("watch session log: %w", err)
		}
	}
	for { // of many events the reader needs one
		select {
		case <-r.watcher.Events:
		default:
			return nil
		}
	}
}

// removed reports whether the folder is not there any more, or another one has its name.
func (r *Reader) removed() bool {
	there, err := os.Stat(r.dir)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	ours, err := r.root.Stat(".")
	return err != nil || !os.SameFile(there, ours)
}

// All returns all records that are there.
func (r *Reader) All() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			rec, err := r.Next()
			if errors.Is(err, io.EOF) || !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// Follow returns all records, and waits for further ones until the session's end is read, the folder is removed, or ctx
// is done, which is an error. An error comes last, with a zero record.
func (r *Reader) Follow(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			rec, err := r.Next()
			if errors.Is(err, io.EOF) {
				if r.ended {
					return
				}
				if err = r.Wait(ctx); err == nil {
					continue
				}
				if errors.Is(err, ErrRemoved) {
					return
				}
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// Close closes the reader.
func (r *Reader) Close() error {
	var err error
	if r.segment != nil {
		r.segment.close()
		r.segment = nil
	}
	if r.watcher != nil {
		err = r.watcher.Close()
	}
	return errors.Join(err, r.root.Close())
}

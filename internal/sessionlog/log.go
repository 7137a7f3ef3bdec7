package sessionlog

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// DefaultSegmentSize is how many bytes of records a segment takes.
	DefaultSegmentSize = 1 << 20
	// DefaultLimit bounds a log's bytes on disk.
	DefaultLimit = 16 << 20
	// MaxSnapshot bounds the bytes of a checkpoint's snapshot.
	MaxSnapshot = 8 << 20
	// MaxMeta bounds the bytes of what a log holds for its keeper.
	MaxMeta = 1 << 20

	// maxOutput bounds one record of output: it is what a reader holds at once.
	maxOutput = 256 << 10
	// maxGone is how many viewers that have left are remembered by what they typed.
	maxGone = 256
	// retryAfter is the least time between two attempts to end a gap: each costs a snapshot.
	retryAfter = time.Second
	// maxDrift is how far the wall clock goes from the time that elapses before that is noted.
	maxDrift = time.Second
	// A segment takes at most so many times its size of records, or bytes of them, where its owner makes no checkpoint.
	overdue, leastOverdue = 4, 1 << 20
	// longestPause bounds what is believed to have passed between two keepers.
	longestPause = 30 * 24 * time.Hour
)

var (
	// ErrGap is returned in a gap, also by a checkpoint that could not end it. People need not be told: they were, of
	// the error that began the gap.
	ErrGap = errors.New("session log has a gap: nothing is logged before the next checkpoint")
	// ErrLocked says that another process writes the log.
	ErrLocked = errors.New("session log is being written by another process")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("session log is closed")
)

// Options are how a log is written. The zero value is ready to use.
type Options struct {
	SegmentSize int64 // bytes; 0 is DefaultSegmentSize
	Limit       int64 // bytes; 0 is DefaultLimit
	RecordInput bool  // what is typed, and not only how much: it may hold passwords
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	system system // nil is the disk
}

func (o Options) withDefaults() Options {
	if o.SegmentSize <= 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.system == nil {
		o.system = disk{}
	}
	return o
}

// Log appends to the log of one session. Its methods may be called at the same time; where their order counts, as
// between output and a checkpoint, it is the caller's to keep.
type Log struct {
	dir    string
	opts   Options
	system system
	lock   *os.File

	mu      sync.Mutex
	file    file // nil once closed
	number  uint64
	size    int64 // of the file, all whole records
	records int64 // of that, behind the checkpoint
	older   []segmentSize
	buf     []byte

	now    Checkpoint // what the next one holds; no snapshot
	gone   []string   // viewers in now.Input.By that have left, longest ago first
	start  time.Time  // when nothing had elapsed, by this process's clock
	anchor anchor     // what the newest segment says of the wall clock
	gap    bool
	failed time.Time // the last attempt to write a segment
	closed bool
}

// segmentSize is a whole segment that is no longer written.
type segmentSize struct {
	number uint64
	size   int64
}

// Create begins a log in dir, which need not exist, but whose parent must. Meta is what a later keeper needs to know
// of the session, at most MaxMeta bytes; first is the session's beginning.
func Create(dir string, opts Options, meta []byte, first Checkpoint) (*Log, error) {
	opts = opts.withDefaults()
	if len(meta) > MaxMeta {
		return nil, fmt.Errorf("session log: %d bytes to know of the session, at most %d fit", len(meta), MaxMeta)
	}
	if err := makeFolder(dir); err != nil {
		return nil, fmt.Errorf("make session log: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("make session log: %w", err)
	}
	l := &Log{dir: dir, opts: opts, system: opts.system, lock: lock, start: opts.Now()}
	l.now = Checkpoint{Offset: first.Offset, Size: first.Size, Meta: slices.Clone(meta), Input: Totals{By: map[string]uint64{}}}
	if err := l.Checkpoint(first); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return l, nil
}

// Output appends output of the program, and Offset counts it, be it written or not.
func (l *Log) Output(p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	for len(p) > 0 {
		n := min(len(p), maxOutput)
		e := Output{l.now.Offset, p[:n]}
		l.now.Offset += uint64(n)
		if err1 := l.append(e); err == nil {
			err = err1
		}
		p = p[n:]
	}
	return err
}

// Offset is how much output there was.
func (l *Log) Offset() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now.Offset
}

// Skip says that output up to offset is lost for the log: a gap. It is for a keeper that cannot have what followed the
// log's end; less than Offset is no gap.
func (l *Log) Skip(offset uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset > l.now.Offset {
		l.now.Offset = offset
		l.gap = true
	}
}

// Input appends that a viewer typed n bytes, and the content if that is recorded.
func (l *Log) Input(viewer string, n int, content []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.Input.All += uint64(n)
	l.now.Input.By[viewer] += uint64(n)
	if !l.opts.RecordInput {
		content = nil
	}
	var err error
	for ; len(content) > maxOutput && err == nil; n -= maxOutput {
		err = l.append(Input{Viewer: viewer, N: maxOutput, Content: content[:maxOutput]})
		content = content[maxOutput:]
	}
	if err != nil {
		return err
	}
	return l.append(Input{Viewer: viewer, N: uint64(n), Content: content})
}

// Ignored appends that a viewer sent n bytes that are not for the program. They count as the viewer's, and not as the
// session's.
func (l *Log) Ignored(viewer string, n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.Input.By[viewer] += uint64(n)
	return l.append(Input{Viewer: viewer, N: uint64(n), Ignored: true})
}

// Arrived appends what of the input the program has.
func (l *Log) Arrived(input Totals) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.Input = Totals{input.All, maps.Clone(input.By)}
	return l.append(Arrived{input})
}

// Resize appends a size of the session's terminal, which it has after the output so far. It returns how much that is.
func (l *Log) Resize(size Size) (offset uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.Size = size
	return l.now.Offset, l.append(Resize{l.now.Offset, size})
}

// Viewer appends that a viewer came or went.
func (l *Log) Viewer(v Viewer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noteViewer(v)
	return l.append(v)
}

// noteViewer forgets what a viewer typed when many have left after it.
func (l *Log) noteViewer(v Viewer) {
	l.gone = slices.DeleteFunc(l.gone, func(id string) bool { return id == v.ID })
	if v.Joined {
		return
	}
	if l.gone = append(l.gone, v.ID); len(l.gone) > maxGone {
		delete(l.now.Input.By, l.gone[0])
		l.gone = l.gone[1:]
	}
}

// Ready appends that the program runs.
func (l *Log) Ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.Ready = true
	return l.append(Ready{})
}

// OutputEnd appends that there is no more output.
func (l *Log) OutputEnd() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.OutputEnd = true
	return l.append(OutputEnd{l.now.Offset})
}

// Exit appends how the program ended, and waits for the disk.
func (l *Log) Exit(e Exit) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.Exit = &e
	if err := l.append(e); err != nil {
		return err
	}
	return l.sync()
}

// Failure appends why there is no program, or no longer, and waits for the disk.
func (l *Log) Failure(f Failure) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.Failure = &f
	if err := l.append(f); err != nil {
		return err
	}
	return l.sync()
}

// append writes a record. The caller holds mu, and has noted what happened.
func (l *Log) append(e Event) error {
	switch {
	case l.closed:
		return ErrClosed
	case l.gap:
		return ErrGap
	}
	now := l.opts.Now()
	elapsed := l.elapsed(now)
	clock := anchor{elapsed, now.Round(0)}
	l.buf = l.buf[:0]
	if drift := clock.time.Sub(l.anchor.at(elapsed)); drift.Abs() > maxDrift {
		l.buf = appendFrame(l.buf, elapsed, Clock{clock.time})
	} else {
		clock = l.anchor
	}
	before := len(l.buf)
	l.buf = appendFrame(l.buf, elapsed, e)
	switch {
	case len(l.buf)-before > frameSize+maxPayload:
		return fmt.Errorf("session log: a record of %d bytes, at most %d fit", len(l.buf)-before, maxPayload)
	case l.records > max(overdue*l.opts.SegmentSize, leastOverdue):
		l.gap, l.failed = true, now
		return fmt.Errorf("session log: no checkpoint after %d bytes; the session goes on, unlogged until there is one", l.records)
	}
	n, err := l.file.Write(l.buf)
	if err != nil {
		l.gap, l.failed = true, now
		if n > 0 {
			// If this fails too, readers stop before the half record, and go on with the next segment.
			err = errors.Join(err, l.file.Truncate(l.size))
		}
		return unlogged("write", err)
	}
	l.anchor = clock
	l.size += int64(n)
	l.records += int64(n)
	return nil
}

// unlogged is the error that begins a gap, or goes on with it.
func unlogged(what string, err error) error {
	for _, full := range []error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG} {
		if errors.Is(err, full) {
			return fmt.Errorf("session log: %s: %w: make room on the disk; the session goes on, unlogged until there is some", what, err)
		}
	}
	return fmt.Errorf("session log: %s: %w; the session goes on, unlogged until it works", what, err)
}

// elapsed is what has passed since the session's start. The caller holds mu.
func (l *Log) elapsed(now time.Time) time.Duration {
	l.now.Elapsed = max(l.now.Elapsed, now.Sub(l.start))
	return l.now.Elapsed
}

func (l *Log) sync() error {
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("session log: wait for the disk: %w", err)
	}
	return nil
}

// Due reports whether it is time for a checkpoint: the segment is full, or there is a gap, and the last attempt is a
// second ago.
func (l *Log) Due() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gap {
		return !l.closed && (l.failed.IsZero() || l.opts.Now().Sub(l.failed) >= retryAfter || l.opts.Now().Before(l.failed))
	}
	return !l.closed && l.records >= l.opts.SegmentSize
}

// Gap reports whether there is a gap, which only a checkpoint ends. Before the session's end is logged it is worth a try,
// due or not.
func (l *Log) Gap() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gap
}

// Checkpoint starts the next segment, and drops the oldest ones. Of c it takes the offset, which must be the log's,
// the size and the snapshot, at most MaxSnapshot bytes, of the screen after all output before the offset. If the
// segment cannot be written, there is a gap, and the error is ErrGap if there was one before.
func (l *Log) Checkpoint(c Checkpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case c.Offset != l.now.Offset:
		return fmt.Errorf("session log: checkpoint at output offset %d, the log is at %d", c.Offset, l.now.Offset)
	case len(c.Snapshot) > MaxSnapshot:
		return fmt.Errorf("session log: snapshot of %d bytes, at most %d fit: take less scrollback", len(c.Snapshot), MaxSnapshot)
	}
	l.now.Size = c.Size
	now := l.opts.Now()
	next := l.now
	next.Snapshot, next.AfterGap, next.Elapsed, next.Time = c.Snapshot, l.gap, l.elapsed(now), now.Round(0).UTC()
	if err := l.begin(next); err != nil {
		err = unlogged("start a segment", err)
		if l.gap {
			err = errors.Join(err, ErrGap)
		}
		l.gap, l.failed = true, now
		return err
	}
	l.anchor = anchor{next.Elapsed, next.Time}
	l.gap = false
	return l.drop()
}

// begin writes a segment up to its checkpoint, and goes on with it.
func (l *Log) begin(c Checkpoint) error {
	hidden := filepath.Join(l.dir, unfinished)
	f, err := l.system.append(hidden, 0)
	if err != nil {
		return err
	}
	b := appendFrame(append(l.buf[:0], magic+string(rune(version))...), c.Elapsed, c)
	if len(b) > frameSize+maxPayload {
		err = fmt.Errorf("a checkpoint of %d bytes, at most %d fit", len(b), maxPayload)
	} else if _, err = f.Write(b); err == nil {
		err = l.system.rename(hidden, filepath.Join(l.dir, segmentName(l.number+1)))
	}
	if err != nil {
		_ = f.Close()
		_ = l.system.remove(hidden)
		return err
	}
	if l.file != nil {
		_ = l.file.Close() // nothing is buffered that could fail
		l.older = append(l.older, segmentSize{l.number, l.size})
	}
	l.file, l.number, l.size, l.records = f, l.number+1, int64(len(b)), 0
	l.buf = nil // it may be as large as a snapshot
	return nil
}

// drop removes the oldest segments, so that the newest one can grow full within the limit.
func (l *Log) drop() error {
	total := l.size + l.opts.SegmentSize
	for _, s := range l.older {
		total += s.size
	}
	for len(l.older) > 0 && total > l.opts.Limit {
		oldest := l.older[0]
		err := l.system.remove(filepath.Join(l.dir, segmentName(oldest.number)))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("session log: drop the oldest segment: %w", err)
		}
		l.older = l.older[1:]
		total -= oldest.size
	}
	return nil
}

// Close ends the writing, not the log: Open goes on with it. It waits for the disk.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var err error
	if l.file != nil {
		err = errors.Join(l.sync(), l.file.Close())
	}
	return errors.Join(err, l.lock.Close())
}

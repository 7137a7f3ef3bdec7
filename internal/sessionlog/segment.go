package sessionlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// readSize is how much of a file is read at a time, unless a record needs more.
const readSize = 64 << 10

// segment reads the records of a file. After an error it stands before the record that it could not read, and the next
// call tries again: the file may have grown, or its end have been cut off and written anew.
type segment struct {
	file *os.File
	at   int64  // of the next record
	buf  []byte // of the file from there on
}

// openSegment opens a segment and reads its checkpoint.
func openSegment(open func(name string) (*os.File, error), number uint64) (*segment, Checkpoint, error) {
	f, err := open(segmentName(number))
	if err != nil {
		return nil, Checkpoint{}, err
	}
	s := &segment{file: f}
	c, err := s.begin()
	if err != nil {
		_ = f.Close()
		return nil, Checkpoint{}, err
	}
	return s, c, nil
}

func (s *segment) begin() (Checkpoint, error) {
	head := make([]byte, headerSize)
	if _, err := s.file.ReadAt(head, 0); err != nil {
		if errors.Is(err, io.EOF) {
			return Checkpoint{}, errShort
		}
		return Checkpoint{}, err
	}
	if string(head[:len(magic)]) != magic {
		return Checkpoint{}, errBroken
	}
	if v := head[len(magic)]; v != version {
		return Checkpoint{}, fmt.Errorf("session log is of version %d, this snug knows %d: use the snug that wrote it", v, version)
	}
	s.at = headerSize
	_, e, err := s.next()
	if errors.Is(err, io.EOF) {
		err = errShort
	}
	if err != nil {
		return Checkpoint{}, err
	}
	c, ok := e.(Checkpoint)
	if !ok {
		return Checkpoint{}, errBroken
	}
	return c, nil
}

// next returns the next record of a kind that is known. The error is io.EOF at the end of a whole record, errShort in
// one, errBroken where there is none, or that of the disk.
func (s *segment) next() (frame, Event, error) {
	for {
		f, n, err := parseFrame(s.buf)
		if errors.Is(err, errShort) {
			if err = s.fill(n); err == nil {
				continue
			}
		}
		var e Event
		if err == nil {
			e, err = f.event()
		}
		if err != nil {
			s.buf = nil
			return frame{}, nil, err
		}
		s.buf = s.buf[n:]
		s.at += int64(n)
		if e != nil {
			return f, e, nil
		}
	}
}

// fill reads on until there are n bytes of a record. What was returned of the buffer stays as it is.
func (s *segment) fill(n int) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	left := info.Size() - s.at
	switch {
	case left <= 0:
		return io.EOF
	case left < int64(n):
		return errShort
	}
	buf := make([]byte, min(left, int64(max(n, readSize))))
	k, err := s.file.ReadAt(buf, s.at)
	if s.buf = buf[:k]; k >= n {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = errShort // it was cut off since
	}
	return err
}

func (s *segment) close() { _ = s.file.Close() }

// isBroken reports whether an error says that there are no more records, though there should be.
func isBroken(err error) bool { return errors.Is(err, errBroken) || errors.Is(err, errShort) }

// cursor checks that records follow each other, and knows when they were.
type cursor struct {
	anchor anchor
	last   Record
	offset uint64 // of the output so far
}

// anchor is a moment by both clocks.
type anchor struct {
	elapsed time.Duration
	time    time.Time
}

// at is the wall clock's time when so much has elapsed.
func (a anchor) at(elapsed time.Duration) time.Time { return a.time.Add(elapsed - a.elapsed) }

func (c *cursor) begin(checkpoint Checkpoint) Record {
	c.anchor, c.offset = anchor{checkpoint.Elapsed, checkpoint.Time}, checkpoint.Offset
	c.last = Record{checkpoint.Elapsed, checkpoint.Time, checkpoint}
	return c.last
}

// record makes a record of a frame, or says errBroken of one that cannot come next.
func (c *cursor) record(f frame, e Event) (Record, error) {
	if f.elapsed < c.last.Elapsed {
		return Record{}, errBroken
	}
	switch e := e.(type) {
	case Output:
		if e.Offset != c.offset {
			return Record{}, errBroken
		}
		c.offset += uint64(len(e.Data))
	case Clock:
		c.anchor = anchor{f.elapsed, e.Time}
	case Checkpoint:
		return Record{}, errBroken // it is always the first
	}
	c.last = Record{f.elapsed, c.anchor.at(f.elapsed), e}
	return c.last, nil
}

// next returns the next record of a segment.
func (c *cursor) next(s *segment) (Record, error) {
	at := s.at
	f, e, err := s.next()
	if err != nil {
		return Record{}, err
	}
	rec, err := c.record(f, e)
	if err != nil {
		s.at, s.buf = at, nil
	}
	return rec, err
}

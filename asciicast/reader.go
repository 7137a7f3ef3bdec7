package asciicast

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxLine bounds the bytes of a line that is read.
const maxLine = 64 << 20

// Code says what an event is.
type Code string

// The codes that there are. Players skip others.
const (
	Output Code = "o"
	Input  Code = "i"
	Resize Code = "r"
	Marker Code = "m"
	Exit   Code = "x" // v3
)

// Event is one thing that was recorded.
type Event struct {
	Time time.Duration // since the beginning; never less than the event before
	Code Code
	// Text is the output or input, the marker's label, the size as COLSxROWS, or the exit status.
	Text string
}

// Size returns the size that a Resize event says, 1 to 65535 each.
func (e Event) Size() (cols, rows int, err error) {
	c, r, _ := strings.Cut(e.Text, "x")
	cols, errc := strconv.Atoi(c)
	rows, errr := strconv.Atoi(r)
	if errc != nil || errr != nil || cols < 1 || rows < 1 || cols > math.MaxUint16 || rows > math.MaxUint16 {
		return 0, 0, fmt.Errorf("%.20q is no size: it is COLSxROWS, as 80x24", e.Text)
	}
	return cols, rows, nil
}

// Status returns the status that an Exit event says.
func (e Event) Status() (int, error) {
	status, err := strconv.Atoi(e.Text)
	if err != nil {
		return 0, fmt.Errorf("%.20q is no exit status: it is a number", e.Text)
	}
	return status, nil
}

// Reader reads a recording.
type Reader struct {
	r      *bufio.Reader
	line   int // of the last that was read, from 1
	header Header
	last   time.Duration
}

// NewReader reads a recording's header.
func NewReader(r io.Reader) (*Reader, error) {
	d := &Reader{r: bufio.NewReader(r)}
	line, _, err := d.read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("asciicast: the recording is empty")
	}
	if err != nil {
		return nil, err
	}
	d.header, err = decodeHeader(line)
	return d, d.in(err)
}

// Header returns what the recording says of itself.
func (d *Reader) Header() Header { return d.header.clone() }

// in adds to an error the line that it is about.
func (d *Reader) in(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("asciicast: line %d: %w", d.line, err)
}

// Next returns the next event, or io.EOF after the last. Of a line that breaks off at the end of the file, which is what a
// recorder that was killed leaves, the error is io.ErrUnexpectedEOF.
func (d *Reader) Next() (Event, error) {
	for {
		line, whole, err := d.read()
		if err != nil {
			return Event{}, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		e, err := d.event(line)
		if err != nil && !whole {
			err = fmt.Errorf("the recording breaks off: %w", io.ErrUnexpectedEOF)
		}
		return e, d.in(err)
	}
}

func (d *Reader) event(line []byte) (Event, error) {
	var fields []json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return Event{}, fmt.Errorf("not an event: %w", err)
	}
	if len(fields) != 3 {
		return Event{}, fmt.Errorf("not an event: %d values, not time, code and text", len(fields))
	}
	var seconds float64
	var e Event
	for i, to := range []any{&seconds, &e.Code, &e.Text} {
		if err := json.Unmarshal(fields[i], to); err != nil {
			return Event{}, fmt.Errorf("not an event: %w", err)
		}
	}
	at, err := duration(seconds)
	switch {
	case err != nil:
		return Event{}, err
	case e.Code == "":
		return Event{}, errors.New("not an event: it has no code")
	case d.header.Version == V3:
		at += d.last
	}
	if at > 1<<62 {
		return Event{}, errors.New("the recording is longer than 146 years")
	}
	d.last = max(d.last, at)
	e.Time = d.last
	if e.Code == Resize {
		_, _, err = e.Size()
	}
	return e, err
}

// read returns the next line, and whether it has its end.
func (d *Reader) read() (line []byte, whole bool, err error) {
	d.line++
	for {
		part, err := d.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, false, d.in(fmt.Errorf("longer than %d bytes", maxLine))
		case err == nil:
			return line, true, nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, false, nil
		}
		return nil, false, err
	}
}

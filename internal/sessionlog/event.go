package sessionlog

import (
	"maps"
	"slices"
	"time"
)

// Record is something that happened.
type Record struct {
	Elapsed time.Duration // since the session's start; never less than that of the record before
	Time    time.Time     // UTC
	Event   Event
}

// Event is what happened: one of the types below, by value.
type Event interface {
	kind() kind
	appendTo(b []byte) []byte
}

type kind uint8

// The numbers are in files: none is ever used for something else.
const (
	kindCheckpoint kind = 1 + iota
	kindOutput
	kindInput
	kindResize
	kindViewer
	kindReady
	kindOutputEnd
	kindExit
	kindFailure
	kindResumed
	kindClock
	kindArrived
	kindGap kind = 255 // never in a file
)

// Size is that of a terminal, in cells and pixels; 0 pixels are unknown.
type Size struct{ Rows, Cols, XPixel, YPixel uint16 }

// Output is what the program wrote to its terminal, or its stdout.
type Output struct {
	Offset uint64 // of the first byte of Data
	Data   []byte
}

// Input is what a viewer typed.
type Input struct {
	Viewer string // its id; "" for the keeper itself
	N      uint64 // bytes; 0 is the end of its input
	// Ignored says that it was not for the program: of a viewer that only
	// looks, or what another viewer's terminal answers.
	Ignored bool
	// Content is what was typed, where that is recorded, else nil.
	Content []byte
}

// Resize is a new size of the session's terminal.
type Resize struct {
	Offset uint64 // of the output that came before
	Size   Size
}

// Viewer is the coming or going of a viewer.
type Viewer struct {
	ID       string
	Joined   bool // or left
	Size     Size // of the viewer's terminal
	ReadOnly bool
}

// Ready says that the program runs.
type Ready struct{}

// OutputEnd is the end of output.
type OutputEnd struct{ Offset uint64 }

// Exit is how the program ended.
type Exit struct {
	Status uint32 // 0 to 255; 128+n after signal n
	Signal string // without SIG; "" if it was none
	Core   bool
}

// Failure is why there is no program, or no longer.
type Failure struct {
	Status  uint32 // 125, 126, 127 or 255
	Message string // one line
}

// Resumed says that another keeper has gone on with the log.
type Resumed struct{}

// Arrived says what of the input so far the program has, as a keeper learnt that took the session over. What else was
// logged was lost with the keeper before, and comes once more.
type Arrived struct{ Input Totals }

// Clock says that the wall clock went otherwise than the time that elapses: it was set, the machine slept, or nobody
// knows how long there was no keeper. The record's time is by the new clock.
type Clock struct{ Time time.Time }

// Gap is what a [Reader] says where records are missing before the checkpoint that follows: they could not be written,
// were broken, or were dropped before the reader came to them.
type Gap struct {
	From, To uint64 // the output that is missing; equal where it is other records
}

// Totals count input, in bytes.
type Totals struct {
	All uint64
	// By viewer. Of viewers that have left, only the last 256 are known.
	By map[string]uint64
}

// Checkpoint is all that a segment needs of those before it.
type Checkpoint struct {
	Offset   uint64 // of the output that Snapshot shows
	Size     Size
	Snapshot []byte // the screen; empty on pipes, and at the start

	// The log sets what follows.

	Meta      []byte
	Elapsed   time.Duration
	Time      time.Time // UTC
	Input     Totals
	Ready     bool     // the program had started
	OutputEnd bool     // there is no more output
	Exit      *Exit    // it had ended
	Failure   *Failure // or there was none
	AfterGap  bool     // records before this are missing
}

// Ended reports whether the session was over.
func (c *Checkpoint) Ended() bool { return c.Exit != nil || c.Failure != nil }

func (Checkpoint) kind() kind { return kindCheckpoint }
func (Output) kind() kind     { return kindOutput }
func (Input) kind() kind      { return kindInput }
func (Resize) kind() kind     { return kindResize }
func (Viewer) kind() kind     { return kindViewer }
func (Ready) kind() kind      { return kindReady }
func (OutputEnd) kind() kind  { return kindOutputEnd }
func (Exit) kind() kind       { return kindExit }
func (Failure) kind() kind    { return kindFailure }
func (Resumed) kind() kind    { return kindResumed }
func (Clock) kind() kind      { return kindClock }
func (Arrived) kind() kind    { return kindArrived }
func (Gap) kind() kind        { return kindGap }

func (e Output) appendTo(b []byte) []byte { return append(appendUint(b, e.Offset), e.Data...) }

func (e Input) appendTo(b []byte) []byte {
	return append(appendBool(appendUint(appendText(b, e.Viewer), e.N), e.Ignored), e.Content...)
}

func (e Resize) appendTo(b []byte) []byte { return appendSize(appendUint(b, e.Offset), e.Size) }

func (e Viewer) appendTo(b []byte) []byte {
	return appendBool(appendSize(appendBool(appendText(b, e.ID), e.Joined), e.Size), e.ReadOnly)
}

func (e Arrived) appendTo(b []byte) []byte   { return appendTotals(b, e.Input) }
func (Ready) appendTo(b []byte) []byte       { return b }
func (Resumed) appendTo(b []byte) []byte     { return b }
func (Gap) appendTo(b []byte) []byte         { return b }
func (e Clock) appendTo(b []byte) []byte     { return appendUint(b, uint64(e.Time.UnixNano())) }
func (e OutputEnd) appendTo(b []byte) []byte { return appendUint(b, e.Offset) }

func (e Exit) appendTo(b []byte) []byte {
	return appendBool(appendText(appendUint(b, uint64(e.Status)), e.Signal), e.Core)
}

func (e Failure) appendTo(b []byte) []byte {
	return appendText(appendUint(b, uint64(e.Status)), e.Message)
}

func (c Checkpoint) appendTo(b []byte) []byte {
	b = appendUint(b, c.Offset)
	b = appendSize(b, c.Size)
	b = appendUint(b, uint64(c.Time.UnixNano()))
	b = appendText(b, c.Meta)
	b = appendText(b, c.Snapshot)
	b = appendTotals(b, c.Input)
	for _, on := range []bool{c.Ready, c.OutputEnd, c.AfterGap, c.Exit != nil, c.Failure != nil} {
		b = appendBool(b, on)
	}
	if c.Exit != nil {
		b = c.Exit.appendTo(b)
	}
	if c.Failure != nil {
		b = c.Failure.appendTo(b)
	}
	return b
}

func appendTotals(b []byte, t Totals) []byte {
	b = appendUint(b, t.All)
	b = appendUint(b, uint64(len(t.By)))
	for _, id := range slices.Sorted(maps.Keys(t.By)) {
		b = appendUint(appendText(b, id), t.By[id])
	}
	return b
}

func (d *decoder) totals() Totals {
	t := Totals{All: d.uint(), By: make(map[string]uint64)}
	for n := d.uint(); n > 0 && !d.bad; n-- {
		id := string(d.bytes())
		t.By[id] = d.uint()
	}
	return t
}

func (d *decoder) checkpoint(elapsed time.Duration) Checkpoint {
	c := Checkpoint{Elapsed: elapsed, Offset: d.uint(), Size: d.size(), Time: d.time(), Meta: d.bytes(), Snapshot: d.bytes()}
	c.Input = d.totals()
	c.Ready, c.OutputEnd, c.AfterGap = d.bool(), d.bool(), d.bool()
	exited, failed := d.bool(), d.bool()
	if exited {
		e := d.exit()
		c.Exit = &e
	}
	if failed {
		e := d.failure()
		c.Failure = &e
	}
	return c
}

func (d *decoder) exit() Exit {
	return Exit{Status: d.uint32(), Signal: string(d.bytes()), Core: d.bool()}
}

func (d *decoder) failure() Failure { return Failure{Status: d.uint32(), Message: string(d.bytes())} }

// event is what a frame holds: nil if its kind is not known.
func (f frame) event() (e Event, err error) {
	d := decoder{b: f.payload}
	switch f.kind {
	case kindCheckpoint:
		e = d.checkpoint(f.elapsed)
	case kindOutput:
		e = Output{Offset: d.uint(), Data: d.rest()}
	case kindInput:
		e = Input{Viewer: string(d.bytes()), N: d.uint(), Ignored: d.bool(), Content: d.rest()}
	case kindResize:
		e = Resize{Offset: d.uint(), Size: d.size()}
	case kindViewer:
		e = Viewer{ID: string(d.bytes()), Joined: d.bool(), Size: d.size(), ReadOnly: d.bool()}
	case kindReady:
		e = Ready{}
	case kindOutputEnd:
		e = OutputEnd{Offset: d.uint()}
	case kindExit:
		e = d.exit()
	case kindFailure:
		e = d.failure()
	case kindResumed:
		e = Resumed{}
	case kindArrived:
		e = Arrived{d.totals()}
	case kindClock:
		e = Clock{d.time()}
	}
	if d.bad {
		return nil, errBroken
	}
	return e, nil
}

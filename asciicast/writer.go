package asciicast

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Writer writes a recording. The times that its methods take are those since the beginning; one that is before the
// last counts as the last. Each event is one Write.
type Writer struct {
	w       io.Writer
	version Version
	last    int64 // microseconds since the beginning
	output  decoder
	input   decoder
	line    bytes.Buffer
}

// NewWriter begins a recording.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	if h.Version == 0 {
		h.Version = V3
	}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("asciicast: %w", err)
	}
	line, err := h.encode()
	if err != nil {
		return nil, fmt.Errorf("asciicast: header: %w", err)
	}
	if _, err := w.Write(line); err != nil {
		return nil, err
	}
	return &Writer{w: w, version: h.Version}, nil
}

// Output writes what the program wrote.
func (w *Writer) Output(at time.Duration, p []byte) error {
	return w.text(at, Output, w.output.feed(p))
}

// Input writes what was typed.
func (w *Writer) Input(at time.Duration, p []byte) error { return w.text(at, Input, w.input.feed(p)) }

// text writes an event that says nothing if it has no text.
func (w *Writer) text(at time.Duration, code Code, text string) error {
	if text == "" {
		return nil
	}
	return w.event(at, code, text)
}

// Resize writes a new size of the terminal.
func (w *Writer) Resize(at time.Duration, cols, rows int) error {
	return w.event(at, Resize, strconv.Itoa(cols)+"x"+strconv.Itoa(rows))
}

// Marker writes a place to be found again; the label may be empty.
func (w *Writer) Marker(at time.Duration, label string) error { return w.event(at, Marker, label) }

// Exit writes the program's exit status. In v2 there is no event for it, so nothing is written.
func (w *Writer) Exit(at time.Duration, status int) error {
	if err := w.finish(at); err != nil || w.version == V2 {
		return err
	}
	return w.event(at, Exit, strconv.Itoa(status))
}

// Close writes what is left of a character that was never whole. It does not close what the writer writes to.
func (w *Writer) Close() error { return w.finish(0) }

func (w *Writer) finish(at time.Duration) error {
	if err := w.text(at, Output, w.output.end()); err != nil {
		return err
	}
	return w.text(at, Input, w.input.end())
}

func (w *Writer) event(at time.Duration, code Code, text string) error {
	now := max(w.last, at.Round(time.Microsecond).Microseconds())
	shown := now
	if w.version == V3 {
		shown = now - w.last
	}
	w.last = now
	w.line.Reset()
	w.line.WriteByte('[')
	w.line.Write(appendSeconds(w.line.AvailableBuffer(), shown))
	w.line.WriteString(`, "` + string(code) + `", `)
	e := json.NewEncoder(&w.line)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return fmt.Errorf("asciicast: %w", err)
	}
	w.line.Truncate(w.line.Len() - 1) // the encoder ends the line
	w.line.WriteString("]\n")
	_, err := w.w.Write(w.line.Bytes())
	return err
}

// appendSeconds writes microseconds as seconds, with as many digits as they need but one at least.
func appendSeconds(b []byte, us int64) []byte {
	b = fmt.Appendf(b, "%d.%06d", us/1e6, us%1e6)
	for b[len(b)-1] == '0' && b[len(b)-2] != '.' {
		b = b[:len(b)-1]
	}
	return b
}

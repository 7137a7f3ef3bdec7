package asciicast

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"
)

// Version is that of the format.
type Version int

// The versions that there are.
const (
	V2 Version = 2 // what asciinema 2 plays
	V3 Version = 3
)

// Header is what a recording says of itself.
type Header struct {
	Version    Version // when written, 0 is V3
	Cols, Rows int     // the terminal's size at first, 1 to 65535

	// What follows may be zero: not said.

	Term    string        // the terminal's type, TERM
	Time    time.Time     // of the beginning; whole seconds
	Title   string        //
	Command string        // the command line
	Idle    time.Duration // the longest pause that a player should make
	// Env are variables of the program's environment, such as SHELL. In v2 TERM is among them; here it is Term.
	Env map[string]string
}

// header is a Header in either version.
type header struct {
	Version   int                `json:"version"`
	Width     *int               `json:"width,omitempty"`
	Height    *int               `json:"height,omitempty"`
	Term      *term              `json:"term,omitempty"`
	Timestamp *float64           `json:"timestamp,omitempty"`
	Idle      *float64           `json:"idle_time_limit,omitempty"`
	Command   *string            `json:"command,omitempty"`
	Title     *string            `json:"title,omitempty"`
	Env       map[string]*string `json:"env,omitempty"`
}

type term struct {
	Cols int    `json:"cols"`
	Rows int    `json:"rows"`
	Type string `json:"type,omitempty"`
}

func (h *Header) check() error {
	switch {
	case h.Version != V2 && h.Version != V3:
		return fmt.Errorf("version %d is not supported: there are 2 and 3", h.Version)
	case h.Cols < 1 || h.Cols > math.MaxUint16 || h.Rows < 1 || h.Rows > math.MaxUint16:
		return fmt.Errorf("a terminal of %d columns and %d rows: each is 1 to 65535", h.Cols, h.Rows)
	}
	return nil
}

// encode returns the header's line.
func (h *Header) encode() ([]byte, error) {
	f := header{Version: int(h.Version), Command: given(h.Command), Title: given(h.Title), Env: map[string]*string{}}
	for name, value := range h.Env {
		f.Env[name] = &value
	}
	if h.Version == V2 {
		f.Width, f.Height = &h.Cols, &h.Rows
		if h.Term != "" {
			f.Env["TERM"] = &h.Term
		}
	} else {
		f.Term = &term{h.Cols, h.Rows, h.Term}
	}
	if !h.Time.IsZero() {
		seconds := float64(h.Time.Unix())
		f.Timestamp = &seconds
	}
	if h.Idle > 0 {
		seconds := h.Idle.Seconds()
		f.Idle = &seconds
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(f)
	return b.Bytes(), err
}

func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// decodeHeader reads the header's line.
func decodeHeader(line []byte) (Header, error) {
	var f header
	if err := json.Unmarshal(line, &f); err != nil {
		return Header{}, fmt.Errorf("not an asciicast header: %w", err)
	}
	h := Header{Version: Version(f.Version), Env: map[string]string{}}
	for name, value := range f.Env {
		if value != nil {
			h.Env[name] = *value
		}
	}
	switch {
	case h.Version == 1:
		return Header{}, errors.New("version 1 is not supported: convert it with 'asciinema convert'")
	case h.Version == V2 && f.Width != nil && f.Height != nil:
		h.Cols, h.Rows, h.Term = *f.Width, *f.Height, h.Env["TERM"]
		delete(h.Env, "TERM")
	case h.Version == V3 && f.Term != nil:
		h.Cols, h.Rows, h.Term = f.Term.Cols, f.Term.Rows, f.Term.Type
	}
	if len(h.Env) == 0 {
		h.Env = nil
	}
	h.Command, h.Title = text(f.Command), text(f.Title)
	if f.Timestamp != nil && math.Abs(*f.Timestamp) < 1e12 {
		h.Time = time.Unix(int64(*f.Timestamp), 0).UTC()
	}
	if f.Idle != nil {
		var err error
		if h.Idle, err = duration(*f.Idle); err != nil {
			return Header{}, fmt.Errorf("idle_time_limit: %w", err)
		}
	}
	return h, h.check()
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// duration is a time in seconds, to the microsecond.
func duration(seconds float64) (time.Duration, error) {
	const most = 100 * 365 * 24 * 3600
	if !(seconds >= 0 && seconds <= most) {
		return 0, fmt.Errorf("a time of %g seconds: it is from 0 to 100 years", seconds)
	}
	return time.Duration(math.Round(seconds*1e6)) * time.Microsecond, nil
}

// clone returns a header that shares nothing.
func (h Header) clone() Header {
	h.Env = maps.Clone(h.Env)
	return h
}

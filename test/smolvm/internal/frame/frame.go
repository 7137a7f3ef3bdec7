// Package frame is what the double's client and agent say to each other: typed, length-prefixed messages. It is no
// protocol of smolvm's, only as able as that is.
package frame

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Kind is a message's type.
type Kind byte

// The client sends Start first, then Stdin, EOF and Resize; the agent Stdout, Stderr, and Exit last.
const (
	Start Kind = iota
	Stdin
	EOF
	Resize
	Stdout
	Stderr
	Exit
)

// MaxPayload bounds a message.
const MaxPayload = 1 << 20

// Request is the payload of Start.
type Request struct {
	Argv        []string
	Args        []string // the client's own words, for the log
	Env         []string
	Workdir     string
	Timeout     time.Duration
	TTY         bool
	Interactive bool
	Detach      bool
}

// Size is the payload of Resize.
type Size struct{ Rows, Cols uint16 }

// End is the payload of Exit. Failure is what the agent itself could not do, "" where the command ran.
type End struct {
	Status  int
	Failure string
}

// Writer writes messages, from any goroutine.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write sends one message.
func (w *Writer) Write(kind Kind, payload []byte) error {
	b := make([]byte, 5, 5+len(payload))
	b[0] = byte(kind)
	binary.BigEndian.PutUint32(b[1:], uint32(len(payload)))
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.w.Write(append(b, payload...))
	return err
}

// WriteJSON sends one message with a structured payload.
func (w *Writer) WriteJSON(kind Kind, payload any) error {
	b, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	return w.Write(kind, b)
}

// Reader reads messages.
type Reader struct{ r *bufio.Reader }

// NewReader returns a Reader from r.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReader(r)} }

// Read returns the next message, or io.EOF between two.
func (r *Reader) Read() (Kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > MaxPayload {
		return 0, nil, fmt.Errorf("a message of %d bytes; %d are allowed", n, MaxPayload)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r.r, payload); err != nil {
		return 0, nil, fmt.Errorf("a message was cut short: %w", io.ErrUnexpectedEOF)
	}
	return Kind(head[0]), payload, nil
}

package wire

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrClosed is returned by a buffer that was closed under its caller.
var ErrClosed = errors.New("stream closed")

// Buffer holds the part of a stream that is not yet safe: what was appended
// and not released. It has one writer and any number of readers, each at an
// offset of its own. Offsets count from the stream's first byte.
type Buffer struct {
	mu     sync.Mutex
	change *sync.Cond
	ring   []byte // power-of-two capacity, indexed by offset
	base   uint64 // first byte held
	end    uint64 // one past the last byte held
	limit  uint64 // Append waits while end-base >= limit
	eof    bool   // no byte comes after end
	closed bool
}

// keepRing is how much memory an empty buffer may keep for its next bytes.
const keepRing = 1 << 20

// NewBuffer returns a buffer whose writer waits while limit bytes are unsafe.
func NewBuffer(limit int) *Buffer {
	b := &Buffer{limit: uint64(limit)}
	b.change = sync.NewCond(&b.mu)
	return b
}

// NewBufferAt is NewBuffer for a stream of which everything before offset is
// safe.
func NewBufferAt(limit int, offset uint64) *Buffer {
	b := NewBuffer(limit)
	b.base, b.end = offset, offset
	return b
}

// SetLimit changes how many bytes may be unsafe before the writer waits.
// What is already held stays.
func (b *Buffer) SetLimit(limit int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = uint64(limit)
	b.change.Broadcast()
}

// Append adds p at the end, as space allows, and returns when all of it is
// held. It returns an error only if the buffer is closed or at its EOF.
func (b *Buffer) Append(p []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(p) > 0 {
		for b.end-b.base >= b.limit && !b.closed && !b.eof {
			b.change.Wait()
		}
		if b.closed || b.eof {
			return ErrClosed
		}
		p = p[b.append(p):]
	}
	return nil
}

// TryAppend adds as much of p as there is space for and returns how much.
func (b *Buffer) TryAppend(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.eof {
		return 0, ErrClosed
	}
	return b.append(p), nil
}

// append adds what there is space for; the caller holds mu.
func (b *Buffer) append(p []byte) int {
	held := b.end - b.base
	if held >= b.limit || len(p) == 0 {
		return 0 // an empty p would find no ring once it was given up
	}
	n := min(uint64(len(p)), b.limit-held)
	b.grow(held + n)
	copyIn(b.ring, b.end, p[:n])
	b.end += n
	b.change.Broadcast()
	return int(n)
}

// begin has an empty buffer go on at offset.
func (b *Buffer) begin(offset uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.base == b.end {
		b.base, b.end = offset, offset
	}
}

// WaitSpace returns when Append would take at least one byte.
func (b *Buffer) WaitSpace() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.end-b.base >= b.limit && !b.closed && !b.eof {
		b.change.Wait()
	}
	if b.closed || b.eof {
		return ErrClosed
	}
	return nil
}

// End says that no byte comes after those appended.
func (b *Buffer) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.eof = true
	b.change.Broadcast()
}

// Close gives the stream up: writers and readers return ErrClosed.
func (b *Buffer) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.ring = nil
	b.base = b.end
	b.change.Broadcast()
}

// Release says that every byte before offset is safe. An offset that was
// released before is nothing new; one past the end is a peer's error.
func (b *Buffer) Release(offset uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if offset > b.end {
		return fmt.Errorf("acknowledged %d of %d bytes", offset, b.end)
	}
	if offset > b.base {
		b.base = offset
		if b.base == b.end && len(b.ring) > keepRing {
			b.ring = nil
		}
		b.change.Broadcast()
	}
	return nil
}

// Offset returns the offset of the stream's next byte, and whether that is
// its EOF.
func (b *Buffer) Offset() (end uint64, eof bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.end, b.eof
}

// Base returns the offset of the first byte that is not released.
func (b *Buffer) Base() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.base
}

// Reader returns a reader at offset. With a credit above 0 it delivers at
// most that many bytes beyond what its Ack has confirmed.
func (b *Buffer) Reader(offset uint64, credit int) (*BufferReader, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if offset < b.base || offset > b.end {
		return nil, fmt.Errorf("offset %d is outside the %d to %d that are held", offset, b.base, b.end)
	}
	return &BufferReader{b: b, next: offset, acked: offset, credit: uint64(credit)}, nil
}

// grow makes room for n bytes.
func (b *Buffer) grow(n uint64) {
	if n <= uint64(len(b.ring)) {
		return
	}
	size := uint64(4 << 10)
	for size < n {
		size *= 2
	}
	ring := make([]byte, size)
	for off := b.base; off < b.end; {
		p := piece(b.ring, off, b.end-off)
		copyIn(ring, off, p)
		off += uint64(len(p))
	}
	b.ring = ring
}

// piece returns the contiguous part of the n bytes at off.
func piece(ring []byte, off, n uint64) []byte {
	i := off & uint64(len(ring)-1)
	return ring[i:min(i+n, uint64(len(ring)))]
}

func copyIn(ring []byte, off uint64, p []byte) {
	n := copy(piece(ring, off, uint64(len(p))), p)
	copy(ring, p[n:])
}

// BufferReader is one reader of a Buffer.
type BufferReader struct {
	b      *Buffer
	next   uint64 // next byte to deliver
	acked  uint64
	credit uint64
	closed bool
}

// Read waits for bytes that it may deliver. It returns io.EOF at the stream's
// end and ErrClosed once reader or buffer is closed.
func (r *BufferReader) Read(p []byte) (int, error) {
	b := r.b
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if r.closed || b.closed || r.next < b.base {
			return 0, ErrClosed
		}
		n := b.end - r.next
		if n == 0 && b.eof {
			return 0, io.EOF
		}
		if r.credit > 0 {
			n = min(n, r.credit-(r.next-r.acked))
		}
		if n > 0 {
			return r.take(p, n), nil
		}
		b.change.Wait()
	}
}

// Wait returns nil once there are bytes to read. It returns what [BufferReader.Read]
// would where none come any more. It is for a reader without credit.
func (r *BufferReader) Wait() error {
	b := r.b
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		switch {
		case r.closed || b.closed || r.next < b.base:
			return ErrClosed
		case r.next < b.end:
			return nil
		case b.eof:
			return io.EOF
		}
		b.change.Wait()
	}
}

// TryRead reads what is there, and returns 0 rather than wait.
func (r *BufferReader) TryRead(p []byte) int {
	b := r.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.closed || b.closed || r.next < b.base || r.next == b.end {
		return 0
	}
	return r.take(p, b.end-r.next)
}

func (r *BufferReader) take(p []byte, n uint64) int {
	n = min(n, uint64(len(p)))
	first := copy(p[:n], piece(r.b.ring, r.next, n))
	copy(p[first:n], r.b.ring)
	r.next += n
	return int(n)
}

// Next returns the offset of the next byte to deliver.
func (r *BufferReader) Next() uint64 {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	return r.next
}

// Ack renews the reader's credit up to offset.
func (r *BufferReader) Ack(offset uint64) error {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if offset > r.next {
		return fmt.Errorf("acknowledged %d of %d bytes sent", offset, r.next)
	}
	if offset > r.acked {
		r.acked = offset
		r.b.change.Broadcast()
	}
	return nil
}

// Close wakes a waiting Read.
func (r *BufferReader) Close() {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	r.closed = true
	r.b.change.Broadcast()
}

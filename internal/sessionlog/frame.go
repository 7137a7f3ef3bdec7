package sessionlog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"
)

const (
	magic      = "snuglog"
	version    = 1
	headerSize = int64(len(magic) + 1)

	frameSize  = 17 // of a record without its payload
	maxPayload = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	// errShort says that a record is not whole, at least not yet.
	errShort = errors.New("record is cut off")
	// errBroken says that there is no record.
	errBroken = errors.New("record is broken")
)

// frame is a record as it is in a file.
type frame struct {
	kind    kind
	elapsed time.Duration
	payload []byte
}

// appendFrame appends a record.
func appendFrame(b []byte, elapsed time.Duration, e Event) []byte {
	at := len(b)
	b = append(b, make([]byte, frameSize)...)
	b = e.appendTo(b)
	f := b[at:]
	binary.LittleEndian.PutUint32(f, uint32(len(f)-frameSize))
	f[8] = byte(e.kind())
	binary.LittleEndian.PutUint64(f[9:], uint64(elapsed))
	binary.LittleEndian.PutUint32(f[4:], checksum(f))
	return b
}

// checksum is that of a whole record.
func checksum(f []byte) uint32 {
	return crc32.Update(crc32.Checksum(f[:4], castagnoli), castagnoli, f[8:])
}

// parseFrame parses the record at the start of b, without a copy of it, and returns how many bytes it has: where there
// are not as many (errShort), how many are needed to say more.
func parseFrame(b []byte) (f frame, n int, err error) {
	if len(b) < frameSize {
		return frame{}, frameSize, errShort
	}
	length := binary.LittleEndian.Uint32(b)
	elapsed := binary.LittleEndian.Uint64(b[9:])
	if length > maxPayload || b[8] == 0 || elapsed > math.MaxInt64 {
		return frame{}, 0, errBroken
	}
	n = frameSize + int(length)
	if len(b) < n {
		return frame{}, n, errShort
	}
	if binary.LittleEndian.Uint32(b[4:]) != checksum(b[:n]) {
		return frame{}, 0, errBroken
	}
	return frame{kind(b[8]), time.Duration(elapsed), b[frameSize:n:n]}, n, nil
}

func appendUint(b []byte, n uint64) []byte { return binary.AppendUvarint(b, n) }

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(appendUint(b, uint64(len(text))), text...)
}

func appendBool(b []byte, on bool) []byte {
	if on {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendSize(b []byte, s Size) []byte {
	for _, n := range []uint16{s.Rows, s.Cols, s.XPixel, s.YPixel} {
		b = appendUint(b, uint64(n))
	}
	return b
}

// decoder takes values from a payload. After the first that is not there, or out of its range, all are zero and bad is
// set.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) upTo(limit uint64) uint64 {
	v := d.uint()
	if v > limit {
		d.b, d.bad = nil, true
		return 0
	}
	return v
}

func (d *decoder) time() time.Time { return time.Unix(0, int64(d.uint())).UTC() }
func (d *decoder) uint32() uint32  { return uint32(d.upTo(math.MaxUint32)) }
func (d *decoder) bool() bool      { return d.upTo(1) == 1 }

func (d *decoder) bytes() []byte {
	n := d.upTo(uint64(len(d.b))) // less than that once n itself is taken, which is checked below
	if n > uint64(len(d.b)) {
		d.b, d.bad = nil, true
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) size() (s Size) {
	for _, n := range []*uint16{&s.Rows, &s.Cols, &s.XPixel, &s.YPixel} {
		*n = uint16(d.upTo(math.MaxUint16))
	}
	return s
}

// rest is what is left; nil if nothing is.
func (d *decoder) rest() []byte {
	if len(d.b) == 0 {
		return nil
	}
	return d.b
}

package terminal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A report is what the ward tells its guardian: a kind, a big-endian 32-bit length, a payload of that many bytes.
type report struct {
	kind    reportKind
	payload []byte
}

type reportKind byte

const (
	reportRaw    reportKind = 'R' // no payload: enter raw mode, then say so on the life-line
	reportUndo   reportKind = 'U' // the escape sequences that undo every mode switched on; may be empty
	reportStatus reportKind = 'S' // one byte: the final exit status
)

// MaxUndo bounds the undo bytes that a guardian keeps.
const MaxUndo = 16 << 10

const reportHeader = 5

var errReport = errors.New("malformed report from the viewer")

// append adds the report's encoding to b.
func (r report) append(b []byte) []byte {
	b = append(b, byte(r.kind))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.payload)))
	return append(b, r.payload...)
}

// valid reports whether a payload of n bytes fits the kind.
func (k reportKind) valid(n uint32) bool {
	switch k {
	case reportRaw:
		return n == 0
	case reportUndo:
		return n <= MaxUndo
	case reportStatus:
		return n == 1
	}
	return false
}

// reportParser cuts a stream into reports. Its buffer never exceeds one report.
type reportParser struct {
	buf    []byte
	failed error
}

// feed calls handle for each report that p completes. The payload is handle's only during the call. After an error,
// which is final, what follows in the stream has no meaning and is ignored.
func (d *reportParser) feed(p []byte, handle func(report)) error {
	for len(p) > 0 && d.failed == nil {
		var want int
		if want, d.failed = d.want(); d.failed != nil {
			break
		}
		n := min(want-len(d.buf), len(p))
		d.buf, p = append(d.buf, p[:n]...), p[n:]
		if want, d.failed = d.want(); d.failed == nil && len(d.buf) == want {
			handle(report{kind: reportKind(d.buf[0]), payload: d.buf[reportHeader:]})
			d.buf = d.buf[:0]
		}
	}
	return d.failed
}

// want returns how long the report in buf is, as far as is known: at least a header.
func (d *reportParser) want() (int, error) {
	if len(d.buf) < reportHeader {
		return reportHeader, nil
	}
	kind, n := reportKind(d.buf[0]), binary.BigEndian.Uint32(d.buf[1:])
	if !kind.valid(n) {
		return 0, fmt.Errorf("%w: kind %q with %d bytes", errReport, byte(kind), n)
	}
	return reportHeader + int(n), nil
}

package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// model is a Buffer that keeps everything.
type model struct {
	t     *testing.T
	bytes *rand.ChaCha8
	rng   *rand.Rand // over the same
	all   []byte
	base  int
	limit int
	b     *Buffer

	readers []*modelReader
}

type modelReader struct {
	r                   *BufferReader
	next, acked, credit int
}

// step does one random thing to both, and compares.
func (m *model) step() {
	switch m.rng.IntN(8) {
	case 0, 1:
		m.append(m.rng.IntN(1<<m.rng.IntN(22)) * min(1, m.rng.IntN(4)))
	case 2:
		to := m.rng.IntN(len(m.all) + 3)
		if m.rng.IntN(2) == 0 {
			to = len(m.all)
		}
		if err := m.b.Release(uint64(to)); (err != nil) != (to > len(m.all)) {
			m.t.Fatalf("release %d of %d: %v", to, len(m.all), err)
		}
		if to <= len(m.all) {
			m.base = max(m.base, to)
		}
	case 3:
		m.limit = m.rng.IntN(8<<20) >> (m.rng.IntN(2) * m.rng.IntN(23))
		m.b.SetLimit(m.limit)
	case 4:
		m.join(m.base + m.rng.IntN(len(m.all)-m.base+3) - 1)
	case 5, 6:
		if len(m.readers) > 0 {
			m.read(m.rng.IntN(len(m.readers)))
		}
	case 7:
		if len(m.readers) > 0 {
			r := m.readers[m.rng.IntN(len(m.readers))]
			to := m.rng.IntN(r.next + 2)
			if err := r.r.Ack(uint64(to)); (err != nil) != (to > r.next) {
				m.t.Fatalf("ack %d of %d: %v", to, r.next, err)
			}
			if to <= r.next {
				r.acked = max(r.acked, to)
			}
		}
	}
	if end, eof := m.b.Offset(); end != uint64(len(m.all)) || eof || m.b.Base() != uint64(m.base) {
		m.t.Fatalf("holds %d to %d (eof %t), want %d to %d", m.b.Base(), end, eof, m.base, len(m.all))
	}
}

func (m *model) append(n int) {
	p := make([]byte, n)
	_, _ = m.bytes.Read(p) // never fails
	took, err := m.b.TryAppend(p)
	if want := max(0, min(n, m.limit-(len(m.all)-m.base))); err != nil || took != want {
		m.t.Fatalf("append %d: took %d, %v; want %d", n, took, err, want)
	}
	m.all = append(m.all, p[:took]...)
}

func (m *model) join(at int) {
	credit := m.rng.IntN(2) * (1 + m.rng.IntN(1000))
	r, err := m.b.Reader(uint64(at), credit)
	if ok := at >= m.base && at <= len(m.all); (err == nil) != ok {
		m.t.Fatalf("reader at %d of %d to %d: %v", at, m.base, len(m.all), err)
	}
	if err == nil {
		m.readers = append(m.readers, &modelReader{r, at, at, credit})
	}
}

// read reads where that would not wait.
func (m *model) read(i int) {
	r := m.readers[i]
	p := make([]byte, 1+m.rng.IntN(5000))
	if r.next < m.base { // what it would read is gone
		if _, err := r.r.Read(p); !errors.Is(err, ErrClosed) {
			m.t.Fatalf("read at %d before %d: %v", r.next, m.base, err)
		}
		m.readers = append(m.readers[:i], m.readers[i+1:]...)
		return
	}
	want := min(len(p), len(m.all)-r.next)
	if r.credit > 0 {
		want = min(want, r.acked+r.credit-r.next)
	}
	if want == 0 {
		return
	}
	n, err := r.r.Read(p)
	if err != nil || n != want || !bytes.Equal(p[:n], m.all[r.next:r.next+n]) {
		m.t.Fatalf("read at %d: %d bytes, %v; want %d, or other bytes came", r.next, n, err, want)
	}
	r.next += n
	if r.r.Next() != uint64(r.next) {
		m.t.Fatalf("reader is at %d, want %d", r.r.Next(), r.next)
	}
}

func TestBufferIsASliceOfWhichTheSafePartIsForgotten(t *testing.T) {
	for range *trials {
		seed := [32]byte{}
		binary.BigEndian.PutUint64(seed[:], rand.Uint64())
		t.Run(fmt.Sprintf("seed %x", seed[:8]), func(t *testing.T) {
			source := rand.NewChaCha8(seed)
			m := &model{t: t, bytes: source, rng: rand.New(source), limit: 8 << 20}
			m.b = NewBuffer(m.limit)
			for range 500 {
				m.step()
			}
		})
	}
}

func TestBufferHoldsItsWriterBackUntilBytesAreSafe(t *testing.T) {
	b := NewBuffer(10)
	wrote := make(chan error, 1)
	go func() { wrote <- b.Append(make([]byte, 25)) }()
	for _, safe := range []uint64{0, 7, 14} {
		must(t, b.Release(safe))
		eventually(t, "the writer goes on", func() bool { end, _ := b.Offset(); return end == safe+10 })
		select {
		case err := <-wrote:
			t.Fatalf("the writer returned (%v) with %d bytes safe", err, safe)
		default:
		}
	}
	spaced := make(chan error, 1)
	go func() { spaced <- b.WaitSpace() }()
	must(t, b.Release(24))
	must(t, await(t, "the writer's end", wrote))
	must(t, await(t, "space", spaced))
}

func TestBufferGivesWayWhenItsLimitIsRaised(t *testing.T) {
	b := NewBuffer(1)
	wrote := make(chan error, 1)
	go func() { wrote <- b.Append(make([]byte, 100)) }()
	b.SetLimit(100)
	must(t, await(t, "the writer's end", wrote))
}

func TestEndOfABufferIsReadAfterItsLastByte(t *testing.T) {
	b := NewBuffer(10)
	must(t, b.Append([]byte("abc")))
	b.End()
	r, err := b.Reader(1, 0)
	must(t, err)
	if got, err := io.ReadAll(r); string(got) != "bc" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if err := b.Append([]byte("d")); !errors.Is(err, ErrClosed) {
		t.Errorf("append after the end: %v", err)
	}
	if end, eof := b.Offset(); end != 3 || !eof {
		t.Errorf("ends at %d, %t", end, eof)
	}
}

func TestClosedBufferFreesAllWhoWaitForIt(t *testing.T) {
	b := NewBuffer(1)
	must(t, b.Append([]byte("x")))
	r, err := b.Reader(1, 0)
	must(t, err)
	freed := make(chan error, 3)
	go func() { freed <- b.Append([]byte("y")) }()
	go func() { freed <- b.WaitSpace() }()
	go func() { _, err := r.Read(make([]byte, 1)); freed <- err }()
	b.Close()
	for range cap(freed) {
		if err := await(t, "all are freed", freed); !errors.Is(err, ErrClosed) {
			t.Errorf("freed with %v", err)
		}
	}
}

func TestClosedReaderLeavesTheOthersAlone(t *testing.T) {
	b := NewBuffer(10)
	one, _ := b.Reader(0, 0)
	two, _ := b.Reader(0, 0)
	freed := make(chan error, 1)
	go func() { _, err := one.Read(make([]byte, 1)); freed <- err }()
	one.Close()
	if err := await(t, "the closed one is freed", freed); !errors.Is(err, ErrClosed) {
		t.Errorf("freed with %v", err)
	}
	must(t, b.Append([]byte("x")))
	if n, err := two.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("the other one reads %d, %v", n, err)
	}
}

func TestReaderDeliversNoMoreThanItsCredit(t *testing.T) {
	b := NewBuffer(100)
	must(t, b.Append(make([]byte, 100)))
	r, err := b.Reader(20, 30)
	must(t, err)
	p := make([]byte, 100)
	if n, _ := r.Read(p); n != 30 {
		t.Fatalf("delivers %d of a credit of 30", n)
	}
	more := make(chan int, 1)
	go func() { n, _ := r.Read(p); more <- n }()
	if err := r.Ack(51); err == nil {
		t.Error("bytes were acknowledged that were not delivered")
	}
	must(t, r.Ack(30)) // 10 of the 30
	if n := await(t, "renewed credit", more); n != 10 {
		t.Errorf("delivers %d for 10 that were acknowledged", n)
	}
}

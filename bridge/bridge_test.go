package bridge

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/terminal"
)

// echo is a program whose input a test reads. It ends when done is closed.
type echo struct {
	io.Writer
	done chan struct{}
}

func (p *echo) CloseWrite() error     { return nil }
func (p *echo) Resize(terminal.Size)  {}
func (p *echo) Signal(string)         {}
func (p *echo) Done() <-chan struct{} { return p.done }

// shout is a filter that passes what is upper case, and answers each ? with !.
type shout struct{}

func (shout) Feed(p []byte) (out, replies []byte) {
	return bytes.ToUpper(bytes.ReplaceAll(p, []byte("?"), nil)), bytes.Repeat([]byte("!"), bytes.Count(p, []byte("?")))
}

func (shout) Marks() (attributes, others []int, ok bool) { return nil, nil, false }

// silence is input that never comes.
type silence struct{ closed chan struct{} }

func (s silence) Read([]byte) (int, error) {
	<-s.closed
	return 0, io.EOF
}

func TestOutputPassesItsFilterAndAnswersAreInput(t *testing.T) {
	var out, errOut bytes.Buffer
	in, typed := io.Pipe()
	stop := make(chan struct{})
	defer close(stop)
	b := New(Stdio{In: silence{stop}, Out: &out, Err: &errOut, OutFilter: shout{}})
	if err := b.Output([]byte("before? it runs")); err != nil {
		t.Fatal(err)
	}
	p := &echo{typed, make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- b.Run(t.Context(), p) }()
	b.Ready()
	if err := b.Output([]byte(", while??")); err != nil {
		t.Fatal(err)
	}
	if err := b.ErrOutput([]byte("as it is?")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "!!!" {
		t.Errorf("the program is given %q, %v", got, err)
	}
	close(p.done)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if out.String() != "BEFORE IT RUNS, WHILE" || errOut.String() != "as it is?" {
		t.Errorf("out %q, err %q", out.String(), errOut.String())
	}
}

// A program that asks and never reads must not stop its own output.
func TestAnswersDoNotHoldUpOutput(t *testing.T) {
	_, typed := io.Pipe() // nobody reads
	stop := make(chan struct{})
	defer close(stop)
	var out strings.Builder
	b := New(Stdio{In: silence{stop}, Out: &out, Err: io.Discard, OutFilter: shout{}})
	p := &echo{typed, make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, p) }()
	b.Ready()
	for range 1000 {
		if err := b.Output([]byte("x?")); err != nil {
			t.Fatal(err)
		}
	}
	close(p.done)
	if err := <-ended; err != nil {
		t.Errorf("it took too long: %v", err)
	}
	if got := out.Len(); got != 1000 {
		t.Errorf("%d bytes came", got)
	}
	_ = typed.Close()
}

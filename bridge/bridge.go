package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/snugvm/snug/terminal"
	"golang.org/x/sys/unix"
)

// Program is the subset of a session that a bridge needs. Write may block;
// the other methods must not.
type Program interface {
	io.Writer // the program's input
	CloseWrite() error
	Resize(size terminal.Size)
	Signal(name string) // without SIG
	// Done is closed when the program has ended and all its output was given
	// to the bridge.
	Done() <-chan struct{}
}

// Filter is what stands between a program's output and a terminal.
type Filter interface {
	// Feed takes output, which may be cut anywhere, and returns what of it may go to the terminal, and what the program
	// is to be answered in the terminal's place. Both are valid until the next call.
	Feed(p []byte) (out, replies []byte)
	// Marks says where, in what Feed has returned last, control functions begin that may leave a terminal otherwise than
	// it was, in order: those of attributes (SGR), and others, which may be more than these. All else is text, whole
	// control functions that only draw, and the rest of what the output before broke off in. It reports false where it
	// does not know. It is valid until the next Feed.
	Marks() (attributes, others []int, ok bool)
}

// Stdio is where a program's input comes from and its output goes, and what it has to pass on the way: nil where every
// byte passes as it is.
type Stdio struct {
	In                   io.Reader
	Out, Err             io.Writer
	OutFilter, ErrFilter Filter
}

// Errors with which Run ends before the program does.
var (
	ErrDetached = errors.New("detached")
	ErrEnded    = errors.New("ended by the escape")
)

// Bridge connects one program to one terminal, or to plain files. Its owner
// hands it the program's output and news as they come, and runs it.
type Bridge struct {
	io     Stdio
	ward   *terminal.Ward    // nil without a guarded terminal
	sizes  *terminal.Watcher // nil without a terminal
	escape EscapeChar

	ready chan struct{} // closed when the program runs
	once  sync.Once
	open  chan struct{} // closed when output may be shown

	progress ProgressLine

	writing sync.Mutex  // on a terminal that both outputs may be
	modes   Modes       // owned by whoever calls Output
	answers chan []byte // in a terminal's place
}

// maxAnswers is how many answers may wait for a program that does not read. More are lost, as a terminal's would be.
const maxAnswers = 16

// New returns a bridge to plain files, without a terminal's modes, sizes and escapes.
func New(stdio Stdio) *Bridge {
	b := newBridge(stdio)
	close(b.open)
	return b
}

func newBridge(stdio Stdio) *Bridge {
	return &Bridge{
		io: stdio, escape: NoEscape, ready: make(chan struct{}), open: make(chan struct{}),
		answers: make(chan []byte, maxAnswers),
	}
}

// NewTerminal returns a bridge to a terminal that a guardian restores. Sizes
// watches it.
func NewTerminal(stdio Stdio, ward *terminal.Ward, sizes *terminal.Watcher, escape EscapeChar) *Bridge {
	b := newBridge(stdio)
	b.ward, b.sizes, b.escape = ward, sizes, escape
	if ward.StderrIsTerminal() {
		b.progress.out = stdio.Err
	}
	return b
}

// Notice shows a line to the person: one that is progress replaces the one
// before it, and is gone when the program starts.
func (b *Bridge) Notice(progress bool, text string) {
	if b.progress.out == nil {
		return // what is not a terminal holds the program's bytes and no others
	}
	text = printable(text)
	if progress {
		b.progress.Show(text)
		return
	}
	b.progress.Clear()
	_, _ = fmt.Fprintf(b.io.Err, "snug: %s\n", text)
}

// Ready says that the program runs.
func (b *Bridge) Ready() { b.once.Do(func() { close(b.ready) }) }

// Started reports whether the program was ready.
func (b *Bridge) Started() bool {
	select {
	case <-b.ready:
		return true
	default:
		return false
	}
}

// Output shows output of the program. It returns when the terminal has it.
// Calls must not overlap.
func (b *Bridge) Output(p []byte) error {
	<-b.open
	p = b.filter(b.io.OutFilter, p)
	if b.ward == nil {
		return b.write(b.io.Out, p)
	}
	changed := b.follow(p)
	return b.show(p, changed)
}

// follow has the modes follow p. A filter has looked at every byte, so that they need not do it again.
func (b *Bridge) follow(p []byte) (changed bool) {
	if b.io.OutFilter != nil {
		if attributes, others, ok := b.io.OutFilter.Marks(); ok {
			return b.modes.FeedMarked(p, attributes, others)
		}
	}
	return b.modes.Feed(p)
}

// ErrOutput writes to standard error what the program did.
func (b *Bridge) ErrOutput(p []byte) error {
	return b.write(b.io.Err, b.filter(b.io.ErrFilter, p))
}

// write writes output without a guarded terminal. Where both outputs are filtered they are one terminal, most likely,
// and what is harmless apart must not mix to what is not.
func (b *Bridge) write(w io.Writer, p []byte) error {
	if b.io.OutFilter != nil && b.io.ErrFilter != nil {
		b.writing.Lock()
		defer b.writing.Unlock()
	}
	_, err := w.Write(p)
	return err
}

// filter returns what of p may pass. What it is answered may wait for the program, and must not hold up its output:
// a program that does not read would wait for itself.
func (b *Bridge) filter(f Filter, p []byte) []byte {
	if f == nil {
		return p
	}
	out, replies := f.Feed(p)
	if len(replies) > 0 {
		select {
		case b.answers <- bytes.Clone(replies):
		default:
		}
	}
	return out
}

// copyAnswers gives the program answers as input, until it has ended.
func (b *Bridge) copyAnswers(p Program) {
	for {
		select {
		case answer := <-b.answers:
			if _, err := p.Write(answer); err != nil {
				return
			}
		case <-p.Done():
			return
		}
	}
}

// show writes to the terminal what the modes have followed, and has the
// guardian know beforehand how to undo whatever the bytes switch on.
func (b *Bridge) show(p []byte, changed bool) error {
	undo, during := b.modes.Undo(), b.modes.UndoDuring()
	passing := string(during) != string(undo)
	if passing || changed {
		if err := b.ward.Undo(during); err != nil {
			return err
		}
	}
	if _, err := b.io.Out.Write(p); err != nil {
		return err
	}
	if passing {
		return b.ward.Undo(undo)
	}
	return nil
}

// Run carries the program until it has ended, ctx is done, or the person
// leaves by an escape. On a terminal it enters raw mode when the program is
// ready; the guardian leaves it when this process ends.
func (b *Bridge) Run(ctx context.Context, p Program) error {
	var continued <-chan struct{}
	if b.ward != nil {
		continued = b.ward.Continued()
	}
	var resized <-chan os.Signal
	if b.sizes != nil {
		resized = b.sizes.C
	}
	ready := b.ready
	left := make(chan error, 1)
	seconds := time.NewTicker(time.Second) // for the eye only
	defer seconds.Stop()
	for {
		select {
		case <-p.Done():
			b.progress.Clear()
			return nil
		case <-ctx.Done():
			b.progress.Clear()
			return context.Cause(ctx)
		case err := <-left:
			return err
		case <-ready:
			ready = nil
			if err := b.start(p, left); err != nil {
				return err
			}
		case <-seconds.C:
			b.progress.Tick()
		case <-resized:
			b.resize(p)
		case <-continued:
			b.sizes.Mark()
		}
	}
}

// start shows the program: from here on the terminal is its own.
func (b *Bridge) start(p Program, left chan<- error) error {
	b.progress.Clear()
	if b.ward != nil {
		if err := b.ward.Raw(); err != nil {
			return err
		}
		b.sizes.Mark()
		close(b.open)
	}
	// Nobody waits for the copier: it ends with the process, or with its
	// input. It may be in a read that never returns.
	go b.copyInput(p, left)
	if b.io.OutFilter != nil || b.io.ErrFilter != nil {
		go b.copyAnswers(p) // likewise
	}
	return nil
}

// resize reads the size now, whatever events led here, so the last one wins.
func (b *Bridge) resize(p Program) {
	if size, err := b.sizes.Size(); err == nil && !size.IsZero() {
		p.Resize(size)
	}
}

// copyInput passes input on and takes escapes out of it.
func (b *Bridge) copyInput(p Program, left chan<- error) {
	escapes := NewEscapes(b.escape)
	buf := make([]byte, 32<<10)
	for {
		n, err := b.io.In.Read(buf)
		out, action := escapes.Feed(buf[:n])
		if err != nil {
			out = append(out, escapes.Flush()...)
		}
		if len(out) > 0 {
			if _, werr := p.Write(out); werr != nil {
				return
			}
		}
		switch action {
		case Detach:
			left <- ErrDetached
			return
		case EndAction:
			left <- ErrEnded
			return
		case ShowHelp:
			_, _ = io.WriteString(b.io.Out, b.escape.Help())
		case NoAction:
		}
		switch {
		case errors.Is(err, io.EOF):
			_ = p.CloseWrite()
			return
		case b.ward != nil && errors.Is(err, unix.EIO):
			left <- &terminal.SignalError{Signal: unix.SIGHUP} // the terminal is gone
			return
		case err != nil:
			_ = p.CloseWrite()
			return
		}
	}
}

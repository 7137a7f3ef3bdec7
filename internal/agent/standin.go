//go:build linux

package agent

import (
	"fmt"
	"os"
	"runtime"

	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/sys/unix"
)

// Proxy makes the stand-in for a program that is asked for. It may wait for its
// turn; nobody waits for it but the program.
type Proxy func(id string, s wire.Start) (*Standin, error)

// Standin is what runs instead of a program: another one, of this host, that
// leads to it. Its functions may be nil, but for Args.
type Standin struct {
	// Args is the command line for a terminal of this size; without a terminal
	// it is zero. It must not wait. Later sizes go to Resize.
	Args func(wire.Size) []string
	// RawInput says that what is typed reaches the stand-in as it is, before it
	// has set its terminal's modes: it is for another terminal behind it.
	RawInput bool
	// FixedSize says that its terminal keeps its first size, since the stand-in
	// would only mislead the program about later ones.
	FixedSize bool
	// Resize hears of each later size, after the terminal has it. It must not wait.
	Resize func(wire.Size)
	// Filter returns what of the output is the program's, and what is to be typed
	// as an answer. Each stream has one goroutine, which calls it with nil at the
	// stream's end.
	Filter func(stream wire.Stream, output []byte) (programs, answer []byte)
	// Ready is closed when input may come; nil: from the start.
	Ready <-chan struct{}
	// Ended is called once, when the output is at its end or nothing could be
	// started, in which case exit is nil. It returns how the program has ended.
	Ended func(exit *wire.Exit) wire.Exit
}

// Through makes the agent run stand-ins for all programs. It is called before
// Serve. Stand-ins are killed with this process, however that ends: they belong
// to nobody else.
func (a *Agent) Through(p Proxy) { a.proxy = p }

// standIn makes the program's stand-in, and returns what is to be started.
func (p *program) standIn() (wire.Start, error) {
	s := p.start
	if p.agent.proxy == nil {
		return s, nil
	}
	if s.Subsystem != "" {
		return s, noAgent(s.Subsystem)
	}
	in, err := p.agent.proxy(p.id, s)
	if err != nil {
		return s, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.standin = in
	s.Command, s.Env, s.Dir = "", nil, ""
	s.Args = in.Args(p.size)
	return s, nil
}

// output passes output on, as far as it is the program's.
func (p *program) output(stream wire.Stream, b []byte) []byte {
	if p.standin == nil || p.standin.Filter == nil {
		return b
	}
	out, answer := p.standin.Filter(stream, b)
	if len(answer) > 0 {
		_, _ = p.files.in.Write(answer)
	}
	return out
}

// awaitReady waits until the stand-in takes input, and reports whether it ever will.
func (p *program) awaitReady() bool {
	if p.standin == nil || p.standin.Ready == nil {
		return true
	}
	select {
	case <-p.standin.Ready:
		return true
	case <-p.reaped:
		return false
	}
}

// endStandIn turns the end of the stand-in into the program's.
func (p *program) endStandIn(exit *wire.Exit) wire.Exit {
	if p.standin != nil && p.standin.Ended != nil {
		return p.standin.Ended(exit)
	}
	if exit == nil {
		return wire.Exit{}
	}
	return *exit
}

// holdThread keeps the program's goroutine on one thread, whose end is what the
// kernel takes for the parent's (prctl(2), PR_SET_PDEATHSIG).
func (p *program) holdThread() (release func()) {
	if p.agent.proxy == nil {
		return func() {}
	}
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

// rawInput turns off all that a terminal does with what is typed. Its output stays
// as it was, for what the stand-in has to say itself.
func rawInput(slave *os.File) error {
	fd := int(slave.Fd())
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("terminal modes: %w", err)
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return fmt.Errorf("terminal modes: %w", err)
	}
	return nil
}

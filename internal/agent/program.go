//go:build linux

package agent

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/sys/unix"
)

const (
	// backlog is how much output a program may have produced that no keeper
	// has made safe, while no keeper is there: 16 MiB. Then it is paused.
	backlog = 16 << 20
	// window is the same while a keeper is there. It bounds how much stale
	// output a person sees after ^C.
	window = 256 << 10
	// quiet is how long a program's output must be silent, after the program
	// was reaped, for what a background job of its still holds open to be
	// given up.
	quiet = 100 * time.Millisecond
)

// program is one program from its start to its acknowledged exit status. It
// implements wire.Program.
type program struct {
	agent  *Agent
	id     string
	start  wire.Start
	in     *wire.Buffer
	out    *wire.Buffer
	err    *wire.Buffer // nil on a PTY
	ended  chan struct{}
	reap   atomic.Bool   // set once the program was reaped
	reaped chan struct{} // closed then

	mu       sync.Mutex
	space    *sync.Cond // input may go on, or its attachment is gone
	attached map[*wire.Attachment]bool
	size     wire.Size
	files    *stdio
	proc     *os.Process // nil before the start and after the end
	signals  []syscall.Signal
	running  bool
	notice   string
	exit     *wire.Exit
	failure  *wire.Failure
	standin  *Standin     // nil: the program runs itself
	socket   *agentSocket // of the viewer's SSH agent, if it has lent one; owned by run
}

func newProgram(a *Agent, id string, s wire.Start) *program {
	p := &program{
		agent: a, id: id, start: s,
		// The near side keeps within its credit, so this never fills.
		in:       wire.NewBuffer(2 * wire.Credit),
		out:      wire.NewBuffer(backlog),
		ended:    make(chan struct{}),
		reaped:   make(chan struct{}),
		attached: make(map[*wire.Attachment]bool),
	}
	p.space = sync.NewCond(&p.mu)
	if s.Pty != nil {
		p.size = s.Pty.Size
	} else {
		p.err = wire.NewBuffer(backlog)
	}
	return p
}

// run is the program's life.
func (p *program) run() {
	defer close(p.ended)
	defer p.holdThread()()
	defer func() { p.socket.close() }()
	if err := p.launch(); err != nil {
		p.endStandIn(nil)
		p.fail(err)
		return
	}
	var output, input sync.WaitGroup
	output.Go(func() { p.copyOutput(wire.Stdout, p.files.out, p.out) })
	if p.err != nil {
		output.Go(func() { p.copyOutput(wire.Stderr, p.files.err, p.err) })
	}
	input.Go(p.copyInput)

	exit := p.wait()
	p.reap.Store(true)
	close(p.reaped)
	p.files.kick()
	output.Wait()
	p.closeInput()
	p.files.close() // frees the input copier from a write that nobody reads
	input.Wait()
	p.announceExit(p.endStandIn(&exit))
}

// launch opens the program's files and starts it. Looking for the program and
// starting it can take as long as the disk likes, so nobody waits for that.
func (p *program) launch() error {
	start, err := p.standIn()
	if err != nil {
		return err
	}
	unlent := p.lend(&start)
	cmd, notice, err := p.agent.command(start)
	if err != nil {
		return err
	}
	if unlent != "" {
		notice = unlent
	}
	files, err := p.open()
	if err != nil {
		return &wire.Failure{Status: 125, Message: err.Error()}
	}
	proc, err := cmd.start(files)
	files.closeChild()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.files = nil
		files.close()
		return err
	}
	p.proc, p.running, p.notice = proc, true, notice
	for _, sig := range p.signals {
		_ = unix.Kill(-proc.Pid, sig)
	}
	for a := range p.attached {
		p.greet(a)
	}
	return nil
}

// open opens the program's files. The size is set under the lock that Resize
// takes, before the program runs: no earlier size is shown to the program,
// and no later one is lost.
func (p *program) open() (*stdio, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	files, err := openStdio(p.start.Pty, p.size, p.agent.cfg.ttyOwner())
	if err == nil && files.tty && p.standin != nil && p.standin.RawInput {
		err = rawInput(files.child[0])
	}
	p.files = files
	return files, err
}

// wait reaps the program. Between the program's death and its reaping nobody
// may take its process id for a living one, hence the first wait, which
// leaves it a zombie, and the lock.
func (p *program) wait() wire.Exit {
	pid := p.proc.Pid
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	state, err := p.proc.Wait()
	p.proc = nil
	if err != nil {
		return wire.Exit{Status: 255}
	}
	status := state.Sys().(syscall.WaitStatus)
	if !status.Signaled() {
		return wire.Exit{Status: uint32(status.ExitStatus())}
	}
	sig := status.Signal()
	return wire.Exit{Status: 128 + uint32(sig), Signal: signalName(sig), Core: status.CoreDump()}
}

// copyOutput moves the program's output into the buffer until its end, or
// until it is quiet after the program's end. The buffer holds it back.
func (p *program) copyOutput(stream wire.Stream, from *os.File, to *wire.Buffer) {
	defer to.End()
	defer func() { _ = to.Append(p.output(stream, nil)) }()
	buf := make([]byte, 32<<10)
	for final := false; ; {
		if to.WaitSpace() != nil {
			return
		}
		read := from.Read
		if final {
			read = func(b []byte) (int, error) { return readWithin(from, b, quiet) }
		}
		n, err := read(buf)
		data := buf[:n]
		if n > 0 && p.files.packets {
			data = p.unpack(data)
		}
		if len(data) > 0 && to.Append(p.output(stream, data)) != nil {
			return
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && !final {
			final = p.reap.Load()
			continue
		}
		if err != nil {
			return
		}
	}
}

// unpack returns the output in a packet of the terminal's, and tells that the
// terminal has thrown output away. A flush of input alone means nothing: readline
// does that whenever it shows its prompt.
func (p *program) unpack(packet []byte) []byte {
	if packet[0]&unix.TIOCPKT_FLUSHWRITE != 0 {
		offset, _ := p.out.Offset()
		p.mu.Lock()
		defer p.mu.Unlock()
		for a := range p.attached {
			a.Flushed(offset)
		}
	}
	return packet[1:]
}

// copyInput writes input to the program and says how far it got.
func (p *program) copyInput() {
	in, err := p.in.Reader(0, 0)
	if err != nil || !p.awaitReady() {
		return
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := in.Read(buf)
		if errors.Is(err, io.EOF) {
			p.files.endInput()
			return
		}
		if err != nil {
			return
		}
		// A program that reads no more, or has ended, loses its input as
		// it would on any terminal or pipe; the sender must not wait for it.
		_, _ = p.files.in.Write(buf[:n])
		p.inputSafe(in.Next())
	}
}

func (p *program) inputSafe(offset uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.in.Release(offset) != nil {
		return
	}
	p.space.Broadcast()
	for a := range p.attached {
		a.InputSafe(offset)
	}
}

// closeInput turns away input that comes too late.
func (p *program) closeInput() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in.Close()
	p.space.Broadcast()
}

// fail ends a program that never ran.
func (p *program) fail(err error) {
	failure := &wire.Failure{Status: 125, Message: err.Error()}
	errors.As(err, &failure)
	p.closeInput()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = failure
	for a := range p.attached {
		a.Fail(failure)
	}
}

func (p *program) announceExit(exit wire.Exit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exit = &exit
	for a := range p.attached {
		a.Exit(exit)
	}
}

// over reports whether the program has ended, or never ran.
func (p *program) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit != nil || p.failure != nil
}

// Attach sends a the news so far and adds it to those who get the rest.
func (p *program) Attach(a *wire.Attachment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attached[a] = true
	p.limit(window)
	switch {
	case p.failure != nil:
		a.Fail(p.failure)
	case p.running:
		p.greet(a)
	}
	if p.exit != nil {
		a.Exit(*p.exit)
	}
}

// greet tells an attachment that the program runs; the caller holds mu.
func (p *program) greet(a *wire.Attachment) {
	if p.notice != "" {
		a.Notice(wire.Notice{Text: p.notice})
	}
	offset, _ := p.in.Offset()
	a.Ready(offset)
	// An earlier connection may have taken the last word on this with it, and
	// a sender that has used up its credit says nothing before it hears one.
	a.InputSafe(p.in.Base())
}

// Detach lets the program run ahead of its keeper.
func (p *program) Detach(a *wire.Attachment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.attached, a)
	p.space.Broadcast()
	if len(p.attached) == 0 {
		p.limit(backlog)
	}
}

func (p *program) limit(n int) {
	p.out.SetLimit(n)
	if p.err != nil {
		p.err.SetLimit(n)
	}
}

// Output returns a way through an output stream of the program's.
func (p *program) Output(a *wire.Attachment, s wire.Stream, from uint64) (wire.OutputReader, error) {
	b := p.stream(s)
	if b == nil {
		return nil, nil //nolint:nilnil // there is no such stream
	}
	return b.Reader(from, a.Credit())
}

func (p *program) stream(s wire.Stream) *wire.Buffer {
	switch s {
	case wire.Stdout:
		return p.out
	case wire.Stderr:
		return p.err
	}
	return nil
}

// Safe drops output, or the whole program, that the keeper has.
func (p *program) Safe(_ *wire.Attachment, s wire.Stream, offset uint64) {
	p.mu.Lock()
	p.notice = "" // its keeper has more than that by now
	p.mu.Unlock()
	if s == wire.Exited {
		p.agent.forget(p.id)
		return
	}
	if b := p.stream(s); b != nil {
		_ = b.Release(offset)
	}
}

// Input takes input for the program. It waits only for a sender that exceeds
// its credit, and not beyond that sender's connection.
func (p *program) Input(a *wire.Attachment, b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.attached[a] {
		n, err := p.in.TryAppend(b)
		if err != nil {
			return err
		}
		if b = b[n:]; len(b) == 0 {
			return nil
		}
		p.space.Wait()
	}
	return wire.ErrClosed
}

// EndInput ends the program's input.
func (p *program) EndInput(*wire.Attachment) { p.in.End() }

// Resize sets the terminal's size; the kernel tells the program.
func (p *program) Resize(_ *wire.Attachment, size wire.Size) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size = size
	if p.files != nil && p.start.Pty != nil && (p.standin == nil || !p.standin.FixedSize) {
		_ = setSize(p.files.out, size)
	}
	if p.standin != nil && p.standin.Resize != nil {
		p.standin.Resize(size)
	}
}

// Signal sends a signal, named without SIG, to the program's process group.
func (p *program) Signal(name string) {
	sig := unix.SignalNum("SIG" + name)
	if sig == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.proc != nil:
		_ = unix.Kill(-p.proc.Pid, sig)
	case !p.running && p.failure == nil:
		p.signals = append(p.signals, sig)
	}
}

// kill ends the program whatever it does.
func (p *program) kill() {
	p.out.Close()
	if p.err != nil {
		p.err.Close()
	}
	p.Signal("KILL")
}

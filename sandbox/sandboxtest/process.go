package sandboxtest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/snugvm/snug/internal/wire"
)

// Process is a program in the machine, with all that it has said.
type Process struct {
	*wire.Session
	h       *Host
	carried chan struct{} // closed when the session is on no connection any more

	mu      sync.Mutex
	arrived chan struct{} // closed and replaced when anything below changes
	out     [wire.Exited]bytes.Buffer
	ended   [wire.Exited]int // how often the end of a stream was told
	acked   uint64           // input that the program has
	ready   int
	notices []string
	matched int           // how much of stdout expectations have consumed
	held    chan struct{} // while not nil output is not taken
}

// Output takes what the program writes. It and the next four methods make a
// Process a wire.Handler.
func (p *Process) Output(s wire.Stream, b []byte) {
	p.mu.Lock()
	held := p.held
	p.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-p.h.ctx.Done():
		}
	}
	var end int
	p.change(func() {
		p.out[s].Write(b)
		end = p.out[s].Len()
	})
	p.Ack(s, uint64(end))
}

// Flushed implements wire.Handler.
func (p *Process) Flushed(uint64) {}

// Exited implements wire.Handler.
func (p *Process) Exited(wire.Exit) {}

// EndOutput notes the end of a stream.
func (p *Process) EndOutput(s wire.Stream) { p.change(func() { p.ended[s]++ }) }

// InputSafe notes how much input the program has.
func (p *Process) InputSafe(offset uint64) { p.change(func() { p.acked = max(p.acked, offset) }) }

// Ready notes that the program runs.
func (p *Process) Ready() { p.change(func() { p.ready++ }) }

// Notice notes a line for the person at the terminal.
func (p *Process) Notice(n wire.Notice) { p.change(func() { p.notices = append(p.notices, n.Text) }) }

func (p *Process) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.arrived)
	p.arrived = make(chan struct{})
}

func (p *Process) stream(s wire.Stream) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out[s].String()
}

// Stdout returns all that came on standard output, or from the terminal.
func (p *Process) Stdout() string { return p.stream(wire.Stdout) }

// Stderr returns all that came on standard error.
func (p *Process) Stderr() string { return p.stream(wire.Stderr) }

// Notices returns the lines for the person at the terminal.
func (p *Process) Notices() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.notices, "\n")
}

// Hold takes no more output until the function that it returns is called for
// the first time.
func (p *Process) Hold() (release func()) {
	held := make(chan struct{})
	p.mu.Lock()
	p.held = held
	p.mu.Unlock()
	return sync.OnceFunc(func() {
		p.mu.Lock()
		p.held = nil
		p.mu.Unlock()
		close(held)
	})
}

// Until waits until met, called with p's lock held, is true.
func (p *Process) until(what string, met func() bool) {
	p.h.t.Helper()
	timeout, stop := p.h.deadline()
	defer stop()
	for {
		p.mu.Lock()
		ok, arrived := met(), p.arrived
		p.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-arrived:
		case <-p.Done():
			p.mu.Lock()
			ok = met()
			p.mu.Unlock()
			if !ok {
				_, err := p.Result()
				p.fatalf("the session ended (%v) before %s", err, what)
			}
			return
		case <-timeout:
			p.fatalf("no %s within %v", what, p.h.timeout)
		}
	}
}

// Expect waits for want on standard output after the last match.
func (p *Process) Expect(want string) {
	p.h.t.Helper()
	p.until(fmt.Sprintf("%q", want), func() bool {
		i := strings.Index(string(p.out[wire.Stdout].Bytes()[p.matched:]), want)
		if i >= 0 {
			p.matched += i + len(want)
		}
		return i >= 0
	})
}

// Send gives input to the program. It returns when all of it is under way.
func (p *Process) Send(input []byte) {
	p.h.t.Helper()
	sent := make(chan error, 1)
	p.h.running.Go(func() {
		_, err := p.Write(input)
		sent <- err
	})
	timeout, stop := p.h.deadline()
	defer stop()
	var err error
	select {
	case err = <-sent:
	case <-timeout:
		err = errTimeout
		p.Fail(&wire.Failure{Status: 255, Message: "input was not taken"})
	}
	if err != nil {
		p.fatalf("send %d bytes: %v", len(input), err)
	}
}

// Type gives text to the program.
func (p *Process) Type(s string) {
	p.h.t.Helper()
	p.Send([]byte(s))
}

// Wait waits for the program's end and returns how it ended. The error is a
// *wire.Failure if the program never ran.
func (p *Process) Wait() (wire.Exit, error) {
	p.h.t.Helper()
	timeout, stop := p.h.deadline()
	defer stop()
	select {
	case <-p.carried:
	case <-timeout:
		p.Fail(&wire.Failure{Status: 255, Message: "the test waits no longer"})
		p.fatalf("no end of the session within %v", p.h.timeout)
	}
	return p.Result()
}

// WantExit waits for the program's end and fails the test if it is another
// than a plain exit status.
func (p *Process) WantExit(status uint32) {
	p.h.t.Helper()
	exit, err := p.Wait()
	if err != nil || exit != (wire.Exit{Status: status}) {
		p.fatalf("exit %+v, %v; want status %d", exit, err, status)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready > 1 || p.ended[wire.Stdout] != 1 {
		p.h.t.Errorf("told %d times that the program runs, %d times that its output ends", p.ready, p.ended[wire.Stdout])
	}
}

// end kills a program that a test leaves behind, which would disturb the next
// one. What becomes of it is not the test's to judge any more.
func (p *Process) end() {
	p.Signal("KILL")
	timeout, stop := p.h.deadline()
	defer stop()
	select {
	case <-p.carried:
	case <-timeout:
		p.Fail(&wire.Failure{Status: 255, Message: "the program does not end"})
	}
}

// fatalf fails the test with all that is known.
func (p *Process) fatalf(format string, args ...any) {
	p.h.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, format, args...)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range []wire.Stream{wire.Stdout, wire.Stderr} {
		all := p.out[s].Bytes()
		fmt.Fprintf(&b, "\nstream %d, %d bytes, the last: %q", s, len(all), all[max(0, len(all)-500):])
	}
	fmt.Fprintf(&b, "\ninput: %d bytes safe; notices: %q", p.acked, p.notices)
	for i, l := range p.h.Links() {
		toGuest, toHost := l.Carried()
		fmt.Fprintf(&b, "\nlink %d: %d bytes to the guest (limit %d), %d to the host (limit %d)",
			i, toGuest, l.toGuest.limit, toHost, l.toHost.limit)
	}
	p.h.t.Fatal(b.String())
}

package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// step is one request to a far side, and the answer that it must get.
type step struct {
	name    string
	payload []byte
	ok      bool
}

func no(name string, payload []byte) step  { return step{name, payload, false} }
func yes(name string, payload []byte) step { return step{name, payload, true} }

var (
	hello    = no(requestSession, ssh.Marshal(sessionPayload{ID: "0123456789abcdef"})) // nobody knows it yet
	ptyOf    = func(s Size) step { return yes(requestPty, marshalPty(&Pty{Term: "xterm", Size: s})) }
	windowOf = func(s Size) []byte { return ssh.Marshal(newWindowPayload(s)) }
	offsetOf = func(s Stream, n uint64) []byte { return ssh.Marshal(offsetPayload{uint32(s), n}) }
)

func startStep() step {
	b, _ := marshalStart("", []string{"program"})
	return yes(requestStart, b)
}

// A near side that asks for the wrong thing is refused, and can go on.
func TestFarSideRefusesWhatIsNoPartOfAnySession(t *testing.T) {
	for name, steps := range map[string][]step{
		"before a program": {
			no("unknown@snug", nil),
			no("x11-req", nil),
			no(requestWindowChange, windowOf(Size{24, 80, 0, 0})), // there is no terminal
			no(requestSignal, ssh.Marshal(signalPayload{"TERM"})),
			no(requestAck, offsetOf(Stdout, 0)),
			no(requestEnd, offsetOf(Stdin, 0)),
			no(requestSession, []byte("x")),
			no(requestSession, ssh.Marshal(sessionPayload{ID: "short"})),
			no(requestSession, ssh.Marshal(sessionPayload{ID: strings.Repeat("x", maxName+1)})),
			no(requestEnv, []byte{0}),
			no(requestTerminfo, ssh.Marshal(terminfoPayload{strings.Repeat("x", maxTerminfo+1)})),
			no(requestPty, []byte("x")),
			no(requestPty, ssh.Marshal(ptyPayload{Term: "x", Cols: 1 << 16, Rows: 1})),
			no(requestStart, nil),
			no(requestExec, []byte("x")),
			no(requestExec, ssh.Marshal(execPayload{strings.Repeat("x", maxStart+1)})),
			no(requestEnv, ssh.Marshal(envPayload{"A", strings.Repeat("x", maxEnvVar)})),
			startStep(),
		},
		"after the start": {
			hello,
			yes(requestEnv, ssh.Marshal(envPayload{"A", "1"})),
			yes(requestTerminfo, ssh.Marshal(terminfoPayload{"entry"})),
			ptyOf(Size{24, 80, 0, 0}),
			yes(requestWindowChange, windowOf(Size{25, 80, 0, 0})),
			startStep(),
			no(requestStart, nil),
			no(requestShell, nil),
			no(requestEnv, ssh.Marshal(envPayload{"A", "1"})),
			no(requestPty, marshalPty(&Pty{})),
			hello,
			yes(requestWindowChange, windowOf(Size{})), // never applied
			no(requestWindowChange, windowOf(Size{26, 80, 0, 0})[1:]),
			no(requestWindowChange, ssh.Marshal(windowPayload{1 << 16, 1, 0, 0})),
			yes(requestWindowChange, windowOf(Size{27, 80, 0, 0})),
			no(requestSignal, ssh.Marshal(signalPayload{strings.Repeat("x", maxName+1)})),
			yes(requestSignal, ssh.Marshal(signalPayload{"HUP"})),
			no(requestAck, offsetOf(Stdin, 0)),
			no(requestAck, offsetOf(Stdout, 1)),  // nothing was sent
			no(requestAck, offsetOf(Stderr, 0)),  // a terminal has none
			no(requestAck, offsetOf(Exited, 1)),  // the program runs
			no(requestAck, offsetOf(streams, 1)), // there is none
			no(requestEnd, offsetOf(Stdout, 0)),
			yes(requestEnd, offsetOf(Stdin, 0)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ch := r.raw(steps)
			p := r.host.program(t)
			p.mu.Lock()
			defer p.mu.Unlock()
			if r.host.started() != 1 || p.safe != [streams]uint64{} {
				t.Errorf("%d programs, safe %v", r.host.started(), p.safe)
			}
			if name == "after the start" && (p.start.Pty.Size != Size{25, 80, 0, 0} || !slices.Equal(p.sizes, []Size{{27, 80, 0, 0}}) || !slices.Equal(p.signals, []string{"HUP"}) || !p.inEnded) {
				t.Errorf("first size %+v, then %+v; signals %q; input ended: %t", p.start.Pty.Size, p.sizes, p.signals, p.inEnded)
			}
			_ = ch.Close()
		})
	}
}

// raw is a near side that makes some requests and notes no answers but these.
func (r *rig) raw(steps []step) ssh.Channel {
	r.t.Helper()
	ch, reqs, err := r.dial().OpenChannel("session", nil)
	must(r.t, err)
	go ssh.DiscardRequests(reqs)
	r.ask(ch, steps...)
	return ch
}

func (r *rig) ask(ch ssh.Channel, steps ...step) {
	r.t.Helper()
	for _, s := range steps {
		if ok, err := ch.SendRequest(s.name, true, s.payload); err != nil || ok != s.ok {
			r.t.Fatalf("%s %.60q: %t, %v; want %t", s.name, s.payload, ok, err, s.ok)
		}
	}
}

func TestExitIsForgottenOnlyWhenItsOneByteIsAcknowledged(t *testing.T) {
	r := newRig(t)
	r.host.begin = func(p *fakeProgram) { p.say("", ""); p.exit = &Exit{} }
	ch := r.raw([]step{hello, startStep()})
	p := r.host.program(t)
	safe := func() uint64 { p.mu.Lock(); defer p.mu.Unlock(); return p.safe[Exited] }
	r.ask(ch, no(requestAck, offsetOf(Exited, 0)), no(requestAck, offsetOf(Exited, 2)))
	if safe() != 0 {
		t.Error("an exit status that did not arrive is safe")
	}
	r.ask(ch, yes(requestAck, offsetOf(Exited, 1)))
	if safe() != 1 {
		t.Error("an exit status that arrived is not safe")
	}
}

func TestEndOfInputWaitsForTheInputBeforeIt(t *testing.T) {
	r := newRig(t)
	ch := r.raw([]step{hello, startStep(), yes(requestEnd, offsetOf(Stdin, 4))})
	p := r.host.program(t)
	ended := func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.inEnded }
	_, err := ch.Write([]byte("in"))
	must(t, err)
	eventually(t, "input", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.in.Len() == 2 })
	if ended() {
		t.Error("input ended in its middle")
	}
	r.ask(ch, no(requestEnd, offsetOf(Stdin, 1))) // before what came
	_, err = ch.Write([]byte("to"))
	must(t, err)
	eventually(t, "the end of input", ended)
}

func TestOutputThatIsNotHeldAnyMoreCannotBeContinued(t *testing.T) {
	for name, from := range map[string]uint64{"before what is held": 1, "after it": 99} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			p := newFakeProgram(onPty())
			must(t, p.out.Append([]byte("output")))
			must(t, p.out.Release(3))
			r.host.programs["0123456789abcdef"] = p
			ch, reqs, err := r.dial().OpenChannel("session", nil)
			must(t, err)
			failed := make(chan failurePayload, 1)
			go func() {
				for req := range reqs {
					var f failurePayload
					if req.Type == requestFailure && ssh.Unmarshal(req.Payload, &f) == nil {
						failed <- f
					}
				}
			}()
			r.ask(ch, yes(requestSession, ssh.Marshal(sessionPayload{ID: "0123456789abcdef", Stdout: from})))
			if f := await(t, "the failure", failed); f.Status != 255 || !strings.Contains(f.Message, "cannot be continued") {
				t.Errorf("failed with %+v", f)
			}
			// The program goes on: another may have its output.
			r.ask(ch, no(requestAck, offsetOf(Exited, 1)))
		})
	}
}

func TestEnvironmentIsBounded(t *testing.T) {
	variable := func(n int) []byte { return ssh.Marshal(envPayload{"A", strings.Repeat("x", n-1)}) }
	steps := slices.Repeat([]step{yes(requestEnv, variable(1))}, maxEnv)
	newRig(t).raw(append(steps, no(requestEnv, variable(1))))
	newRig(t).raw(append(slices.Repeat([]step{yes(requestEnv, variable(maxEnvVar))}, maxEnvBytes/maxEnvVar), no(requestEnv, variable(1))))
}

func TestForeignChannelsAndRequestsAreRefused(t *testing.T) {
	conn := newRig(t).dial()
	var refused *ssh.OpenChannelError
	if _, _, err := conn.OpenChannel("direct-tcpip", nil); !errors.As(err, &refused) || refused.Reason != ssh.UnknownChannelType {
		t.Errorf("a channel that nobody serves: %v", err)
	}
	for name, want := range map[string]bool{"known": true, "tcpip-forward": false} {
		if ok, _, err := conn.SendRequest(name, true, []byte("x")); ok != want || err != nil {
			t.Errorf("global request %s: %t, %v", name, ok, err)
		}
	}
}

// stock is an SSH client that knows nothing of the extension.
func (r *rig) stock() *ssh.Client {
	r.t.Helper()
	c, err := Reset(r.t.Context(), r.link(func(c net.Conn) { _ = Server(c, r.key, r.host) }), r.mark)
	must(r.t, err)
	conn, chans, reqs, err := ssh.NewClientConn(c, "", &ssh.ClientConfig{User: "anyone", HostKeyCallback: ssh.FixedHostKey(r.peer().HostKey)})
	must(r.t, err)
	client := ssh.NewClient(conn, chans, reqs)
	r.t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestStockClientRunsACommand(t *testing.T) {
	r := newRig(t)
	out := strings.Repeat("output ", 100_000) // more than any credit
	r.host.begin = func(p *fakeProgram) { p.say(out, "errors"); p.exit = &Exit{Status: 42} }
	s, err := r.stock().NewSession()
	must(t, err)
	var stdout, stderr bytes.Buffer
	s.Stdout, s.Stderr, s.Stdin = &stdout, &stderr, strings.NewReader("input")
	must(t, s.Setenv("A", "1"))
	var exit *ssh.ExitError
	if err := s.Run("the command"); !errors.As(err, &exit) || exit.ExitStatus() != 42 {
		t.Errorf("ended with %v", err)
	}
	if stdout.String() != out || stderr.String() != "errors" {
		t.Errorf("%d bytes of output of %d, errors %q", stdout.Len(), len(out), &stderr)
	}
	p := r.host.program(t)
	if p.start.Command != "the command" || !slices.Equal(p.start.Env, []Env{{"A", "1"}}) || p.start.Pty != nil {
		t.Errorf("started %+v", p.start)
	}
	eventually(t, "all output is safe: nobody will ask for it again", func() bool { return p.out.Base() == uint64(len(out)) })
}

func TestStockClientUsesATerminal(t *testing.T) {
	r := newRig(t)
	s, err := r.stock().NewSession()
	must(t, err)
	var stdout syncBuffer
	s.Stdout = &stdout
	stdin, err := s.StdinPipe()
	must(t, err)
	must(t, s.RequestPty("xterm", 24, 80, ssh.TerminalModes{ssh.ECHO: 0}))
	must(t, s.Shell())
	p := r.host.program(t)
	must(t, p.out.Append([]byte("prompt")))
	eventually(t, "output", func() bool { return stdout.String() == "prompt" })
	must(t, s.WindowChange(41, 137))
	must(t, s.Signal(ssh.SIGINT))
	_, err = io.WriteString(stdin, "typed")
	must(t, err)
	must(t, stdin.Close())
	eventually(t, "all has come", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.inEnded && p.in.String() == "typed" && len(p.signals) == 1 && p.signals[0] == "INT" && len(p.sizes) == 1
	})
	// x/crypto's client gives pixels that it makes up; cells are what counts.
	if first, later := p.start.Pty.Size, p.sizes[0]; first.Rows != 24 || first.Cols != 80 || later.Rows != 41 || later.Cols != 137 {
		t.Errorf("size %+v, then %+v", first, later)
	}
	p.say("", "")
	p.end(Exit{Status: 143, Signal: "TERM"})
	var exit *ssh.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.Signal() != "TERM" || exit.ExitStatus() != 143 {
		t.Errorf("ended with %v", err)
	}
}

func TestStockClientIsToldInWordsWhyThereIsNoProgram(t *testing.T) {
	r := newRig(t)
	r.host.begin = func(p *fakeProgram) { p.failure = &Failure{Status: 127, Message: "no such program"} }
	client := r.stock()
	for range 10 * *trials { // the end must not overtake the answer to the start
		s, err := client.NewSession()
		must(t, err)
		var stderr bytes.Buffer
		s.Stderr = &stderr
		var exit *ssh.ExitError
		if err := s.Run("x"); !errors.As(err, &exit) || exit.ExitStatus() != 127 || stderr.String() != "snug: no such program\r\n" {
			t.Fatalf("ended with %v, %q", err, &stderr)
		}
	}
}

// syncBuffer is a buffer that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// fakeChannel is an ssh.Channel whose near side takes everything, and has
// sent some input.
type fakeChannel struct {
	in     *bytes.Reader
	closed chan struct{}
	once   sync.Once
}

func (c *fakeChannel) Read(p []byte) (int, error) {
	if n, err := c.in.Read(p); err == nil {
		return n, nil
	}
	<-c.closed
	return 0, io.EOF
}
func (c *fakeChannel) Write(p []byte) (int, error)                    { return len(p), nil }
func (c *fakeChannel) CloseWrite() error                              { return nil }
func (c *fakeChannel) Close() error                                   { c.once.Do(func() { close(c.closed) }); return nil }
func (c *fakeChannel) SendRequest(string, bool, []byte) (bool, error) { return false, nil }
func (c *fakeChannel) Stderr() io.ReadWriter {
	return struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(nil), io.Discard}
}

// fuzzed are the requests that FuzzRequests makes of its input.
var fuzzed = []string{
	requestEnv, requestPty, requestShell, requestExec, requestWindowChange, requestSignal, requestSession,
	requestTerminfo, requestStart, requestAck, requestEnd, requestReady, requestExitStatus, "unknown@snug",
}

// script is the form of FuzzRequests' input: for each request its place in
// fuzzed, the length of its payload, and that.
func script(steps ...step) (b []byte) {
	for _, s := range steps {
		b = append(b, byte(slices.Index(fuzzed, s.name)), byte(len(s.payload)))
		b = append(b, s.payload...)
	}
	return b
}

// Whatever a near side asks for, and in whatever order, ends with it, and
// starts at most one program, within its bounds.
func FuzzRequests(f *testing.F) {
	size := Size{24, 80, 0, 0}
	known := step{requestSession, ssh.Marshal(sessionPayload{ID: "a program of old", Stdout: 3}), true}
	f.Add(script(hello, yes(requestEnv, ssh.Marshal(envPayload{"A", "1"})), ptyOf(size), startStep(),
		yes(requestWindowChange, windowOf(size)), yes(requestEnd, offsetOf(Stdin, 5)), yes(requestAck, offsetOf(Stdout, 6)), yes(requestAck, offsetOf(Exited, 1))))
	f.Add(script(known, yes(requestAck, offsetOf(Stdout, 6)), yes(requestAck, offsetOf(Stderr, 6)), yes(requestSignal, ssh.Marshal(signalPayload{"TERM"}))))
	f.Add(script(yes(requestExec, ssh.Marshal(execPayload{"x"})), yes(requestEnd, offsetOf(Stdin, 1<<63))))
	f.Add(script(yes(requestShell, nil), yes(requestShell, nil), hello, known))
	f.Fuzz(func(t *testing.T, script []byte) {
		host := &fakeHost{programs: map[string]*fakeProgram{"a program of old": newFakeProgram(onPipes)}}
		host.begin = func(p *fakeProgram) { p.say("output", "errors"); p.exit = &Exit{} }
		must(t, host.programs["a program of old"].out.Append([]byte("output")))
		ch := &fakeChannel{in: bytes.NewReader([]byte("input")), closed: make(chan struct{})}
		reqs := make(chan *ssh.Request)
		served := make(chan struct{})
		go func() {
			defer close(served)
			serveSession(ch, reqs, host)
		}()
		late := time.After(patience)
		for len(script) >= 2 {
			n := min(int(script[1]), len(script)-2)
			req := &ssh.Request{Type: fuzzed[int(script[0])%len(fuzzed)], Payload: script[2 : 2+n]}
			script = script[2+n:]
			select {
			case reqs <- req:
			case <-late:
				t.Fatalf("%s %x is not served", req.Type, req.Payload)
			}
		}
		close(reqs)
		await(t, "the session's end with its channel", served)
		if host.started() > 1 {
			t.Errorf("%d programs were started", host.started())
		}
		for _, s := range host.starts {
			if s.Pty != nil && (len(s.Pty.Term) > maxName || len(s.Pty.Modes) > maxText || len(s.Pty.Terminfo) > maxTerminfo) {
				t.Errorf("started %+v", s)
			}
		}
		for _, p := range host.programs {
			if len(p.attached) > 0 {
				t.Error("a near side that is gone is still joined")
			}
		}
	})
}

package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// fakeHost is a far side whose programs do what a test says.
type fakeHost struct {
	// begin, if there is one, is called with each program before anybody
	// joins it.
	begin func(p *fakeProgram)

	mu       sync.Mutex
	programs map[string]*fakeProgram
	starts   []Start
}

func (h *fakeHost) Find(id string) Program {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.programs[id]; p != nil {
		return p
	}
	return nil
}

func (h *fakeHost) Start(id string, s Start) Program {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.starts = append(h.starts, s)
	p := newFakeProgram(s)
	h.programs[id] = p
	if h.begin != nil {
		h.begin(p)
	}
	return p
}

func (h *fakeHost) Join(string, Join) Program { return nil }

func (h *fakeHost) Request(name string, payload []byte) (bool, []byte) {
	return name == "known", payload
}

// program waits for the only program.
func (h *fakeHost) program(t *testing.T) (only *fakeProgram) {
	t.Helper()
	eventually(t, "a program", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, p := range h.programs {
			only = p
		}
		return only != nil
	})
	return only
}

func (h *fakeHost) started() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.starts)
}

func (h *fakeHost) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.programs = map[string]*fakeProgram{}
}

// fakeProgram is a program that runs until a test ends it.
type fakeProgram struct {
	start    Start
	out, err *Buffer
	silent   bool // acknowledges no input
	// asked, if there is one, is called when a stream is asked for.
	asked func(a *Attachment, s Stream)

	mu       sync.Mutex
	attached map[*Attachment]bool
	exit     *Exit
	failure  *Failure
	in       bytes.Buffer
	inEnded  bool
	sizes    []Size
	signals  []string
	safe     [streams]uint64
}

func newFakeProgram(s Start) *fakeProgram {
	p := &fakeProgram{start: s, out: NewBuffer(4 << 20), attached: map[*Attachment]bool{}}
	if s.Pty == nil {
		p.err = NewBuffer(4 << 20)
	}
	return p
}

func (p *fakeProgram) Attach(a *Attachment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attached[a] = true
	if p.failure != nil {
		a.Fail(p.failure)
		return
	}
	a.Ready(uint64(p.in.Len()))
	if p.exit != nil {
		a.Exit(*p.exit)
	}
}

func (p *fakeProgram) Detach(a *Attachment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.attached, a)
}

func (p *fakeProgram) Output(a *Attachment, s Stream, from uint64) (OutputReader, error) {
	if p.asked != nil {
		p.asked(a, s)
	}
	b := p.stream(s)
	if b == nil {
		return nil, nil
	}
	return b.Reader(from, a.Credit())
}

func (p *fakeProgram) stream(s Stream) *Buffer {
	switch s {
	case Stdout:
		return p.out
	case Stderr:
		return p.err
	}
	return nil
}

func (p *fakeProgram) Safe(_ *Attachment, s Stream, offset uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.safe[s] = offset
	if b := p.stream(s); b != nil {
		_ = b.Release(offset)
	}
}

func (p *fakeProgram) Input(_ *Attachment, b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in.Write(b)
	if !p.silent {
		p.safeInput()
	}
	return nil
}

// safeInput acknowledges all input; the caller holds mu.
func (p *fakeProgram) safeInput() {
	for a := range p.attached {
		a.InputSafe(uint64(p.in.Len()))
	}
}

func (p *fakeProgram) EndInput(*Attachment) { p.note(func() { p.inEnded = true }) }

func (p *fakeProgram) Resize(_ *Attachment, size Size) {
	p.note(func() { p.sizes = append(p.sizes, size) })
}

func (p *fakeProgram) Signal(name string) {
	p.note(func() { p.signals = append(p.signals, name) })
}

func (p *fakeProgram) note(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// say is output, on each stream that there is, and all of it.
func (p *fakeProgram) say(out, err string) {
	_ = p.out.Append([]byte(out))
	p.out.End()
	if p.err != nil {
		_ = p.err.Append([]byte(err))
		p.err.End()
	}
}

// end tells all who are joined how the program ended.
func (p *fakeProgram) end(e Exit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exit = &e
	for a := range p.attached {
		a.Exit(e)
	}
}

// rig is a near and a far side, and links between them, one after another.
type rig struct {
	t    *testing.T
	host *fakeHost
	key  ed25519.PrivateKey
	mark Mark
	last chan struct{} // closed when the last link's far side is done with it
}

func newRig(t *testing.T) *rig {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return &rig{t: t, key: key, mark: NewMark(), host: &fakeHost{programs: map[string]*fakeProgram{}}}
}

// link is a link of its own on which serve has the far side.
func (r *rig) link(serve func(net.Conn)) net.Conn {
	r.t.Helper()
	if r.last != nil {
		await(r.t, "the far side's end of the last link", r.last)
	}
	done := make(chan struct{})
	r.last = done
	host, guest := net.Pipe()
	l := Listen(guest, r.mark)
	go func() {
		defer close(done)
		if c, err := l.Accept(); err == nil {
			serve(c)
		}
		_ = l.Close()
		<-l.done
	}()
	r.t.Cleanup(func() {
		_ = host.Close()
		await(r.t, "the far side's end", done)
	})
	return host
}

func (r *rig) peer() Peer {
	r.t.Helper()
	key, err := ssh.NewPublicKey(r.key.Public())
	must(r.t, err)
	return Peer{HostKey: key, Mark: r.mark}
}

// dial connects to the host.
func (r *rig) dial() ssh.Conn {
	r.t.Helper()
	return r.connect(func(c net.Conn) { _ = Server(c, r.key, r.host) })
}

func (r *rig) connect(serve func(net.Conn)) ssh.Conn {
	r.t.Helper()
	conn, err := Connect(r.t.Context(), r.link(serve), r.peer())
	must(r.t, err)
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// hostile connects to a far side that keeps to no protocol: it grants the
// first session whatever it asks for, then does what a test says.
func (r *rig) hostile(act func(conn ssh.Conn, ch ssh.Channel)) ssh.Conn {
	r.t.Helper()
	return r.connect(func(c net.Conn) {
		signer, err := ssh.NewSignerFromKey(r.key)
		if err != nil {
			return
		}
		cfg := &ssh.ServerConfig{NoClientAuth: true}
		cfg.AddHostKey(signer)
		conn, chans, reqs, err := ssh.NewServerConn(c, cfg)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(reqs)
		for nc := range chans {
			ch, reqs, err := nc.Accept()
			if err != nil {
				return
			}
			begun := make(chan struct{})
			go grant(reqs, begun)
			<-begun
			act(conn, ch)
		}
	})
}

// grant says yes to all requests but the one for a known session.
func grant(reqs <-chan *ssh.Request, begun chan<- struct{}) {
	for req := range reqs {
		_ = req.Reply(req.Type != requestSession, nil)
		if req.Type == requestStart {
			close(begun)
		}
	}
}

// taker is a near side's handler.
type taker struct {
	s    *Session
	held chan struct{} // not nil: output is taken once it is closed
	mute bool          // acknowledges nothing
	// runs, if there is one, is called when the program is said to run.
	runs func()

	mu      sync.Mutex
	out     [streams]bytes.Buffer
	ends    [streams]int
	safe    uint64
	ready   int
	notices []Notice
}

// session is a near side's session for which a taker stands.
func session(start Start) *taker {
	k := &taker{}
	k.s = NewSession(NewID(), start, k)
	return k
}

func (k *taker) Output(s Stream, p []byte) {
	if k.held != nil {
		<-k.held
	}
	k.mu.Lock()
	k.out[s].Write(p)
	n, mute := k.out[s].Len(), k.mute
	k.mu.Unlock()
	if !mute {
		k.s.Ack(s, uint64(n))
	}
}

func (k *taker) Flushed(uint64) {}

func (k *taker) Exited(Exit)             {}
func (k *taker) EndOutput(s Stream)      { k.note(func() { k.ends[s]++ }) }
func (k *taker) InputSafe(offset uint64) { k.note(func() { k.safe = offset }) }
func (k *taker) Notice(n Notice)         { k.note(func() { k.notices = append(k.notices, n) }) }

func (k *taker) Ready() {
	k.note(func() { k.ready++ })
	if k.runs != nil {
		k.runs()
	}
}

func (k *taker) note(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

func (k *taker) text(s Stream) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.out[s].String()
}

// run carries the session over conn until that ends or the session does.
func (k *taker) run(t *testing.T, conn ssh.Conn) <-chan error {
	ran := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ran <- k.s.Run(conn)
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		await(t, "the session's end on its connection", ended)
	})
	return ran
}

// finish waits for the session's end.
func (k *taker) finish(t *testing.T, ran <-chan error) (Exit, error) {
	t.Helper()
	if err := await(t, "the session's end", ran); err != nil {
		t.Fatalf("the connection was lost (%v); stdout %.60q", err, k.text(Stdout))
	}
	select {
	case <-k.s.Done():
	default:
		t.Fatal("Run says that the session has ended, and the session that it has not")
	}
	return k.s.Result()
}

// wantFailure returns the message of a failure.
func wantFailure(t *testing.T, err error, status uint32) string {
	t.Helper()
	var failure *Failure
	if !errors.As(err, &failure) || failure.Status != status {
		t.Fatalf("%#v, want a failure with status %d", err, status)
	}
	return failure.Message
}

var onPipes = Start{Args: []string{"program"}}

func onPty() Start {
	return Start{Args: []string{"program"}, Pty: &Pty{Term: "xterm", Size: Size{Rows: 24, Cols: 80}}}
}

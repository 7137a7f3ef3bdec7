package wire

import (
	"crypto/ed25519"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// forwardingHost answers no request before it is told to.
type forwardingHost struct {
	fakeHost
	answer chan struct{}
	gone   chan struct{}

	mu    sync.Mutex
	asked []string
}

func newForwardingHost() *forwardingHost {
	return &forwardingHost{fakeHost: fakeHost{programs: map[string]*fakeProgram{}}, answer: make(chan struct{}), gone: make(chan struct{})}
}

func (h *forwardingHost) Connected(ssh.Conn)        {}
func (h *forwardingHost) Channel(nc ssh.NewChannel) { Refuse(nc) }
func (h *forwardingHost) Disconnected()             { close(h.gone) }

func (h *forwardingHost) Forward(req *ssh.Request) {
	at, _ := ParseListen(req)
	h.mu.Lock()
	h.asked = append(h.asked, at.String())
	h.mu.Unlock()
	select {
	case <-h.answer:
	case <-h.gone:
	}
	if req.WantReply {
		_ = req.Reply(true, nil)
	}
}

// connect returns the near side of a connection to a host, and what is closed at its far side's end.
func connect(t *testing.T, host Host) (ssh.Conn, <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	must(t, err)
	defer func() { _ = l.Close() }()
	near, err := net.Dial("unix", l.Addr().String())
	must(t, err)
	far, err := l.Accept()
	must(t, err)
	served := make(chan struct{})
	_, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	go func() {
		defer close(served)
		_ = Server(far, private, host) // the near side has ended it
	}()
	key, err := ssh.NewPublicKey(private.Public())
	must(t, err)
	conn, err := Client(near, Peer{HostKey: key})
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn, served
}

// Whoever asks without end for what takes its time is cut off: the queue of its
// questions is bounded, and to stop reading would stop its sessions too.
func TestQuestionsThatNobodyWaitsForEndTheConnection(t *testing.T) {
	h := newForwardingHost()
	conn, served := connect(t, h)
	payload := ssh.Marshal(listenTCPPayload{"localhost", 1})
	var err error
	for range 10 * maxGlobal {
		if _, _, err = conn.SendRequest(RequestListenTCP, false, payload); err != nil {
			break
		}
	}
	_ = conn.Wait()
	<-served
	h.mu.Lock() // the answers may outlast the connection
	defer h.mu.Unlock()
	if len(h.asked) > maxGlobal+2 {
		t.Errorf("%d questions were taken, want at most %d", len(h.asked), maxGlobal)
	}
}

// An answer that is due delays other answers, which have their order, and the
// sessions after it; a session from before goes on.
func TestAnswersThatAreDueDelayNoSession(t *testing.T) {
	h := newForwardingHost()
	conn, served := connect(t, h)
	first, _, err := conn.OpenChannel("session", nil)
	must(t, err)
	_, _, err = conn.SendRequest(RequestListenTCP, false, ssh.Marshal(listenTCPPayload{"localhost", 1}))
	must(t, err)
	if ok, err := first.SendRequest("shell", true, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	opened := make(chan error, 1)
	go func() {
		_, _, err := conn.OpenChannel("session", nil)
		opened <- err
	}()
	if ok, err := first.SendRequest("signal", true, ssh.Marshal(signalPayload{"USR1"})); !ok || err != nil {
		t.Fatal(ok, err)
	}
	select {
	case err := <-opened:
		t.Fatalf("the second session is open: %v", err)
	default:
	}
	close(h.answer)
	must(t, <-opened)
	_ = conn.Close()
	<-served
}

func TestPayloadsOfForwardingAreBounded(t *testing.T) {
	long := strings.Repeat("x", maxHost+1)
	for _, req := range []*ssh.Request{
		{Type: RequestListenTCP}, {Type: RequestListenTCP, Payload: ssh.Marshal(listenTCPPayload{long, 1})},
		{Type: RequestListenTCP, Payload: ssh.Marshal(listenTCPPayload{"x", 65536})},
		{Type: RequestListenUnix, Payload: ssh.Marshal(listenUnixPayload{""})},
		{Type: RequestListenUnix, Payload: ssh.Marshal(listenUnixPayload{"/a\x00b"})},
		{Type: RequestListenUnix, Payload: ssh.Marshal(listenUnixPayload{long})}, {Type: "x11-req"},
	} {
		if a, err := ParseListen(req); !errors.Is(err, errMalformed) && err == nil {
			t.Errorf("%s %.50q is %v", req.Type, req.Payload, a)
		}
	}
}

// duplex is one end of a connection in memory whose directions end apart.
type duplex struct {
	*io.PipeReader
	w *io.PipeWriter
}

func (d duplex) Write(p []byte) (int, error) { return d.w.Write(p) }
func (d duplex) CloseWrite() error           { return d.w.Close() }

func (d duplex) Close() error {
	_ = d.w.Close()
	return d.PipeReader.Close()
}

func duplexes() (a, b duplex) {
	ar, bw := io.Pipe()
	br, aw := io.Pipe()
	return duplex{ar, aw}, duplex{br, bw}
}

// A direction that has ended leaves the other as it is: a server answers whoever
// has said all that it has to say.
func TestDirectionsEndApart(t *testing.T) {
	client, in := duplexes()
	out, server := duplexes()
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		Splice(NetEnd(in), NetEnd(out))
	}()
	go func() {
		_, _ = io.WriteString(client, "question")
		_ = client.CloseWrite()
	}()
	question, err := io.ReadAll(server)
	must(t, err)
	go func() {
		_, _ = io.WriteString(server, "answer to "+string(question))
		_ = server.CloseWrite()
	}()
	if answer, err := io.ReadAll(client); err != nil || string(answer) != "answer to question" {
		t.Errorf("%q, %v", answer, err)
	}
	<-joined
}

// Where an end takes nothing any more, the other one is told, although it says nothing itself.
func TestAnEndThatIsGoneEndsTheOther(t *testing.T) {
	client, in := duplexes()
	out, server := duplexes()
	gone := make(chan struct{})
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		Splice(NetEnd(in), End{out, gone})
	}()
	_ = server.CloseWrite()
	close(gone)
	if rest, _ := io.ReadAll(client); len(rest) > 0 {
		t.Errorf("%q", rest)
	}
	<-joined
}

//go:build linux

package keeper_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/port"
	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/crypto/ssh"
)

// echo serves a listener whose connections get back what they send.
func echo(t *testing.T, l net.Listener) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
}

func listenTCP(t *testing.T) (net.Listener, wire.Address) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, addressOf(l)
}

func addressOf(l net.Listener) wire.Address {
	return wire.Address{Host: "127.0.0.1", Port: uint32(l.Addr().(*net.TCPAddr).Port)}
}

// checkEcho sends random bytes over a connection and wants them back.
func checkEcho(t *testing.T, c wire.Duplex, seed byte, n int) {
	t.Helper()
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		sent <- errors.Join(err, c.CloseWrite())
	}()
	h := sha256.New()
	got, err := io.Copy(h, c)
	if err != nil || got != int64(n) || [32]byte(h.Sum(nil)) != sha256.Sum256(data) {
		t.Errorf("%d of %d bytes came back, or others: %v", got, n, err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestWhatTheMachineReachesIsReached(t *testing.T) {
	r := newRig(t)
	var v viewer
	v.dial(r)
	tcp, at := listenTCP(t)
	echo(t, tcp)
	path := filepath.Join(t.TempDir(), "s")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	echo(t, unix)
	go func() { r.boot <- nil }() // who comes earlier is waited for
	for _, to := range []wire.Address{at, {Host: "localhost", Port: at.Port}, {Path: path}} {
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				c, err := wire.AskDial(v.conn, to)
				if err != nil {
					t.Error(err)
					return
				}
				checkEcho(t, c, byte(i), 100<<10)
				_ = c.Close()
			})
		}
		wg.Wait()
	}
}

func TestWhatTheMachineDoesNotReachIsRefused(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	var v viewer
	v.dial(r)
	l, at := listenTCP(t)
	_ = l.Close()
	for _, to := range []wire.Address{at, {Path: "/no/such/socket"}, {Host: strings.Repeat("x", 5000), Port: 1}} {
		c, err := wire.AskDial(v.conn, to)
		if refused, ok := errors.AsType[*ssh.OpenChannelError](err); !ok || refused.Message == "" {
			t.Errorf("%.100v: %v, %v", to, c, err)
		}
	}
}

// echoChannel sends back what comes over a channel.
func echoChannel(nc ssh.NewChannel) {
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(reqs)
	_, _ = io.Copy(ch, ch)
	_ = ch.Close()
}

// server is a viewer that has the machine listen, and echoes.
func server(r *rig) *viewer {
	v := &viewer{accept: echoChannel}
	v.dial(r)
	return v
}

func mustListen(t *testing.T, v *viewer, at wire.Address) wire.Address {
	t.Helper()
	is, err := wire.AskListen(v.conn, at)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func reach(t *testing.T, at wire.Address) wire.Duplex {
	t.Helper()
	network, address := "tcp", at.String()
	if at.Path != "" {
		network = "unix"
	}
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return c.(wire.Duplex)
}

func TestProgramsReachWhatAViewerOffers(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	v, other := server(r), server(r)
	for _, at := range []wire.Address{
		{Host: "127.0.0.1"}, {Host: "localhost"}, {Host: ""}, {Path: filepath.Join(t.TempDir(), "s")},
	} {
		is := mustListen(t, v, at)
		if _, err := wire.AskListen(other.conn, is); !errors.Is(err, wire.ErrRefused) {
			t.Errorf("%v is another viewer's as well: %v", is, err)
		}
		_ = wire.AskUnlisten(other.conn, is) // which has no effect: it is not its own
		for i := range 5 {
			c := reach(t, is)
			checkEcho(t, c, byte(i), 100<<10)
			_ = c.Close()
		}
		if err := wire.AskUnlisten(v.conn, is); err != nil {
			t.Error(err)
		}
		mustListen(t, other, is) // at once: it is free
	}
}

// refuses waits until nobody listens at an address.
func refuses(t *testing.T, at wire.Address) {
	t.Helper()
	await(t, "nobody listens at "+at.String(), func() bool {
		c, err := net.Dial("tcp", at.String())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
}

// A program may use what its viewer has asked for before it.
func TestAProgramFindsWhatWasAskedForBeforeIt(t *testing.T) {
	for range 20 {
		r := newRig(t)
		r.other = newHostile(t)
		r.boot <- nil
		_, chans, reqs := r.other.serve(t)
		v := server(r)
		asked := make(chan error, 1)
		go func() {
			_, err := wire.AskListen(v.conn, wire.Address{Host: "127.0.0.1", Port: 8080})
			asked <- err
		}()
		req := <-reqs // and the keeper waits for the answer
		opened := make(chan struct{})
		go func() {
			defer close(opened)
			if s, err := wire.OpenSubsystem(v.conn, wire.SubsystemSFTP); err == nil {
				_ = s.Close()
			}
		}()
		if _, _, err := wire.AskSessions(r.look().conn); err != nil { // another connection waits for nothing
			t.Error(err)
		}
		select {
		case <-chans:
			t.Fatal("a program is started before what was asked for is there")
		case <-opened:
			t.Fatal("a session is open before what was asked for is there")
		default:
		}
		_ = req.Reply(true, nil)
		if err := <-asked; err != nil {
			t.Error(err)
		}
		_ = (<-chans).Reject(ssh.Prohibited, "no")
		_ = r.other.Kill()
		<-opened
	}
}

func TestForwardsEndWithTheirViewer(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	stay := r.view(sh("cat"))
	v := server(r)
	at := mustListen(t, v, wire.Address{Host: "127.0.0.1"})
	c := reach(t, at)
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(c, make([]byte, 1))
	l, echoed := listenTCP(t)
	echo(t, l)
	out, err := wire.AskDial(v.conn, echoed)
	if err != nil {
		t.Fatal(err)
	}
	_ = v.conn.Close()
	if rest, err := io.ReadAll(c); len(rest) > 0 {
		t.Errorf("%q, %v after the viewer's end", rest, err)
	}
	_, _ = io.ReadAll(out)
	refuses(t, at)
	_ = stay.session.CloseWrite()
	if exit, err := stay.end(t); err != nil || exit.Status != 0 {
		t.Errorf("another viewer's session ended with %+v, %v", exit, err)
	}
}

func TestForwardsAndALostLink(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	v := server(r)
	at := mustListen(t, v, wire.Address{Host: "127.0.0.1"})
	incoming := reach(t, at)
	defer incoming.Close()
	l, target := listenTCP(t)
	echo(t, l)
	outgoing, err := wire.AskDial(v.conn, target)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []wire.Duplex{incoming, outgoing} {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	thief, err := r.machine.InProcess.Dial(t.Context()) // as a tear is: the last link is no more
	if err != nil {
		t.Fatal(err)
	}
	_ = thief.Close()
	for _, c := range []wire.Duplex{incoming, outgoing} {
		if rest, _ := io.ReadAll(c); len(rest) > 0 {
			t.Errorf("%q after the link's end", rest)
		}
	}
	await(t, "the machine listens again", func() bool {
		c, err := net.Dial("tcp", at.String())
		if err != nil {
			return false
		}
		defer c.Close()
		_, _ = c.Write([]byte("y"))
		n, _ := io.ReadFull(c, make([]byte, 1))
		return n == 1
	})
	c, err := wire.AskDial(v.conn, target)
	if err != nil {
		t.Fatal(err)
	}
	checkEcho(t, c, 1, 1000)
}

func TestAStalledConnectionDelaysNoSession(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	v := r.view(sh("cat"))
	var flood viewer
	flood.dial(r)
	l, at := listenTCP(t)
	defer l.Close()
	c, err := wire.AskDial(flood.conn, at)
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	// Neither the viewer reads nor the server: both ways fill up.
	var filled sync.WaitGroup
	for _, w := range []io.Writer{server, c} {
		filled.Go(func() { _, _ = io.Copy(w, rand.NewChaCha8([32]byte{3})) })
	}
	for i := range 300 {
		line := strings.Repeat("x", i) + "\n"
		if _, err := v.session.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		v.awaitText(t, line)
	}
	_ = server.Close()
	_ = flood.conn.Close()
	filled.Wait()
}

// lent starts a program that says where its SSH agent is, and returns that.
func lent(t *testing.T, r *rig, forward bool) (v *viewer, path string) {
	t.Helper()
	start := onPty("stty -echo; echo \"agent=$SSH_AUTH_SOCK.\"; cat")
	start.ForwardAgent = forward
	v = &viewer{ready: make(chan struct{}), ran: make(chan error, 1)}
	v.accept = func(nc ssh.NewChannel) {
		if nc.ChannelType() != "auth-agent@openssh.com" {
			wire.Refuse(nc)
			return
		}
		echoChannel(nc)
	}
	v.dial(r)
	v.session = wire.NewSession(wire.NewID(), start, v)
	v.run(r)
	v.awaitText(t, ".\r\n")
	_, path, _ = strings.Cut(v.text(wire.Stdout), "agent=")
	path, _, _ = strings.Cut(path, ".\r\n")
	return v, path
}

func TestAnSSHAgentIsLentToWhomItIsLent(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	server(r) // for which the machine stays
	if _, path := lent(t, r, false); path != "" && path != os.Getenv("SSH_AUTH_SOCK") {
		t.Errorf("a session that asked for no agent has %s", path)
	}
	v, path := lent(t, r, true)
	other, theirs := lent(t, r, true)
	if path == theirs {
		t.Errorf("two sessions have one agent, at %s", path)
	}
	for _, name := range []string{path, filepath.Dir(path)} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v; want it closed to others", name, info, err)
		}
	}
	c := reach(t, wire.Address{Path: path})
	checkEcho(t, c, 1, 10_000)
	_ = c.Close()

	// The program goes on without the viewer, and the agent does not.
	_ = v.conn.Close()
	await(t, "the agent is taken back", func() bool {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write([]byte("x"))
		n, _ := c.Read(make([]byte, 1))
		return n == 0
	})
	c = reach(t, wire.Address{Path: theirs})
	checkEcho(t, c, 2, 10_000)
	_ = c.Close()

	// And it ends with the program.
	other.session.Signal("KILL")
	if _, err := other.end(t); err != nil {
		t.Fatal(err)
	}
	await(t, "nothing is left of the socket", func() bool {
		_, err := os.Stat(filepath.Dir(theirs))
		return errors.Is(err, fs.ErrNotExist)
	})
}

// hostile is a machine whose agent is the test.
type hostile struct {
	port *port.Port
	peer wire.Peer
	seed []byte
	gone chan struct{}
	once sync.Once
	link *wire.Listener
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	mark := wire.NewMark()
	h := &hostile{port: port.New(), seed: make([]byte, ed25519.SeedSize), gone: make(chan struct{})}
	peer, err := agent.Config{Mark: mark[:], HostKey: h.seed}.Peer()
	if err != nil {
		t.Fatal(err)
	}
	h.peer = peer
	h.link = wire.Listen(h.port.Guest(), mark)
	return h
}

func (h *hostile) Dial(context.Context) (io.ReadWriteCloser, error) { return h.port.Dial() }

func (h *hostile) Wait() error {
	<-h.gone
	return nil
}

func (h *hostile) Kill() error {
	h.once.Do(func() {
		_ = h.link.Close()
		close(h.gone)
	})
	return nil
}

// serve returns the next connection of the keeper's.
func (h *hostile) serve(t *testing.T) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request) {
	t.Helper()
	c, err := h.link.Accept()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(h.seed))
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	conn, chans, reqs, err := ssh.NewServerConn(c, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, chans, reqs
}

// wants is what became of a channel that a machine has opened.
func wants(conn ssh.Conn, kind string, payload []byte) bool {
	ch, reqs, err := conn.OpenChannel(kind, payload)
	if err != nil {
		return false
	}
	go ssh.DiscardRequests(reqs)
	_ = ch.Close()
	return true
}

func TestWhatAnAgentOpensUnaskedIsRefused(t *testing.T) {
	r := newRig(t)
	r.other = newHostile(t)
	defer func() { _ = r.other.Kill() }()
	r.boot <- nil
	conn, _, reqs := r.other.serve(t)
	v := server(r)
	server(r) // for which the machine stays
	at := wire.Address{Host: "127.0.0.1", Port: 8080}
	asked := make(chan error, 1)
	go func() {
		_, err := wire.AskListen(v.conn, at)
		asked <- err
	}()
	req := <-reqs
	if req.Type != "tcpip-forward" {
		t.Fatalf("the agent was asked for %s", req.Type)
	}
	_ = req.Reply(true, nil)
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	taken := func(a wire.Address) bool {
		kind, payload := wire.Taken(a, "1.2.3.4:5")
		return wants(conn, kind, payload)
	}
	if !taken(at) {
		t.Error("what was asked for is refused")
	}
	for _, a := range []wire.Address{
		{Host: "127.0.0.1", Port: 8081}, {Host: "localhost", Port: 8080}, {Host: "127.0.0.1"}, {Path: "/s"}, {Path: "8080"},
	} {
		if taken(a) {
			t.Errorf("%v is taken, which nobody has asked for", a)
		}
	}
	_, payload := wire.Taken(at, "")
	for _, kind := range []string{
		"session", "direct-tcpip", "direct-streamlocal@openssh.com", "forwarded-streamlocal@openssh.com",
		"auth-agent@openssh.com", "auth-agent@snug", "x11", "screen@snug",
	} {
		if wants(conn, kind, payload) {
			t.Errorf("a channel of type %s is taken", kind)
		}
	}
	if wants(conn, "auth-agent@snug", wire.MarshalAgentOf("0123456789abcdef0123456789abcdef")) {
		t.Error("an SSH agent is there that nobody has lent")
	}
	_ = v.conn.Close()
	if req = <-reqs; req.Type != "cancel-tcpip-forward" {
		t.Errorf("after the viewer's end the agent was asked for %s", req.Type)
	}
	if taken(at) {
		t.Error("a channel is taken for a viewer that has left")
	}
}

// An agent that never answers holds up whom it does not answer, and nobody else.
func TestAnAgentThatDoesNotAnswer(t *testing.T) {
	r := newRig(t)
	r.other = newHostile(t)
	defer func() { _ = r.other.Kill() }()
	r.boot <- nil
	conn, chans, reqs := r.other.serve(t)
	v, stay := server(r), server(r)
	at := wire.Address{Host: "127.0.0.1"}
	asked := make(chan error, 2)
	go func() {
		_, err := wire.AskListen(v.conn, at)
		asked <- err
	}()
	<-reqs
	go func() {
		_, err := wire.AskDial(v.conn, wire.Address{Host: "x", Port: 1})
		asked <- err
	}()
	<-chans
	// Nor does it help to answer before the question.
	opened := make(chan bool, 1)
	go func() {
		kind, payload := wire.Taken(wire.Address{Host: "127.0.0.1", Port: 22}, "")
		opened <- wants(conn, kind, payload)
	}()
	if _, _, err := wire.AskSessions(stay.conn); err != nil {
		t.Error(err)
	}
	_ = v.conn.Close()
	for range 2 {
		if err := <-asked; err == nil {
			t.Error("it was answered")
		}
	}
	if <-opened {
		t.Error("a channel is taken for a viewer that has left")
	}
}

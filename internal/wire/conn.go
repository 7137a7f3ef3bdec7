package wire

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// errNoDeadline keeps the shim honest: a stream without deadlines says so.
var errNoDeadline = errors.New("this stream has no deadlines")

// unaddressed is the part of net.Conn that a bare stream lacks.
type unaddressed struct{}

func (unaddressed) LocalAddr() net.Addr              { return streamAddr{} }
func (unaddressed) RemoteAddr() net.Addr             { return streamAddr{} }
func (unaddressed) SetDeadline(time.Time) error      { return errNoDeadline }
func (unaddressed) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (unaddressed) SetWriteDeadline(time.Time) error { return errNoDeadline }

type streamAddr struct{}

func (streamAddr) Network() string { return "stream" }
func (streamAddr) String() string  { return "stream" }

// streamConn is a net.Conn over any stream.
type streamConn struct {
	unaddressed
	io.Reader
	io.Writer
	io.Closer
}

// clientVersion and serverVersion are the SSH identification strings.
const (
	clientVersion = "SSH-2.0-snug"
	serverVersion = "SSH-2.0-snug"
)

// Both legs run on one host or between a host and its guest, so the fastest
// safe key exchange is enough.
var keyExchanges = []string{ssh.KeyExchangeCurve25519}

// Cipher preferences. A guest in software emulation has no fast AES: there
// chacha20-poly1305 is about twice as fast as AES-GCM; with real hardware it
// is the other way round.
var (
	hardwareCiphers = []string{ssh.CipherAES128GCM, ssh.CipherChaCha20Poly1305}
	emulatedCiphers = []string{ssh.CipherChaCha20Poly1305, ssh.CipherAES128GCM}
)

// Peer is what the near side knows of the far side before they speak.
type Peer struct {
	// HostKey is the only key that the far side may show.
	HostKey ssh.PublicKey
	// Mark is the reset mark of a link; a keeper's socket needs none.
	Mark Mark
	// Emulated says that the far side runs in software emulation.
	Emulated bool
	// Accept, unless nil, accepts or rejects each channel that the far side
	// opens, in a goroutine of its own. Without it all are refused: nobody here
	// asked for them.
	Accept func(nc ssh.NewChannel)
}

// Connect opens a connection on a link of unknown state. Cancelling ctx closes
// the link, up to the moment that Connect returns.
func Connect(ctx context.Context, link io.ReadWriteCloser, peer Peer) (ssh.Conn, error) {
	c, err := Reset(ctx, link, peer.Mark)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = link.Close() })
	defer stop()
	return Client(c, peer)
}

// Client makes the near side of a connection. Requests that the far side sends
// are refused: nobody here asked for them.
func Client(c net.Conn, peer Peer) (ssh.Conn, error) {
	cfg := &ssh.ClientConfig{
		User:            "snug",
		HostKeyCallback: ssh.FixedHostKey(peer.HostKey),
		ClientVersion:   clientVersion,
		HostKeyAlgorithms: []string{
			ssh.KeyAlgoED25519,
		},
	}
	cfg.KeyExchanges = keyExchanges
	cfg.Ciphers = hardwareCiphers
	if peer.Emulated {
		cfg.Ciphers = emulatedCiphers
	}
	conn, chans, reqs, err := ssh.NewClientConn(c, "snug", cfg)
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("ssh handshake: %w", err)
	}
	go ssh.DiscardRequests(reqs)
	go takeChannels(chans, peer.Accept)
	return newConnection(conn), nil
}

// Server makes the far side of a connection and serves its sessions until it
// ends. Whoever can open the stream may use it: a link belongs to its
// machine, a keeper's socket is guarded by its folder's permissions.
func Server(c net.Conn, key ed25519.PrivateKey, host Host) error {
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return fmt.Errorf("host key: %w", err)
	}
	cfg := &ssh.ServerConfig{NoClientAuth: true, ServerVersion: serverVersion}
	cfg.AddHostKey(signer)
	served, chans, reqs, err := ssh.NewServerConn(c, cfg)
	if err != nil {
		_ = c.Close()
		return fmt.Errorf("ssh handshake: %w", err)
	}
	conn := newConnection(served)
	defer func() { <-conn.ended }()
	if f, ok := host.(Forwarder); ok {
		f.Connected(conn)
		ended := make(chan struct{})
		defer func() { <-ended }()
		go func() { // ends with the connection, and the channels with it
			defer close(ended)
			_ = conn.Wait()
			f.Disconnected()
		}()
	}
	s := &server{conn: conn, host: host, asked: make(chan asked, maxGlobal)}
	s.serve(chans, reqs)
	if err := conn.Wait(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("connection ended: %w", err)
	}
	return nil
}

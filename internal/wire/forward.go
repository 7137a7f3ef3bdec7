package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Bounds of forwarding.
const (
	maxHost     = 1 << 10 // bytes of a host's name, or of a socket's path
	maxIncoming = 1024    // channels at a time that a far side has opened
	maxGlobal   = 128     // global requests of a connection that wait for their turn
)

// Forwarder is a host that forwards connections. It is one connection's, whose
// far side it is.
type Forwarder interface {
	// Connected comes before anything is served.
	Connected(conn ssh.Conn)
	// Forward answers one of the global requests of forwarding. It may take its
	// time: it holds up no more than other global requests of its connection.
	Forward(req *ssh.Request)
	// Channel takes a channel to what the near side wants to reach. It has a
	// goroutine of its own, which the connection's end waits for.
	Channel(nc ssh.NewChannel)
	// Disconnected is called when the connection has ended.
	Disconnected()
}

func isForward(request string) bool {
	switch request {
	case RequestListenTCP, RequestListenUnix, RequestUnlistenTCP, RequestUnlistenUnix:
		return true
	}
	return false
}

// Address is where a forwarded connection is to go, or where it came in.
type Address struct {
	Host string
	Port uint32
	Path string // of a unix socket; then there is no host and no port
}

func (a Address) String() string {
	if a.Path != "" {
		return a.Path
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}

func (a Address) check(needPort bool) error {
	switch {
	case len(a.Host) > maxHost || len(a.Path) > maxHost || a.Port > 65535:
	case strings.ContainsRune(a.Host, 0) || strings.ContainsRune(a.Path, 0):
	case needPort && a.Path == "" && (a.Port == 0 || a.Host == ""):
	default:
		return nil
	}
	return errMalformed
}

// The payloads as they stand on the wire: RFC 4254 §7 and OpenSSH's PROTOCOL.
type (
	tcpChannelPayload struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	dialUnixPayload struct {
		Path         string
		Reserved     string
		ReservedPort uint32
	}
	takenUnixPayload struct{ Path, Reserved string }
	listenTCPPayload struct {
		Host string
		Port uint32
	}
	listenUnixPayload struct{ Path string }
	portPayload       struct{ Port uint32 }
	agentPayload      struct{ Session string }
)

// ParseDial reads where a near side wants a channel to lead.
func ParseDial(nc ssh.NewChannel) (a Address, err error) {
	switch nc.ChannelType() {
	case ChannelDialTCP:
		var p tcpChannelPayload
		err = ssh.Unmarshal(nc.ExtraData(), &p)
		a = Address{Host: p.Host, Port: p.Port}
	case ChannelDialUnix:
		var p dialUnixPayload
		err = ssh.Unmarshal(nc.ExtraData(), &p)
		if a.Path = p.Path; a.Path == "" {
			err = errMalformed
		}
	default:
		err = errMalformed
	}
	if err == nil {
		err = a.check(true)
	}
	return a, err
}

// AskDial opens a channel to an address that the far side reaches. Where it does
// not, the error is an *ssh.OpenChannelError.
func AskDial(conn ssh.Conn, to Address) (End, error) {
	kind, payload := ChannelDialTCP, ssh.Marshal(tcpChannelPayload{to.Host, to.Port, "127.0.0.1", 0})
	if to.Path != "" {
		kind, payload = ChannelDialUnix, ssh.Marshal(dialUnixPayload{Path: to.Path})
	}
	return OpenEnd(conn, kind, payload)
}

// OpenEnd opens a channel for bytes.
func OpenEnd(conn ssh.Conn, kind string, payload []byte) (End, error) {
	ch, reqs, err := conn.OpenChannel(kind, payload)
	if err != nil {
		return End{}, err //nolint:wrapcheck // its type tells whether the far side has answered
	}
	return NewEnd(ch, reqs), nil
}

// ParseTaken reads at which of its addresses a far side has taken a connection.
func ParseTaken(nc ssh.NewChannel) (a Address, err error) {
	switch nc.ChannelType() {
	case ChannelTakenTCP:
		var p tcpChannelPayload
		err = ssh.Unmarshal(nc.ExtraData(), &p)
		a = Address{Host: p.Host, Port: p.Port}
	case ChannelTakenUnix:
		var p takenUnixPayload
		err = ssh.Unmarshal(nc.ExtraData(), &p)
		a = Address{Path: p.Path}
	default:
		err = errMalformed
	}
	if err == nil {
		err = a.check(false)
	}
	return a, err
}

// Taken is how a far side tells of a connection that it has taken at a. Origin
// is who connects, if it is an address.
func Taken(a Address, origin string) (kind string, payload []byte) {
	if a.Path != "" {
		return ChannelTakenUnix, ssh.Marshal(takenUnixPayload{Path: a.Path})
	}
	p := tcpChannelPayload{Host: a.Host, Port: a.Port, Origin: "127.0.0.1"}
	if from, err := netip.ParseAddrPort(origin); err == nil {
		p.Origin, p.OriginPort = from.Addr().WithZone("").String(), uint32(from.Port())
	}
	return ChannelTakenTCP, ssh.Marshal(p)
}

// Origin is who connects, as a far side says.
func Origin(nc ssh.NewChannel) string {
	var p tcpChannelPayload
	if ssh.Unmarshal(nc.ExtraData(), &p) != nil {
		return ""
	}
	return net.JoinHostPort(p.Origin, strconv.Itoa(int(p.OriginPort)))
}

// AgentOf is the session whose program wants to speak to an SSH agent.
func AgentOf(nc ssh.NewChannel) (session string, err error) {
	var p agentPayload
	if err := ssh.Unmarshal(nc.ExtraData(), &p); err != nil || len(p.Session) > maxName {
		return "", errMalformed
	}
	return p.Session, nil
}

// MarshalAgentOf is the payload that AgentOf reads.
func MarshalAgentOf(session string) []byte { return ssh.Marshal(agentPayload{session}) }

// ParseListen reads at which address the far side is to listen, or no longer.
func ParseListen(req *ssh.Request) (a Address, err error) {
	switch req.Type {
	case RequestListenTCP, RequestUnlistenTCP:
		var p listenTCPPayload
		err = ssh.Unmarshal(req.Payload, &p)
		a = Address{Host: p.Host, Port: p.Port}
	case RequestListenUnix, RequestUnlistenUnix:
		var p listenUnixPayload
		err = ssh.Unmarshal(req.Payload, &p)
		if a.Path = p.Path; a.Path == "" {
			err = errMalformed
		}
	default:
		err = errMalformed
	}
	if err == nil {
		err = a.check(false)
	}
	return a, err
}

// ListenReply is the answer to a request for the port that was chosen where any
// would do.
func ListenReply(asked, is Address) []byte {
	if asked.Path != "" || asked.Port != 0 {
		return nil
	}
	return ssh.Marshal(portPayload{is.Port})
}

// ErrRefused is a far side's refusal to listen.
var ErrRefused = errors.New("refused: it is taken, or not allowed there")

// AskListen asks the far side to listen, and returns where it does: for port 0 it
// chooses. The error is ErrRefused, or the connection was lost.
func AskListen(conn ssh.Conn, at Address) (Address, error) {
	name, payload := RequestListenTCP, ssh.Marshal(listenTCPPayload{at.Host, at.Port})
	if at.Path != "" {
		name, payload = RequestListenUnix, ssh.Marshal(listenUnixPayload{at.Path})
	}
	ok, reply, err := conn.SendRequest(name, true, payload)
	switch {
	case err != nil:
		return at, fmt.Errorf("listen at %v: %w", at, err)
	case !ok:
		return at, fmt.Errorf("listen at %v: %w", at, ErrRefused)
	case at.Path == "" && at.Port == 0:
		if len(reply) != 4 {
			return at, fmt.Errorf("listen at %v: %w: %w", at, ErrRefused, errMalformed)
		}
		if at.Port = binary.BigEndian.Uint32(reply); at.check(false) != nil || at.Port == 0 {
			return at, fmt.Errorf("listen at %v: %w: %w", at, ErrRefused, errMalformed)
		}
	}
	return at, nil
}

// AskUnlisten asks the far side to listen no longer.
func AskUnlisten(conn ssh.Conn, at Address) error {
	name, payload := RequestUnlistenTCP, ssh.Marshal(listenTCPPayload{at.Host, at.Port})
	if at.Path != "" {
		name, payload = RequestUnlistenUnix, ssh.Marshal(listenUnixPayload{at.Path})
	}
	_, _, err := conn.SendRequest(name, true, payload)
	return err
}

// takeChannels has accept, unless it is nil, decide on each channel that the
// far side opens. What is opened beyond a bound is refused.
func takeChannels(chans <-chan ssh.NewChannel, accept func(ssh.NewChannel)) {
	places := make(chan struct{}, maxIncoming)
	for nc := range chans {
		if accept == nil {
			Refuse(nc)
			continue
		}
		select {
		case places <- struct{}{}:
			go func() {
				defer func() { <-places }()
				accept(nc)
			}()
		default:
			_ = nc.Reject(ssh.ResourceShortage, "too many connections at a time")
		}
	}
}

// Refuse rejects a channel that nobody has asked for.
func Refuse(nc ssh.NewChannel) { _ = nc.Reject(ssh.Prohibited, "not asked for") }

// Duplex is a connection whose two directions end apart.
type Duplex interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// End is one end of a forwarded connection.
type End struct {
	Duplex
	// gone is closed when the peer takes nothing any more; nil if that cannot
	// be told without writing.
	gone <-chan struct{}
}

// NewEnd makes an end of a channel.
func NewEnd(ch ssh.Channel, reqs <-chan *ssh.Request) End {
	gone := make(chan struct{})
	go func() { // ends with the channel, which the peer or the connection ends
		ssh.DiscardRequests(reqs)
		close(gone)
	}()
	return End{ch, gone}
}

// Splice carries bytes both ways between two ends, each way until its own end,
// and closes both. A direction that waits for a reader delays no other.
func Splice(a, b End) {
	ab, ba := make(chan struct{}), make(chan struct{})
	go func() { // ends with ba, or earlier
		carry(a, b, ab, ba)
	}()
	carry(b, a, ba, ab)
	<-ab
	_ = a.Close()
	_ = b.Close()
}

// carry brings one end's bytes to the other and closes done when that is over.
// It returns when the other way is over too, or when it has made sure that it
// will be: what an end that is gone would be sent is for nobody.
func carry(from, to End, done chan<- struct{}, other <-chan struct{}) {
	if copyTo(to, from) {
		_ = to.CloseWrite()
	} else {
		_ = to.Close() // torn, which is not to look like an end
	}
	close(done)
	select {
	case <-from.gone:
		_ = to.Close()
	case <-other:
	}
}

// copyTo reports whether it came to the end of what there is, or of what is
// wanted.
func copyTo(to io.Writer, from io.Reader) bool {
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return true
			}
		}
		if err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// NetEnd makes an end of a connection of the network.
func NetEnd(c Duplex) End { return End{Duplex: c} }

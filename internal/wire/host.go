package wire

import (
	"crypto/rand"
	"encoding/hex"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Host is the far side of sessions: an agent with its programs, or a keeper
// with the sessions that it holds. Its methods must not block.
type Host interface {
	// Find returns the program that was started under id, or nil.
	Find(id string) Program
	// Start starts a program under id and returns it before it runs; what
	// becomes of it is told to its attachments. A second Start of an id
	// returns the same program and starts nothing.
	Start(id string, s Start) Program
	// Request answers a global request.
	Request(name string, payload []byte) (ok bool, reply []byte)
}

// Program is the subset of a started program that an attachment needs.
type Program interface {
	// Attach makes a part of what the program's news go to, and begins with
	// the news so far: Ready or Fail, and Exit.
	Attach(a *Attachment)
	Detach(a *Attachment)
	// Output returns the stream's bytes, or nil if there is no such stream.
	Output(s Stream) *Buffer
	// Safe says that the attachment's reader has output before offset.
	Safe(a *Attachment, s Stream, offset uint64)
	// Input takes input. It may block only to hold back a sender that does
	// not keep within its Credit.
	Input(a *Attachment, p []byte) error
	EndInput(a *Attachment)
	// Resize and Signal must not block.
	Resize(a *Attachment, size Size)
	Signal(name string)
}

// NewID returns a fresh name for a session: 128 random bits.
func NewID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return hex.EncodeToString(b)
}

// serveGlobal answers global requests in their order, as SSH has it. They are
// taken by one goroutine and answered by another, which may wait; a near side
// that does not wait for its answers is cut off.
func serveGlobal(conn ssh.Conn, reqs <-chan *ssh.Request, host Host) {
	queue := make(chan *ssh.Request, maxGlobal)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for req := range queue {
			answerGlobal(req, host)
		}
	}()
	for req := range reqs {
		select {
		case queue <- req:
		default:
			_ = conn.Close()
		}
	}
	close(queue)
	<-answered
}

func answerGlobal(req *ssh.Request, host Host) {
	if f, ok := host.(Forwarder); ok && isForward(req.Type) {
		f.Forward(req)
		return
	}
	ok, reply := host.Request(req.Type, req.Payload)
	if req.WantReply {
		_ = req.Reply(ok, reply)
	}
}

// serveChannels serves the channels of one connection and returns when all of
// them have ended with it.
func serveChannels(chans <-chan ssh.NewChannel, host Host) {
	var wg sync.WaitGroup
	defer wg.Wait()
	forwarder, forwards := host.(Forwarder)
	for nc := range chans {
		if kind := nc.ChannelType(); forwards && (kind == ChannelDialTCP || kind == ChannelDialUnix) {
			wg.Go(func() { forwarder.Channel(nc) })
			continue
		}
		if screens, ok := host.(Screens); ok && nc.ChannelType() == channelScreen {
			wg.Go(func() { serveScreen(nc, screens) })
			continue
		}
		if nc.ChannelType() != "session" {
			_ = nc.Reject(ssh.UnknownChannelType, "only sessions are served here")
			continue
		}
		ch, reqs, err := nc.Accept()
		if err != nil {
			continue
		}
		wg.Go(func() { serveSession(ch, reqs, host) })
	}
}

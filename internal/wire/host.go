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
	// Join makes a viewer known by id join the session of that number, and
	// returns nil if there is none.
	Join(id string, j Join) Program
	// Request answers a global request.
	Request(name string, payload []byte) (ok bool, reply []byte)
}

// Program is the subset of a started program that an attachment needs.
type Program interface {
	// Attach makes a part of what the program's news go to, and begins with
	// the news so far: Ready or Fail, and Exit.
	Attach(a *Attachment)
	Detach(a *Attachment)
	// Output returns the attachment's way through a stream from an offset on,
	// or nil if there is no such stream. It comes before Attach.
	Output(a *Attachment, s Stream, from uint64) (OutputReader, error)
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

// OutputReader is one attachment's way through a stream of output.
type OutputReader interface {
	// Read waits for output. It returns io.EOF at the stream's end, and
	// ErrClosed after Close.
	Read(p []byte) (int, error)
	// Ack says that the near side has output before offset.
	Ack(offset uint64) error
	// Next returns the offset of what Read returns next.
	Next() uint64
	// Close wakes a Read that waits.
	Close()
}

// NewID returns a fresh name for a session: 128 random bits.
func NewID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return hex.EncodeToString(b)
}

func serveGlobal(reqs <-chan *ssh.Request, host Host) {
	for req := range reqs {
		ok, reply := host.Request(req.Type, req.Payload)
		if req.WantReply {
			_ = req.Reply(ok, reply)
		}
	}
}

// serveChannels serves the sessions of one connection and returns when all of
// them have ended with it.
func serveChannels(chans <-chan ssh.NewChannel, host Host) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for nc := range chans {
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

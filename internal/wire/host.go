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

// server serves one connection.
type server struct {
	conn ssh.Conn
	host Host
	wg   sync.WaitGroup // of its channels
	// asked are global requests, in their order; one goroutine answers them.
	asked chan asked
	// before is closed when the last one so far is answered.
	before <-chan struct{}
	cut    bool // the near side was cut off: what still comes of it is not asked
}

// asked is a global request, and what is closed when it is answered.
type asked struct {
	*ssh.Request
	done chan struct{}
}

// serve takes what the near side asks for until the connection ends, and waits
// for no answer; it returns when all channels have ended.
//
// Requests and channels come in two queues. A program may be told to use what
// was asked for before it, as in 'ssh -R 9090:… make publish', so the order
// between them matters: what stands in the one queue was sent before what then
// comes out of the other.
func (s *server) serve(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	defer s.wg.Wait()
	defer close(s.asked)
	go s.answer() // ends with the queue; an answer may outlast the connection
	for chans != nil {
		select {
		case req, ok := <-reqs:
			if !ok {
				reqs = nil
				continue
			}
			s.ask(req)
		case nc, ok := <-chans:
			if !ok {
				chans = nil
				continue
			}
			s.askAll(reqs)
			s.open(nc)
		}
	}
}

// askAll takes the requests that have come so far.
func (s *server) askAll(reqs <-chan *ssh.Request) {
	for {
		select {
		case req, ok := <-reqs:
			if !ok {
				return
			}
			s.ask(req)
		default:
			return
		}
	}
}

// ask has a request answered in its turn. A near side that does not wait for
// its answers is cut off.
func (s *server) ask(req *ssh.Request) {
	if s.cut {
		return
	}
	a := asked{req, make(chan struct{})}
	select {
	case s.asked <- a:
		s.before = a.done
	default:
		s.cut = true
		_ = s.conn.Close()
	}
}

func (s *server) answer() {
	for req := range s.asked {
		answerGlobal(req.Request, s.host)
		close(req.done)
	}
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

// open serves a channel.
func (s *server) open(nc ssh.NewChannel) {
	forwarder, forwards := s.host.(Forwarder)
	screens, shows := s.host.(Screens)
	switch kind := nc.ChannelType(); {
	case forwards && (kind == ChannelDialTCP || kind == ChannelDialUnix):
		s.wg.Go(func() { forwarder.Channel(nc) })
	case shows && kind == channelScreen:
		s.wg.Go(func() { serveScreen(nc, screens) })
	case kind == "session":
		before := s.before
		s.wg.Go(func() {
			if before != nil {
				<-before
			}
			if ch, reqs, err := nc.Accept(); err == nil {
				serveSession(ch, reqs, s.host)
			}
		})
	default:
		_ = nc.Reject(ssh.UnknownChannelType, "only sessions are served here")
	}
}

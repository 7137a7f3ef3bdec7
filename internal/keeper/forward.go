package keeper

import (
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"unicode"

	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/crypto/ssh"
)

// forwards mediate between what viewers want forwarded and the agent: the
// keeper takes from the agent those channels only that a viewer has asked for
// and still wants.
//
// What the agent is asked may stay without an answer for as long as the link
// lives. So all that waits for it is the keeper's, and ends with the link; a
// viewer that leaves waits for nothing.
type forwards struct {
	link *link
	log  *slog.Logger

	mu        sync.Mutex
	closed    bool
	wg        sync.WaitGroup
	listeners map[wire.Address]*listener
	unnamed   map[*listener]bool // those that have asked for any port, and have none yet
	lenders   map[string]*party  // of an SSH agent, by the session that has it
}

func newForwards(l *link, log *slog.Logger) *forwards {
	return &forwards{
		link: l, log: log,
		listeners: make(map[wire.Address]*listener), unnamed: make(map[*listener]bool), lenders: make(map[string]*party),
	}
}

// run does something in the background, unless it is too late for it.
func (f *forwards) run(do func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.wg.Go(do)
	return true
}

// join waits for what was begun. The link and the viewers must be gone.
func (f *forwards) join() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.wg.Wait()
}

// party is a viewer's connection, as the keeper that forwards for it.
type party struct {
	conn ssh.Conn
	gone chan struct{} // closed when it has ended
}

// Connected comes before anything of the viewer's. It implements
// wire.Forwarder, as the rest of viewerHost here.
func (v *viewerHost) Connected(conn ssh.Conn) {
	v.party = &party{conn: conn, gone: make(chan struct{})}
}

// Disconnected ends what the viewer has asked for.
func (v *viewerHost) Disconnected() {
	close(v.party.gone)
	v.fwd.mu.Lock()
	defer v.fwd.mu.Unlock()
	for _, l := range v.fwd.listeners {
		l.leave(v.party)
	}
	for l := range v.fwd.unnamed {
		l.leave(v.party)
	}
	maps.DeleteFunc(v.fwd.lenders, func(_ string, p *party) bool { return p == v.party })
}

// Channel connects a viewer to what the agent reaches for it.
func (v *viewerHost) Channel(nc ssh.NewChannel) {
	if _, err := wire.ParseDial(nc); err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	if !v.fwd.run(func() { v.fwd.dial(nc, v.party) }) {
		_ = nc.Reject(ssh.ConnectionFailed, "the machine is about to be gone")
	}
}

// dial opens the viewer's channel to the agent: at the next link, where the
// last one is lost.
func (f *forwards) dial(nc ssh.NewChannel, p *party) {
	var last ssh.Conn
	for {
		conn, err := f.link.nextUnless(last, p.gone)
		if err != nil {
			_ = nc.Reject(ssh.ConnectionFailed, plain(err.Error()))
			return
		}
		if carryChannel(nc, conn, nc.ChannelType(), nc.ExtraData()) {
			return
		}
		last = conn
	}
}

// carryChannel joins a channel that was opened here to one that it opens there.
// It reports whether there was an answer.
func carryChannel(nc ssh.NewChannel, there ssh.Conn, kind string, payload []byte) bool {
	far, err := wire.OpenEnd(there, kind, payload)
	if refused, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		_ = nc.Reject(refused.Reason, plain(refused.Message))
		return true
	}
	if err != nil {
		return false
	}
	ch, reqs, err := nc.Accept()
	if err != nil {
		_ = far.Close()
		return true
	}
	wire.Splice(wire.NewEnd(ch, reqs), far)
	return true
}

// plain reduces words of a guest to a line that no terminal reads more into.
func plain(words string) string {
	const most = 256
	words = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, words)
	return strings.ToValidUTF8(words[:min(len(words), most)], "")
}

// listener is an address in the machine at which the agent listens for a viewer.
type listener struct {
	forwards *forwards
	party    *party
	at       wire.Address  // with the port that was chosen, once there is one
	answered chan struct{} // closed when the agent has answered for the first time,
	err      error         // and this is known: why it does not listen
	told     chan struct{} // closed when the viewer knows the answer
	unwanted chan struct{} // closed, under the lock, when the viewer wants it no longer
	over     chan struct{} // closed when the agent does not listen any more
}

// Forward listens for a viewer, or no longer.
func (v *viewerHost) Forward(req *ssh.Request) {
	at, err := wire.ParseListen(req)
	switch {
	case err != nil:
	case req.Type == wire.RequestUnlistenTCP || req.Type == wire.RequestUnlistenUnix:
		err = v.fwd.unlisten(at, v.party)
	default:
		v.listen(req, at)
		return
	}
	if req.WantReply {
		_ = req.Reply(err == nil, nil)
	}
}

func (v *viewerHost) listen(req *ssh.Request, at wire.Address) {
	l, err := v.fwd.listen(at, v.party)
	var reply []byte
	if err == nil {
		select {
		case <-l.answered:
			err = l.err
		case <-v.party.gone:
			return
		}
		reply = wire.ListenReply(at, l.at)
	}
	if err != nil {
		v.fwd.log.Info("listen in the machine", "at", at, "error", err)
	}
	if req.WantReply {
		_ = req.Reply(err == nil, reply)
	}
	if l != nil {
		close(l.told)
	}
}

var errTaken = errors.New("it is forwarded already")

// listen begins to listen at an address. One that a viewer has just left is
// waited for.
func (f *forwards) listen(at wire.Address, p *party) (*listener, error) {
	l := &listener{
		forwards: f, party: p, at: at, answered: make(chan struct{}), told: make(chan struct{}),
		unwanted: make(chan struct{}), over: make(chan struct{}),
	}
	for {
		earlier, err := f.add(l)
		if earlier == nil {
			return l, err
		}
		if earlier.wanted() {
			return nil, errTaken
		}
		select {
		case <-earlier.over:
		case <-p.gone:
			return nil, errTaken
		}
	}
}

// add registers a listener and has it asked for, unless there is an earlier one.
func (f *forwards) add(l *listener) (earlier *listener, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch earlier := f.listeners[l.at]; {
	case f.closed || l.party.left():
		return nil, errors.New("the machine is about to be gone")
	case earlier != nil:
		return earlier, nil
	case l.at.Path == "" && l.at.Port == 0:
		f.unnamed[l] = true
	default:
		f.listeners[l.at] = l
	}
	f.wg.Go(l.keep)
	return nil, nil
}

// unlisten ends a viewer's listener, and returns when the agent has done so.
func (f *forwards) unlisten(at wire.Address, p *party) error {
	f.mu.Lock()
	l := f.listeners[at]
	if l == nil || l.party != p || !l.wanted() {
		f.mu.Unlock()
		return errors.New("nothing listens there")
	}
	l.leave(p)
	f.mu.Unlock()
	select {
	case <-l.over:
	case <-p.gone:
	}
	return nil
}

// wanted reports whether the viewer is there and still wants it.
func (l *listener) wanted() bool {
	select {
	case <-l.unwanted:
		return false
	default:
		return true
	}
}

// leave ends a listener that is the party's. The caller holds the lock.
func (l *listener) leave(p *party) {
	if l.party == p && l.wanted() {
		close(l.unwanted)
	}
}

// left reports whether the viewer has.
func (p *party) left() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// keep has the agent listen: on each link, for a link's end is that of what was
// asked for on it, until the viewer wants it no longer.
func (l *listener) keep() {
	f := l.forwards
	var conn ssh.Conn
	for {
		next, err := f.link.nextUnless(conn, l.unwanted)
		if err != nil {
			l.answer(l.at, err)
			break
		}
		conn = next
		at, err := wire.AskListen(conn, l.at)
		if refused := errors.Is(err, wire.ErrRefused); err != nil && !refused {
			continue // the link is lost
		}
		if !l.answer(at, err) && err != nil {
			f.log.Info("listen again", "at", l.at, "error", err)
		}
		if l.err != nil {
			break
		}
	}
	if conn != nil && l.err == nil {
		_ = wire.AskUnlisten(conn, l.at)
	}
	f.mu.Lock()
	delete(f.unnamed, l)
	if f.listeners[l.at] == l {
		delete(f.listeners, l.at)
	}
	f.mu.Unlock()
	close(l.over)
}

// answer notes the agent's first answer, and reports whether it is that.
func (l *listener) answer(at wire.Address, err error) bool {
	f := l.forwards
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-l.answered:
		return false
	default:
	}
	if err == nil && f.unnamed[l] {
		if f.listeners[at] != nil { // so it says of a port that it has given away
			err = errTaken
		} else {
			f.listeners[at] = l
		}
	}
	delete(f.unnamed, l)
	if err == nil {
		l.at = at
	}
	l.err = err
	close(l.answered)
	return true
}

// lend notes that a session is to have the viewer's SSH agent, which it has for
// as long as both are there.
func (v *viewerHost) lend(id string, start wire.Start) {
	f := v.fwd
	f.mu.Lock()
	defer f.mu.Unlock()
	if start.ForwardAgent && f.lenders[id] == nil && !v.party.left() {
		f.lenders[id] = v.party
	}
}

// takeBack ends what was lent to a session.
func (f *forwards) takeBack(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.lenders, id)
}

// accept decides on a channel that the agent has opened, and carries it.
func (f *forwards) accept(nc ssh.NewChannel) {
	p, kind, payload := f.wanted(nc)
	if p == nil {
		wire.Refuse(nc)
		return
	}
	done := make(chan struct{})
	if !f.run(func() {
		defer close(done)
		if !carryChannel(nc, p.conn, kind, payload) {
			wire.Refuse(nc) // the viewer has just left
		}
	}) {
		wire.Refuse(nc)
		return
	}
	<-done // so that their number is bounded
}

// wanted returns who has asked for a channel of the agent's, and what it is to
// them. Nobody is nil.
func (f *forwards) wanted(nc ssh.NewChannel) (p *party, kind string, payload []byte) {
	if nc.ChannelType() == wire.ChannelAgentOf {
		session, err := wire.AgentOf(nc)
		if err != nil {
			return nil, "", nil
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.lenders[session], wire.ChannelAgent, nil
	}
	l, err := f.find(nc)
	if err != nil {
		return nil, "", nil
	}
	kind, payload = wire.Taken(l.at, wire.Origin(nc))
	return l.party, kind, payload
}

// find returns the listener that a channel of the agent's is for. One whose
// viewer does not know yet where it listens is waited for.
func (f *forwards) find(nc ssh.NewChannel) (*listener, error) {
	at, err := wire.ParseTaken(nc)
	for err == nil {
		l := f.candidate(at)
		if l == nil {
			break
		}
		select {
		case <-l.told:
			if l.err == nil && l.at == at && l.wanted() {
				return l, nil
			}
			if f.candidate(at) == l { // it is about to be gone
				return nil, errors.New("not wanted any more")
			}
		case <-l.unwanted:
			return nil, errors.New("not wanted any more")
		}
	}
	return nil, errors.New("not asked for")
}

// candidate is the listener at an address, or else one that may get it.
func (f *forwards) candidate(at wire.Address) *listener {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.listeners[at]; l != nil {
		return l
	}
	for l := range f.unnamed {
		if at.Path == "" && l.at.Host == at.Host {
			return l
		}
	}
	return nil
}

package wire

import (
	"sync"

	"golang.org/x/crypto/ssh"
)

// outbox sends the small requests of one channel. Callers never wait: each
// kind of news keeps only its latest value, and one goroutine sends what is
// new. So a size is never queued behind older sizes, and nobody who holds a
// lock writes to a connection.
type outbox struct {
	wake chan struct{} // capacity 1
	done chan struct{} // closed when run has returned

	mu      sync.Mutex
	closed  bool
	notices []Notice
	ready   *uint64
	flush   *uint64
	acks    [streams]*uint64
	ends    [streams]*uint64
	size    *Size
	signals []string
	last    func(sender) // sent after everything else, then run returns
}

// sender is the subset of ssh.Channel that sends requests.
type sender interface {
	SendRequest(name string, wantReply bool, payload []byte) (bool, error)
}

// Bounds of what waits in an outbox that nobody empties.
const (
	maxNotices = 16
	maxSignals = 64
)

func newOutbox() *outbox {
	return &outbox{wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// post changes what is to be sent and wakes the sender.
func (o *outbox) post(change func()) {
	o.mu.Lock()
	change()
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) notice(n Notice) {
	o.post(func() {
		if len(o.notices) == maxNotices {
			o.notices = o.notices[1:]
		}
		o.notices = append(o.notices, n)
	})
}

func (o *outbox) signal(name string) {
	o.post(func() {
		if len(o.signals) < maxSignals {
			o.signals = append(o.signals, name)
		}
	})
}

func (o *outbox) sendReady(stdin uint64) { o.post(func() { o.ready = &stdin }) }

func (o *outbox) sendFlush(offset uint64) { o.post(func() { o.flush = &offset }) }

func (o *outbox) ack(s Stream, offset uint64) { o.post(func() { o.acks[s] = &offset }) }

func (o *outbox) end(s Stream, offset uint64) { o.post(func() { o.ends[s] = &offset }) }

func (o *outbox) resize(size Size) { o.post(func() { o.size = &size }) }

// finish sends one last thing after all that was posted before it.
func (o *outbox) finish(f func(sender)) { o.post(func() { o.last = f }) }

// close ends run without sending what is left, and returns the signals among
// it: all else is said again on the next connection.
func (o *outbox) close() (signals []string) {
	o.post(func() {
		o.closed = true
		signals, o.signals = o.signals, nil
	})
	return signals
}

// run sends until the outbox is finished or closed, or the channel fails.
func (o *outbox) run(ch sender) {
	defer close(o.done)
	for range o.wake {
		batch, last, closed := o.take()
		if closed {
			return
		}
		for _, m := range batch {
			if _, err := ch.SendRequest(m.name, false, m.payload); err != nil {
				return
			}
		}
		if last != nil {
			last(ch)
			return
		}
	}
}

type request struct {
	name    string
	payload []byte
}

// take empties the outbox into requests in the order in which a peer wants to
// learn of them.
func (o *outbox) take() (batch []request, last func(sender), closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	add := func(name string, payload any) {
		batch = append(batch, request{name, ssh.Marshal(payload)})
	}
	for _, n := range o.notices {
		add(requestNotice, noticePayload(n))
	}
	if o.ready != nil {
		add(requestReady, readyPayload{*o.ready})
	}
	if o.flush != nil {
		add(requestFlush, readyPayload{*o.flush})
	}
	if o.size != nil {
		add(requestWindowChange, newWindowPayload(*o.size))
	}
	for _, name := range o.signals {
		add(requestSignal, signalPayload{name})
	}
	for s, offset := range o.acks {
		if offset != nil {
			add(requestAck, offsetPayload{uint32(s), *offset})
		}
	}
	for s, offset := range o.ends {
		if offset != nil {
			add(requestEnd, offsetPayload{uint32(s), *offset})
		}
	}
	o.notices, o.signals = nil, nil
	o.ready, o.flush, o.size = nil, nil, nil
	o.acks, o.ends = [streams]*uint64{}, [streams]*uint64{}
	return batch, o.last, o.closed
}

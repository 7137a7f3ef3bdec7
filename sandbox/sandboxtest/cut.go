package sandboxtest

import (
	"io"
	"sync"
)

// Cut is a link that is torn after so many bytes: the byte that would be the
// next one is not carried, and the host's end is closed.
type Cut struct {
	link io.ReadWriteCloser

	mu       sync.Mutex
	toGuest  budget
	toHost   budget
	tornOnce sync.Once
}

// budget counts the bytes of one direction.
type budget struct {
	limit   int // less than 0 for no limit
	carried int
}

// take returns how many of n bytes may be carried.
func (b *budget) take(n int) int {
	if b.limit >= 0 {
		n = min(n, b.limit-b.carried)
	}
	return n
}

// Whole is a number of bytes after which no link is cut.
const Whole = -1

// NewCut returns link, cut once toGuest bytes went to the guest or toHost
// bytes came from it.
func NewCut(link io.ReadWriteCloser, toGuest, toHost int) *Cut {
	return &Cut{link: link, toGuest: budget{limit: toGuest}, toHost: budget{limit: toHost}}
}

// Carried returns how many bytes went each way.
func (c *Cut) Carried() (toGuest, toHost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.toGuest.carried, c.toHost.carried
}

// Read takes from the guest.
func (c *Cut) Read(p []byte) (int, error) { return c.carry(&c.toHost, p, c.link.Read) }

// Write gives to the guest.
func (c *Cut) Write(p []byte) (int, error) {
	for done := 0; ; {
		n, err := c.carry(&c.toGuest, p[done:], c.link.Write)
		done += n
		if err != nil || done == len(p) {
			return done, err
		}
	}
}

func (c *Cut) carry(b *budget, p []byte, move func([]byte) (int, error)) (int, error) {
	c.mu.Lock()
	n := b.take(len(p))
	c.mu.Unlock()
	if n == 0 && len(p) > 0 {
		_ = c.Close()
		return 0, io.ErrClosedPipe
	}
	n, err := move(p[:n])
	c.mu.Lock()
	b.carried += n
	spent := b.carried == b.limit
	c.mu.Unlock()
	if spent {
		_ = c.Close()
	}
	return n, err
}

// Close closes the host's end.
func (c *Cut) Close() (err error) {
	c.tornOnce.Do(func() { err = c.link.Close() })
	return err
}

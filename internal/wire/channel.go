package wire

import "golang.org/x/crypto/ssh"

// connection is an SSH connection whose channels can be opened at any moment.
//
// x/crypto/ssh forgets a channel that is opened just while its connection ends:
// it has told all channels of the end, takes one more, and has not closed the
// stream yet, so that the request even seems to be sent. Nobody then wakes the
// one who waits for the answer. The goroutine in which OpenChannel waits stays
// behind in that case; its caller does not.
type connection struct {
	ssh.Conn
	ended chan struct{} // closed when the connection has ended
}

func newConnection(conn ssh.Conn) *connection {
	c := &connection{conn, make(chan struct{})}
	go func() { // ends with the connection
		defer close(c.ended)
		_ = conn.Wait()
	}()
	return c
}

// opened is what became of a request for a channel.
type opened struct {
	ch   ssh.Channel
	reqs <-chan *ssh.Request
	err  error
}

// OpenChannel opens a channel, or fails with the connection. The error is an
// *ssh.OpenChannelError where the far side has refused.
func (c *connection) OpenChannel(kind string, data []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	answer := make(chan opened, 1)
	go func() {
		ch, reqs, err := c.Conn.OpenChannel(kind, data)
		answer <- opened{ch, reqs, err}
	}()
	select {
	case o := <-answer:
		return o.ch, o.reqs, o.err
	case <-c.ended:
	}
	select {
	case o := <-answer: // it came before the end
		return o.ch, o.reqs, o.err
	default:
		return nil, nil, errTorn
	}
}

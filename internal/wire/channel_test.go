package wire

import (
	"errors"
	"testing"

	"golang.org/x/crypto/ssh"
)

// deaf is a connection that ends without an answer to who opens a channel.
type deaf struct {
	ssh.Conn
	asked, over chan struct{}
	answer      chan struct{}
}

func (d deaf) OpenChannel(string, []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	close(d.asked)
	<-d.answer
	return nil, nil, errors.New("late")
}

func (d deaf) Wait() error { <-d.over; return errTorn }

func TestAChannelThatNobodyAnswersForEndsWithItsConnection(t *testing.T) {
	d := deaf{asked: make(chan struct{}), over: make(chan struct{}), answer: make(chan struct{})}
	defer close(d.answer)
	conn := newConnection(d)
	failed := make(chan error, 1)
	go func() {
		_, _, err := conn.OpenChannel("session", nil)
		failed <- err
	}()
	await(t, "the request", d.asked)
	close(d.over)
	if err := await(t, "the end of the wait", failed); !errors.Is(err, errTorn) {
		t.Errorf("failed with %v", err)
	}
}

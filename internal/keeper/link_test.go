package keeper

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
	"golang.org/x/crypto/ssh"
)

// closing is a connection that asks something at the moment when it is closed.
type closing struct {
	ssh.Conn
	ask func()
}

func (c *closing) Close() error {
	c.ask()
	return nil
}

// Whoever waits for the connection's end decides by it whether to dial again:
// into a machine that was told to end, that would bring a new agent.
func TestALinkIsOverBeforeItsConnectionIsClosed(t *testing.T) {
	l := newLink(slog.New(slog.DiscardHandler))
	asked := false
	l.set(&closing{ask: func() {
		if asked = true; !l.ended() {
			t.Error("the connection was closed while the link was not over")
		}
	}})
	l.fail(errors.New("the machine was ended"))
	if !asked {
		t.Error("the connection was not closed")
	}
}

// unreachable is a machine to which nothing leads any more.
type unreachable struct{ sandbox.Machine }

func (unreachable) Dial(context.Context) (io.ReadWriteCloser, error) {
	return nil, errors.New("connection refused")
}

func TestALinkThatIsLostSaysWhatTheLastTryMet(t *testing.T) {
	l := newLink(slog.New(slog.DiscardHandler))
	_, err := l.dial(t.Context(), unreachable{}, wire.Peer{}, 200*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "no answer from the agent within 200ms: connection refused") {
		t.Errorf("error %v", err)
	}
}

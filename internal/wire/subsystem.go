package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// handleSubsystem starts a service. It is a program on pipes, whatever
// terminal was asked for.
func (a *Attachment) handleSubsystem(payload []byte) error {
	var p subsysPayload
	if err := ssh.Unmarshal(payload, &p); err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	if p.Name != SubsystemSFTP {
		return errors.New("unknown subsystem")
	}
	a.start.Subsystem, a.start.Pty = p.Name, nil
	a.begin()
	return nil
}

// Subsystem is a service of a machine, as its client sees it: a byte stream.
type Subsystem struct {
	ssh.Channel
	wg     sync.WaitGroup
	words  bytes.Buffer // owned by the goroutine that reads them, until wg is done
	closed sync.Once
}

// OpenSubsystem starts a service of the machine behind a keeper.
func OpenSubsystem(conn ssh.Conn, name string) (*Subsystem, error) {
	ch, reqs, err := conn.OpenChannel("session", nil)
	if err != nil {
		return nil, fmt.Errorf("open a session: %w", err)
	}
	s := &Subsystem{Channel: ch}
	s.wg.Go(func() { ssh.DiscardRequests(reqs) })
	s.wg.Go(func() { _, _ = io.Copy(&s.words, io.LimitReader(ch.Stderr(), maxText)) })
	ok, err := ch.SendRequest(requestSubsystem, true, ssh.Marshal(subsysPayload{name}))
	if err == nil && !ok {
		err = errors.New("the keeper is of another version of snug, which has no such service")
	}
	if err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return s, nil
}

// Close ends the service and waits until the far side has heard of it.
func (s *Subsystem) Close() error {
	err := error(nil)
	s.closed.Do(func() { err = s.Channel.Close() })
	s.wg.Wait()
	return err
}

// Why is what the far side said of its end, after Close; or else nil.
func (s *Subsystem) Why() error {
	words := strings.TrimSpace(s.words.String())
	if words == "" {
		return nil
	}
	return errors.New(strings.TrimPrefix(words, "snug: "))
}

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// Global requests about sessions, from anybody to a keeper but for the first,
// which is a keeper's to an agent.
const (
	// RequestPrograms asks an agent which programs it has: for a keeper that
	// takes a machine over from one that died.
	RequestPrograms = "programs@snug"
	// RequestDetach sends the viewers of a session away.
	RequestDetach = "detach@snug"
	// RequestKill sends a signal to a session's program.
	RequestKill = "kill@snug"
	// RequestForget drops a session that has ended, though nobody has seen it.
	RequestForget = "forget@snug"
)

// Control is what a global request about one session carries.
type Control struct {
	Session uint32
	Signal  string // of RequestKill, without SIG
}

// maxPrograms bounds an answer to RequestPrograms, which must fit one SSH packet.
const maxPrograms = 4096

// ErrNoSession is what a keeper says of a session that it does not have, or
// whose state does not allow what is asked.
var ErrNoSession = errors.New("there is no such session, or it is not in that state")

// ParseControl reads what a global request about one session carries.
func ParseControl(b []byte) (Control, error) {
	var c Control
	if err := ssh.Unmarshal(b, &c); err != nil || len(c.Signal) > maxName {
		return c, errMalformed
	}
	return c, nil
}

// Command asks a keeper to do something with one session. Whoever bounds the
// wait closes the connection.
func Command(conn ssh.Conn, request string, c Control) error {
	ok, _, err := conn.SendRequest(request, true, ssh.Marshal(c))
	if err != nil {
		return fmt.Errorf("ask the keeper: %w", err)
	}
	if !ok {
		return ErrNoSession
	}
	return nil
}

// MarshalPrograms makes the answer to RequestPrograms: the names of programs, each
// with the offset of the first byte of stdout that the agent still has.
func MarshalPrograms(all map[string]uint64) []byte {
	var b []byte
	n := 0
	for id, stdout := range all {
		if n++; n > maxPrograms {
			break
		}
		b = binary.BigEndian.AppendUint64(appendString(b, id), stdout)
	}
	return b
}

// AskPrograms asks an agent for the names of the programs that it has, each with
// the offset of the first byte of stdout that it still has.
func AskPrograms(conn ssh.Conn) (map[string]uint64, error) {
	ok, answer, err := conn.SendRequest(RequestPrograms, true, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the programs: %w", err)
	}
	if !ok {
		return nil, errors.New("the agent is of another version of snug, which does not tell its programs")
	}
	all := make(map[string]uint64)
	for len(answer) > 0 {
		id, rest, ok := cutString(answer)
		if !ok || len(rest) < 8 {
			return nil, errMalformed
		}
		all[id], answer = binary.BigEndian.Uint64(rest), rest[8:]
	}
	return all, nil
}

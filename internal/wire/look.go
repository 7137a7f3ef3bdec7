package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Bounds of what a keeper tells of its sessions.
const (
	maxListed   = 256      // sessions in one answer, which must fit one SSH packet
	maxLabel    = 256      // bytes of a program's command line, and of a title
	maxSnapshot = 64 << 20 // bytes of one screen
)

// SessionInfo is what a keeper tells of one session.
type SessionInfo struct {
	Number  uint32 // from 1, in the order of their starts; never used again
	Program string // the command line, cut at 256 bytes; empty for a login shell
	Pty     bool   // it has a terminal, and so a screen
	Size    Size   // of its terminal
	Viewers uint32
	Title   string // that the program gave its terminal, cut at 256 bytes
	Idle    time.Duration
	Started time.Time
	// Attention says that the program rang the bell, or sent a notification,
	// and that nobody has typed anything since.
	Attention bool
	// Ended says that the program has ended, or is lost: then Exit is how, or
	// Failure why nobody knows.
	Ended   bool
	Exit    Exit
	Failure string
}

// Snapshot is the screen of a session at one moment.
type Snapshot struct {
	Offset     uint64 // output that the screen has seen
	Cols, Rows uint32 // of the screen, whose bounds are narrower than a terminal's
	// Bytes bring a fresh terminal of that size to the screen.
	Bytes []byte
}

// Screens is a host that knows what its sessions' terminals show. Screen may
// take as long as it needs.
type Screens interface {
	Screen(number uint32, scrollback int) (Snapshot, error)
}

// The payloads as they stand on the wire.
type (
	sessionInfoPayload struct {
		Number                     uint32
		Program                    string
		Pty                        bool
		Cols, Rows, XPixel, YPixel uint32
		Viewers                    uint32
		Title                      string
		IdleMilliseconds           uint64
		StartedMilliseconds        uint64 // since 1970, UTC
		Attention                  bool
		Ended                      bool
		Status                     uint32
		Signal                     string
		Failure                    string
		Rest                       []byte `ssh:"rest"` // of a later version
	}
	screenPayload   struct{ Session, Scrollback uint32 }
	snapshotPayload struct {
		Offset     uint64
		Cols, Rows uint32
		Snapshot   []byte
	}
)

// MarshalSessions makes the answer to RequestSessions.
func MarshalSessions(all []SessionInfo) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(all)))
	for _, s := range all[:min(len(all), maxListed)] {
		w := newWindowPayload(s.Size)
		b = appendString(b, string(ssh.Marshal(sessionInfoPayload{
			Number: s.Number, Program: label(s.Program), Pty: s.Pty,
			Cols: w.Cols, Rows: w.Rows, XPixel: w.XPixel, YPixel: w.YPixel,
			Viewers: s.Viewers, Title: label(s.Title), IdleMilliseconds: uint64(max(s.Idle, 0).Milliseconds()),
			StartedMilliseconds: uint64(max(s.Started.UnixMilli(), 0)), Attention: s.Attention, Ended: s.Ended,
			Status: s.Exit.Status, Signal: s.Exit.Signal, Failure: label(s.Failure),
		})))
	}
	return b
}

// label cuts a text where it has more bytes than fit, between characters.
func label(s string) string {
	if len(s) > maxLabel {
		s = s[:maxLabel]
	}
	return strings.ToValidUTF8(s, "")
}

// parseSessions returns the sessions that an answer lists, and how many there are.
func parseSessions(b []byte) (listed []SessionInfo, total uint32, err error) {
	if len(b) < 4 {
		return nil, 0, errMalformed
	}
	total, b = binary.BigEndian.Uint32(b), b[4:]
	for len(b) > 0 {
		one, rest, ok := cutString(b)
		if !ok || len(listed) == maxListed {
			return nil, 0, errMalformed
		}
		b = rest
		var p sessionInfoPayload
		if err := ssh.Unmarshal([]byte(one), &p); err != nil {
			return nil, 0, fmt.Errorf("%w: %w", errMalformed, err)
		}
		size, err := windowPayload{p.Cols, p.Rows, p.XPixel, p.YPixel}.size()
		if err != nil {
			return nil, 0, err
		}
		const longest = uint64(1<<63-1) / uint64(time.Millisecond)
		listed = append(listed, SessionInfo{
			Number: p.Number, Program: label(p.Program), Pty: p.Pty, Size: size, Viewers: p.Viewers, Title: label(p.Title),
			Idle:    time.Duration(min(p.IdleMilliseconds, longest)) * time.Millisecond,
			Started: time.UnixMilli(int64(min(p.StartedMilliseconds, longest))), Attention: p.Attention, Ended: p.Ended,
			Exit: Exit{Status: p.Status & 0xff, Signal: label(p.Signal)}, Failure: label(p.Failure),
		})
	}
	return listed, total, nil
}

// AskSessions asks a keeper for its sessions. It lists at most 256; total is
// how many there are. Whoever bounds the wait closes the connection.
func AskSessions(conn ssh.Conn) (listed []SessionInfo, total uint32, err error) {
	ok, answer, err := conn.SendRequest(RequestSessions, true, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("ask for the sessions: %w", err)
	}
	if !ok {
		return nil, 0, errors.New("the keeper is of another version of snug, which does not tell its sessions")
	}
	return parseSessions(answer)
}

// AskScreen asks a keeper for the screen of a session, with so many lines of
// scrollback; a negative number is all of them. Whoever bounds the wait closes
// the connection.
func AskScreen(conn ssh.Conn, number uint32, scrollback int) (Snapshot, error) {
	ch, reqs, err := conn.OpenChannel(channelScreen, ssh.Marshal(screenPayload{number, uint32(int32(scrollback))}))
	if refused, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		return Snapshot{}, errors.New(clip(refused.Message))
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("ask for the screen: %w", err)
	}
	defer func() { _ = ch.Close() }()
	go ssh.DiscardRequests(reqs) // ends with the channel
	answer, err := io.ReadAll(io.LimitReader(ch, maxSnapshot))
	if err != nil {
		return Snapshot{}, fmt.Errorf("read the screen: %w", err)
	}
	return parseSnapshot(answer)
}

func parseSnapshot(b []byte) (Snapshot, error) {
	var p snapshotPayload
	if err := ssh.Unmarshal(b, &p); err != nil {
		return Snapshot{}, fmt.Errorf("the screen came in part only: %w", err)
	}
	return Snapshot{p.Offset, p.Cols, p.Rows, p.Snapshot}, nil
}

// serveScreen sends one screen. Its caller waits for it; a near side that does
// not read holds up no more than this.
func serveScreen(nc ssh.NewChannel, host Screens) {
	var p screenPayload
	if err := ssh.Unmarshal(nc.ExtraData(), &p); err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, errMalformed.Error())
		return
	}
	s, err := host.Screen(p.Session, int(int32(p.Scrollback)))
	if err == nil && len(s.Bytes) > maxSnapshot-64 {
		err = fmt.Errorf("the screen takes %d bytes, at most %d can be sent", len(s.Bytes), maxSnapshot-64)
	}
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(reqs) // ends with the channel
	_, _ = ch.Write(ssh.Marshal(snapshotPayload{s.Offset, s.Cols, s.Rows, s.Bytes}))
	_ = ch.Close()
}

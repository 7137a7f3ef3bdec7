package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// Channel requests of RFC 4254 §6 that sessions use.
const (
	requestEnv          = "env"
	requestPty          = "pty-req"
	requestShell        = "shell"
	requestExec         = "exec"
	requestSubsystem    = "subsystem"
	requestWindowChange = "window-change"
	requestSignal       = "signal"
	requestAgent        = "auth-agent-req@openssh.com" // OpenSSH's PROTOCOL
	requestExitStatus   = "exit-status"
	requestExitSignal   = "exit-signal"
)

// Channel requests of the snug extension (docs/wire.md).
const (
	requestSession  = "session@snug"
	requestTerminfo = "terminfo@snug"
	requestStart    = "start@snug"
	requestReady    = "ready@snug"
	requestAck      = "ack@snug"
	requestEnd      = "eof@snug"
	requestFailure  = "failure@snug"
	requestNotice   = "notice@snug"
	requestFlush    = "flush@snug"
	requestAttach   = "attach@snug"
	requestDetached = "detached@snug"
	requestUnseen   = "unseen@snug"
)

// RequestShutdown is a global request to an agent: end all programs, write
// everything to disk, and answer; the machine is about to be killed.
const RequestShutdown = "shutdown@snug"

// RequestLeave is a global request to a keeper from a viewer that has seen its
// session's end. It succeeds if the machine ends with that session: then the
// keeper hangs up as soon as nothing is left of the machine.
const RequestLeave = "leave@snug"

// RequestSessions is a global request to a keeper for the sessions that it has.
const RequestSessions = "sessions@snug"

// Global requests of forwarding, to a keeper and to an agent: listen, and no
// longer, at a TCP port (RFC 4254 §7.1) or a unix socket (OpenSSH's PROTOCOL).
const (
	RequestListenTCP    = "tcpip-forward"
	RequestUnlistenTCP  = "cancel-tcpip-forward"
	RequestListenUnix   = "streamlocal-forward@openssh.com"
	RequestUnlistenUnix = "cancel-streamlocal-forward@openssh.com"
)

// Channels of forwarding: to what the near side wants to reach, and from what
// the far side has taken a connection at.
const (
	ChannelDialTCP   = "direct-tcpip"
	ChannelDialUnix  = "direct-streamlocal@openssh.com"
	ChannelTakenTCP  = "forwarded-tcpip"
	ChannelTakenUnix = "forwarded-streamlocal@openssh.com"
)

// Channels to an SSH agent: a viewer's, and on the link that of the viewer who
// has lent it to a session.
const (
	ChannelAgent   = "auth-agent@openssh.com"
	ChannelAgentOf = "auth-agent@snug"
)

// channelScreen is a channel to a keeper that brings the screen of a session.
const channelScreen = "screen@snug"

// Bounds of what a peer may ask for. A request must fit one SSH packet.
const (
	maxStart    = 192 << 10 // bytes of one program's arguments
	maxEnv      = 1000      // variables of one program
	maxEnvVar   = 128 << 10 // bytes of one variable, as in Linux
	maxEnvBytes = 1 << 20   // bytes of all of them
	maxTerminfo = 64 << 10  // bytes of one terminfo entry
	maxText     = 4 << 10   // bytes of a message for a person
	maxName     = 256       // bytes of a terminal's or a signal's name
)

// Stream names one of a session's byte streams in ack@snug and eof@snug.
type Stream uint32

// The streams of a session. Exit is no byte stream: its one "byte" is the
// exit status, and acknowledging offset 1 says that it is safe.
const (
	Stdin Stream = iota
	Stdout
	Stderr
	Exited
	streams
)

// Size is a window size: cells, and pixels where they are known, else 0.
type Size struct {
	Rows, Cols, XPixel, YPixel uint16
}

// Empty tells a size that no terminal has; it is never applied.
func (s Size) Empty() bool { return s.Rows == 0 || s.Cols == 0 }

// Pty is the terminal that a program is to have.
type Pty struct {
	Term  string
	Size  Size
	Modes []byte // encoded terminal modes, RFC 4254 §8
	// Terminfo is the compiled entry of Term, if the near side has it.
	Terminfo []byte
}

// Env is one variable of a program's environment.
type Env struct {
	Name, Value string
}

// Start is everything about a program before it runs.
type Start struct {
	Pty *Pty // nil for pipes
	Env []Env
	// Dir is the working directory; empty for the machine's own.
	Dir string
	// Args is the program and its arguments. Without it Command is given to
	// the user's shell, and without that a login shell is started.
	Args    []string
	Command string
	// Join is set for a viewer that starts nothing, but joins a session that
	// is there. Of the rest Pty counts for its size.
	Join *Join
	// Subsystem, if set, is the service of this name in place of a program of
	// the machine's; there is SubsystemSFTP. It runs on pipes.
	Subsystem string
	// ForwardAgent lends the program the near side's SSH agent.
	ForwardAgent bool
	// Unseen says that what the near side shows reaches no terminal: nobody
	// there answers what a program asks its terminal.
	Unseen bool
}

// Join is how a viewer joins a session that is there.
type Join struct {
	Number uint32 // of the session
	// ReadOnly keeps the viewer's input, signals and sizes from the program.
	ReadOnly bool
	// Steal sends all other viewers away.
	Steal bool
	// Scrollback is how many lines above the screen are shown first.
	Scrollback uint32
}

// SubsystemSFTP is the service that reads and writes the machine's files.
const SubsystemSFTP = "sftp"

// Exit is how a program ended.
type Exit struct {
	// Status is the exit status, 0 to 255; 128+n after signal n.
	Status uint32
	// Signal is the name without SIG of the signal that ended the program.
	Signal string
	Core   bool
}

// Failure says that a session has no program, or no longer: it never started,
// or the machine under it was lost.
type Failure struct {
	Status  uint32 // for the exit status: 125, 126, 127 or 255
	Message string // one line
}

func (f *Failure) Error() string { return f.Message }

// Notice is a line for the person at the near side.
type Notice struct {
	// Progress is true for a line that replaces the one before it and is
	// gone when the program starts.
	Progress bool
	Text     string
}

var errMalformed = errors.New("malformed request")

// The payloads as they stand on the wire.
type (
	envPayload struct{ Name, Value string }
	ptyPayload struct {
		Term                       string
		Cols, Rows, XPixel, YPixel uint32
		Modes                      string
	}
	windowPayload  struct{ Cols, Rows, XPixel, YPixel uint32 }
	execPayload    struct{ Command string }
	subsysPayload  struct{ Name string }
	signalPayload  struct{ Name string }
	statusPayload  struct{ Status uint32 }
	exitSigPayload struct {
		Name          string
		Core          bool
		Message, Lang string
	}
	sessionPayload struct {
		ID             string
		Stdout, Stderr uint64
	}
	terminfoPayload struct{ Entry string }
	readyPayload    struct{ Offset uint64 }
	offsetPayload   struct {
		Stream uint32
		Offset uint64
	}
	failurePayload struct {
		Status  uint32
		Message string
	}
	attachPayload struct {
		Session    uint32
		ReadOnly   bool
		Steal      bool
		Scrollback uint32
	}
	detachedPayload struct{ Message string }
	noticePayload   struct {
		Progress bool
		Text     string
	}
)

func newWindowPayload(s Size) windowPayload {
	return windowPayload{uint32(s.Cols), uint32(s.Rows), uint32(s.XPixel), uint32(s.YPixel)}
}

// size checks a size from the wire. Pixels that do not fit a winsize are
// unknown, cells that do not are an error.
func (w windowPayload) size() (Size, error) {
	const limit = 1 << 16
	if w.Cols >= limit || w.Rows >= limit {
		return Size{}, fmt.Errorf("%w: window of %dx%d cells", errMalformed, w.Cols, w.Rows)
	}
	s := Size{Rows: uint16(w.Rows), Cols: uint16(w.Cols)}
	if w.XPixel < limit && w.YPixel < limit {
		s.XPixel, s.YPixel = uint16(w.XPixel), uint16(w.YPixel)
	}
	return s, nil
}

func parseWindow(b []byte) (Size, error) {
	var w windowPayload
	if err := ssh.Unmarshal(b, &w); err != nil {
		return Size{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return w.size()
}

func marshalPty(p *Pty) []byte {
	w := newWindowPayload(p.Size)
	return ssh.Marshal(ptyPayload{p.Term, w.Cols, w.Rows, w.XPixel, w.YPixel, string(p.Modes)})
}

func parsePty(b []byte) (*Pty, error) {
	var p ptyPayload
	if err := ssh.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	size, err := windowPayload{p.Cols, p.Rows, p.XPixel, p.YPixel}.size()
	if err != nil {
		return nil, err
	}
	if len(p.Term) > maxName || len(p.Modes) > maxText {
		return nil, errMalformed
	}
	return &Pty{Term: p.Term, Size: size, Modes: []byte(p.Modes)}, nil
}

// start@snug carries the working directory and the argument vector, each a
// string of RFC 4251 §5. SSH's own exec has one command line for a shell,
// through which no argument vector passes unharmed.
func marshalStart(dir string, args []string) ([]byte, error) {
	b := appendString(nil, dir)
	for _, a := range args {
		b = appendString(b, a)
	}
	if len(b) > maxStart {
		return nil, tooLong(len(b))
	}
	return b, nil
}

func tooLong(n int) *Failure {
	return &Failure{Status: 126, Message: fmt.Sprintf("argument list too long: %d bytes, at most %d", n, maxStart)}
}

func parseStart(b []byte) (dir string, args []string, err error) {
	if len(b) > maxStart {
		return "", nil, errMalformed
	}
	dir, b, ok := cutString(b)
	for ok && len(b) > 0 {
		var a string
		a, b, ok = cutString(b)
		args = append(args, a)
	}
	if !ok || len(args) == 0 {
		return "", nil, errMalformed
	}
	return dir, args, nil
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func cutString(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 4 {
		return "", nil, false
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(len(b)) {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}

func parseOffset(b []byte) (Stream, uint64, error) {
	var p offsetPayload
	if err := ssh.Unmarshal(b, &p); err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if p.Stream >= uint32(streams) {
		return 0, 0, fmt.Errorf("%w: stream %d", errMalformed, p.Stream)
	}
	return Stream(p.Stream), p.Offset, nil
}

// clip bounds a text that comes from the peer.
func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}

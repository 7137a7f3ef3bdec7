package bridge

import (
	"bytes"
	"fmt"

	"github.com/snugvm/snug/terminal"
)

// EscapeChar is the character that starts an in-band escape, as in ssh; NoEscape turns escapes off. It is a flag value.
type EscapeChar int

// No escapes at all, and those of ssh.
const (
	NoEscape      EscapeChar = -1
	DefaultEscape EscapeChar = '~'
)

// ParseEscapeChar reads the argument of --escape: "none", a printable ASCII character, or ^ and a letter for a control
// character.
func ParseEscapeChar(s string) (EscapeChar, error) {
	switch {
	case s == "none":
		return NoEscape, nil
	case len(s) == 2 && s[0] == '^' && s[1]|0x20 >= 'a' && s[1]|0x20 <= 'z':
		return checkEscapeChar(s, s[1]&0x1f)
	case len(s) == 1 && s[0] > ' ' && s[0] < 0x7f:
		return checkEscapeChar(s, s[0])
	}
	return 0, fmt.Errorf("escape character %q: want one printable ASCII character, ^ and a letter, or none", s)
}

func checkEscapeChar(s string, c byte) (EscapeChar, error) {
	if bytes.IndexByte([]byte("\r\n.d?"), c) >= 0 {
		return 0, fmt.Errorf("escape character %q has a meaning already; choose another, such as %q", s, byte(DefaultEscape))
	}
	return EscapeChar(c), nil
}

// Set parses s; with String and Type it makes an EscapeChar a command-line flag.
func (c *EscapeChar) Set(s string) (err error) {
	parsed, err := ParseEscapeChar(s)
	if err == nil {
		*c = parsed
	}
	return err
}

// String returns what ParseEscapeChar accepts.
func (c EscapeChar) String() string {
	switch {
	case c == NoEscape:
		return "none"
	case c < ' ':
		return "^" + string(rune(c|0x40))
	}
	return string(rune(c))
}

// Type names the kind of flag.
func (c EscapeChar) Type() string { return "none|CHAR" }

// Help returns what the escape ? shows, with the line ends of a raw terminal.
func (c EscapeChar) Help() string {
	return fmt.Sprintf("\r\nEscapes at the start of a line, each key typed by itself:\r\n"+
		"  %[1]s.  end the session\r\n"+
		"  %[1]sd  detach; the session goes on\r\n"+
		"  %[1]s?  this text\r\n"+
		"  %[1]s%[1]s  send %[1]s\r\n", c)
}

// Action is what an in-band escape asks for.
type Action int

// What can be asked for.
const (
	NoAction  Action = iota
	EndAction        // escape and .
	Detach           // escape and d
	ShowHelp         // escape and ?
)

// Escapes takes in-band escapes out of a user's input, read by read. An escape counts only at the start of a line and
// if each of its two bytes arrives alone in its read, outside a bracketed paste: as typed, never as pasted.
type Escapes struct {
	char      EscapeChar
	lineStart bool
	held      bool // an escape character that is not yet known to be an escape
	paste     pasteScanner
	out       []byte
}

// NewEscapes returns the state at the start of a session, which is the start of a line.
func NewEscapes(char EscapeChar) *Escapes { return &Escapes{char: char, lineStart: true} }

// Feed takes what one read returned, and returns the bytes to pass on and the action that the read completed. The bytes
// are valid until the next call and may share read's memory. No byte is lost or reordered: what is passed on is the
// input without completed escapes, except that a character held back at the input's end is still to come from Flush.
func (e *Escapes) Feed(read []byte) (out []byte, action Action) {
	if e.char == NoEscape || len(read) == 0 {
		return read, NoAction
	}
	alone := len(read) == 1 && !e.paste.inside()
	if e.held {
		e.held = false
		if alone {
			if action := e.action(read[0]); action != NoAction {
				return nil, action // and still at the start of the line
			}
			if EscapeChar(read[0]) == e.char {
				e.pass(read)
				return read, NoAction
			}
		}
		e.pass(read)
		e.out = append(append(e.out[:0], byte(e.char)), read...)
		return e.out, NoAction
	}
	if alone && e.lineStart && EscapeChar(read[0]) == e.char {
		e.held = true
		return nil, NoAction
	}
	e.pass(read)
	return read, NoAction
}

// Flush returns a character that is held back, at the end of the input.
func (e *Escapes) Flush() []byte {
	if !e.held {
		return nil
	}
	e.held, e.lineStart = false, false
	return []byte{byte(e.char)}
}

func (e *Escapes) action(c byte) Action {
	switch c {
	case '.':
		return EndAction
	case 'd':
		return Detach
	case '?':
		return ShowHelp
	}
	return NoAction
}

// pass follows bytes that are passed on. What the terminal says by itself leaves the start of a line as it is: nobody
// could type an escape otherwise with mouse reporting on, or after a program that has just asked what terminal this is.
func (e *Escapes) pass(read []byte) {
	e.paste.feed(read)
	if terminal.OnlyReports(read) {
		return
	}
	last := read[len(read)-1]
	e.lineStart = last == '\r' || last == '\n'
}

// pasteScanner tells whether the input is inside a bracketed paste, wherever its marks are split between reads.
type pasteScanner struct {
	open    bool
	matched int // how much of the awaited mark the last bytes are
}

const (
	pasteStart = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
)

// inside is true from the paste's start to its end, and within a mark, whose last byte may be an escape character.
func (s *pasteScanner) inside() bool { return s.open || s.matched > 0 }

func (s *pasteScanner) feed(p []byte) {
	for _, c := range p {
		mark := pasteStart
		if s.open {
			mark = pasteEnd
		}
		if c != mark[s.matched] {
			s.matched = 0 // a mark's first byte occurs in it only once: at most that byte starts anew
		}
		if c == mark[s.matched] {
			s.matched++
		}
		if s.matched == len(mark) {
			s.open, s.matched = !s.open, 0
		}
	}
}

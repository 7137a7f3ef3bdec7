package terminal

import "bytes"

// Input is what a piece of a terminal's input is: typed by a person, or said by the terminal itself.
type Input int

// The kinds of input.
const (
	// Typed is what a person pressed or pasted, and all that is not known.
	Typed Input = iota
	// Pointer is what the mouse did, and whether the terminal has the focus.
	Pointer
	// Answer is what a program has asked the terminal for: the cursor's place, colours, modes, versions.
	Answer
)

// NextInput returns the kind and the length of the first piece of input. Pieces of one kind that follow each other may come
// one by one. A sequence that is cut off counts as typed: the rest of it may never come, as after the key ESC.
func NextInput(p []byte) (Input, int) {
	if kind, n := ownReport(p); n > 0 {
		return kind, n
	}
	for n := 1; n < len(p); n++ {
		if p[n] != '\x1b' {
			continue
		}
		if _, own := ownReport(p[n:]); own > 0 {
			return Typed, n
		}
	}
	return Typed, len(p)
}

// OnlyReports tells whether p consists of whole reports of the terminal's own, one at least. No key that a person can
// press sends any of them.
func OnlyReports(p []byte) bool {
	for len(p) > 0 {
		_, n := ownReport(p)
		if n == 0 {
			return false
		}
		p = p[n:]
	}
	return true
}

// ownReport returns the kind and the length of the report at the start of p; a length of 0 if there is none.
func ownReport(p []byte) (Input, int) {
	if len(p) < 3 || p[0] != '\x1b' {
		return Typed, 0
	}
	switch p[1] {
	case '[':
		return controlReport(p)
	case ']', 'P', '_': // OSC, DCS and APC: colours, settings, versions, pictures
		return Answer, stringLen(p)
	}
	return Typed, 0
}

// mouseX10 is the length of a mouse report in its oldest form: CSI M and three bytes.
const mouseX10 = 6

// controlReport is ownReport for CSI. Keys are CSI too: a report has a private mark in front of its numbers, or a final
// byte that no key has; or, the place of the cursor, two numbers and R, which is a key only with the first of them 1.
func controlReport(p []byte) (Input, int) {
	switch p[2] {
	case 'I', 'O':
		return Pointer, 3
	case 'M':
		if len(p) >= mouseX10 {
			return Pointer, mouseX10
		}
		return Typed, 0
	}
	i := 2
	for i < len(p) && 0x20 <= p[i] && p[i] < 0x40 { // parameters and intermediates
		i++
	}
	if i == len(p) || i == 2 {
		return Typed, 0
	}
	parameters, final := p[2:i], p[i]
	cursor := final == 'R' && bytes.Contains(parameters, []byte(";")) && !bytes.HasPrefix(parameters, []byte("1;"))
	switch {
	case parameters[0] == '<':
		return Pointer, i + 1
	case parameters[0] >= '<', cursor, final == 'n', final == 'c', final == 't', final == 'y' && p[i-1] == '$':
		return Answer, i + 1
	}
	return Typed, 0
}

// stringLen is the length of the string at the start of p with its end, 0 if that has not come.
func stringLen(p []byte) int {
	end := bytes.IndexAny(p[2:], "\x1b\a")
	switch {
	case end < 0:
		return 0
	case p[2+end] == '\a':
		return 2 + end + 1
	case bytes.HasPrefix(p[2+end:], []byte("\x1b\\")):
		return 2 + end + 2
	}
	return 0
}

package firewall

// This file takes sequences apart as the DEC VT500 does (https://vt100.net/emu/dec_ansi_parser): ESC begins anew from
// anywhere, CAN and SUB cancel, other controls within a sequence are carried out before it.

// begin starts a sequence at ESC.
func (f *Filter) begin() {
	f.state = inEscape
	f.held = append(f.held[:0], esc)
}

// harmless returns the length of the complete sequence that p begins with, if it passes as it is; else 0; and what it
// does. It is the short way for almost everything; what it does not know takes the long one, to the same end.
func (f *Filter) harmless(p []byte) (n int, e effect) {
	if len(p) < 4 {
		return 0, unknown // the rarest, and the long way knows better
	}
	switch c := p[1]; {
	case c == '[':
		return f.harmlessControl(p[:min(len(p), maxControl)])
	case c == '(' || c == ')':
		if p[2] == 'B' || p[2] == '0' {
			return 3, unknown
		}
	case c == ']':
		return harmlessTitle(p), draws
	case escapes[c]:
		return 2, unknown
	}
	return 0, unknown
}

// harmlessControl is harmless for a CSI sequence. Most draw, by numbers of four digits at most.
func (f *Filter) harmlessControl(p []byte) (n int, e effect) {
	digits := 0
	for i := 2; i < len(p); i++ {
		c := p[i]
		if c-'0' < 10 {
			digits++
			continue
		}
		if digits > 4 {
			break
		}
		if digits = 0; c != ';' && c != ':' {
			if drawing[c] {
				return i + 1, effects[c]
			}
			break
		}
	}
	if p[2] == '?' {
		if n := harmlessModes(p); n > 0 {
			return n, unknown
		}
	}
	for i := 2; i < len(p); i++ {
		switch c := p[i]; {
		case c < ' ' || c >= del:
			return 0, unknown
		case c >= '@':
			if f.judge(p[:i+1]) == pass {
				return i + 1, effectOf(p[:i+1])
			}
			return 0, unknown
		}
	}
	return 0, unknown
}

// effect is what a sequence that passes does to the terminal: what somebody must know who is to undo it.
type effect uint8

const (
	draws   effect = iota // and no more
	styles                // the attributes of what is drawn from now on
	unknown               // may be anything
)

// effects are those of drawing, by final byte.
var effects = [256]effect{'m': styles, 'r': unknown}

// effectOf returns what a sequence does that is not known to draw.
func effectOf(seq []byte) effect {
	if len(seq) < 3 || seq[1] != '[' || seq[len(seq)-1] != 'm' {
		return unknown
	}
	if c, ok := parseControl(seq); ok && c.prefix == 0 && c.inter == 0 {
		return styles
	}
	return unknown
}

// harmlessModes is harmless for private modes.
func harmlessModes(p []byte) int {
	mode := 0
	for i := 3; i < len(p); i++ {
		c := p[i]
		if c-'0' < 10 {
			if mode = mode*10 + int(c-'0'); mode > 9999 {
				return 0
			}
			continue
		}
		if c != ';' && c != 'h' && c != 'l' || refusedMode(true, mode, true) {
			return 0
		}
		if c != ';' {
			return i + 1
		}
		mode = 0
	}
	return 0
}

// harmlessTitle is harmless for a title of ASCII, which shells set at each prompt.
func harmlessTitle(p []byte) int {
	if p[2] < '0' || p[2] > '2' || p[3] != ';' {
		return 0
	}
	p = p[:min(len(p), maxTitle)]
	if i := printableEnd(p, 4); i < len(p) && p[i] == bel && string(p[4:i]) != "?" {
		return i + 1
	}
	return 0
}

// between takes a byte that belongs to no escape or CSI sequence, and reports whether it was one, and whether it is
// taken with that.
func (f *Filter) between(c byte) (one, taken bool) {
	switch {
	case c == esc:
		f.begin()
	case c == can || c == sub:
		f.state = ground
	case c == 0 || c == enq || c == del:
	case c < ' ':
		f.emitMarked([]byte{c})
	case c > del:
		f.state = ground // no part of any sequence: what terminals make of it differs, so the sequence is dropped
		return true, false
	default:
		return false, false
	}
	return true, true
}

// escape takes a byte after ESC.
func (f *Filter) escape(c byte) (taken bool) {
	if one, taken := f.between(c); one {
		return taken
	}
	if len(f.held) < maxEscape+1 {
		f.held = append(f.held, c)
	}
	switch {
	case c < '0':
		return true
	case len(f.held) > 2:
		f.state = ground
		if escapeHarmless(f.held) {
			f.emitMarked(f.held)
		}
		return true
	}
	switch c {
	case '[':
		f.state = inControl
	case ']', 'P', '_', 'k':
		f.state, f.kind, f.headed, f.streamed = inString, c, false, 0
	case 'X', '^':
		f.state, f.kind = skipping, c // nothing uses SOS and PM but tmux's and screen's messages
	default:
		f.state = ground
		if escapes[c] {
			f.emitMarked(f.held)
		}
	}
	return true
}

// control takes a byte of a CSI sequence.
func (f *Filter) control(c byte) (taken bool) {
	if one, taken := f.between(c); one {
		return taken
	}
	if len(f.held) <= maxControl {
		f.held = append(f.held, c)
	}
	if c < '@' {
		return true
	}
	f.state = ground
	if len(f.held) > maxControl {
		return true
	}
	switch f.judge(f.held) {
	case pass:
		f.emitMarked(f.held)
	case rewrite:
		f.emitMarked(f.scratch)
	case drop:
		f.refuseControl(f.held)
	}
	return true
}

// escapes are the final bytes of the escape sequences without intermediates that pass.
var escapes = set("6789" + // DECBI, DECSC, DECRC, DECFI
	"=>" + // keypad
	"<" + // out of VT52 mode, in which nothing that passes has brought the terminal
	"c" + // RIS
	"DEHMNOZVW" + // IND, NEL, HTS, RI, SS2, SS3, DECID, SPA, EPA
	"Flmg" + // lower left, memory lock, visual bell of screen
	"no|}~" + // locking shifts
	"\\") // ST

// escapeHarmless judges an escape sequence with intermediates.
func escapeHarmless(seq []byte) bool {
	if len(seq) > maxEscape {
		return false
	}
	rest := string(seq[2:])
	switch seq[1] {
	case '(', ')', '*', '+', '-', '.', '/': // character sets: they change what is drawn, never what is read
		return true
	case '#':
		return rest == "3" || rest == "4" || rest == "5" || rest == "6" || rest == "8"
	case '%':
		return rest == "G" // UTF-8; anything else would have the terminal read other controls than this filter
	case ' ':
		return rest == "F" // replies with 7-bit controls
	}
	return false
}

func set(bytes string) (s [256]bool) {
	for i := range len(bytes) {
		s[bytes[i]] = true
	}
	return s
}

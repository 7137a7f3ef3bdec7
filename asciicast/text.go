package asciicast

import "unicode/utf8"

const replacement = "\uFFFD"

// decoder makes text of bytes that come cut anywhere.
type decoder struct {
	held []byte // the beginning of a character
}

// feed returns the characters that are whole.
func (d *decoder) feed(p []byte) string {
	if len(d.held) == 0 && utf8.Valid(p) {
		return string(p)
	}
	b := append(d.held, p...)
	out := make([]byte, 0, len(b)+len(replacement))
	for len(b) > 0 {
		n, whole := character(b)
		switch {
		case whole:
			out = append(out, b[:n]...)
		case n == len(b):
			d.held = append([]byte(nil), b...)
			return string(out)
		default:
			out = append(out, replacement...)
			n = max(n, 1)
		}
		b = b[n:]
	}
	d.held = nil
	return string(out)
}

// end returns what stands for a character that never became whole.
func (d *decoder) end() string {
	if len(d.held) == 0 {
		return ""
	}
	d.held = nil
	return replacement
}

// character returns how many bytes at the start of b belong to one character, and whether it is whole. If it is not,
// they are the longest part that a character could begin with: all of b, or what comes next is wrong.
func character(b []byte) (n int, whole bool) {
	var size int
	low, high := byte(0x80), byte(0xbf) // of the second byte
	switch c := b[0]; {
	case c < utf8.RuneSelf:
		return 1, true
	case c < 0xc2 || c > 0xf4:
		return 0, false
	case c < 0xe0:
		size = 2
	case c < 0xf0:
		size = 3
	default:
		size = 4
	}
	switch b[0] {
	case 0xe0:
		low = 0xa0 // less would be too long a form
	case 0xed:
		high = 0x9f // surrogates
	case 0xf0:
		low = 0x90
	case 0xf4:
		high = 0x8f // above U+10FFFF
	}
	for n = 1; n < size; n++ {
		if n == len(b) || b[n] < low || b[n] > high {
			return n, false
		}
		low, high = 0x80, 0xbf
	}
	return n, true
}

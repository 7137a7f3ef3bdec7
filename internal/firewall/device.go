package firewall

import (
	"bytes"
	"slices"
)

// This file judges device control strings (DCS) and application program commands (APC).

// deviceHeader judges what introduces a DCS, up to its final byte.
func (f *Filter) deviceHeader(c byte) {
	if f.headed || c < '@' && c >= ' ' {
		return
	}
	f.headed = true
	header := f.held[2:]
	switch {
	case only(header[:len(header)-1], &numbers) && c == 'q' && f.policy != Strict:
		f.startStreaming()
	case len(header) == 2 && c == 'q' && (header[0] == '$' || header[0] == '+'):
	case string(header) == "=1s", string(header) == "=2s", string(header) == "z":
	default:
		f.refuseDevice(header)
		f.state = skipping
	}
}

// refuseDevice counts a DCS that would have done something.
func (f *Filter) refuseDevice(header []byte) {
	switch header[len(header)-1] {
	case '|', '{', 'p', '@', 't': // keys, fonts, terminfo or tmux's control mode, kitty's remote control, tmux's passthrough
		f.refuse(remoteControl)
	}
}

// device judges a complete DCS whose header passes.
func (f *Filter) device(body []byte) {
	switch {
	case !f.headed:
	case bytes.HasPrefix(body, []byte("$q")):
		if slices.Contains(settings, string(body[2:])) {
			f.passString(st)
		} else {
			f.answer("\x1bP0$r" + st)
		}
	case bytes.HasPrefix(body, []byte("+q")):
		if f.policy != Strict && len(body) <= maxNotice && only(body[2:], &capabilityNames) {
			f.passString(st)
		} else {
			f.answer("\x1bP0+r" + st)
		}
	case string(body) == "=1s", string(body) == "=2s": // synchronized output, as iTerm2 began it
		f.passString(st)
	case string(body) == "zz": // nothing, by which vim tells terminals apart that print what they do not know
		f.passString(st)
	}
}

// settings are what DECRQSS may ask for: those whose answer is made of numbers. Terminals have echoed others, and what
// is echoed is typed.
var settings = []string{
	"m", "r", "s", "t", " q", "\"p", "\"q", "|", "$|", "*|", "*x", "$}", "$~", ">4m",
}

// applicationHeader judges what introduces an APC: only kitty's pictures pass.
func (f *Filter) applicationHeader(c byte) {
	switch {
	case f.headed:
	case len(f.held) == 3 && c != 'G':
		f.state = skipping
	case c == ';':
		f.headed = true
		if f.graphics(f.held[3 : len(f.held)-1]) {
			f.startStreaming()
		} else {
			f.state = skipping
		}
	}
}

// graphics judges the keys of a command of kitty's graphics protocol: k=v,k=v. What has the terminal read a file or
// shared memory of its host, by a name that the guest chose, is refused: it shows, or deletes, what the guest cannot see.
func (f *Filter) graphics(keys []byte) bool {
	var id []byte
	quiet, direct := false, true
	for rest, more := keys, len(keys) > 0; more; {
		var pair []byte
		pair, rest, more = bytes.Cut(rest, []byte{','})
		if len(pair) < 2 || !graphicsValue[pair[0]] || pair[1] != '=' || !only(pair[2:], &graphicsValue) {
			return false
		}
		switch key, value := pair[0], pair[2:]; {
		case key == 't' && string(value) != "d":
			direct = false
		case key == 'i' && len(value) <= 10 && only(value, &decimal):
			id = value
		case key == 'q' && string(value) == "2":
			quiet = true
		}
	}
	if !direct {
		f.refuse(fileAccess)
	}
	if direct && f.policy != Strict {
		return true
	}
	if len(id) > 0 && !quiet {
		f.answer("\x1b_Gi=" + string(id) + ";EPERM:refused by snug" + st)
	}
	return false
}

var (
	decimal         = set("0123456789")
	hexadecimal     = set("0123456789abcdefABCDEF")
	numbers         = set("0123456789;")
	capabilityNames = set("0123456789abcdefABCDEF;")
	graphicsValue   = set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-")
)

// only reports whether p consists of bytes of the set.
func only(p []byte, s *[256]bool) bool {
	for _, c := range p {
		if !s[c] {
			return false
		}
	}
	return true
}

package command

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// readyMark is what setScript says of the program that it is about to become.
type readyMark struct {
	sized bool   // stty has set the terminal's size
	pid   int    // in the machine
	input string // the name of its input: a terminal's path, mostly
}

// tty is the path by which a side-channel exec finds the program's terminal.
func (r readyMark) tty() string {
	if strings.HasPrefix(r.input, "/dev/") {
		return r.input
	}
	return "/proc/" + strconv.Itoa(r.pid) + "/fd/0" // no file system shows it
}

const (
	markBegin = "\x1b]snug" // the nonce follows
	markEnd   = '\a'
	question  = '?'
	// longestMark is what may follow the nonce; more is no mark.
	longestMark = 200
)

// markFilter takes the marks of setScript, each once, out of a stream in which they
// may be cut anywhere, and nothing else. It holds back only what may be a part of
// one.
type markFilter struct {
	prefix []byte
	held   []byte
	asked  func() []byte   // returns the answer to the question for a size
	found  func(readyMark) // called once; the filter then is at its end
	done   bool
}

func newMarkFilter(nonce string, asked func() []byte, found func(readyMark)) *markFilter {
	return &markFilter{prefix: []byte(markBegin + nonce + ";"), asked: asked, found: found}
}

// pass returns what of the stream so far is not the marks', and the answer to one.
// With nil the stream is at its end.
func (f *markFilter) pass(p []byte) (out, answer []byte) {
	switch {
	case f.done:
		return p, nil
	case p == nil:
		out, f.held, f.done = f.held, nil, true
		return out, nil
	}
	data := append(f.held, p...)
	f.held = nil
	for {
		begin, whole := locate(data, f.prefix)
		out = append(out, data[:begin]...)
		data = data[begin:]
		if !whole {
			f.held = bytes.Clone(data)
			return out, answer
		}
		body := data[len(f.prefix):]
		end := bytes.IndexByte(body[:min(len(body), longestMark)], markEnd)
		if end < 0 && len(body) < longestMark {
			f.held = bytes.Clone(data)
			return out, answer
		}
		if end == 1 && body[0] == question && f.asked != nil {
			answer, f.asked = f.asked(), nil
			data = body[end+1:]
			continue
		}
		if mark, ok := parseMark(body[:max(end, 0)]); ok {
			f.done = true
			f.found(mark)
			return append(out, body[end+1:]...), answer
		}
		out, data = append(out, data[0]), data[1:]
	}
}

// locate returns where prefix begins in data, or may begin at the end of it.
func locate(data, prefix []byte) (begin int, whole bool) {
	if i := bytes.Index(data, prefix); i >= 0 {
		return i, true
	}
	for n := min(len(data), len(prefix)-1); n > 0; n-- {
		if bytes.HasPrefix(prefix, data[len(data)-n:]) {
			return len(data) - n, false
		}
	}
	return len(data), false
}

// markBody is what stands in a mark. What a machine calls a terminal becomes an
// argument of a command line, and so is no more than a plain name.
var markBody = regexp.MustCompile(`^([01]);([1-9][0-9]{0,9});([A-Za-z0-9/._:\[\]-]*)$`)

func parseMark(body []byte) (readyMark, bool) {
	m := markBody.FindSubmatch(body)
	if m == nil {
		return readyMark{}, false
	}
	pid, err := strconv.Atoi(string(m[2]))
	return readyMark{sized: m[1][0] == '1', pid: pid, input: string(m[3])}, err == nil
}

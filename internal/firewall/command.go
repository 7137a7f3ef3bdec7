package firewall

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"unicode/utf8"
)

// This file judges operating system commands (OSC): only numbers that are known pass, with contents of a known form.

// commandHeader judges what introduces a picture of iTerm2, whose data is not held.
func (f *Filter) commandHeader(c byte) {
	if f.headed || c != ':' && c != '=' {
		return
	}
	switch body := f.held[2:]; {
	case c == ':' && bytes.HasPrefix(body, []byte("1337;File=")):
		f.headed = true
		if f.policy != Strict && inlinePicture(body[len("1337;File="):len(body)-1]) {
			f.startStreaming()
			return
		}
	case string(body) == "1337;FilePart=":
		f.headed = true
		if f.policy != Strict {
			f.startStreaming()
			return
		}
	default:
		return
	}
	f.refuse(fileAccess)
	f.state = skipping
}

// inlinePicture reports whether the arguments of iTerm2's File= show a picture. Without inline=1 the terminal saves
// what comes as a file.
func inlinePicture(args []byte) bool {
	if !clean(args) {
		return false
	}
	inline, other := 0, 0
	for arg := range bytes.SplitSeq(args, []byte{';'}) {
		if value, ok := bytes.CutPrefix(arg, []byte("inline=")); ok && string(value) == "1" {
			inline++
		} else if ok {
			other++
		}
	}
	return inline == 1 && other == 0
}

// command judges a complete OSC.
func (f *Filter) command(body []byte, end string) {
	digits, args, _ := bytes.Cut(body, []byte{';'})
	if len(digits) == 0 || len(digits) > 4 || !only(digits, &decimal) || digits[0] == '0' && len(digits) > 1 {
		return
	}
	n, _ := strconv.Atoi(string(digits))
	switch n {
	case 0, 1, 2:
		f.passTitle(f.held[:2+len(digits)], args, end)
		return
	case 8:
		f.link(args, end)
		return
	case 52:
		f.clipboard(args, end)
		return
	}
	if f.commandPasses(n, args) {
		f.passString(end)
	}
}

// commandPasses judges the commands that pass as they are or not at all.
func (f *Filter) commandPasses(n int, args []byte) bool {
	switch n {
	case 4, 5:
		return isPalette(args)
	case 10, 11, 12, 13, 14, 15, 16, 17, 18, 19:
		return only(args, &colours) // set or ask; the answer is a colour
	case 104, 105, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119:
		return only(args, &numbers) // reset; of numbers
	case 21:
		return only(args, &colourKeys) // kitty's; the answer repeats the key
	case 22:
		return only(args, &pointers)
	case 7:
		return f.policy != Strict && len(args) <= maxURL && localFile(args)
	case 9:
		return isProgress(args) || !hasNumber(args) && f.notification(args)
	case 99:
		metadata, text, _ := bytes.Cut(args, []byte{';'})
		return only(metadata, &noticeMetadata) && f.notification(text)
	case 777:
		return bytes.HasPrefix(args, []byte("notify;")) && f.notification(args)
	case 66, 133:
		return clean(args) // sized text; where a prompt and its command begin
	case 1337:
		return f.proprietary(args)
	case 5113, 5522:
		f.refuse(fileAccess)
	case 46, 51:
		f.refuse(remoteControl) // xterm's log file, Emacs's functions
	}
	return false
}

// isPalette reports whether args are numbers of colours, each with a colour to set or a question. The answer repeats
// the number.
func isPalette(args []byte) bool {
	index := true
	for rest, more := args, true; more; index = !index {
		var arg []byte
		arg, rest, more = bytes.Cut(rest, []byte{';'})
		if index && !only(bytes.TrimPrefix(arg, []byte{'-'}), &decimal) || !only(arg, &colours) {
			return false
		}
	}
	return true
}

// proprietary judges iTerm2's commands.
func (f *Filter) proprietary(args []byte) bool {
	name, value, _ := bytes.Cut(args, []byte{'='})
	switch string(name) {
	case "ReportCellSize":
		return len(value) == 0
	case "CursorShape":
		return len(value) == 1 && only(value, &decimal)
	case "MultipartFile":
		return f.policy != Strict && inlinePicture(value)
	case "FileEnd":
		return f.policy != Strict && len(value) == 0
	case "Copy", "CopyToClipboard", "EndCopy":
		f.refuse(clipboardWrite)
	case "RequestUpload", "File":
		f.refuse(fileAccess)
	case "RemoteHost", "CurrentDir", "ShellIntegrationVersion", "SetMark", "SetUserVar", "HighlightCursorLine":
		// What iTerm2's shell integration says at each prompt would drown the rest.
	default:
		f.refuse(remoteControl)
	}
	return false
}

// notification judges the text of a desktop notification.
func (f *Filter) notification(text []byte) bool {
	if f.policy == Strict || len(text) > maxNotice || !clean(text) {
		f.refuse(notification)
		return false
	}
	return true
}

// isProgress reports whether the arguments of OSC 9 are those of a progress bar.
func isProgress(args []byte) bool {
	parts := bytes.Split(args, []byte{';'})
	if len(parts) < 2 || len(parts) > 3 || string(parts[0]) != "4" {
		return false
	}
	return !slices.ContainsFunc(parts, func(p []byte) bool { return len(p) > 3 || !only(p, &decimal) })
}

// hasNumber reports whether the arguments of OSC 9 begin with the number of one of ConEmu's commands, of which some run
// programs.
func hasNumber(args []byte) bool {
	number, _, _ := bytes.Cut(args, []byte{';'})
	return only(bytes.TrimSpace(number), &decimal)
}

// passTitle passes a title without what is not text, and no more than maxTitle of it.
func (f *Filter) passTitle(introducer, title []byte, end string) {
	out := f.scratch[:0]
	for len(title) > 0 {
		r, n := utf8.DecodeRune(title)
		if text := r >= ' ' && (r < del || r >= 0xa0) && (r != utf8.RuneError || n > 1); text {
			if len(out)+n > maxTitle {
				break
			}
			out = append(out, title[:n]...)
		}
		title = title[n:]
	}
	f.scratch = out
	if string(out) == "?" {
		f.refuse(titleRead) // rxvt would type it
		return
	}
	f.emit(introducer)
	if f.kind == ']' {
		f.emit([]byte{';'})
	}
	f.emit(out)
	f.emit([]byte(end))
}

// link passes a hyperlink that leads to a harmless place. Of any other the text stays, and the link before it ends.
func (f *Filter) link(args []byte, end string) {
	params, target, ok := bytes.Cut(args, []byte{';'})
	if ok && len(target) <= maxURL && len(params) <= maxNotice && only(args, &urlBytes) && f.harmlessURL(target) {
		f.passString(end)
		return
	}
	f.emitMarked([]byte("\x1b]8;;" + end))
}

func (f *Filter) harmlessURL(target []byte) bool {
	scheme, rest, _ := bytes.Cut(target, []byte{':'})
	switch string(scheme) {
	case "": // the end of a link
		return len(target) == 0
	case "http", "https", "ftp":
		return len(rest) > 2 && string(rest[:2]) == "//" && rest[2] != '/'
	case "mailto":
		return true
	case "file":
		return f.policy != Strict && localFile(target)
	}
	return false
}

// localFile reports whether a URL names a file of the terminal's own host: another host's has a terminal, or what it
// starts, reach out to that host, on some systems with the user's credentials.
func localFile(target []byte) bool {
	rest, ok := bytes.CutPrefix(target, []byte("file://"))
	path := bytes.TrimPrefix(rest, []byte("localhost"))
	if !ok || !only(path, &urlBytes) || len(path) == 0 || path[0] != '/' || len(path) > 1 && path[1] == '/' {
		return false
	}
	for i, c := range path {
		if c == '\\' {
			return false // a separator on Windows, where two name a host
		}
		if c == '%' && (i+2 >= len(path) || !harmlessOctet(path[i+1:i+3])) {
			return false
		}
	}
	return true
}

// harmlessOctet reports whether two hexadecimal digits stand for no control, slash or backslash.
func harmlessOctet(digits []byte) bool {
	n, err := strconv.ParseUint(string(digits), 16, 8)
	return err == nil && n >= ' ' && n != del && n != '/' && n != '\\'
}

// clipboard judges OSC 52. What is written may be pasted into a shell, so it must be text, without the controls that
// would end a bracketed paste.
func (f *Filter) clipboard(args []byte, end string) {
	selection, data, ok := bytes.Cut(args, []byte{';'})
	switch {
	case ok && string(data) == "?":
		f.refuse(clipboardRead)
		f.answer("\x1b]52;c;" + st) // an empty one, so that nobody waits
	case !ok || f.policy == Strict || len(selection) > 3 || !only(selection, &selections) || !f.isText(data):
		f.refuse(clipboardWrite)
	default:
		f.passString(end)
	}
}

// isText reports whether data is the base64 of text.
func (f *Filter) isText(data []byte) bool {
	if !only(data, &base64Bytes) {
		return false // the decoder would overlook line ends
	}
	for len(data) > 0 {
		n := min(len(data), len(f.decoded)/3*4)
		got, err := base64.StdEncoding.Decode(f.decoded[:], data[:n])
		if err != nil || n < len(data) && got != n/4*3 {
			return false
		}
		for _, c := range f.decoded[:got] {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == del {
				return false
			}
		}
		data = data[n:]
	}
	return true
}

// clean reports whether p is text without controls.
func clean(p []byte) bool {
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r < ' ' || r >= del && r < 0xa0 || r == utf8.RuneError && n == 1 {
			return false
		}
		p = p[n:]
	}
	return true
}

const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

var (
	colours        = set(alphanumeric + "#:;?/., +-")
	colourKeys     = set(alphanumeric + "#:;?/.,_=@")
	pointers       = set(alphanumeric + "<>=?;:,_-")
	noticeMetadata = set(alphanumeric + "_-+.:=,?/")
	selections     = set("cps")
	base64Bytes    = set(alphanumeric + "+/=")
	urlBytes       = func() (s [256]bool) {
		for c := byte('!'); c < del; c++ {
			s[c] = true
		}
		return s
	}()
)

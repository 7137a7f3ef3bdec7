package screen

import (
	"slices"
	"strings"
)

// departure is a case in which tmux does something else than xterm, whose way the screen follows. Output that is to look
// the same in both is written so that the case does not arise.
type departure struct {
	tmux  string // what tmux does; seen with 3.3a
	xterm string // what xterm does, and why that is right
	is    func(s *Screen, token string) bool
	write func(token string) string // what is written instead; nil if nothing
}

var departures = []departure{
	{
		tmux:  "the cursor has a place behind the last column, from which BS, CUB and erasing count",
		xterm: "it stays in the last column and remembers that a wrap waits (VT510, DECAWM)",
		is: func(s *Screen, token string) bool {
			return s.pending && isControl(token) && !strings.HasSuffix(token, "m")
		},
		write: func(token string) string { return "\r" + token },
	}, {
		tmux:  "IL and DL leave the cursor in its column",
		xterm: "they move it to the left margin (VT510)",
		is:    func(_ *Screen, token string) bool { return isLines(token) },
		write: func(token string) string { return token + "\r" },
	}, {
		tmux:  "IL and DL outside the margins move lines from there to the end of the screen",
		xterm: "they do nothing there (VT510)",
		is:    func(s *Screen, token string) bool { return isLines(token) && !s.inMargins() },
	}, {
		tmux:  "DECSTBM brings the cursor to the first place of the screen",
		xterm: "in origin mode it is the first place of the region (VT510, DECOM)",
		is:    func(s *Screen, token string) bool { return strings.HasSuffix(token, "r") && s.modes.has(modeOrigin) },
		write: func(token string) string { return token + "\x1b[H" },
	}, {
		tmux:  "BS in the first column returns to a row that was wrapped",
		xterm: "it does so in mode 45 only",
		is:    func(s *Screen, token string) bool { return token == "\b" && (s.x == 0 || s.pending) },
	}, {
		tmux:  "ICH of as many characters as are right of the cursor does nothing",
		xterm: "it leaves spaces",
		is: func(s *Screen, token string) bool {
			return strings.HasSuffix(token, "@") && (len(token) > len("\x1b[4@") || s.x+10 > s.cols)
		},
	}, {
		tmux:  "in insert mode room is made before a full line is wrapped, so text is lost in one row and overwritten in the next",
		xterm: "it wraps, then inserts",
		is: func(s *Screen, token string) bool {
			return s.modes.has(modeInsert) && !isControl(token) && (token[0] >= 0x80 || s.x+len(token) >= s.cols)
		},
	}, {
		tmux:  "half of a wide character remains where the other half is overwritten in the first columns, erased, or pushed over an edge",
		xterm: "none remains: it would shift all that follows",
		is: func(s *Screen, token string) bool {
			if !slices.ContainsFunc(s.row().cells, cell.isTail) {
				return false
			}
			if isControl(token) {
				return strings.ContainsAny(token[len(token)-1:], "JKX@P")
			}
			return s.modes.has(modeInsert) || s.x == 1 && s.row().cells[1].isTail()
		},
	}, {
		tmux:  "without wrapping a combining mark joins the character before the last one",
		xterm: "it joins the last one written",
		is: func(s *Screen, token string) bool {
			return !s.modes.has(modeWrap) && strings.ContainsAny(token, "\u0301\u0308")
		},
	}, {
		tmux:  "the line that appears when the last one wraps has the default background",
		xterm: "it has that of the pen, as after LF (background colour erase)",
		is: func(s *Screen, token string) bool {
			return !isControl(token) && (s.pending || s.x+len(token) >= s.cols)
		},
		write: func(token string) string { return "\x1b[49m" + token },
	}, {
		tmux:  "mode 1049 erases with the default background",
		xterm: "it erases with that of the pen",
		is:    func(_ *Screen, token string) bool { return token == "\x1b[?1049h" },
		write: func(token string) string { return "\x1b[49m" + token },
	}, {
		tmux:  "switching to the screen that is shown already does nothing",
		xterm: "mode 1049 saves, restores and erases all the same",
		is: func(s *Screen, token string) bool {
			return token == "\x1b[?1049l" && !s.Alternate() || token == "\x1b[?1049h" && s.Alternate()
		},
	}, {
		tmux:  "mode 1049 saves the cursor apart from DECSC, and without character sets",
		xterm: "it saves and restores what DECSC and DECRC do",
		is: func(s *Screen, token string) bool {
			return token == "\x1b[?1049l"
		},
		write: func(token string) string { return token + "\x0f\x1b(B\x1b)B\x1b7" },
	}, {
		tmux:  "there is one saved cursor",
		xterm: "each screen has its own",
		is: func(s *Screen, token string) bool {
			return s.Alternate() && (token == "\x1b7" || token == "\x1b8")
		},
	},
}

func isControl(token string) bool { return token[0] < 0x20 }

func isLines(token string) bool {
	return strings.HasPrefix(token, "\x1b[") && (strings.HasSuffix(token, "L") || strings.HasSuffix(token, "M"))
}

// portable makes output one that tmux and xterm take for the same.
func portable(cols, rows int, tokens []string) string {
	var b strings.Builder
	s := New(cols, rows, Options{})
	for _, token := range tokens {
		if token == "" || slices.ContainsFunc(departures, func(d departure) bool { return d.write == nil && d.is(s, token) }) {
			continue
		}
		for _, d := range departures {
			if d.write != nil && d.is(s, token) {
				token = d.write(token)
			}
		}
		b.WriteString(token)
		_, _ = s.Write([]byte(token))
	}
	return b.String()
}

package screen

import (
	"fmt"
	"strconv"
	"strings"
)

// What the terminal says it is: a VT420 with selective erase, horizontal scrolling, colour and rectangles.
const (
	primaryAttributes   = "\x1b[?64;6;21;22;28c"
	secondaryAttributes = "\x1b[>64;0;0c"
	tertiaryAttributes  = "\x1bP!|00000000\x1b\\"
)

// maxReplies bounds what waits to be taken. Replies beyond are dropped whole: who asks that much reads nothing.
const maxReplies = 64 << 10

// TakeReplies returns what the terminal has answered since the last call: input for the program.
func (s *Screen) TakeReplies() []byte {
	replies := s.replies
	s.replies = nil
	return replies
}

func (s *Screen) reply(answer string) {
	if len(s.replies)+len(answer) <= maxReplies {
		s.replies = append(s.replies, answer...)
	}
}

func (s *Screen) answerIf(asked bool, answer string) {
	if asked {
		s.reply(answer)
	}
}

func dcs(text string) string { return "\x1bP" + text + "\x1b\\" }

// position returns the cursor's row and column as CUP would count them.
func (s *Screen) position() (row, col int) {
	if s.modes.has(modeOrigin) {
		return s.y - s.top + 1, s.x - s.left + 1
	}
	return s.y + 1, s.x + 1
}

// reportStatus is DSR.
func (s *Screen) reportStatus(what int) {
	switch what {
	case 5:
		s.reply("\x1b[0n")
	case 6:
		row, col := s.position()
		s.reply(fmt.Sprintf("\x1b[%d;%dR", row, col))
	}
}

// reportPrivateStatus is DSR of DEC.
func (s *Screen) reportPrivateStatus(what int) {
	switch what {
	case 6:
		row, col := s.position()
		s.reply(fmt.Sprintf("\x1b[?%d;%d;1R", row, col))
	case 15:
		s.reply("\x1b[?13n") // no printer
	case 25:
		s.reply("\x1b[?21n") // function keys are locked
	case 26:
		s.reply("\x1b[?27;1;0;0n") // a North American keyboard
	case 55, 56:
		s.reply(map[int]string{55: "\x1b[?50n", 56: "\x1b[?57;0n"}[what]) // no locator
	case 75:
		s.reply("\x1b[?70n") // no malfunction
	case 996:
		s.reply(map[bool]string{true: "\x1b[?997;1n", false: "\x1b[?997;2n"}[s.dark()])
	}
}

// reportParameters is DECREQTPARM.
func (s *Screen) reportParameters(what int) {
	if what <= 1 {
		s.reply(fmt.Sprintf("\x1b[%d;1;1;128;128;1;0x", what+2))
	}
}

// Answers of DECRQM.
const (
	modeUnknown      = 0
	modeOn           = 1
	modeOff          = 2
	modePermanentOn  = 3
	modePermanentOff = 4
)

// reportMode is DECRQM.
func (s *Screen) reportMode(number int, modes []numbered, prefix string) {
	state := modeUnknown
	onOff := map[bool]int{true: modeOn, false: modeOff}
	for _, m := range modes {
		if m.number == number {
			state = onOff[s.modes.has(m.mode)]
		}
	}
	if prefix == "?" {
		switch number {
		case 47, 1047, 1049:
			state = onOff[s.Alternate()]
		case 1048:
			state = modeOn
		case 3:
			state = modePermanentOff
		case 80, 8452: // of sixels, which DA says are not known
			state = modeUnknown
		case 2027: // grapheme clusters
			state = modePermanentOn
		}
	}
	s.reply(fmt.Sprintf("\x1b[%s%d;%d$y", prefix, number, state))
}

func (s *Screen) reportKeys() { s.reply(fmt.Sprintf("\x1b[?%du", s.buf.keys.current)) }

func (s *Screen) reportModifyOtherKeys(resource int) {
	s.answerIf(resource == 4, fmt.Sprintf("\x1b[>4;%dm", s.modifyOther))
}

// windowOperation is XTWINOPS: the title stack and the reports of sizes. What moves, closes or renames a window is
// ignored, and titles are not reported: a title that a terminal types is a command that somebody else chose.
func (s *Screen) windowOperation(p *params) {
	switch p.get(0, 0) {
	case 11:
		s.reply("\x1b[1t")
	case 14:
		s.answerIf(s.pixels.x > 0 && s.pixels.y > 0, fmt.Sprintf("\x1b[4;%d;%dt", s.pixels.y, s.pixels.x))
	case 16:
		s.answerIf(s.pixels.x > 0 && s.pixels.y > 0, fmt.Sprintf("\x1b[6;%d;%dt", s.pixels.y/s.rows, s.pixels.x/s.cols))
	case 18:
		s.reply(fmt.Sprintf("\x1b[8;%d;%dt", s.rows, s.cols))
	case 19:
		s.reply(fmt.Sprintf("\x1b[9;%d;%dt", s.rows, s.cols))
	case 22:
		s.pushTitles()
	case 23:
		s.popTitles(p.get(1, 0))
	}
}

// dispatchDCS executes a device control string: the two questions that programs ask, or sixels.
func (s *Screen) dispatchDCS(text []byte) {
	ps := &s.parser
	s.adjacent = false
	if ps.prefix != 0 || ps.final != 'q' {
		return
	}
	switch ps.inter {
	case 0:
		s.sixel(text)
	case '$':
		s.reportSetting(string(text))
	case '+':
		s.reportCapabilities(string(text))
	}
}

// reportSetting is DECRQSS. Only what is listed is ever sent back, never the question.
func (s *Screen) reportSetting(what string) {
	var value string
	switch what {
	case "m":
		value = "0" + string(appendChanges(nil, Style{}, s.pen)) + "m"
	case "r":
		value = fmt.Sprintf("%d;%dr", s.top+1, s.bottom+1)
	case "s":
		value = fmt.Sprintf("%d;%ds", s.left+1, s.right+1)
	case "t":
		value = fmt.Sprintf("%dt", s.rows)
	case "$|":
		value = fmt.Sprintf("%d$|", s.cols)
	case "*|":
		value = fmt.Sprintf("%d*|", s.rows)
	case " q":
		value = fmt.Sprintf("%d q", s.cursorShape)
	case "\"p":
		value = "64;1\"p"
	case "\"q":
		value = map[bool]string{true: "1\"q", false: "0\"q"}[s.pen.Has(Protected)]
	case "*x":
		value = map[bool]string{true: "2*x", false: "1*x"}[s.extent]
	default:
		s.reply(dcs("0$r"))
		return
	}
	s.reply(dcs("1$r" + value))
}

// capabilities are the answers of XTGETTCAP, by their names in hexadecimal.
var capabilities = map[string]string{
	hex("TN"):     hex("xterm-256color"),
	hex("name"):   hex("xterm-256color"),
	hex("Co"):     hex("256"),
	hex("colors"): hex("256"),
	hex("RGB"):    hex("8/8/8"),
}

func hex(text string) string { return fmt.Sprintf("%X", text) }

// reportCapabilities is XTGETTCAP.
func (s *Screen) reportCapabilities(names string) {
	for name := range strings.SplitSeq(names, ";") {
		if value, ok := capabilities[strings.ToUpper(name)]; ok {
			s.reply(dcs("1+r" + strings.ToUpper(name) + "=" + value))
		} else {
			s.reply(dcs("0+r"))
			return
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

package screen

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxTitle      = 1024 // bytes of a title or folder; the rest is cut
	maxTitleStack = 10   // as in xterm
)

// dispatchOSC executes an operating system command.
func (s *Screen) dispatchOSC(text []byte, byBell bool) {
	s.adjacent = false
	s.charsets.shifted = 0
	if bytes.HasPrefix(text, []byte(itermFile)) {
		s.inlineImage(text)
		return
	}
	number, rest, _ := bytes.Cut(text, []byte{';'})
	n, err := strconv.Atoi(string(number))
	if err != nil || n < 0 || n > 9999 {
		return
	}
	st := "\x1b\\"
	if byBell {
		st = "\a"
	}
	switch n {
	case 0, 1, 2:
		s.setTitle(n, string(rest))
	case 4:
		s.paletteColors(string(rest), st)
	case 104:
		s.resetPalette(string(rest))
	case 10, 11, 12, 13, 14, 15, 16, 17, 18, 19:
		s.dynamicColors(n, string(rest), st)
	case 110, 111, 112, 113, 114, 115, 116, 117, 118, 119:
		delete(s.palette, dynamic(n-100))
	case 7:
		s.cwd = printableText(string(rest), maxTitle)
		s.tell(Event{Kind: DirectoryChanged, Text: s.cwd})
	case 8:
		s.setLink(string(rest))
	case 52:
		s.clipboard(string(rest))
	case 9, 99, 777, 133:
		s.notify(n, string(rest))
	}
}

// printableText is what a program may say to people: valid UTF-8 without controls, of at most limit bytes.
func printableText(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if r < 0x20 || r >= del && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
	for len(text) > limit {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	return text
}

// setTitle is OSC 0 (both), 1 (icon) or 2 (window).
func (s *Screen) setTitle(which int, title string) {
	title = printableText(title, maxTitle)
	if which != 2 && s.icon != title {
		s.icon = title
		s.tell(Event{Kind: IconNameChanged, Text: title})
	}
	if which != 1 && s.title != title {
		s.title = title
		s.tell(Event{Kind: TitleChanged, Text: title})
	}
}

// pushTitles is XTWINOPS 22.
func (s *Screen) pushTitles() {
	if len(s.titles) == maxTitleStack {
		s.titles = append(s.titles[:0], s.titles[1:]...)
	}
	s.titles = append(s.titles, titles{s.title, s.icon})
}

// popTitles is XTWINOPS 23: of both, of the icon (1) or of the window (2).
func (s *Screen) popTitles(which int) {
	last := len(s.titles) - 1
	if last < 0 {
		return
	}
	top := s.titles[last]
	s.titles = s.titles[:last]
	if which != 2 {
		s.setTitle(1, top.icon)
	}
	if which != 1 {
		s.setTitle(2, top.title)
	}
}

// setLink is OSC 8.
func (s *Screen) setLink(text string) {
	pen := s.pen
	pen.link = 0
	params, uri, ok := strings.Cut(text, ";")
	if ok && uri != "" && len(text) <= maxLinkBytes && printableText(text, maxLinkBytes) == text {
		pen.link, _ = s.tab.links.add(link{params, uri}, s.collect)
	}
	s.setPen(pen)
}

// clipboard is OSC 52. It becomes an event and no more: whether a program may have the clipboard is the caller's policy.
func (s *Screen) clipboard(text string) {
	selections, data, ok := strings.Cut(text, ";")
	if !ok {
		return
	}
	selections = printableText(selections, 16)
	if data == "?" {
		s.tell(Event{Kind: ClipboardRead, Title: selections})
		return
	}
	s.tell(Event{Kind: ClipboardWrite, Title: selections, Text: printableText(data, maxString)})
}

// notify is OSC 9 (iTerm2, and ConEmu's progress), 99 (kitty), 777 (urxvt) or 133 (marks of prompts).
func (s *Screen) notify(n int, text string) {
	text = printableText(text, maxTitle)
	switch n {
	case 9:
		if progress, ok := strings.CutPrefix(text, "4;"); ok {
			s.tell(Event{Kind: Progress, Text: progress})
			return
		}
		s.tell(Event{Kind: Notification, Text: text})
	case 99:
		_, body, _ := strings.Cut(text, ";")
		s.tell(Event{Kind: Notification, Text: body})
	case 777:
		if what, rest, _ := strings.Cut(text, ";"); what == "notify" {
			title, body, _ := strings.Cut(rest, ";")
			s.tell(Event{Kind: Notification, Title: title, Text: body})
		}
	case 133:
		s.tell(Event{Kind: PromptMark, Text: text})
	}
}

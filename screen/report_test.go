package screen

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestQueriesAreAnswered(t *testing.T) {
	tests := map[string]struct{ output, reply string }{
		"DA1":                               {"\x1b[c", "\x1b[?64;6;21;22;28c"},
		"DECID":                             {"\x1bZ", "\x1b[?64;6;21;22;28c"},
		"DA2":                               {"\x1b[>c", "\x1b[>64;0;0c"},
		"DA3":                               {"\x1b[=c", "\x1bP!|00000000\x1b\\"},
		"an answer is no question":          {"\x1b[?64;6c\x1b[?1;2c", ""},
		"DSR":                               {"\x1b[5n", "\x1b[0n"},
		"CPR":                               {"\x1b[3;4H\x1b[6n", "\x1b[3;4R"},
		"CPR in origin mode":                {"\x1b[2;4r\x1b[?6h\x1b[2;4H\x1b[6n", "\x1b[2;4R"},
		"CPR of a full line":                {"0123456789\x1b[6n", "\x1b[1;10R"},
		"DECXCPR":                           {"\x1b[3;4H\x1b[?6n", "\x1b[?3;4;1R"},
		"DECREQTPARM":                       {"\x1b[x\x1b[1x", "\x1b[2;1;1;128;128;1;0x\x1b[3;1;1;128;128;1;0x"},
		"XTVERSION":                         {"\x1b[>q", "\x1bP>|snug\x1b\\"},
		"DECRQM of a mode that is on":       {"\x1b[?7$p", "\x1b[?7;1$y"},
		"DECRQM of a mode that is off":      {"\x1b[?2004$p", "\x1b[?2004;2$y"},
		"DECRQM of an unknown mode":         {"\x1b[?9999$p", "\x1b[?9999;0$y"},
		"DECRQM of the alternate screen":    {"\x1b[?1049h\x1b[?1049$p", "\x1b[?1049;1$y"},
		"DECRQM of synchronized output":     {"\x1b[?2026$p", "\x1b[?2026;2$y"},
		"DECRQM of graphemes":               {"\x1b[?2027$p", "\x1b[?2027;3$y"},
		"DECRQM of an ANSI mode":            {"\x1b[4h\x1b[4$p", "\x1b[4;1$y"},
		"DECRQSS of SGR":                    {"\x1b[1;31;4:3m\x1bP$qm\x1b\\", "\x1bP1$r0;1;4:3;31m\x1b\\"},
		"DECRQSS of DECSTBM":                {"\x1b[2;4r\x1bP$qr\x1b\\", "\x1bP1$r2;4r\x1b\\"},
		"DECRQSS of DECSLRM":                {"\x1bP$qs\x1b\\", "\x1bP1$r1;10s\x1b\\"},
		"DECRQSS of DECSCUSR":               {"\x1b[5 q\x1bP$q q\x1b\\", "\x1bP1$r5 q\x1b\\"},
		"DECRQSS of DECSCA":                 {"\x1b[1\"q\x1bP$q\"q\x1b\\", "\x1bP1$r1\"q\x1b\\"},
		"DECRQSS echoes no question":        {"\x1bP$q\rrm -rf\x1b\\", "\x1bP0$r\x1b\\"},
		"XTGETTCAP":                         {"\x1bP+q436f;544e\x1b\\", "\x1bP1+r436F=323536\x1b\\\x1bP1+r544E=787465726D2D323536636F6C6F72\x1b\\"},
		"XTGETTCAP of what is unknown":      {"\x1bP+q4142\x1b\\", "\x1bP0+r\x1b\\"},
		"kitty's keyboard flags":            {"\x1b[>5u\x1b[?u", "\x1b[?5u"},
		"modifyOtherKeys":                   {"\x1b[>4;2m\x1b[?4m", "\x1b[>4;2m"},
		"the size in cells":                 {"\x1b[18t", "\x1b[8;5;10t"},
		"the size in pixels, unknown":       {"\x1b[14t\x1b[16t", ""},
		"titles are not reported":           {"\x1b]2;evil\a\x1b[21t\x1b[20t", ""},
		"palette, ended as it was asked":    {"\x1b]4;1;?\a\x1b]4;1;?\x1b\\", "\x1b]4;1;rgb:cdcd/0000/0000\a\x1b]4;1;rgb:cdcd/0000/0000\x1b\\"},
		"several of the palette":            {"\x1b]4;0;?;15;?\a", "\x1b]4;0;rgb:0000/0000/0000\a\x1b]4;15;rgb:ffff/ffff/ffff\a"},
		"a changed colour":                  {"\x1b]4;1;rgb:1/22/333\a\x1b]4;1;?\a", "\x1b]4;1;rgb:1111/2222/3333\a"},
		"foreground, background and cursor": {"\x1b]10;?;?;?\a", "\x1b]10;rgb:d0d0/d0d0/d0d0\a\x1b]11;rgb:0000/0000/0000\a\x1b]12;rgb:d0d0/d0d0/d0d0\a"},
		"a changed and reset background":    {"\x1b]11;#fff\a\x1b]11;?\a\x1b]111\a\x1b]11;?\a", "\x1b]11;rgb:f0f0/f0f0/f0f0\a\x1b]11;rgb:0000/0000/0000\a"},
		"the clipboard is not answered":     {"\x1b]52;c;?\a", ""},
		"ENQ is not answered":               {"\x05", ""},
		"kitty's images are not there":      {"\x1b_Gi=1,a=q;AAAA\x1b\\\x1b[c", "\x1b[?64;6;21;22;28c"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := written(t, 10, 5, tt.output)
			if got := string(s.TakeReplies()); got != tt.reply {
				t.Errorf("reply %q, want %q", got, tt.reply)
			}
			if got := s.TakeReplies(); len(got) > 0 {
				t.Errorf("taken twice: %q", got)
			}
		})
	}
}

func TestPixelsAreAnsweredOnceTheyAreKnown(t *testing.T) {
	s := New(10, 5, Options{})
	s.SetPixels(120, 100)
	s.write(t, "\x1b[14t\x1b[16t")
	if got, want := string(s.TakeReplies()), "\x1b[4;100;120t\x1b[6;20;12t"; got != want {
		t.Errorf("replies %q, want %q", got, want)
	}
}

func TestEvents(t *testing.T) {
	tests := map[string]struct {
		output string
		events []Event
	}{
		"titles":              {"\x1b]0;both\a\x1b]2;window\x1b\\", []Event{{Kind: IconNameChanged, Text: "both"}, {Kind: TitleChanged, Text: "both"}, {Kind: TitleChanged, Text: "window"}}},
		"the same title":      {"\x1b]2;a\a\x1b]2;a\a", []Event{{Kind: TitleChanged, Text: "a"}}},
		"bells in a row":      {"\a\a\a", []Event{{Kind: Bell}}},
		"OSC 9":               {"\x1b]9;done\a", []Event{{Kind: Notification, Text: "done"}}},
		"progress":            {"\x1b]9;4;1;42\a", []Event{{Kind: Progress, Text: "1;42"}}},
		"OSC 99":              {"\x1b]99;i=1:d=0;done\x1b\\", []Event{{Kind: Notification, Text: "done"}}},
		"OSC 777":             {"\x1b]777;notify;title;text;more\a", []Event{{Kind: Notification, Title: "title", Text: "text;more"}}},
		"OSC 133":             {"\x1b]133;D;1\a", []Event{{Kind: PromptMark, Text: "D;1"}}},
		"OSC 7":               {"\x1b]7;file://host/a\a", []Event{{Kind: DirectoryChanged, Text: "file://host/a"}}},
		"OSC 52, write":       {"\x1b]52;c;Zm9v\a", []Event{{Kind: ClipboardWrite, Title: "c", Text: "Zm9v"}}},
		"OSC 52, read":        {"\x1b]52;p;?\a", []Event{{Kind: ClipboardRead, Title: "p"}}},
		"controls in a title": {"\x1b]2;a\x01\rb\u009bc\a", []Event{{Kind: TitleChanged, Text: "abc"}}},
		"a cancelled title":   {"\x1b]2;a\x18", nil},
		"an unknown OSC":      {"\x1b]4711;a\a\x1b]x\a", nil},
		"images are consumed": {"\x1bPq#0;2;0;0;0~-\x1b\\\x1b_Ga=T;AAAA\x1b\\\x1b]1337;File=inline=1:AAAA\a", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := written(t, 10, 5, tt.output)
			if got := s.TakeEvents(); !reflect.DeepEqual(got, tt.events) {
				t.Errorf("events %v, want %v", got, tt.events)
			}
			if s.Text() != "\n\n\n\n\n" {
				t.Errorf("the screen shows %q", s.Text())
			}
		})
	}
}

func TestTheTitleStack(t *testing.T) {
	s := written(t, 10, 5, "\x1b]0;one\a\x1b[22t\x1b]2;two\a\x1b[22;2t\x1b]2;three\a")
	for _, want := range []string{"two", "one", "one"} {
		s.write(t, "\x1b[23;2t")
		if s.Title() != want {
			t.Errorf("title %q, want %q", s.Title(), want)
		}
	}
}

func TestTheKeyboardStackIsTheScreensOwn(t *testing.T) {
	s := New(10, 5, Options{})
	for _, step := range []struct {
		output string
		flags  int
	}{
		{"\x1b[>1u", 1}, {"\x1b[>8u", 8}, {"\x1b[=1;2u", 9}, {"\x1b[=8;3u", 1}, {"\x1b[?1049h", 0}, {"\x1b[>31u", 31}, {"\x1b[?1049l", 1},
		{"\x1b[<u", 1}, {"\x1b[<u", 0}, {"\x1b[<9u", 0}, {"\x1b[=255u", 31}, {"\x1b[!p", 0},
	} {
		if s.write(t, step.output); s.KeyboardFlags() != step.flags {
			t.Errorf("flags %d after %q, want %d", s.KeyboardFlags(), step.output, step.flags)
		}
	}
}

func TestStyles(t *testing.T) {
	tests := map[string]Style{
		"1;2;3;5;7;8;9;53":          {Attrs: Bold | Faint | Italic | Blink | Inverse | Invisible | Strikethrough | Overline},
		"1;2;3;22;23":               {},
		"4":                         {Underline: UnderlineSingle},
		"4:3":                       {Underline: UnderlineCurly},
		"4:0":                       {},
		"21":                        {Underline: UnderlineDouble},
		"4;24":                      {},
		"31;42":                     {Foreground: Indexed(1), Background: Indexed(2)},
		"91;102":                    {Foreground: Indexed(9), Background: Indexed(10)},
		"31;39":                     {},
		"38;5;200":                  {Foreground: Indexed(200)},
		"38:5:200":                  {Foreground: Indexed(200)},
		"38;2;1;2;3;1":              {Foreground: RGB(1, 2, 3), Attrs: Bold},
		"38:2:1:2:3;1":              {Foreground: RGB(1, 2, 3), Attrs: Bold},
		"48:2::1:2:3;1":             {Background: RGB(1, 2, 3), Attrs: Bold},
		"58:2::1:2:3":               {UnderlineColor: RGB(1, 2, 3)},
		"58;5;9":                    {UnderlineColor: Indexed(9)},
		"58;5;9;59":                 {},
		"38;5":                      {}, // incomplete
		"38;5;256":                  {}, // no such colour
		"38;9;1":                    {Attrs: Bold},
		"1;0":                       {},
		"1;":                        {},
		"":                          {},
		"38;2;255;0;0;48;5;7;4:4;3": {Foreground: RGB(255, 0, 0), Background: Indexed(7), Underline: UnderlineDotted, Attrs: Italic},
	}
	for sgr, want := range tests {
		if got := written(t, 10, 5, "\x1b["+sgr+"mx").Cell(0, 0).Style; got != want {
			t.Errorf("SGR %s: %+v, want %+v", sgr, got, want)
		}
	}
}

func TestErasingKeepsTheBackgroundOnly(t *testing.T) {
	s := written(t, 10, 5, "\x1b[1;4;7;31;44m\x1b[K")
	if got, want := s.Cell(5, 0).Style, (Style{Background: Indexed(4)}); got != want {
		t.Errorf("style %+v, want %+v", got, want)
	}
}

func TestRectanglesOfAttributes(t *testing.T) {
	bold := func(s *Screen) string {
		var b strings.Builder
		for row := range 3 {
			for col := range 4 {
				b.WriteByte(".B"[s.Cell(col, row).Style.Attrs&Bold])
			}
			b.WriteByte(' ')
		}
		return b.String()
	}
	for output, want := range map[string]string{
		"\x1b[2*x\x1b[1;2;3;3;1$r":                       ".BB. .BB. .BB. ",
		"\x1b[1;2;3;3;1$r":                               ".BBB BBBB BBB. ", // the stream of text between the corners
		"\x1b[2*x\x1b[1;2;3;3;1$r\x1b[2;1;2;4;1$t":       ".BB. B..B .BB. ",
		"\x1b[2*x\x1b[1;1;3;4;1$r\x1b[2;2;2;3;22$r":      "BBBB B..B BBBB ",
		"\x1b[2*x\x1b[1;1;3;4;1$r\x1b[2;2;2;3;0$r\x1b[r": "BBBB B..B BBBB ",
	} {
		if got := bold(written(t, 4, 3, "aaaa\r\nbbbb\r\ncccc"+output)); got != want {
			t.Errorf("%q: %s, want %s", output, got, want)
		}
	}
}

func TestHyperlinks(t *testing.T) {
	s := written(t, 10, 5, "\x1b]8;id=1;https://example.org/\x1b\\ab\x1b[0mc\x1b]8;;\x1b\\d")
	for col, want := range []string{"https://example.org/", "https://example.org/", "https://example.org/", ""} {
		if got := s.Cell(col, 0).Link; got != want {
			t.Errorf("column %d links to %q, want %q", col, got, want)
		}
	}
}

func TestModesAreKnownByTheirNumbers(t *testing.T) {
	s := written(t, 10, 5, "\x1b[?2004;1006;1002h\x1b[?25l\x1b[?1049h\x1b[?2026h")
	for number, want := range map[int]bool{2004: true, 1006: true, 1002: true, 25: false, 1049: true, 2026: true, 7: true, 1: false, 4711: false} {
		if s.Mode(number) != want {
			t.Errorf("mode %d is %v", number, !want)
		}
	}
	s.write(t, "\x1b[?2004s\x1b[?2004l\x1b[?2004r")
	if !s.Mode(2004) {
		t.Error("XTRESTORE did not bring a mode back")
	}
}

func TestWhatLeavesTheScreenIsKept(t *testing.T) {
	s := New(10, 3, Options{Scrollback: 5})
	for i := range 20 {
		s.write(t, fmt.Sprintf("\r\nline %d", i))
	}
	if s.Scrollback() != 5 {
		t.Fatalf("%d lines", s.Scrollback())
	}
	for i := range 5 {
		if got, want := s.Cell(5, -1-i).Text+s.Cell(6, -1-i).Text, fmt.Sprint(16-i); got != want {
			t.Errorf("line %d above the screen is %q, want %q", i+1, got, want)
		}
	}
	s.write(t, "\x1b[?1049h"+strings.Repeat("alt\r\n", 20)+"\x1b[?1049l\x1b[2;3r\x1b[3;1H\n\n\n")
	if got := s.Cell(6, -1).Text; got != "6" {
		t.Errorf("the alternate screen or a region below the top has written to the scrollback: %q", got)
	}
	if s.write(t, "\x1b[3J"); s.Scrollback() != 0 {
		t.Error("ED 3 has left lines")
	}
}

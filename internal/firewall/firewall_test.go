package firewall

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// filtered is what a filter makes of output that comes in one piece.
func filtered(policy Policy, output string) (out, replies string) {
	f := New(policy)
	o, r := f.Feed([]byte(output))
	return string(o), string(r)
}

// same is what passes untouched.
const same = "\x00same"

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// Each sequence: what the default and the strict filter make of it, and the answer that snug gives itself.
var sequences = []struct {
	name, output         string
	byDefault, byStrict  string
	answer, strictAnswer string // strictAnswer: where it differs
}{
	// The clipboard.
	{name: "clipboard read", output: "\x1b]52;c;?\a", answer: "\x1b]52;c;\x1b\\"},
	{name: "clipboard read ended by ST", output: "\x1b]52;;?\x1b\\", answer: "\x1b]52;c;\x1b\\"},
	{name: "clipboard write", output: "\x1b]52;c;" + b64("hello\n\tthere") + "\a", byDefault: same},
	{name: "clipboard write of a primary selection", output: "\x1b]52;p;" + b64("x") + "\x1b\\", byDefault: same},
	{name: "clipboard write that ends a bracketed paste", output: "\x1b]52;c;" + b64("ls\x1b[201~\n") + "\a"},
	{name: "clipboard write that is no base64", output: "\x1b]52;c;!\a"},
	{name: "clipboard write with a line end in it", output: "\x1b]52;c;aGVs\nbG8=\a"},
	{name: "write to a cut buffer", output: "\x1b]52;0;" + b64("x") + "\a"},
	{name: "clipboard write of 96 KiB", output: "\x1b]52;c;" + b64(strings.Repeat("x", 96<<10)) + "\a", byDefault: same},
	{name: "clipboard write beyond", output: "\x1b]52;c;" + b64(strings.Repeat("x", 97<<10)) + "\a"},
	{name: "clipboard write without an end", output: "\x1b]52;c;aGVsbG8=\x1b[31m", byDefault: "\x1b[31m", byStrict: "\x1b[31m"},
	{name: "kitty's clipboard", output: "\x1b]5522;type=read;dGV4dC9wbGFpbg==\x1b\\"},
	{name: "paste events", output: "\x1b[?2004;5522h", byDefault: "\x1b[?2004h", byStrict: "\x1b[?2004h"},
	{name: "query of paste events", output: "\x1b[?5522$p", answer: "\x1b[?5522;0$y"},

	// Titles.
	{name: "title", output: "\x1b]0;vim ~/ä.txt\a", byDefault: same, byStrict: same},
	{name: "title ended by ST", output: "\x1b]2;x\x1b\\", byDefault: same, byStrict: same},
	{name: "icon", output: "\x1b]1;x\a", byDefault: same, byStrict: same},
	{name: "title with controls", output: "\x1b]2;a\nb\x9bc\u009bd\x7fe\a", byDefault: "\x1b]2;abcde\a", byStrict: "\x1b]2;abcde\a"},
	{name: "long title", output: "\x1b]2;" + strings.Repeat("ä", 600) + "\a", byDefault: "\x1b]2;" + strings.Repeat("ä", 512) + "\a", byStrict: "\x1b]2;" + strings.Repeat("ä", 512) + "\a"},
	{name: "endless title", output: "\x1b]2;" + strings.Repeat("x", 5000) + "\adone", byDefault: "done", byStrict: "done"},
	{name: "rxvt's title report", output: "\x1b]2;?\a"},
	{name: "rxvt's title report, disguised", output: "\x1b]2;\x01?\a"},
	{name: "screen's title", output: "\x1bkbash\x1b\\", byDefault: same, byStrict: same},
	{name: "screen's title with controls", output: "\x1bkba\x07sh\x1b\\", byDefault: "\x1bkbash\x1b\\", byStrict: "\x1bkbash\x1b\\"},
	{name: "title report", output: "\x1b[21t", answer: "\x1b]l\x1b\\"},
	{name: "title report with more", output: "\x1b[21;0t", answer: "\x1b]l\x1b\\"},
	{name: "icon report", output: "\x1b[20t", answer: "\x1b]L\x1b\\"},
	{name: "title stack", output: "\x1b[22;0;0t\x1b[23;0;0t", byDefault: same, byStrict: same},
	{name: "hexadecimal titles", output: "\x1b[>0;1t"},
	{name: "defaults of title modes", output: "\x1b[>0T"},
	{name: "a window's property", output: "\x1b]3;WM_CLASS=x\a"},
	{name: "Sun's title", output: "\x1b]lx\x1b\\"},
	{name: "Sun's icon from a file", output: "\x1b]I/etc/passwd\x1b\\"},

	// What is typed as an answer.
	{name: "answerback", output: "a\x05b", byDefault: "ab", byStrict: "ab"},
	{name: "attributes of the terminal", output: "\x1b[c\x1b[>c\x1b[=c\x1b[>q\x1bZ", byDefault: same, byStrict: same},
	{name: "status, cursor", output: "\x1b[5n\x1b[6n\x1b[?6n\x1b[?996n", byDefault: same, byStrict: same},
	{name: "query of a mode", output: "\x1b[?2026$p\x1b[4$p", byDefault: same, byStrict: same},
	{name: "query of the keyboard", output: "\x1b[?u\x1b[?4m", byDefault: same, byStrict: same},
	{name: "query of colours", output: "\x1b]10;?\a\x1b]11;?\x1b\\\x1b]4;1;?\a", byDefault: same, byStrict: same},
	{name: "query of sizes", output: "\x1b[14t\x1b[14;2t\x1b[16t\x1b[18t\x1b[19t\x1b[11t\x1b[13t\x1b[15t", byDefault: same, byStrict: same},
	{name: "query of graphics", output: "\x1b[?1;1;0S", byDefault: same, byStrict: same},
	{name: "DECRQSS of attributes", output: "\x1bP$qm\x1b\\\x1bP$q q\x1b\\", byDefault: same, byStrict: same},
	{name: "DECRQSS that echoes", output: "\x1bP$q\nrm -rf ~\n\x1b\\", answer: "\x1bP0$r\x1b\\"},
	{name: "XTGETTCAP", output: "\x1bP+q544e;436f\x1b\\", byDefault: same, strictAnswer: "\x1bP0+r\x1b\\"},
	{name: "XTGETTCAP that echoes", output: "\x1bP+q;id;\x1b\\", answer: "\x1bP0+r\x1b\\"},
	{name: "XTSETTCAP", output: "\x1bP+p544e\x1b\\"},
	{name: "checksum of the screen", output: "\x1b[1;1;1;1;1;1*y"},
	{name: "extent of checksums", output: "\x1b[16#y"},
	{name: "font query", output: "\x1b]50;?\a"},
	{name: "font", output: "\x1b]50;#1;rm -rf\a"},
	{name: "rxvt's graphics query", output: "\x1bGQ\n", byDefault: "Q\n", byStrict: "Q\n"},
	{name: "query of colours that echoes", output: "\x1b]4;id;?\a\x1b]4;1;?;reboot;?\a\x1b]5;x\a\x1b]104;x\a\x1b]110;x\a\x1b]10;$(id)\a"},
	{name: "kitty's colours", output: "\x1b]21;foreground=?;cursor=red\x1b\\", byDefault: same, byStrict: same},
	{name: "kitty's colours with an echo", output: "\x1b]21; id =?\x1b\\"},

	// What changes how the terminal reads.
	{name: "VT52", output: "\x1b[?2l\x1b<", byDefault: "\x1b<", byStrict: "\x1b<"},
	{name: "Tektronix", output: "\x1b[?38h"},
	{name: "out of UTF-8", output: "\x1b%@\x1b%/B\x1b%G", byDefault: "\x1b%G", byStrict: "\x1b%G"},
	{name: "national sets, which take xterm out of UTF-8", output: "\x1b[?42h\x1b[?42l", byDefault: "\x1b[?42l", byStrict: "\x1b[?42l"},
	{name: "modes restored", output: "\x1b[?1s\x1b[?1r\x1b[?42;3;1;38r\x1b[2;3r", byDefault: "\x1b[?1s\x1b[?1r\x1b[?1r\x1b[2;3r", byStrict: "\x1b[?1s\x1b[?1r\x1b[?1r\x1b[2;3r"},
	{name: "double-byte sets", output: "\x1b$B\x1b$)C", byDefault: "", byStrict: ""},
	{name: "8-bit answers", output: "\x1b G\x1b F", byDefault: "\x1b F", byStrict: "\x1b F"},
	{name: "conformance level", output: "\x1b[61\"p"},
	{name: "line drawing", output: "\x1b(0\x1b)0\x0elqk\x0f\x1b(B\x1b*A\x1bn\x1b~\x1bNx", byDefault: same, byStrict: same},
	{name: "raw C1", output: "a\x9b31m\x9d52;c;?\x9cb", byDefault: "a\ufffd31m\ufffd52;c;?\ufffdb", byStrict: "a\ufffd31m\ufffd52;c;?\ufffdb"},
	{name: "encoded C1", output: "a\u009b31mb", byDefault: "a\ufffd31mb", byStrict: "a\ufffd31mb"},
	{name: "broken UTF-8", output: "\xe2\x82|\xc3\x1b[m\xff\xf0\x9f\x98", byDefault: "\ufffd|\ufffd\x1b[m\ufffd", byStrict: "\ufffd|\ufffd\x1b[m\ufffd"},
	{name: "surrogates, overlong", output: "\xed\xa0\x80\xc0\x9b", byDefault: "\ufffd\ufffd\ufffd\ufffd\ufffd", byStrict: "\ufffd\ufffd\ufffd\ufffd\ufffd"},
	{name: "ZMODEM", output: "**\x18B00000000000000\r\n", byDefault: "**B00000000000000\r\n", byStrict: "**B00000000000000\r\n"},

	// Keys, fonts, macros.
	{name: "user-defined keys", output: "\x1bP0;1|17/0d\x1b\\"},
	{name: "soft font", output: "\x1bP1;1;1{ @abc\x1b\\"},
	{name: "macro", output: "\x1bP1;0;0!zabc\x1b\\\x1b[1*z"},
	{name: "presentation restored", output: "\x1bP1$t1;1;1\x1b\\"},
	{name: "Linux console keys", output: "\x1b[[A", byDefault: "A", byStrict: "A"},
	{name: "Linux console settings", output: "\x1b[9;0]\x1b[12;3]"},
	{name: "Linux console palette", output: "\x1b]P0ff00aaxyz\x1b]Rabc\x1b]P1zz", byDefault: "xyzabczz", byStrict: "xyzabczz"},
	{name: "keyboard locked", output: "\x1b[2h\x1b[2;4h", byDefault: "\x1b[4h", byStrict: "\x1b[4h"},
	{name: "key reports", output: "\x1b[>1u\x1b[=1;1u\x1b[<u\x1b[>4;2m\x1b[>4m", byDefault: same, byStrict: same},

	// Wrappers.
	{name: "tmux's wrapper", output: "\x1bPtmux;\x1b\x1b]52;c;?\a\x1b\\x", byDefault: "\x1b\\x", byStrict: "\x1b\\x", answer: "\x1b]52;c;\x1b\\"},
	{name: "screen's wrapper", output: "\x1bP\x1b]52;c;?\a\x1b\\x", byDefault: "\x1b\\x", byStrict: "\x1b\\x", answer: "\x1b]52;c;\x1b\\"},
	{name: "tmux's control mode", output: "\x1bP1000p%output\r\n"},
	{name: "privacy message", output: "\x1b^x\x1b\\\x1bXy\x1b\\z", byDefault: "z", byStrict: "z"},
	{name: "unknown DCS and APC", output: "\x1bPzx\x1b\\\x1b_far2l:x\x1b\\z", byDefault: "z", byStrict: "z"},

	// Remote control and files.
	{name: "kitty's remote control", output: "\x1bP@kitty-cmd{\"cmd\":\"launch\"}\x1b\\"},
	{name: "kitty's file transfer", output: "\x1b]5113;ac=send;id=x\x1b\\"},
	{name: "picture in a file", output: "\x1b_Gi=7,t=f,f=100;L2V0Yy9wYXNzd2Q=\x1b\\", answer: "\x1b_Gi=7;EPERM:refused by snug\x1b\\"},
	{name: "picture in shared memory, quiet", output: "\x1b_Gi=7,q=2,t=s;Lw==\x1b\\x", byDefault: "x", byStrict: "x"},
	{name: "picture in a file, after a harmless t", output: "\x1b_Gt=d,t=t;Lw==\x1b\\"},
	{name: "picture", output: "\x1b_Ga=T,f=100,m=1;iVBORw0KGgo=\x1b\\\x1b_Gm=0;AAAA\x1b\\", byDefault: same},
	{name: "picture removed", output: "\x1b_Ga=d\x1b\\", byDefault: same},
	{name: "sixels", output: "\x1bP0;1;0q\"1;1;1;1#0;2;0;0;0~-\n\x1b\\", byDefault: same},
	{name: "sixels cut by a sequence", output: "\x1bPq#0\x1b[31mx", byDefault: "\x1bPq#0\x1b\\\x1b[31mx", byStrict: "\x1b[31mx"},
	{name: "sixels cut by CAN", output: "\x1bPq#0\x18x", byDefault: "\x1bPq#0\x1b\\x", byStrict: "x"},
	{name: "sixels with a bell", output: "\x1bPq#0\a]52;c;?\x1b\\x", byDefault: "\x1bPq#0\x1b\\x", byStrict: "x"},
	{name: "picture of iTerm2", output: "\x1b]1337;File=inline=1;width=10:iVBORw0KGgo=\a", byDefault: same},
	{name: "picture of iTerm2 in parts", output: "\x1b]1337;MultipartFile=inline=1\a\x1b]1337;FilePart=AAAA\a\x1b]1337;FileEnd\a", byDefault: same},
	{name: "download to iTerm2", output: "\x1b]1337;File=name=eA==:eA==\a"},
	{name: "download to iTerm2, disguised", output: "\x1b]1337;File=inline=1;inline=0:eA==\a"},
	{name: "other commands of iTerm2", output: "\x1b]1337;RequestUpload=format=tgz\a\x1b]1337;CopyToClipboard=\a\x1b]1337;StealFocus\a" +
		"\x1b]1337;ReportVariable=eA==\a\x1b]1337;Custom=id=x:y\a\x1b]1337;SetUserVar=a=eA==\a\x1b]1337;OpenURL=:eA==\a\x1b]1337;Copy=:eA==\a"},
	{name: "cell size for iTerm2", output: "\x1b]1337;ReportCellSize\a", byDefault: same, byStrict: same},
	{name: "ConEmu's commands", output: "\x1b]9;7;calc\a\x1b]9;6;macro\a\x1b]9;8;PATH\a\x1b]9;9;/\a\x1b]9;2;x\a\x1b]9;12\a"},
	{name: "xterm's log file", output: "\x1b]46;/etc/profile\a\x1b[?46h"},
	{name: "Emacs's functions", output: "\x1b]51;Eeval\a"},
	{name: "rxvt's extensions", output: "\x1b]777;preexec\a\x1b]20;/x.png\a\x1b]701;?\a"},
	{name: "sounds", output: "\x1b]440;/x.wav\a\x1b[3;4;5,~"},
	{name: "print", output: "\x1b[5i\x1b[i\x1b[?1i\x1b[?5i\x1b[4i"},

	// The window.
	{name: "window moved, resized, closed", output: "\x1b[1t\x1b[2t\x1b[3;0;0t\x1b[4;9;9t\x1b[5t\x1b[6t\x1b[8;24;80t\x1b[9;1t\x1b[10;1t\x1b[30t\x1b[t"},
	{name: "132 columns", output: "\x1b[?40h\x1b[?3h\x1b[?3l"},
	{name: "132 columns among others", output: "\x1b[!p\x1b[?3;4l\x1b[4l\x1b>", byDefault: "\x1b[!p\x1b[?4l\x1b[4l\x1b>", byStrict: "\x1b[!p\x1b[?4l\x1b[4l\x1b>"},
	{name: "lines and columns of the page", output: "\x1b[36*|\x1b[132$|"},
	{name: "status line", output: "\x1b[2$~\x1b[1$}"},
	{name: "self-test", output: "\x1b[2;1y"},
	{name: "raise at a bell", output: "\x1b[?1043h"},
	{name: "highlighting that hangs", output: "\x1b[?1001h"},
	{name: "mouse saved by mc", output: "\x1b[?1001s\x1b[?1002h\x1b[?1006h\x1b[?1001r", byDefault: same, byStrict: same},

	// Notices and links.
	{name: "notification", output: "\x1b]9;build is done\a\x1b]777;notify;a;b\a\x1b]99;i=1:d=0;hello\x1b\\", byDefault: same},
	{name: "notification with controls", output: "\x1b]9;a\nb\a\x1b]777;notify;a;\x9b\a\x1b]99;i=a b;x\x1b\\"},
	{name: "progress", output: "\x1b]9;4;1;50\a\x1b]9;4;0\x1b\\", byDefault: same, byStrict: same},
	{name: "link", output: "\x1b]8;id=1;https://example.org/?a=b\x1b\\x\x1b]8;;\x1b\\", byDefault: same, byStrict: same},
	{name: "mail link", output: "\x1b]8;;mailto:a@example.org\ax\x1b]8;;\a", byDefault: same, byStrict: same},
	{name: "link to a file", output: "\x1b]8;;file:///usr/x%20y\ax\x1b]8;;\a", byDefault: same, byStrict: "\x1b]8;;\ax\x1b]8;;\a"},
	{name: "link to a host's file", output: "\x1b]8;;file://evil/share\ax", byDefault: "\x1b]8;;\ax", byStrict: "\x1b]8;;\ax"},
	{name: "link to a host's file, disguised", output: "\x1b]8;;file:////evil/share\ax\x1b]8;;file:///%2fevil\ay", byDefault: "\x1b]8;;\ax\x1b]8;;\ay", byStrict: "\x1b]8;;\ax\x1b]8;;\ay"},
	{name: "link by an odd scheme", output: "\x1b]8;;x-man-page://-H=sh\ax\x1b]8;;javascript:alert(1)\ay\x1b]8;;ssh://-oProxyCommand=x\az", byDefault: "\x1b]8;;\ax\x1b]8;;\ay\x1b]8;;\az", byStrict: "\x1b]8;;\ax\x1b]8;;\ay\x1b]8;;\az"},
	{name: "link of 3000 bytes", output: "\x1b]8;;https://example.org/" + strings.Repeat("x", 3000) + "\ax", byDefault: "\x1b]8;;\ax", byStrict: "\x1b]8;;\ax"},
	{name: "current folder", output: "\x1b]7;file:///home/x\a\x1b]7;file://localhost/x\x1b\\", byDefault: same},
	{name: "current folder elsewhere", output: "\x1b]7;file://evil/home\a\x1b]7;kitty-shell-cwd://h/x\a"},
	{name: "prompt marks", output: "\x1b]133;A\a\x1b]133;D;0\x1b\\", byDefault: same, byStrict: same},
	{name: "colours", output: "\x1b]4;1;rgb:ff/00/00\a\x1b]10;#fff\a\x1b]104\a\x1b]110\a\x1b]12;red\x1b\\", byDefault: same, byStrict: same},
	{name: "pointer", output: "\x1b]22;>wait\x1b\\", byDefault: same, byStrict: same},

	// Excess.
	{name: "repetition", output: "x\x1b[80b\x1b[99999999b\x1b[20000b", byDefault: "x\x1b[80b\x1b[9999b\x1b[9999b", byStrict: "x\x1b[80b\x1b[9999b\x1b[9999b"},
	{name: "large numbers", output: "\x1b[9999;9999H\x1b[99999C\x1b[?99999999999999999999h\x1b[000001A", byDefault: "\x1b[9999;9999H\x1b[65535C\x1b[?65535h\x1b[1A", byStrict: "\x1b[9999;9999H\x1b[65535C\x1b[?65535h\x1b[1A"},
	{name: "endless parameters", output: "\x1b[" + strings.Repeat("1;", 1000) + "mx", byDefault: "x", byStrict: "x"},
	{name: "endless DCS", output: "\x1bP$q" + strings.Repeat("x", 100_000) + "\x1b[31mx", byDefault: "\x1b[31mx", byStrict: "\x1b[31mx"},
	{name: "endless OSC cancelled", output: "\x1b]999;" + strings.Repeat("x", 100_000) + "\x18y", byDefault: "y", byStrict: "y"},
	{name: "padding", output: "a\x00b\x7fc", byDefault: same, byStrict: same},

	// Form.
	{name: "controls in a sequence", output: "\x1b[3\r\n1mx\x1b\n[m", byDefault: "\r\n\x1b[31mx\n\x1b[m", byStrict: "\r\n\x1b[31mx\n\x1b[m"},
	{name: "a title report with controls in it", output: "\x1b[2\x001\x7ft", answer: "\x1b]l\x1b\\"},
	{name: "a sequence cut by a sequence", output: "\x1b[21\x1b[31mx\x1b\x1b[m", byDefault: "\x1b[31mx\x1b[m", byStrict: "\x1b[31mx\x1b[m"},
	{name: "a sequence with a letter in it", output: "\x1b[2é1t", byDefault: "é1t", byStrict: "é1t"},
	{name: "parameters after an intermediate, prefix within", output: "\x1b[1$2p\x1b[1?2h\x1b[??1h"},
	{name: "prefix and intermediate", output: "\x1b[?1;1*y"},
	{name: "an OSC with leading zeros", output: "\x1b]052;c;?\a\x1b]00;x\a\x1b];x\a\x1b]52c;?\a"},
	{name: "drawing", output: "\x1b[2J\x1b[H\x1b[10;20H\x1b[K\x1b[1;31m\x1b[38;2;1;2;3mx\x1b[38:5:1m\x1b[0m\x1b7\x1b8\x1bM\x1b[?25l\x1b[?1049h\x1b[2 q\x1b[3;4r\x1bc\x1b[!p\x1b#8\x1b[?2026h\x1b[?2026l", byDefault: same, byStrict: same},
	{name: "vim's questions of how a terminal takes the unknown", output: "\x1bPzz\x1b\\\x1b[0%m", byDefault: same, byStrict: same},
	{name: "almost vim's", output: "\x1bPzzz\x1b\\\x1b[0%n"},
	{name: "unknown but well-formed", output: "\x1b[5v\x1b[=1;2z", byDefault: same},
}

func TestSequences(t *testing.T) {
	for _, tt := range sequences {
		for policy, want := range map[Policy]string{Default: tt.byDefault, Strict: tt.byStrict, Open: same} {
			t.Run(fmt.Sprintf("%s, %v", tt.name, policy), func(t *testing.T) {
				if want == same {
					want = tt.output
				}
				answer := tt.answer
				switch {
				case policy == Strict && tt.strictAnswer != "":
					answer = tt.strictAnswer
				case policy == Open:
					answer = ""
				}
				out, replies := filtered(policy, tt.output)
				if out != want {
					t.Errorf("%.200q\npasses as %.200q,\n     want %.200q", tt.output, out, want)
				}
				if replies != answer {
					t.Errorf("%.200q is answered %q, want %q", tt.output, replies, answer)
				}
			})
		}
	}
}

func TestTextPassesUntouchedAndAtOnce(t *testing.T) {
	text := "plain\r\n\ttext\b\a\v\f\x0e\x0f" + strings.Repeat("ab äöü €uro 😀 ┌─┐ e\u0301 \u202eabc\u202c\ue0b0\ufffd\u00a0", 100)
	for _, policy := range []Policy{Default, Strict, Open} {
		for n := range 40 {
			in := []byte(text[n:]) // every alignment
			for len(in) > 0 && in[0]&0xc0 == 0x80 {
				in = in[1:]
			}
			f := New(policy)
			out, _ := f.Feed(in)
			if string(out) != string(in) {
				t.Fatalf("%v: %q passes as %q", policy, in, out)
			}
			if &out[0] != &in[0] {
				t.Fatalf("%v: text is copied", policy)
			}
		}
	}
}

// What is not complete waits, and nothing else.
func TestOnlyWhatIsIncompleteWaits(t *testing.T) {
	for _, tt := range []struct{ first, passes, second, rest string }{
		{"text", "text", "more", "more"},
		{"text\x1b", "text", "[31m", "\x1b[31m"},
		{"text\x1b[3", "text", "1mx", "\x1b[31mx"},
		{"text\xe2\x82", "text", "\xacx", "€x"},
		{"text\xe2\x82", "text", "x", "\ufffdx"},
		{"text\x1b]0;ti", "text", "tle\a", "\x1b]0;title\a"},
		{"text\x1b]0;title\x1b", "text", "\\x", "\x1b]0;title\x1b\\x"},
		{"a\x1b[31mb", "a\x1b[31mb", "c", "c"},
		{"\x1bPq#0~~", "\x1bPq#0~~", "~\x1b\\", "~\x1b\\"}, // pictures do not wait
		{"\x1b]1337;File=inline=1:AA", "\x1b]1337;File=inline=1:AA", "AA\a", "AA\a"},
	} {
		f := New(Default)
		if out, _ := f.Feed([]byte(tt.first)); string(out) != tt.passes {
			t.Errorf("%q: %q passes, want %q", tt.first, out, tt.passes)
		}
		if out, _ := f.Feed([]byte(tt.second)); string(out) != tt.rest {
			t.Errorf("%q after %q: %q passes, want %q", tt.second, tt.first, out, tt.rest)
		}
	}
}

func TestAnyCutGivesTheSame(t *testing.T) {
	for _, tt := range sequences {
		if len(tt.output) > 6000 {
			continue
		}
		for _, policy := range []Policy{Default, Strict} {
			want, wantReplies := filtered(policy, tt.output)
			for i := range len(tt.output) {
				f := New(policy)
				var out, replies string
				for _, p := range []string{tt.output[:i], tt.output[i:]} {
					o, r := f.Feed([]byte(p))
					out, replies = out+string(o), replies+string(r)
				}
				if out != want || replies != wantReplies {
					t.Fatalf("%s, %v, cut at %d: %q and %q, want %q and %q", tt.name, policy, i, out, replies, want, wantReplies)
				}
			}
		}
	}
}

func TestWhatWasRefusedIsSaid(t *testing.T) {
	f := New(Default)
	if got := f.Refused(); got != "" {
		t.Errorf("before anything: %q", got)
	}
	f.Feed([]byte("\x1b]52;c;?\a\x1b]52;c;?\a\x1b[8;1;1t\x1b]0;x\a"))
	if got, want := f.Refused(), "read of the clipboard (2), change of the window (1)"; got != want {
		t.Errorf("Refused = %q, want %q", got, want)
	}
}

func TestRepliesAreBounded(t *testing.T) {
	_, replies := filtered(Default, strings.Repeat("\x1b[21t", 100_000))
	if len(replies) == 0 || len(replies) > maxReplies {
		t.Errorf("%d bytes of replies", len(replies))
	}
}

func TestAPolicyIsAFlagValue(t *testing.T) {
	var p Policy
	if p.String() != "default" {
		t.Errorf("the zero value is %v", p)
	}
	for _, name := range PolicyNames() {
		if err := p.Set(name); err != nil || p.String() != name {
			t.Errorf("Set(%q): %v, %v", name, p, err)
		}
	}
	if err := p.Set("lax"); err == nil || !strings.Contains(err.Error(), "strict, default, open") {
		t.Errorf("Set(lax): %v", err)
	}
}

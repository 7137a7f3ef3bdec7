package screen

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// grammar makes output such as programs write, and such as none does. A token is one character, control or sequence; so
// a failing output can be shrunk by leaving tokens out.
type grammar struct {
	*rand.Rand
	cols, rows int
	tokens     []func(g *grammar) string
}

func newGrammar(seed uint64, cols, rows int, tokens []func(g *grammar) string) *grammar {
	return &grammar{rand.New(rand.NewPCG(seed, 0)), cols, rows, tokens}
}

func (g *grammar) output(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = g.tokens[g.IntN(len(g.tokens))](g)
	}
	return out
}

func (g *grammar) pick(of ...string) string { return of[g.IntN(len(of))] }

// col and row are mostly on the screen.
func (g *grammar) col() int { return g.IntN(g.cols+2) + 1 }
func (g *grammar) row() int { return g.IntN(g.rows+2) + 1 }

// few is a small number, and sometimes none or a large one.
func (g *grammar) few() string {
	switch g.IntN(10) {
	case 0:
		return ""
	case 1:
		return fmt.Sprint(g.IntN(300))
	}
	return fmt.Sprint(g.IntN(5))
}

// sequence returns a token of CSI, parameters made by few, and one of the endings.
func csiToken(params int, endings ...string) func(*grammar) string {
	return func(g *grammar) string {
		p := make([]string, params)
		for i := range p {
			p[i] = g.few()
		}
		return "\x1b[" + strings.Join(p, ";") + g.pick(endings...)
	}
}

func wordToken(g *grammar) string {
	words := []string{"a", "x", "word", "lorem ipsum", " ", "    ", "0123456789012345678901234567890123456789", "q", "#"}
	return g.pick(words...)
}

func wideToken(g *grammar) string { return g.pick("世", "界", "日本語", "한", "🙂", "，") }

func clusterToken(g *grammar) string {
	return g.pick("e\u0301", "\u0301", "👩\u200d🚀", "👩", "\u200d", "🇩", "🇩🇪", "❤\ufe0f", "\ufe0f", "1\ufe0f\u20e3", "क\u094d", "क",
		"\u1112\u1161\u11ab", "\u1161", "👍🏽", "ก\u0e33", "\u200b", "\u00ad")
}

func sgrToken(g *grammar) string {
	n := g.pick("", "0", "1", "2", "3", "4", "4:3", "5", "7", "8", "9", "21", "22", "24", "27", "31", "42", "39", "49", "53", "95", "104",
		"38;5;123", "48;5;7", "38;2;1;2;3", "48:2::9:8:7", "58:5:9", "58:2::1:2:3", "59", "1;31;44", "38:5:200", "6", "28", "38;5", "4:9")
	return "\x1b[" + n + "m"
}

func moveToken(g *grammar) string {
	switch g.IntN(6) {
	case 0:
		return fmt.Sprintf("\x1b[%d;%dH", g.row(), g.col())
	case 1:
		return fmt.Sprintf("\x1b[%dG", g.col())
	case 2:
		return fmt.Sprintf("\x1b[%dd", g.row())
	case 3:
		return g.pick("\r", "\n", "\r\n", "\b", "\t", "\x1bM", "\x1bD", "\x1bE", "\v")
	}
	return "\x1b[" + g.few() + g.pick("A", "B", "C", "D", "E", "F", "a", "e", "`", "I", "Z")
}

func marginToken(g *grammar) string {
	switch g.IntN(6) {
	case 0:
		return "\x1b[r"
	case 1:
		return "\x1b[?69" + g.pick("h", "l")
	case 2:
		return fmt.Sprintf("\x1b[%d;%ds", g.col(), g.col())
	case 3:
		return "\x1b[?6" + g.pick("h", "l")
	}
	return fmt.Sprintf("\x1b[%d;%dr", g.row(), g.row())
}

func rectToken(g *grammar) string {
	r := fmt.Sprintf("%d;%d;%d;%d", g.row(), g.col(), g.row(), g.col())
	switch g.IntN(6) {
	case 0:
		return "\x1b[" + g.pick("35", "120", "200", "7") + ";" + r + "$x"
	case 1:
		return "\x1b[" + r + fmt.Sprintf(";1;%d;%d;1$v", g.row(), g.col())
	case 2:
		return "\x1b[" + r + ";" + g.pick("0", "1", "4", "5", "7", "22", "24") + g.pick("$r", "$t")
	case 3:
		return "\x1b[" + g.pick("1", "2") + "*x"
	}
	return "\x1b[" + r + g.pick("$z", "${")
}

func modeToken(g *grammar) string {
	n := g.pick("1", "5", "7", "9", "12", "25", "45", "66", "1000", "1002", "1003", "1004", "1006", "1016", "2004", "2026", "2031", "1;1006", "40", "3")
	return "\x1b[?" + n + g.pick("h", "h", "l", "s", "r")
}

func screenToken(g *grammar) string {
	return g.pick("\x1b[?1049h", "\x1b[?1049l", "\x1b[?47h", "\x1b[?47l", "\x1b[?1047l", "\x1b[?1048h", "\x1b[?1048l", "\x1b7", "\x1b8")
}

func oscToken(g *grammar) string {
	return g.pick("\x1b]0;both\a", "\x1b]1;icon\x1b\\", "\x1b]2;ti\u0301tle\x1b\\", "\x1b[22;0t", "\x1b[22;2t", "\x1b[23;0t", "\x1b[23;1t",
		"\x1b]8;;https://example.org/a\x1b\\", "\x1b]8;id=x;https://example.org/b\x1b\\", "\x1b]8;;\x1b\\",
		"\x1b]4;1;rgb:12/34/56\x1b\\", "\x1b]104;1\x1b\\", "\x1b]11;#102030\a", "\x1b]111\a", "\x1b]7;file:///tmp\a", "\x1b]9;done\a")
}

func keyToken(g *grammar) string {
	return g.pick("\x1b[>1u", "\x1b[>31u", "\x1b[<u", "\x1b[<3u", "\x1b[=5;2u", "\x1b[=8u", "\x1b[>4;2m", "\x1b[>4m", "\x1b=", "\x1b>", "\x1b[3 q", "\x1b[ q")
}

// imageToken shows, stores and deletes images of a few cells.
func imageToken(g *grammar) string {
	id := fmt.Sprintf("i=%d", 1+g.IntN(3))
	switch g.IntN(8) {
	case 0, 1:
		return fmt.Sprintf("\x1bP%sq\"1;1;%d;%d#1!9~-\x1b\\", g.pick("", "0;1"), g.IntN(80), g.IntN(120))
	case 2, 3:
		return "\x1b]1337;File=inline=1;" + g.pick("width=3;height=2;preserveAspectRatio=0", "width=40px", "height=1", "width=50%", "doNotMoveCursor=1") + ":" + tinyGIF + g.pick("\a", "\x1b\\")
	case 4:
		return "\x1b_Ga=" + g.pick("t", "T", "T,p=1", "T,c=2,r=1,C=1", "T,U=1,c=2,r=2") + "," + g.pick(id, id, "q=2") + ",s=25,v=50,f=24" + g.pick(",m=1", "", "") + ";AAAA\x1b\\"
	case 5:
		return "\x1b_G" + g.pick("m=1", "m=0", "q=2,m=1", "m=0") + ";BBBB\x1b\\"
	case 6:
		return "\x1b_Ga=p," + id + g.pick("", ",p=1", ",p=2,z=3", ",c=3", ",r=3,C=1", ",c=2,r=2,U=1", ",P=2", ",x=5,w=9") + "\x1b\\"
	}
	return "\x1b_Ga=d,d=" + g.pick("a", "A", "i,"+id, "I,"+id, "i,p=1,"+id, "c", "C", "p,x=2,y=2", "x,x=1", "y,y=1", "z,z=3", "q,x=1,y=1,z=0", "R,x=1,y=2", "n") + "\x1b\\"
}

// tinyGIF is an image of one pixel.
const tinyGIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

func charsetToken(g *grammar) string {
	return g.pick("\x1b(0", "\x1b(B", "\x1b)0", "\x1b*0", "\x1b+A", "\x0e", "\x0f", "\x1bn", "\x1bo", "\x1bN", "\x1bO", "\x1b(A")
}

func oddToken(g *grammar) string {
	return g.pick("\x1b#8", "\x1b[!p", "\x1bc", "\x1bH", "\x1b[g", "\x1b[3g", "\x1b[?5W", "\x1b[1\"q", "\x1b[0\"q", "\x1b[4h", "\x1b[4l", "\x1b[20h", "\x1b[20l",
		"\x1b6", "\x1b9", "\a", "\x1b[3J", "\x18", "\x7f", "\x1b[6n", "\x1bP$qm\x1b\\", "\x1b[?7$p", "\x1b_Gf=100;AAAA\x1b\\", "\x1bPq#0;2;0;0;0\x1b\\")
}

func brokenToken(g *grammar) string {
	return g.pick("\x1b", "\x1b[", "\x1b[1;2", "\x1b[?", "\x1b[1:", "\x1b_", "\x1b_Ga=T,i=1;", "\x1b_X", "\x1b]1337;File=", "\x1bPq#1~", "\x1b]", "\x1b]2;half", "\x1bP1$", "\x1bP$q", "\x1bX", "\x1b(", "\xe4\xb8", "\xf0\x9f", "\xff", "\xc2\x9b", "\xed\xa0\x80",
		"\x1b[<<", "\x1b]!", "\x1b  ", "\x1b[ ")
}

var (
	eraseToken  = csiToken(1, "J", "K", "X", "?J", "1J", "1K", "2K")
	editToken   = csiToken(1, "@", "P", "L", "M", "S", "T", "b", "'}", "'~", " @", " A")
	selectToken = func(g *grammar) string { return "\x1b[?" + g.pick("", "1", "2") + g.pick("J", "K") }
)

// everything is the grammar of all that the screen knows.
var everything = []func(*grammar) string{
	wordToken, wordToken, wordToken, wordToken, wideToken, wideToken, clusterToken, clusterToken, sgrToken, sgrToken, moveToken, moveToken,
	moveToken, marginToken, rectToken, modeToken, screenToken, oscToken, keyToken, charsetToken, oddToken, brokenToken,
	eraseToken, editToken, editToken, selectToken, imageToken, imageToken,
}

// shrink leaves out tokens as long as fails says that the rest still does.
func shrink(tokens []string, fails func([]string) bool) []string {
	for size := len(tokens) / 2; size > 0; {
		removed := false
		for at := 0; at+size <= len(tokens); {
			rest := append(append([]string(nil), tokens[:at]...), tokens[at+size:]...)
			if fails(rest) {
				tokens, removed = rest, true
			} else {
				at += size
			}
		}
		if !removed || size > len(tokens) {
			size /= 2
		}
	}
	return tokens
}

package firewall

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// grammar is what a filtered output consists of, written down apart from the filter: the forms that pass, whatever
// their meaning.
var grammar = regexp.MustCompile(`^(?s:` + strings.Join([]string{
	`[^\x05\x18\x1b\x{80}-\x{9f}]`,
	`\x1b[6-9<=>DEFHMNOVWZ\\cglmno|}~]`,
	`\x1b[()*+./-][ -/]?[0-~]`, `\x1b#[34568]`, `\x1b%G`, `\x1b F`,
	`\x1b\[[<-?]?[0-9;:]*[ -/]?[@-~]`,
	`\x1b\](?:[0-9]|1[0-9]|2[12]|52|66|99|777|133|1337|10[45]|11[0-9])(?:;[^\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x{9f}]*)?(?:\x07|\x1b\\)`,
	`\x1bk[^\x00-\x1f\x7f-\x{9f}]*\x1b\\`,
	`\x1bP[0-9;]*q[\n\r -~]*\x1b\\`, `\x1bP\$q[ -~]{1,4}\x1b\\`, `\x1bP\+q[0-9a-fA-F;]*\x1b\\`, `\x1bP=[12]s\x1b\\`, `\x1bPzz\x1b\\`,
	`\x1b_G[0-9A-Za-z=,+-]*(?:;[\n\r -~]*)?\x1b\\`,
}, "|") + `)*$`)

// poison is what must never pass, in well-formed output.
var poison = regexp.MustCompile(strings.Join([]string{
	`\x1b\]52;[^;\x07\x1b]*;\?`, // clipboard read
	`\x1b\[(?:[1-9]|10|17|2[014-9]|[3-9][0-9]|[1-9][0-9]{2,})?(?:;[0-9;]*)?t`, // window and title reports
	`\x1b\[[<-?][0-9;:]*[tT]`,
	`\x1b\[\??[0-9;:]*i`, `\x1b\[[0-9;:]*[\[\]y]`, // print, console, self-test
	`\x1b\[[^@-~]*[+,&()-][@-~]`, `\x1b\[[^@-~]*%[@-ln-~]`, `\x1b\[[^@-~]*\*[@-wyz{|}~]`, `\x1b\[[^@-~]*#y`, `\x1b\[[^@-~]*"p`,
	`\x1b\[\?(?:[0-9]*;)*[23](?:;[0-9]*)*[hlr]`, `\x1b\[\?(?:[0-9]*;)*(?:38|40|42|46|1043|5522)(?:;[0-9]*)*[hr]`, `\x1b\[\?(?:[0-9]*;)*1001(?:;[0-9]*)*h`,
	`\x1b\[[0-9;:]*[0-9]{6}`, `\x1b\[[0-9]{5,}b`,
	`\x1b_G(?:[^;\x1b]*,)?t=[^d]`, `\x1b_G(?:[^;\x1b]*,)?t=d[^,;\x1b]`,
	`\x1b\]1337;(?:Copy|RequestUpload|StealFocus|SetUserVar|ReportVariable|Custom|OpenURL)`,
	`\x1b\]1337;File=[^:\x07\x1b]*inline=[^1]`, `\x1b\]9;(?:[0-35-9]|[1-9][0-9]+)(?:;|\x07|\x1b)`,
	`\x1b\]8;[^;\x07\x1b]*;(?:[^hmf\x07\x1b]|file://[^/l])`, `\x1b\]7;file://[^/l]`, `\x1b\][012];\?(?:\x07|\x1b)`, `\x1bk\?\x1b`,
}, "|"))

// check fails the test if out is not what may reach a terminal. Output may end within a picture, which passes as it
// comes.
func check(t *testing.T, f *Filter, out string) {
	t.Helper()
	if f.state == streaming || f.state == streamingEsc {
		out += st
	}
	if !utf8.ValidString(out) {
		t.Fatalf("%q is no UTF-8", out)
	}
	if !grammar.MatchString(out) {
		t.Fatalf("%q has a form that is not known", out)
	}
	if found := poison.FindString(out); found != "" {
		t.Fatalf("%q holds %q", out, found)
	}
	if f.policy == Strict && regexp.MustCompile(`\x1b\]52;|\x1b_|\x1bP[0-9;]*q|\x1b\]1337;File|\x1b\]777|\x1b\]99;|\x1b\]7;|\x1b\]8;[^;\x07\x1b]*;file:`).MatchString(out) {
		t.Fatalf("%q is not strict", out)
	}
}

// pieces cuts output as plan says: each byte of it is the length of a piece.
func pieces(output []byte, plan []byte) (all [][]byte) {
	for _, n := range plan {
		n := min(int(n), len(output))
		all, output = append(all, output[:n]), output[n:]
	}
	return append(all, output)
}

func FuzzFilter(f *testing.F) {
	for _, tt := range sequences {
		if len(tt.output) < 200 { // long ones take long to minimize
			f.Add([]byte(tt.output), []byte{1, 2, 3, 5, 8}, false)
			f.Add([]byte(tt.output), []byte{}, true)
		}
	}
	f.Fuzz(func(t *testing.T, output, plan []byte, strict bool) {
		policy := Default
		if strict {
			policy = Strict
		}
		whole := New(policy)
		o, r := whole.Feed(output)
		want, wantReplies := string(o), string(r)
		check(t, whole, want)
		if len(want) > 3*len(output)+len(st) {
			t.Fatalf("%d bytes become %d", len(output), len(want))
		}
		if cap(whole.held) > maxClipboard*2 || cap(whole.replies) > maxReplies*2 {
			t.Fatal("memory is not bounded")
		}

		inPieces := New(policy)
		var out, replies []byte
		for _, p := range pieces(output, plan) {
			o, r := inPieces.Feed(p)
			out, replies = append(out, o...), append(replies, r...)
		}
		if string(out) != want {
			t.Fatalf("%q in pieces %q", want, out)
		}
		if string(replies) != wantReplies && len(wantReplies) < maxReplies-64 {
			t.Fatalf("answered %q, in pieces %q", wantReplies, replies)
		}

		again := New(policy)
		if o, r := again.Feed([]byte(want)); string(o) != want || len(r) > 0 {
			t.Fatalf("%q filtered again is %q, answered %q", want, o, r)
		}
	})
}

// Text of any kind passes as it is.
func FuzzText(f *testing.F) {
	f.Add("all work and no play\r\n\tmakes\b äöü €😀 e\u0301 \u200d\u202e\x00\x7f\x1a")
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.Map(func(r rune) rune {
			if r == enq || r == can || r == esc || r >= 0x80 && r < 0xa0 {
				return -1
			}
			return r
		}, strings.ToValidUTF8(text, ""))
		for _, policy := range []Policy{Default, Strict} {
			if out, replies := filtered(policy, text); out != text || replies != "" {
				t.Fatalf("%q passes as %q", text, out)
			}
		}
	})
}

package command

import (
	"bytes"
	"strings"
	"testing"
)

const testNonce = "0123456789abcdef0123456789abcdef"

var testMark = markBegin + testNonce + ";1;42;/dev/pts/7\a"

// filterBy passes a stream through a filter in the given cuts.
func filterBy(stream []byte, cut func(left int) int) (out []byte, marks []readyMark) {
	f := newMarkFilter(testNonce, func() []byte { return []byte("answer") }, func(m readyMark) { marks = append(marks, m) })
	pass := func(p []byte) []byte { programs, _ := f.pass(p); return programs }
	for len(stream) > 0 {
		n := min(max(1, cut(len(stream))), len(stream))
		out = append(out, pass(bytes.Clone(stream[:n]))...)
		stream = stream[n:]
	}
	return append(out, pass(nil)...), marks
}

func TestTheReadyMarkIsTakenOutWhereverItIsCut(t *testing.T) {
	before, after := "motd\x1b\x1b]snu \x1b]snug012 ", "\x1b]0;title\aprompt"
	stream := before + testMark + after
	want := readyMark{true, 42, "/dev/pts/7"}
	for first := range len(stream) {
		for second := 1; second <= len(stream)-first; second++ {
			cuts := []int{first, second, len(stream)}
			if first == 0 {
				cuts = cuts[1:]
			}
			out, marks := filterBy([]byte(stream), func(int) int { n := cuts[0]; cuts = append(cuts[1:], len(stream)); return n })
			if string(out) != before+after || len(marks) != 1 || marks[0] != want {
				t.Fatalf("cut at %d and %d later: %q, %+v", first, second, out, marks)
			}
		}
	}
}

func TestWhatIsNoReadyMarkIsTheProgramsOwn(t *testing.T) {
	prefix := markBegin + testNonce + ";"
	for _, stream := range []string{
		"", "plain", prefix, prefix + "1;42", prefix + "2;42;/dev/pts/7\a", prefix + "1;0;\a", prefix + "1;42;/dev/pts/7; rm -rf\a",
		prefix + "1;42;" + strings.Repeat("x", longestMark) + "\a", markBegin + strings.Repeat("0", 32) + ";1;42;/dev/pts/7\a", prefix + prefix,
	} {
		if out, marks := filterBy([]byte(stream), func(n int) int { return n/2 + 1 }); string(out) != stream || len(marks) > 0 {
			t.Errorf("%q: %q, %v", stream, out, marks)
		}
	}
}

func TestNothingIsHeldBackThatCannotBeTheMark(t *testing.T) {
	f := newMarkFilter(testNonce, func() []byte { return []byte("answer") }, func(readyMark) {})
	for _, p := range []string{"$ ", "\x1b[1m", "\x1b]0;title\a", markBegin + "9"} {
		if out, _ := f.pass([]byte(p)); string(out) != p {
			t.Errorf("%q: %q comes at once", p, out)
		}
	}
}

func TestTheQuestionForASizeIsAnsweredOnceWhereverItIsCut(t *testing.T) {
	question := markBegin + testNonce + ";?\a"
	stream := "a" + question + "b" + question + testMark + "c"
	for cut := range len(stream) {
		var answers []byte
		f := newMarkFilter(testNonce, func() []byte { return []byte("answer") }, func(readyMark) {})
		out := ""
		for _, p := range []string{stream[:cut], stream[cut:]} {
			programs, answer := f.pass([]byte(p))
			out, answers = out+string(programs), append(answers, answer...)
		}
		if out != "ab"+question+"c" || string(answers) != "answer" {
			t.Fatalf("cut at %d: %q, answers %q", cut, out, answers)
		}
	}
}

func TestATerminalWithoutANameIsFoundByItsProgram(t *testing.T) {
	for input, want := range map[string]string{"/dev/pts/7": "/dev/pts/7", "": "/proc/42/fd/0", "pipe:[7]": "/proc/42/fd/0", "/7": "/proc/42/fd/0"} {
		if got := (readyMark{true, 42, input}).tty(); got != want {
			t.Errorf("%q: %q, want %q", input, got, want)
		}
	}
}

func FuzzMarkFilter(f *testing.F) {
	f.Add([]byte("before"), []byte("after"), uint8(3), true)
	f.Add([]byte(markBegin+testNonce+";"), []byte(testMark), uint8(1), true)
	f.Add([]byte("\x1b]snug\x1b"), []byte{}, uint8(7), false)
	f.Add([]byte(markBegin+testNonce+";?\a"), []byte("x"), uint8(7), false)
	f.Fuzz(func(t *testing.T, before, after []byte, step uint8, marked bool) {
		if bytes.Contains(before, []byte(testNonce)) {
			// It may hold a mark itself; then no byte is lost but that mark's.
			out, marks := filterBy(before, func(int) int { return int(step) })
			asked := bytes.Contains(before, []byte(markBegin+testNonce+";?\a"))
			if len(marks) == 0 && !asked && !bytes.Equal(out, before) {
				t.Fatalf("%q became %q", before, out)
			}
			return
		}
		stream, want := append(bytes.Clone(before), after...), append(bytes.Clone(before), after...)
		if marked {
			stream = append(append(bytes.Clone(before), testMark...), after...)
		} else if bytes.Contains(stream, []byte(testNonce)) {
			return
		}
		out, marks := filterBy(stream, func(int) int { return int(step) })
		if !bytes.Equal(out, want) || marked != (len(marks) == 1) {
			t.Fatalf("%q, marked %v: %q, %v", want, marked, out, marks)
		}
	})
}

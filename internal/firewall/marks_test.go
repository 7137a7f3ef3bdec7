package firewall_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/snugvm/snug/bridge"
	"github.com/snugvm/snug/internal/firewall"
)

// recorded returns what a program has written, of the recordings that the screen is tested with.
func recorded(program string) []byte {
	f, err := os.Open(filepath.Join("../../screen/testdata", program+".gz"))
	if err != nil {
		panic(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		panic(err)
	}
	all, err := io.ReadAll(unzipped)
	if err != nil {
		panic(err)
	}
	return all
}

// words are what output is generated of: everything that the modes know, drawing, text, and what breaks both.
var words = []string{
	"text", "\r\n", "ä€😀", "\x80", "\u009b1m", "\x05", "\x0e", "\x0f", "\x18", "\x19", "\x1a", "\x1b", "\x7f", "0", "1", ";", ":", "m", "h", "[", "]", "\\", "\a",
	"\x1b[m", "\x1b[0m", "\x1b[00m", "\x1b[;m", "\x1b[1m", "\x1b[22m", "\x1b[31m", "\x1b[39m", "\x1b[39;49m", "\x1b[38;5;12m", "\x1b[38;2;1;2;3;1m",
	"\x1b[38m", "\x1b[38;m", "\x1b[48;5m", "\x1b[58;7;4m", "\x1b[4:3m", "\x1b[4:0m", "\x1b[0;1m", "\x1b[1;0m", "\x1b[123456m", "\x1b[3\x0e1m", "\x1b[31\nm", "\x1b[0\x0em",
	"\x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;0m", "\x1b[%m", "\x1b[0%m", "\x1b[>4;2m", "\x1b[>4m", "\x1b[?1m", "\x1b[#p",
	"\x1b[H", "\x1b[12;40H", "\x1b[K", "\x1b[2J", "\x1b[3;10r", "\x1b[r", "\x1b[s", "\x1b[u", "\x1b[6n", "\x1b[4h", "\x1b[4l", "\x1b[20h", "\x1b[12l",
	"\x1b[?25l", "\x1b[?25h", "\x1b[?1049h", "\x1b[?1049l", "\x1b[?47h", "\x1b[?1000;1006h", "\x1b[?1000;1006l", "\x1b[?2026h", "\x1b[?2026l", "\x1b[?6h", "\x1b[?69h",
	"\x1b[?1001h", "\x1b[?1s", "\x1b[?1r", "\x1b[?2h", "\x1b[>1u", "\x1b[<u", "\x1b[=5;1u", "\x1b[>2n", "\x1b[>4;1f", "\x1b[1;2'z", "\x1b[0'z", "\x1b[6 q", "\x1b[0 q",
	"\x1b[1\"q", "\x1b[22;0t", "\x1b[23;0t", "\x1b[21t", "\x1b[!p", "\x1bc", "\x1b=", "\x1b>", "\x1b7", "\x1b8", "\x1bM", "\x1bn", "\x1b(0", "\x1b(B", "\x1b)0", "\x1b*A", "\x1b-A",
	"\x1b%G", "\x1b%@", "\x1b F", "\x1b G", "\x1b]0;title\a", "\x1b]2;tit\x0ele\x1b\\", "\x1bktitle\x1b\\", "\x1b]8;;https://example.org\x1b\\", "\x1b]8;;\a", "\x1b]8;;x:y\a",
	"\x1b]4;1;#fff\a", "\x1b]104\a", "\x1b]10;#fff;#000\a", "\x1b]110\a", "\x1b]22;wait\a", "\x1b]22;>wait\a", "\x1b]9;4;1;50\a", "\x1b]9;4;0\a", "\x1b]52;c;?\a", "\x1b]0;cut off",
	"\x1bPq#0\x1b\\", "\x1bPq#1", "\x1b_Ga=T;AAAA\x1b\\", "\x1b_Ga=T;AAAA", "\x1b]1337;File=inline=1:AAAA\a", "\x1b]1337;File=inline=1:AA", "\x1bX\x1b\\", "\x1b]PAABBCC",
}

// sameModes fails the test unless the marks lead to the same undo bytes as a look at every byte: after each piece, and
// while it is written.
func sameModes(t *testing.T, policy firewall.Policy, output, plan []byte) {
	t.Helper()
	f := firewall.New(policy)
	var marked, scanned bridge.Modes
	for i := 0; len(output) > 0; i++ {
		p := output
		if i < len(plan) {
			p = output[:min(int(plan[i]), len(output))]
		}
		output = output[len(p):]
		out, _ := f.Feed(p)
		attributes, others, ok := f.Marks()
		if !ok || !slices.IsSorted(attributes) || !slices.IsSorted(others) {
			t.Fatalf("%q is marked at %v and %v, %v", out, attributes, others, ok)
		}
		changed, want := marked.FeedMarked(out, attributes, others), scanned.Feed(out)
		if changed != want || !bytes.Equal(marked.Undo(), scanned.Undo()) || !bytes.Equal(marked.UndoDuring(), scanned.UndoDuring()) {
			t.Fatalf("%q, marked at %v and %v: undo %q, during %q, changed %v; without marks %q, %q, %v", out, attributes, others,
				marked.Undo(), marked.UndoDuring(), changed, scanned.Undo(), scanned.UndoDuring(), want)
		}
	}
}

func TestMarksLeadToTheSameUndoOfRecordedOutput(t *testing.T) {
	for _, program := range []string{"claude", "nethack", "npm"} {
		output := recorded(program)
		for range 200 {
			plan := make([]byte, rand.IntN(3000))
			for i := range plan {
				plan[i] = byte(rand.IntN(1 + rand.IntN(256)))
			}
			sameModes(t, firewall.Default, output, plan)
		}
		for i := range min(len(output), 256) {
			sameModes(t, firewall.Strict, output, bytes.Repeat([]byte{byte(i + 1)}, len(output)/(i+1)))
		}
	}
}

func TestMarksLeadToTheSameUndoOfGeneratedOutput(t *testing.T) {
	for range 20000 {
		var output []byte
		for range 1 + rand.IntN(40) {
			output = append(output, words[rand.IntN(len(words))]...)
		}
		plan := make([]byte, rand.IntN(20))
		for i := range plan {
			plan[i] = byte(rand.IntN(40))
		}
		sameModes(t, firewall.Default, output, plan)
	}
}

func FuzzMarks(f *testing.F) {
	for _, word := range words {
		f.Add([]byte("text"+word+"\x1b[31mtext\x1b[m"), []byte{4, 1, 2}, []byte{}, false)
	}
	f.Fuzz(func(t *testing.T, output, plan, chosen []byte, strict bool) {
		for _, i := range chosen {
			output = append(output, words[int(i)%len(words)]...)
		}
		policy := firewall.Default
		if strict {
			policy = firewall.Strict
		}
		sameModes(t, policy, output, plan)
	})
}

package screen

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func TestWritingAllocatesNothingInSteadyState(t *testing.T) {
	outputs := map[string]string{
		"lines":     strings.Repeat("The quick brown fox jumps over the lazy dog.\r\n", 500),
		"colours":   strings.Repeat("\x1b[1;31mred\x1b[0m \x1b[38;2;1;2;3;48;5;7mtrue\x1b[m\x1b[K\x1b[4;10H\x1b[2L\x1b[3;20r\x1bM\x1b[r", 200),
		"wide":      strings.Repeat("世界 한국어 🙂\r\n", 500),
		"clusters":  strings.Repeat("e\u0301 👩\u200d🚀 🇩🇪 ❤\ufe0f\r\n", 300),
		"alternate": strings.Repeat("\x1b[H\x1b[2Jtext\x1b[5;5Hmore\x1b[?25l\x1b[?25h", 200),
	}
	for name, output := range outputs {
		t.Run(name, func(t *testing.T) {
			s := New(200, 50, Options{Scrollback: 1000})
			text := []byte(output)
			for range 10 { // until the scrollback is full
				_, _ = s.Write(text)
			}
			if n := testing.AllocsPerRun(10, func() { _, _ = s.Write(text) }); n > 0 {
				t.Errorf("%v allocations for %d bytes", n, len(text))
			}
		})
	}
}

func TestTenThousandFullLinesOfScrollbackFitIn20MB(t *testing.T) {
	before := heap()
	s := New(200, 50, Options{Scrollback: 10000})
	for i := range 12000 {
		_, _ = fmt.Fprintf(s, "\x1b[38;5;%dm%-200d", i%256, i)
	}
	if used := heap() - before; used > 20<<20 {
		t.Errorf("%d bytes", used)
	}
	runtime.KeepAlive(s)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestMemoryIsBoundedWhateverIsWritten(t *testing.T) {
	hostile := map[string]func(i int) string{
		"endless string":  func(int) string { return "\x1b]2;" + strings.Repeat("x", 4096) },
		"endless numbers": func(int) string { return "\x1b[" + strings.Repeat("1;", 2048) },
		"endless cluster": func(int) string { return "e" + strings.Repeat("\u0301", 2048) },
		"styles":          func(i int) string { return fmt.Sprintf("\x1b[38;2;%d;%d;%dmx", i>>16&255, i>>8&255, i&255) },
		"clusters": func(i int) string {
			return "e" + string(rune(0x300+i%100)) + string(rune(0x300+i/100%100)) + string(rune(0x300+i/10000%100))
		},
		"links":   func(i int) string { return fmt.Sprintf("\x1b]8;;https://example.org/%0200d\x1b\\x", i) },
		"queries": func(int) string { return strings.Repeat("\x1b[6n", 1000) },
		"titles": func(i int) string {
			return fmt.Sprintf("\x1b]2;%d\x1b\\\x1b[22;0t\x1b]52;c;%s\x1b\\", i, strings.Repeat("A", 4000))
		},
		"images": func(i int) string {
			return fmt.Sprintf("\x1b[%d;%dH\x1bPq%s~\x1b\\", 1+i%24, 1+i/24%80, strings.Repeat("?", 32<<10))
		},
		"stored images":   func(i int) string { return fmt.Sprintf("\x1b_Ga=t,i=%d;%s\x1b\\", i+1, strings.Repeat("A", 4000)) },
		"image in pieces": func(int) string { return "\x1b_Ga=t,i=1,m=1;" + strings.Repeat("\x1b\\\x1b_Gm=1;A", 500) + "\x1b\\" },
		"placements": func(i int) string {
			return fmt.Sprintf("\x1b_Ga=T,i=1,c=1,r=1,p=%d;AAAA\x1b\\\x1b_Ga=p,i=1,c=1,r=1,p=%[1]d\x1b\\\x1b_Ga=p,U=1,i=1,p=%[1]d\x1b\\", i+1)
		},
		"keyboard":         func(int) string { return "\x1b[>1u" },
		"alternate screen": func(int) string { return "\x1b[?1049h\x1b[?1049l" },
		"repetition":       func(int) string { return "x\x1b[65535b" },
	}
	for name, output := range hostile {
		t.Run(name, func(t *testing.T) {
			before := heap()
			s := New(80, 24, Options{Scrollback: 1000})
			s.SetPixels(800, 480)
			for i, written := 0, 0; i < 20000 && written < 8<<20; i++ {
				n, _ := s.Write([]byte(output(i)))
				written += n
			}
			if used := heap() - before; used > 20<<20 {
				t.Errorf("%d bytes", used)
			}
			if err := s.check(); err != nil {
				t.Error(err)
			}
			runtime.KeepAlive(s)
		})
	}
}

func TestMoreStylesThanTheTableHoldsComeAndGo(t *testing.T) {
	s := New(80, 24, Options{})
	for i := range 3 * maxStyles {
		_, _ = fmt.Fprintf(s, "\x1b[38;2;%d;%d;%dmx", i>>16&255, i>>8&255, i&255)
	}
	if got := s.Cell(s.x-1, s.y).Style.Foreground; got != s.pen.Foreground {
		t.Errorf("the last character has colour %#x, not %#x: styles that nothing uses were not freed", got, s.pen.Foreground)
	}
}

func BenchmarkWrite(b *testing.B) {
	for name, line := range map[string]string{
		"yes":       "y\r\n",
		"text":      "The quick brown fox jumps over the lazy dog, and nobody in the whole wide world is the wiser.\r\n",
		"coloured":  "\x1b[12;1H\x1b[38;5;240m│\x1b[0m 17 \x1b[1;34msrc/file.go\x1b[0m \x1b[32m+12\x1b[31m -3\x1b[39m\x1b[60G\x1b[48;5;236mfunc draw(line int) {  \x1b[49m\x1b[K",
		"truecolor": "\x1b[38;2;10;200;30;48;2;1;2;3mab\x1b[38;2;30;100;90;48;2;4;5;6mcd",
		"clusters":  "👩\u200d🚀 🇩🇪 e\u0301 ❤\ufe0f 👍🏽 text\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			s := New(200, 50, Options{Scrollback: 10000})
			text := bytes.Repeat([]byte(line), 64<<10/len(line))
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_, _ = s.Write(text)
			}
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	s := New(200, 50, Options{Scrollback: 10000})
	for i := range 12000 {
		_, _ = fmt.Fprintf(s, "\x1b[3%dmline %d of the text\x1b[0m\r\n", i%8, i)
	}
	for name, lines := range map[string]int{"screen": 0, "scrollback": -1} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.Snapshot(SnapshotOptions{Scrollback: lines})
			}
		})
	}
}

func BenchmarkDiff(b *testing.B) {
	s := New(200, 50, Options{Scrollback: 10000})
	for i := range 12000 {
		_, _ = fmt.Fprintf(s, "\x1b[3%dmline %d of the text\x1b[0m\r\n", i%8, i)
	}
	from := s.Clone(false)
	_, _ = s.Write([]byte("\x1b[5;5Hchanged"))
	for b.Loop() {
		Diff(from, s, -1)
	}
}

func BenchmarkResize(b *testing.B) {
	s := New(200, 50, Options{Scrollback: 10000})
	for i := range 12000 {
		_, _ = fmt.Fprintf(s, "\x1b[3%dmline %d of a text that is longer than half the width of the screen, so that it is broken when that shrinks\x1b[0m\r\n", i%8, i)
	}
	for i := 0; b.Loop(); i++ {
		s.Resize(200-100*(i%2), 50)
	}
}

// Package bench measures screen beside other terminal emulators in Go, and snug beside other ways to a program's terminal:
// in the same run, on the same output.
package bench

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
	"github.com/hinshun/vt10x"

	"github.com/snugvm/snug/screen"
)

const cols, rows, scrollback = 200, 50, 10000

// emulators are those that are compared. Each call makes a new one.
var emulators = []struct {
	name string
	new  func() io.Writer
}{
	{"screen", func() io.Writer { return screen.New(cols, rows, screen.Options{Scrollback: scrollback}) }},
	{"x-vt", func() io.Writer {
		e := vt.NewEmulator(cols, rows)
		go func() { _, _ = io.Copy(io.Discard, e) }() // it blocks when nobody reads its replies
		return e
	}},
	{"vt10x", func() io.Writer { return vt10x.New(vt10x.WithSize(cols, rows)) }},
}

// outputs are what programs write, about 64 KiB of each.
var outputs = []struct {
	name string
	text []byte
}{
	{"yes", fill("y\r\n")},
	{"text", fill("The quick brown fox jumps over the lazy dog, and nobody in the whole wide world is the wiser.\r\n")},
	{"log", fill("2026-01-02T03:04:05Z \x1b[32mINFO\x1b[0m  server/http.go:123 \x1b[2mrequest\x1b[0m method=GET path=/api/v1/items status=200 bytes=1234\r\n")},
	{"tui", []byte(tui())},
	{"truecolor", fill("\x1b[38;2;10;200;30;48;2;1;2;3mab\x1b[38;2;30;100;90;48;2;4;5;6mcd\x1b[38;2;1;20;230;48;2;1;8;9mef")},
	{"cjk", fill("你好世界，这是一个测试。端末は幅の広い文字を正しく表示する。\r\n")},
	{"emoji", fill("👩\u200d🚀 🇩🇪 e\u0301 ❤\ufe0f 👍🏽 text\r\n")},
}

func fill(line string) []byte { return bytes.Repeat([]byte(line), 64<<10/len(line)) }

// tui is frames as a full-screen program draws them: moves, colours, borders, short texts, erased ends.
func tui() string {
	var b strings.Builder
	for frame := 0; b.Len() < 64<<10; frame++ {
		b.WriteString("\x1b[?2026h\x1b[?25l\x1b[H")
		for y := 1; y <= rows; y++ {
			fmt.Fprintf(&b, "\x1b[%d;1H\x1b[38;5;%dm│\x1b[0m %3d \x1b[1;34msrc/file_%d.go\x1b[0m \x1b[32m+%d\x1b[31m -%d\x1b[39m", y, 240+y%8, y, y*7%13, frame+y, frame)
			fmt.Fprintf(&b, "\x1b[%dG\x1b[48;5;236m%-40s\x1b[49m\x1b[K", 60+y%5, "func (s *Screen) draw(line int) {")
		}
		b.WriteString("\x1b[?25h\x1b[?2026l")
	}
	return b.String()
}

func BenchmarkWrite(b *testing.B) {
	for _, o := range outputs {
		for _, e := range emulators {
			b.Run(o.name+"/"+e.name, func(b *testing.B) { write(b, e.new(), o.text) })
		}
	}
}

func write(b *testing.B, w io.Writer, text []byte) {
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Write(text); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTable prints the speeds of one run in MB/s, and how many times faster screen is than each of the others.
func TestTable(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	fmt.Printf("%-10s %10s %10s %10s %12s %12s %10s\n", "MB/s", "screen", "x-vt", "vt10x", "/ x-vt", "/ vt10x", "allocs/64k")
	for _, o := range outputs {
		var speed []float64
		var allocs int64
		for i, e := range emulators {
			r := testing.Benchmark(func(b *testing.B) { write(b, e.new(), o.text) })
			speed = append(speed, float64(r.Bytes)*float64(r.N)/r.T.Seconds()/1e6)
			if i == 0 {
				allocs = r.AllocsPerOp()
			}
		}
		fmt.Printf("%-10s %10.1f %10.2f %10.1f %12.0f %12.1f %10d\n", o.name, speed[0], speed[1], speed[2], speed[0]/speed[1], speed[0]/speed[2], allocs)
	}
}

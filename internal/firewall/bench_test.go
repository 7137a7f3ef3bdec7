//go:build linux

package firewall

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// outputs are what viewers show, 32 KiB of each: what one packet of the viewer's way carries.
var outputs = []struct{ name, unit string }{
	{"text", "all work and no play makes a dull terminal, says the man who wrote this line\r\n"},
	{"yes", "y\r\n"},
	{"colours", "\x1b[38;5;12mall work\x1b[0m and no \x1b[1mplay\x1b[22m makes \x1b[32m+dull\x1b[m\r\n"},
	{"tui", "\x1b[12;40H\x1b[36m\x1b(B\x1b[m│ \x1b[1;32m 42.0%\x1b[38;2;80;90;100m ▏▎▍▌▋▊▉\x1b[39;49m  htop  \x1b[K\x1b[?25l\x1b[13;1H"},
	{"cjk", "終端機の出力は敵意のある入力である。"},
	{"titles", "\x1b]0;user@host: ~/work\auser@host:~/work$ make -j2 && echo done\r\n"},
}

const packet = 32 << 10

func packetOf(unit string) []byte {
	return []byte(strings.Repeat(unit, packet/len(unit)))
}

// BenchmarkFilter is the cost alone.
func BenchmarkFilter(b *testing.B) {
	for _, o := range outputs {
		b.Run(o.name, func(b *testing.B) {
			p := packetOf(o.unit)
			f := New(Default)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				f.Feed(p)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(p)), "ns/byte")
		})
	}
}

// BenchmarkPTY is the end of the viewer's way: output is written to a terminal in raw mode, which somebody reads. It
// reports what part of it the filter takes.
func BenchmarkPTY(b *testing.B) {
	for _, o := range outputs {
		b.Run(o.name, func(b *testing.B) {
			master, slave, err := pty.Open()
			if err != nil {
				b.Fatal(err)
			}
			defer master.Close()
			raw(b, slave)
			go func() { _, _ = io.Copy(io.Discard, master) }() // ends with the terminal
			share(b, slave, packetOf(o.unit))
			_ = slave.Close()
		})
	}
}

// BenchmarkPipe is the same with a pipe for a terminal: nothing that shows output is as fast.
func BenchmarkPipe(b *testing.B) {
	for _, o := range outputs {
		b.Run(o.name, func(b *testing.B) {
			r, w, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			go func() {
				for buf := make([]byte, 64<<10); ; {
					if _, err := r.Read(buf); err != nil {
						return
					}
				}
			}()
			share(b, w, packetOf(o.unit))
			_ = w.Close()
		})
	}
}

// share writes p through a filter, and reports which part of the time the filter takes: what it costs of the throughput.
func share(b *testing.B, w io.Writer, p []byte) {
	f := New(Default)
	b.SetBytes(int64(len(p)))
	var filter time.Duration
	for b.Loop() {
		start := time.Now()
		out, _ := f.Feed(p)
		filter += time.Since(start)
		if _, err := w.Write(out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(100*float64(filter)/float64(b.Elapsed()), "%filter")
}

// raw lets bytes through a terminal as they are.
func raw(b *testing.B, slave *os.File) {
	b.Helper()
	state, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		b.Fatal(err)
	}
	state.Oflag &^= unix.OPOST
	state.Lflag &^= unix.ECHO | unix.ICANON
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, state); err != nil {
		b.Fatal(err)
	}
}

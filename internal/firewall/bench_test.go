//go:build linux

package firewall_test

import (
	"crypto/ed25519"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/snugvm/snug/bridge"
	"github.com/snugvm/snug/internal/firewall"
	"golang.org/x/crypto/ssh"
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
			f := firewall.New(firewall.Default)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				f.Feed(p)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(p)), "ns/byte")
		})
	}
}

// BenchmarkModes is the cost of what comes after the filter.
func BenchmarkModes(b *testing.B) {
	for _, o := range outputs {
		b.Run(o.name, func(b *testing.B) {
			p := packetOf(o.unit)
			var m bridge.Modes
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				m.Feed(p)
			}
		})
	}
}

// BenchmarkViewer is the viewer's way of output: from SSH on a unix socket by way of a filter and the modes to a terminal
// in raw mode, which somebody reads. It reports which parts of the time the filter and the modes take.
func BenchmarkViewer(b *testing.B) {
	for _, o := range outputs {
		b.Run(o.name, func(b *testing.B) {
			p := packetOf(o.unit)
			keeper, viewer := sshChannel(b)
			master, slave, err := pty.Open()
			if err != nil {
				b.Fatal(err)
			}
			raw(b, slave)
			var ends sync.WaitGroup
			ends.Go(func() { _, _ = io.Copy(io.Discard, master) })
			ends.Go(func() {
				for {
					if _, err := keeper.Write(p); err != nil {
						return
					}
				}
			})
			var modes bridge.Modes
			got := make([]byte, len(p))
			var following time.Duration
			share(b, len(p), func(f *firewall.Filter, spent *time.Duration) error {
				if _, err := io.ReadFull(viewer, got); err != nil {
					return err
				}
				start := time.Now()
				out, _ := f.Feed(got)
				filtered := time.Now()
				modes.Feed(out)
				*spent += filtered.Sub(start)
				following += time.Since(filtered)
				_, err := slave.Write(out)
				return err
			})
			b.ReportMetric(100*float64(following)/float64(b.Elapsed()), "%modes")
			_ = viewer.Close()
			_ = keeper.Close()
			_ = slave.Close()
			_ = master.Close()
			ends.Wait()
		})
	}
}

// BenchmarkPTY is the end of it: a copy to a terminal.
func BenchmarkPTY(b *testing.B) {
	for _, o := range outputs {
		b.Run(o.name, func(b *testing.B) {
			p := packetOf(o.unit)
			master, slave, err := pty.Open()
			if err != nil {
				b.Fatal(err)
			}
			raw(b, slave)
			var ends sync.WaitGroup
			ends.Go(func() { _, _ = io.Copy(io.Discard, master) })
			share(b, len(p), func(f *firewall.Filter, spent *time.Duration) error {
				start := time.Now()
				out, _ := f.Feed(p)
				*spent += time.Since(start)
				_, err := slave.Write(out)
				return err
			})
			_ = slave.Close()
			_ = master.Close()
			ends.Wait()
		})
	}
}

// share reports which part of the time of step a filter takes: what it costs of the throughput.
func share(b *testing.B, size int, step func(*firewall.Filter, *time.Duration) error) {
	f := firewall.New(firewall.Default)
	b.SetBytes(int64(size))
	var filter time.Duration
	for b.Loop() {
		if err := step(f, &filter); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(100*float64(filter)/float64(b.Elapsed()), "%filter")
}

// sshChannel returns the two ends of a channel between a keeper and a viewer.
func sshChannel(b *testing.B) (keeper, viewer ssh.Channel) {
	b.Helper()
	listener, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan ssh.Channel, 1)
	go func() { // ends with the connection
		config := &ssh.ServerConfig{NoClientAuth: true}
		config.AddHostKey(signer)
		c, err := listener.Accept()
		if err != nil {
			return
		}
		_, opened, requests, err := ssh.NewServerConn(c, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for ch := range opened {
			accepted, requests, err := ch.Accept()
			if err != nil {
				return
			}
			go ssh.DiscardRequests(requests)
			served <- accepted
		}
	}()
	client, err := ssh.Dial("unix", listener.Addr().String(), &ssh.ClientConfig{HostKeyCallback: ssh.FixedHostKey(signer.PublicKey())})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	viewer, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		b.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	return <-served, viewer
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

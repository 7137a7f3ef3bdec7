//go:build linux

package firewall_test

import (
	"crypto/ed25519"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/bridge"
	"github.com/snugvm/snug/internal/firewall"
	"github.com/snugvm/snug/test/ptytest"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// made are kinds of output that need no filtering.
var made = []struct{ name, unit string }{
	{"text", "all work and no play makes a dull terminal, says the man who wrote this line\r\n"},
	{"yes", "y\r\n"},
	{"colours", "\x1b[38;5;12mall work\x1b[0m and no \x1b[1mplay\x1b[22m makes \x1b[32m+dull\x1b[m\r\n"},
	{"tui", "\x1b[12;40H\x1b[36m\x1b(B\x1b[m│ \x1b[1;32m 42.0%\x1b[38;2;80;90;100m ▏▎▍▌▋▊▉\x1b[39;49m  htop  \x1b[K\x1b[?25l\x1b[13;1H"},
	{"cjk", "終端機の出力は敵意のある入力である。"},
	{"titles", "\x1b]0;user@host: ~/work\auser@host:~/work$ make -j2 && echo done\r\n"},
}

// outputs are what viewers show: made, and recorded of programs.
var outputs = append(slices.Clone(made), []struct{ name, unit string }{
	{"claude", string(recorded("claude"))},
	{"nethack", string(recorded("nethack"))},
	{"npm", string(recorded("npm"))},
}...)

// packet is as much as the viewer's way carries at once, and turn at least as much as is shown by one way before the
// other has its turn.
const (
	packet = 32 << 10
	turn   = 1 << 20
)

func packetOf(unit string) []byte {
	return []byte(strings.Repeat(unit, max(packet/len(unit), 1)))
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

// BenchmarkModes is the cost of what comes after the filter: with the filter's marks, and without.
func BenchmarkModes(b *testing.B) {
	for _, o := range outputs {
		p := packetOf(o.unit)
		f := firewall.New(firewall.Default)
		p, _ = f.Feed(p)
		attributes, others, _ := f.Marks()
		for _, way := range []string{"marked", "scanned"} {
			b.Run(o.name+"/"+way, func(b *testing.B) {
				var m bridge.Modes
				b.SetBytes(int64(len(p)))
				b.ReportAllocs()
				for b.Loop() {
					if way == "marked" {
						m.FeedMarked(p, attributes, others)
					} else {
						m.Feed(p)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(p)), "ns/byte")
			})
		}
	}
}

// BenchmarkViewer is the viewer's way of output: from SSH on a unix socket by way of a filter and the modes to a terminal
// in raw mode, which somebody reads. Without a filter and with it take turns, so that both meet the same machine. It
// reports, as medians: how much longer a turn takes with the filter than one without; how much longer filter and modes
// alone take, as a part of a turn without (%cost), since all else is the same but for chance; and which part of the time
// these take without and with the filter.
func BenchmarkViewer(b *testing.B) {
	for _, o := range outputs {
		b.Run(o.name, func(b *testing.B) {
			keeper, channel := sshChannel(b)
			p := []byte(strings.Repeat(o.unit, turn/len(o.unit)+1))
			var ends sync.WaitGroup
			ends.Go(func() {
				for {
					if _, err := keeper.Write(p); err != nil {
						return
					}
				}
			})
			master, slave := rawTerminal(b)
			ends.Go(func() { _, _ = io.Copy(io.Discard, master) })
			open, filtered := newViewer(channel, slave, firewall.Open), newViewer(channel, slave, firewall.Default)
			b.SetBytes(int64(2 * len(p)))
			var longer, cost, without, with []float64
			for b.Loop() {
				first, second := open, filtered
				if len(longer)%2 == 1 {
					first, second = filtered, open
				}
				first.show(b, len(p))
				second.show(b, len(p))
				longer = append(longer, 100*(float64(filtered.took)/float64(open.took)-1))
				cost = append(cost, 100*float64(filtered.judged-open.judged)/float64(open.took))
				without = append(without, 100*float64(open.judged)/float64(open.took))
				with = append(with, 100*float64(filtered.judged)/float64(filtered.took))
			}
			b.ReportMetric(median(longer), "%longer")
			b.ReportMetric(median(cost), "%cost")
			b.ReportMetric(median(without), "%open")
			b.ReportMetric(median(with), "%filtered")
			_ = channel.Close()
			_ = keeper.Close()
			_ = slave.Close()
			_ = master.Close()
			ends.Wait()
		})
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// viewer is the way of output in a viewer.
type viewer struct {
	in     io.Reader
	out    io.Writer
	filter *firewall.Filter
	modes  bridge.Modes
	packet [packet]byte
	took   time.Duration // what was shown last, and of that filter and modes
	judged time.Duration
}

func newViewer(in io.Reader, out io.Writer, policy firewall.Policy) *viewer {
	return &viewer{in: in, out: out, filter: firewall.New(policy)}
}

// show shows what comes, in packets that are cut anywhere.
func (v *viewer) show(b *testing.B, length int) {
	start := time.Now()
	v.judged = 0
	for ; length > 0; length -= packet {
		p := v.packet[:min(packet, length)]
		if _, err := io.ReadFull(v.in, p); err != nil {
			b.Fatal(err)
		}
		read := time.Now()
		out, _ := v.filter.Feed(p)
		if attributes, others, ok := v.filter.Marks(); ok {
			v.modes.FeedMarked(out, attributes, others)
		} else {
			v.modes.Feed(out)
		}
		v.judged += time.Since(read)
		if _, err := v.out.Write(out); err != nil {
			b.Fatal(err)
		}
	}
	v.took = time.Since(start)
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

// rawTerminal returns a terminal that lets bytes through as they are.
func rawTerminal(b *testing.B) (master, slave *os.File) {
	b.Helper()
	master, slave = ptytest.OpenPTY(b)
	state, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		b.Fatal(err)
	}
	state.Oflag &^= unix.OPOST
	state.Lflag &^= unix.ECHO | unix.ICANON
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, state); err != nil {
		b.Fatal(err)
	}
	return master, slave
}

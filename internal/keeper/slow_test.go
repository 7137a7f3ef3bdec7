//go:build linux

package keeper

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"net"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
	"golang.org/x/crypto/ssh"
)

// thin is one end of a link that carries so many bytes a second each way; 0 is
// any number.
type thin struct {
	net.Conn // has what nobody asks for
	rate     int
	in       *wire.BufferReader
	from, to *wire.Buffer
	carried  atomic.Int64 // to this end
}

// newThin returns the ends of a link.
func newThin(rate int) (here, there *thin) {
	one, other := wire.NewBuffer(64<<10), wire.NewBuffer(64<<10)
	end := func(from, to *wire.Buffer) *thin {
		in, _ := from.Reader(0, 0)
		return &thin{rate: rate, in: in, from: from, to: to}
	}
	return end(one, other), end(other, one)
}

// Write returns once the link has all of p.
func (c *thin) Write(p []byte) (int, error) {
	if err := c.to.Append(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Read takes the time that its bytes are on the line.
func (c *thin) Read(p []byte) (int, error) {
	if c.rate > 0 {
		p = p[:min(len(p), 64)]
	}
	n, err := c.in.Read(p)
	if c.rate > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(c.rate))
	}
	c.carried.Add(int64(n))
	_ = c.from.Release(c.in.Next())
	return n, err
}

// Close tears the link.
func (c *thin) Close() error {
	c.from.Close()
	c.to.Close()
	return nil
}

func (c *thin) LocalAddr() net.Addr  { return &net.UnixAddr{} }
func (c *thin) RemoteAddr() net.Addr { return &net.UnixAddr{} }

// far is a viewer of a session's keeper, at the other end of a link.
type far struct {
	session *wire.Session
	link    *thin // its end

	mu    sync.Mutex
	shows *screen.Screen
	got   uint64
}

// Output shows and acknowledges what comes.
func (f *far) Output(stream wire.Stream, p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, _ = f.shows.Write(p)
	f.got += uint64(len(p))
	f.session.Ack(stream, f.got)
}

func (f *far) EndOutput(wire.Stream) {}
func (f *far) Exited(wire.Exit)      {}
func (f *far) InputSafe(uint64)      {}
func (f *far) Flushed(uint64)        {}
func (f *far) Ready()                {}
func (f *far) Notice(wire.Notice)    {}

func (f *far) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shows.Text()
}

// newest is the number that the last whole line has which the terminal shows.
func (f *far) newest() int {
	lines := numbered.FindAllStringSubmatch(f.text(), -1)
	if len(lines) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(lines[len(lines)-1][1])
	return n
}

var numbered = regexp.MustCompile(`line (\d+) of`)

// attach has a viewer join a session over a link, until the test ends.
func attach(t *testing.T, s *session, rate int) *far {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	here, there := newThin(rate)
	f := &far{link: there, shows: fresh(size)}
	var wg sync.WaitGroup
	wg.Go(func() { _ = wire.Server(here, key, s.keeper) })
	conn, err := wire.Client(there, wire.Peer{HostKey: public})
	if err != nil {
		t.Fatal(err)
	}
	f.session = wire.NewSession(wire.NewID(), wire.Start{Join: &wire.Join{Number: s.memo.Number}, Pty: &wire.Pty{Term: "xterm", Size: size}}, f)
	wg.Go(func() { _ = f.session.Run(conn) })
	t.Cleanup(func() {
		_ = conn.Close()
		wg.Wait()
	})
	return f
}

// looked is a session that a viewer with a fast link looks at, and one whose link
// carries 1 KB a second.
func looked(t *testing.T) (s *session, fast, slow *far) {
	t.Helper()
	s = ptySession(t)
	s.keeper.sessions[s.memo.ID] = s
	fast, slow = attach(t, s, 0), attach(t, s, 1000)
	agentSide{s}.Ready()
	agentSide{s}.Output(wire.Stdout, []byte("up\r\n"))
	time.Sleep(time.Minute) // of the test's own time
	for _, f := range []*far{fast, slow} {
		if !strings.HasPrefix(f.text(), "up\n") {
			t.Fatalf("a viewer is shown %q", f.text())
		}
	}
	return s, fast, slow
}

const lineLength = 25

// say has the program print numbered lines.
func say(s *session, from, to int) {
	var b bytes.Buffer
	for n := from; n <= to; n++ {
		fmt.Fprintf(&b, "line %09d of many\r\n", n)
		if b.Len() >= 4<<10 || n == to {
			agentSide{s}.Output(wire.Stdout, b.Bytes())
			b.Reset()
		}
	}
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestALinkOf1KBASecondCarriesTheScreenAndNotThePast(t *testing.T) {
	// With one processor all is printed before anybody shows any of it.
	for _, processors := range []int{1, max(2, runtime.NumCPU())} {
		before := runtime.GOMAXPROCS(processors)
		synctest.Test(t, carriesTheScreen)
		runtime.GOMAXPROCS(before)
	}
}

func carriesTheScreen(t *testing.T) {
	s, fast, slow := looked(t)
	before, carried, began := heap(), slow.link.carried.Load(), time.Now()
	const lines = 10_000_000 / lineLength
	say(s, 1, lines)
	synctest.Wait() // which takes no time: until everybody waits for time to pass
	if took := time.Since(began); took > 0 {
		t.Errorf("the program was delayed by %v", took)
	}
	if n := fast.newest(); n != lines {
		t.Errorf("another viewer is shown line %d, and has to wait for the last one", n)
	}
	if kept := heap() - before; kept > 3*ahead {
		t.Errorf("%d bytes are kept", kept)
	}
	for slow.newest() < lines && time.Since(began) < time.Hour {
		time.Sleep(100 * time.Millisecond)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the end is shown after %v", took)
	}
	time.Sleep(time.Minute)
	if n := slow.link.carried.Load() - carried; n > 8<<10 {
		t.Errorf("%d bytes crossed the link", n)
	}
	if got, want := slow.text(), fast.text(); got != want {
		t.Errorf("shown\n%s\nwant\n%s", got, want)
	}
}

// A program prints without end, ten times as much as the link carries. What is
// shown is never older than some seconds: what is under way, and a screen.
func TestWhatALinkOf1KBASecondShowsIsNotOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fast, slow := looked(t)
		const each = 40 // lines, in a tenth of a second
		n, oldest, last := 0, 0, 0
		for tick := range 1200 {
			say(s, n+1, n+each)
			n += each
			synctest.Wait()
			if got := fast.newest(); got != n {
				t.Fatalf("another viewer is shown line %d of %d", got, n)
			}
			time.Sleep(100 * time.Millisecond)
			if now := slow.newest(); tick > 100 {
				oldest = max(oldest, (n-now)/each)
				last = now
			}
		}
		if age := time.Duration(oldest) * 100 * time.Millisecond; age > 5*time.Second {
			t.Errorf("a line was shown that was %v old", age)
		}
		if last == 0 {
			t.Error("nothing is shown")
		}
	})
}

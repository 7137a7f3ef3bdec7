//go:build linux

package agent_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/sandboxtest"
)

// trials is how far the tests that repeat go: 20 is a sample, from 200 on the
// link is cut at every byte.
var trials = flag.Int("trials", 20, "how often tests repeat what may fail by chance")

// linkRig is an agent behind a link that tears.
type linkRig struct {
	t       *testing.T
	machine *sandboxtest.InProcess
	host    *sandboxtest.Host
	probe   string
	dir     string
	started int
}

func newLinkRig(t *testing.T) *linkRig {
	t.Helper()
	dir := t.TempDir()
	m, err := sandboxtest.NewInProcess(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Kill() })
	peer, err := m.Agent().Peer()
	if err != nil {
		t.Fatal(err)
	}
	probe, err := sandboxtest.BuildProbe(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &linkRig{t: t, machine: m, host: sandboxtest.NewHost(t, m, peer, 30*time.Second), probe: probe, dir: dir}
}

// start starts the probe, which notes that it was started in a fresh file.
func (r *linkRig) start(onPty bool, args ...string) *sandboxtest.Process {
	r.started++
	s := wire.Start{
		Args: append([]string{r.probe}, args...),
		Env:  []wire.Env{{Name: "COUNT", Value: r.countFile()}},
	}
	if onPty {
		s.Pty = &wire.Pty{Term: "xterm", Size: wire.Size{Rows: 41, Cols: 137}}
	}
	return r.host.Start(s)
}

func (r *linkRig) countFile() string { return filepath.Join(r.dir, "count"+strconv.Itoa(r.started)) }

// wantOneStart fails the test unless the last program was started once.
func (r *linkRig) wantOneStart() {
	r.t.Helper()
	if b, err := os.ReadFile(r.countFile()); string(b) != "x" {
		r.t.Fatalf("the program was started %d times (%v)", len(b), err)
	}
	_ = os.Remove(r.countFile())
}

// converse is a short session with something of everything: a start, output,
// input, output that answers it, an exit status.
func (r *linkRig) converse(onPty bool) {
	r.t.Helper()
	const lines = 3
	p := r.start(onPty, "echo", strconv.Itoa(lines*len("line 0.")))
	want := "ready"
	p.Expect(want) // before it the terminal would echo
	for i := range lines {
		line := fmt.Sprintf("line %d.", i)
		want += line
		p.Type(line)
	}
	_ = p.CloseWrite()
	p.WantExit(42)
	if p.Stdout() != want || p.Stderr() != "" {
		r.t.Fatalf("output %q, errors %q; want %q", p.Stdout(), p.Stderr(), want)
	}
	r.wantOneStart()
}

// measure returns how many bytes a conversation takes on a whole link.
func (r *linkRig) measure(onPty bool) (toGuest, toHost int) {
	r.t.Helper()
	r.host.CutLinks(nil)
	r.converse(onPty)
	return r.host.Links()[0].Carried()
}

// terminals are what each test of the link is run on.
var terminals = map[string]bool{"pipes": false, "pty": true}

// The mark, the nonce, the handshake, the request for the session, the start,
// data, acknowledgements, the exit status and what follows it: wherever the
// link is torn, the session is what it would have been.
func TestLinkCutAtEveryByteOfAConversation(t *testing.T) {
	for name, onPty := range terminals {
		for direction := range 2 {
			t.Run(name+[]string{" to the guest", " to the host"}[direction], func(t *testing.T) {
				r := newLinkRig(t)
				n := [2]int{}
				n[0], n[1] = r.measure(onPty)
				cuts := 0
				for _, at := range positions(n[direction]) {
					r.machine.KeepUnread(cuts%2 == 1)
					r.host.CutLinks(func(link int) (int, int) {
						limits := [2]int{sandboxtest.Whole, sandboxtest.Whole}
						if link == 0 {
							limits[direction] = at
						}
						return limits[0], limits[1]
					})
					r.converse(onPty)
					cuts++
				}
				t.Logf("%d cuts in a conversation of %d bytes", cuts, n[direction])
			})
		}
	}
}

// positions are where a link that carries about n bytes is cut: at each byte
// of the reset mark, its nonce and the last packets, and between them at as
// many as there are trials for.
func positions(n int) []int {
	const mark, last = 32 + 16, 60
	step := 1
	if *trials < 200 {
		step = max(1, (n-mark-last) / *trials)
	}
	var at []int
	for i := 0; i <= n; {
		at = append(at, i)
		if i < mark || i >= n-last {
			i++
		} else {
			i = min(i+1+rand.N(2*step-1), n-last)
		}
	}
	return at
}

// A link can be torn again while it is brought up again.
func TestLinkCutAgainAndAgain(t *testing.T) {
	for name, onPty := range terminals {
		t.Run(name, func(t *testing.T) {
			r := newLinkRig(t)
			toGuest, toHost := r.measure(onPty)
			cuts := 0
			for range *trials {
				r.machine.KeepUnread(rand.N(2) == 1)
				tears := 1 + rand.N(8)
				r.host.CutLinks(func(link int) (int, int) {
					if link >= tears {
						return sandboxtest.Whole, sandboxtest.Whole
					}
					return rand.N(toGuest + 1), rand.N(toHost + 1)
				})
				r.converse(onPty)
				cuts += len(r.host.Links()) - 1
			}
			t.Logf("%d conversations, %d cuts", *trials, cuts)
		})
	}
}

// Both directions at once, each a sequence that tells a lost byte from a
// doubled one, over a link that is torn 50 times.
func TestTransferOverALinkCutFiftyTimes(t *testing.T) {
	const (
		tears     = 50
		handshake = 4 << 10 // about what goes each way before the first byte
		size      = 3 << 20
	)
	for name, onPty := range terminals {
		t.Run(name, func(t *testing.T) {
			r := newLinkRig(t)
			out, in := sandboxtest.Sequence("out", size), sandboxtest.Sequence("in", size)
			transfers := 1 + *trials/50
			for range transfers {
				r.machine.KeepUnread(rand.N(2) == 1)
				r.host.CutLinks(func(link int) (int, int) {
					if link >= tears {
						return sandboxtest.Whole, sandboxtest.Whole
					}
					return handshake + rand.N(size/tears), handshake + rand.N(size/tears)
				})
				p := r.start(onPty, "duplex", "out", "in", strconv.Itoa(size))
				p.Expect("ready")
				p.Send(in)
				_ = p.CloseWrite()
				p.WantExit(42)
				if p.Stdout() != "ready"+string(out) {
					t.Fatalf("%d bytes of output are not the %d that were sent", len(p.Stdout()), size)
				}
				r.wantOneStart()
				if torn := len(r.host.Links()) - 1; torn < tears {
					t.Fatalf("the transfer ended after %d of %d cuts", torn, tears)
				}
			}
			t.Logf("%d transfers of %d bytes each way, %d cuts each", transfers, size, tears)
		})
	}
}

// A torn link takes the acknowledgement of all the input that may be under way.
// The host must learn of it on the next link, or it would wait for ever.
func TestLostAcknowledgementOfAWholeCreditIsSaidAgain(t *testing.T) {
	const size = wire.Credit + 64<<10 // what is under way, and a full pipe
	r := newLinkRig(t)
	goOn, read := filepath.Join(r.dir, "go"), filepath.Join(r.dir, "read")
	r.host.CutLinks(func(link int) (int, int) {
		if link > 0 {
			await(t, "the program has it all", func() bool { return exists(read) })
		}
		return sandboxtest.Whole, sandboxtest.Whole
	})
	p := r.host.Start(wire.Start{Args: []string{"sh", "-c", fmt.Sprintf(
		"until [ -e %s ]; do sleep 0.01; done; head -c %d >/dev/null; echo >%s; head -c 1; exit 42", goOn, size, read)}})
	p.Send(make([]byte, size))
	link := r.host.Links()[0]
	await(t, "the agent has it all", func() bool { n, _ := link.Carried(); return n >= size })
	must(t, link.Close())
	must(t, os.WriteFile(goOn, nil, 0o644))
	p.Send([]byte("x"))
	p.WantExit(42)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("not in time: %s", what)
			return
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What a program writes while no host is there is kept, and so is its end.
func TestSessionEndsWhileTheLinkIsDown(t *testing.T) {
	r := newLinkRig(t)
	toGuest, toHost := r.measure(true)
	r.host.CutLinks(func(link int) (int, int) {
		if link == 0 {
			return sandboxtest.Whole, toHost / 2
		}
		time.Sleep(300 * time.Millisecond) // the host takes its time
		return sandboxtest.Whole, sandboxtest.Whole
	})
	_ = toGuest
	p := r.start(true, "emit", "s", strconv.Itoa(2<<20))
	p.WantExit(0)
	if p.Stdout() != string(sandboxtest.Sequence("s", 2<<20)) {
		t.Errorf("%d bytes of output are not what was sent", len(p.Stdout()))
	}
	r.wantOneStart()
}

// The size that a terminal has when the link is back is the latest, whatever
// was under way when it was torn.
func TestLastSizeWinsOverATornLink(t *testing.T) {
	r := newLinkRig(t)
	toGuest, _ := r.measure(true)
	for i := range *trials {
		r.host.CutLinks(func(link int) (int, int) {
			if link == 0 {
				return toGuest + rand.N(2<<10), sandboxtest.Whole
			}
			return sandboxtest.Whole, sandboxtest.Whole
		})
		p := r.start(true, "watch")
		p.Expect("size 41 137 0 0")
		for n := range 100 {
			p.Resize(wire.Size{Rows: uint16(100 + n), Cols: uint16(1000 + i), XPixel: 7, YPixel: 9})
		}
		p.Expect(fmt.Sprintf("size 199 %d 7 9\r\n", 1000+i))
		p.Type("\x04")
		p.WantExit(0)
		r.wantOneStart()
	}
}

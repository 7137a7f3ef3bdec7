package sandboxtest

import (
	"strconv"
	"sync"

	"github.com/snugvm/snug/internal/wire"
)

// transfer is how much goes through a session, in one direction or in both:
// many times what may be under way.
const transfer = 1 << 20

var byteChecks = []check{
	{name: "standard output and standard error are apart, and the end of input is passed on", run: streamsAreApart},
	{name: "output is exact", run: outputIsExact},
	{name: "input is exact", run: inputIsExact},
	{name: "both directions at once are exact", run: duplexIsExact},
	{name: "a program that reads no input ends all the same", run: unreadInput},
}

func streamsAreApart(r *rig) {
	p := r.start(r.probe("both"))
	p.Type("on standard input")
	_ = p.CloseWrite()
	p.WantExit(0)
	r.wantOutput(p, "on standard input")
	if p.Stderr() != "on standard error" {
		r.t.Errorf("standard error %q", p.Stderr())
	}
}

func outputIsExact(r *rig) {
	r.everywhere(func(r *rig, start func(...string) wire.Start) {
		p := r.start(start("emit", "out", strconv.Itoa(transfer)))
		p.WantExit(0)
		r.wantOutput(p, string(Sequence("out", transfer)))
	})
}

func inputIsExact(r *rig) {
	r.everywhere(func(r *rig, start func(...string) wire.Start) {
		p := r.start(start("check", "in", strconv.Itoa(transfer)))
		p.Expect("ready") // before it a terminal would edit lines
		p.Send(Sequence("in", transfer))
		_ = p.CloseWrite()
		p.WantExit(42)
	})
}

func duplexIsExact(r *rig) {
	r.everywhere(func(r *rig, start func(...string) wire.Start) { r.duplex(start, transfer).WantExit(42) })
}

// duplex sends and receives n bytes each, and checks them.
func (r *rig) duplex(start func(...string) wire.Start, n int) *Process {
	r.t.Helper()
	p := r.start(start("duplex", "out", "in", strconv.Itoa(n)))
	p.Expect("ready")
	p.Send(Sequence("in", n))
	_ = p.CloseWrite()
	p.WantExit(42)
	r.wantOutput(p, "ready"+string(Sequence("out", n)))
	return p
}

func unreadInput(r *rig) {
	r.everywhere(func(r *rig, start func(...string) wire.Start) {
		p := r.start(start("signals"))
		p.Expect("ready")
		p.Signal("KILL")
		_, _ = p.Write(make([]byte, wire.Credit/2))
		if exit, err := p.Wait(); err != nil || exit.Signal != "KILL" {
			p.fatalf("exit %+v, %v", exit, err)
		}
	})
}

var signalChecks = []check{
	{name: "signals reach the program", run: signalsArrive},
	{name: "^C ends a flood whose output is held back", run: interruptedFlood},
}

func signalsArrive(r *rig) {
	r.everywhere(func(r *rig, start func(...string) wire.Start) {
		p := r.start(start("signals"))
		p.Expect("ready")
		for _, name := range []string{"TERM", "HUP", "USR1", "USR2", "INT", "QUIT"} {
			p.Signal(name)
			p.Expect("got SIG" + name)
		}
		p.Type("\n")
		p.WantExit(0)
	})
}

func interruptedFlood(r *rig) {
	interrupted := r.file("interrupted")
	p := r.start(r.onPTY("flood", interrupted))
	p.Expect("flood ")
	release := p.Hold()
	defer release()
	// A program whose output nobody takes uses up its credit and then waits.
	link := r.host.Links()[0]
	r.await("the flood is held back", func() bool { _, toHost := link.Carried(); return toHost >= wire.Credit })
	p.Type("\x03")
	// The program sees it while nobody takes what it writes; another session
	// on the same link says so.
	r.start(r.probe("await", interrupted)).WantExit(0)
	release()
	p.WantExit(7)
}

var sessionChecks = []check{
	{name: "several sessions share a link, each with its own bytes and status", run: sessionsShareALink},
	{name: "a session whose output nobody takes delays no other", run: stalledSession},
}

func sessionsShareALink(r *rig) {
	const sessions, n = 4, 128 << 10
	var all [sessions]*Process
	for i := range all {
		start := r.probe
		if i%2 == 0 {
			start = r.onPTY
		}
		all[i] = r.start(start("duplex", "out"+strconv.Itoa(i), "in"+strconv.Itoa(i), strconv.Itoa(n)))
	}
	var sent sync.WaitGroup
	for i, p := range all {
		p.Expect("ready")
		sent.Go(func() {
			_, _ = p.Write(Sequence("in"+strconv.Itoa(i), n)) // whose loss the program tells
			_ = p.CloseWrite()
		})
	}
	for i, p := range all {
		p.WantExit(42)
		r.wantOutput(p, "ready"+string(Sequence("out"+strconv.Itoa(i), n)))
	}
	sent.Wait()
}

func stalledSession(r *rig) {
	r.everywhere(func(r *rig, start func(...string) wire.Start) {
		stalled := r.start(start("emit", "stalled", strconv.Itoa(transfer)))
		release := stalled.Hold()
		defer release()
		r.duplex(start, transfer)
		release()
		stalled.WantExit(0)
		r.wantOutput(stalled, string(Sequence("stalled", transfer)))
	})
}

package sandboxtest

import (
	"path"
	"slices"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
)

// Subject is a machine under test. The suite uses nothing else of it: no
// folder that the host sees as well, and no program but the probe.
type Subject struct {
	Machine sandbox.Machine
	Peer    wire.Peer
	// Probe is the path, in the machine, of the program that BuildProbe makes.
	Probe string
	// Dir is a folder of the machine that its programs can write to.
	Dir string
	// Patience bounds every wait. It is never waited for where all is well.
	Patience time.Duration
	// Trials is how often a case repeats what could fail by chance.
	Trials int
	// Lacks names what the machine cannot do by its nature, and why.
	Lacks map[Feature]string
}

// Feature is something that a machine may lack.
type Feature string

// What a machine may lack.
const (
	Terminfo Feature = "terminfo" // a place for a terminal's description
	Shutdown Feature = "shutdown" // an agent that may be told to end it all
	Kill     Feature = "kill"     // a life that is the suite's to end
	Failures Feature = "failures" // a word on a program that cannot run, beside the status
)

var features = []Feature{Terminfo, Shutdown, Kill, Failures}

// check is one thing that every sandbox does.
type check struct {
	name  string
	needs Feature // "": none that a machine may lack
	run   func(r *rig)
}

// checks are in an order: the first shows that there is anything to test, and
// the last two end the machine.
func checks() []check {
	return slices.Concat(startChecks, sizeChecks, terminalChecks, exitChecks, byteChecks, signalChecks,
		sessionChecks, linkChecks, endChecks)
}

// Run checks that a machine keeps what snug promises of every sandbox. It
// calls open once, whose cleanups take the machine down.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	s := open(t)
	for feature, reason := range s.Lacks {
		if reason == "" || !slices.Contains(features, feature) {
			t.Errorf("the machine lacks %q for the reason %q: name a known feature, and a reason", feature, reason)
		}
	}
	for i, c := range checks() {
		ok := t.Run(c.name, func(t *testing.T) {
			if reason, lacks := s.Lacks[c.needs]; lacks {
				t.Logf("NOT CHECKED: this machine lacks %s: %s", c.needs, reason)
				return
			}
			began := time.Now()
			c.run(&rig{t: t, s: s, host: NewHost(t, s.Machine, s.Peer, s.Patience)})
			t.Logf("%v", time.Since(began).Round(time.Millisecond))
		})
		if i == 0 && !ok {
			t.Fatal("no program runs in the machine: nothing else is checked")
		}
	}
}

// rig is what one check works with: a link of its own.
type rig struct {
	t    *testing.T
	s    Subject
	host *Host
}

// firstSize is what every terminal of the suite has at first, unless it says
// otherwise.
var firstSize = wire.Size{Rows: 41, Cols: 137, XPixel: 1370, YPixel: 820}

// probe is what starts the probe on pipes.
func (r *rig) probe(args ...string) wire.Start {
	return wire.Start{Args: append([]string{r.s.Probe}, args...)}
}

// onPTY is what starts the probe on a terminal.
func (r *rig) onPTY(args ...string) wire.Start {
	s := r.probe(args...)
	s.Pty = &wire.Pty{Term: "xterm", Size: firstSize}
	return s
}

// start starts a program, which does not outlive the check.
func (r *rig) start(s wire.Start) *Process {
	p := r.host.Start(s)
	r.t.Cleanup(p.end)
	return p
}

// everywhere runs a check on pipes and on a terminal.
func (r *rig) everywhere(run func(r *rig, start func(args ...string) wire.Start)) {
	for name, start := range map[string]func(args ...string) wire.Start{"pipes": r.probe, "pty": r.onPTY} {
		r.t.Run(name, func(t *testing.T) {
			run(&rig{t: t, s: r.s, host: NewHost(t, r.s.Machine, r.s.Peer, r.s.Patience)}, start)
		})
	}
}

// file is a fresh name in the machine.
func (r *rig) file(name string) string { return path.Join(r.s.Dir, name+"-"+wire.NewID()) }

// read returns a file of the machine.
func (r *rig) read(name string) string {
	r.t.Helper()
	p := r.start(r.probe("cat", name))
	p.WantExit(0)
	return p.Stdout()
}

// wantOutput fails the check where a program wrote something else.
func (r *rig) wantOutput(p *Process, want string) {
	r.t.Helper()
	got := p.Stdout()
	if got == want {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	r.t.Errorf("of %d bytes came %d, which differ from %d on: %.60q, want %.60q", len(want), len(got), at, got[at:], want[at:])
}

// await waits for something of which no event tells.
func (r *rig) await(what string, met func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(r.s.Patience); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("not within %v: %s", r.s.Patience, what)
		}
	}
}

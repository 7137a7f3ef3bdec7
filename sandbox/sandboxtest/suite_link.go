package sandboxtest

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/snugvm/snug/internal/wire"
)

var linkChecks = []check{
	{name: "a link torn anywhere costs and doubles nothing, and starts nothing twice", run: tornLinks},
	{name: "a transfer over a link that is torn again and again is exact", run: tornTransfer},
}

// tornLinks is a sample: internal/agent tears the link at every byte.
func tornLinks(r *rig) {
	r.everywhere(func(r *rig, start func(...string) wire.Start) {
		r.converse(start)
		var n [2]int
		n[0], n[1] = r.host.Links()[0].Carried()
		for i := range 2 * r.s.Trials {
			direction := i % 2
			at := rand.N(n[direction] + 1)
			r.host.CutLinks(func(link int) (toGuest, toHost int) {
				limits := [2]int{Whole, Whole}
				if link == 0 {
					limits[direction] = at
				}
				return limits[0], limits[1]
			})
			if !r.converse(start) {
				r.t.Fatalf("the link was cut after %d bytes (direction %d)", at, direction)
			}
		}
	})
}

// converse is a short session with something of everything: a start, output,
// input, output that answers it, an exit status.
func (r *rig) converse(start func(...string) wire.Start) (ok bool) {
	r.t.Helper()
	const line = "a line."
	const lines = 3
	count := r.file("count")
	s := start("echo", strconv.Itoa(lines*len(line)))
	s.Env = []wire.Env{{Name: "COUNT", Value: count}}
	p := r.start(s)
	p.Expect("ready")
	for range lines {
		p.Type(line)
	}
	_ = p.CloseWrite()
	p.WantExit(42)
	r.wantOutput(p, "ready"+strings.Repeat(line, lines))
	if started := r.read(count); started != "x" {
		r.t.Errorf("the program was started %d times", len(started))
	}
	return !r.t.Failed()
}

func tornTransfer(r *rig) {
	const (
		tears     = 8
		handshake = 4 << 10 // about what goes each way before the first byte
	)
	r.everywhere(func(r *rig, start func(...string) wire.Start) {
		r.host.CutLinks(func(link int) (toGuest, toHost int) {
			if link >= tears {
				return Whole, Whole
			}
			return handshake + rand.N(transfer/tears), handshake + rand.N(transfer/tears)
		})
		r.duplex(start, transfer)
		if torn := len(r.host.Links()) - 1; torn < tears {
			r.t.Errorf("the transfer ended after %d of %d tears", torn, tears)
		}
	})
}

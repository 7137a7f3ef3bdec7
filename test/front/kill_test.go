//go:build linux

package front

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/snugvm/snug/test/box"
	"github.com/snugvm/snug/test/rig"
)

// kills is how many processes are killed, ten of each session.
func kills() int {
	if *trials > 20 {
		return 5 * *trials
	}
	return 30
}

// A session goes on whatever process of snug's is killed, and whenever: its program
// gets all that was typed, once, and of what it prints nothing is lost.
func TestNoKillOfSnugsOwnCostsOrDoublesAByte(t *testing.T) {
	needTools(t)
	b := box.Docker(t, options)
	at := install(t, "docker", b)
	f := &front{Rig: newRig(t, b.Env()), tool: "docker", box: b, probe: at}
	ends := []func(*rig.Ledger){f.endedByASignal, f.endedWithoutAKeeper, (*rig.Ledger).End}
	for i := range kills() / 10 {
		l := f.StartLedger(f.onTerminal(at, "ledger", "20")...)
		for range 10 {
			l.Type(1 + rand.IntN(5))
			l.Kill([]rig.Kind{rig.Keeper, rig.Client, rig.Viewer}[rand.IntN(3)])
		}
		ends[i%len(ends)](l)
		f.NothingLeft()
	}
	f.nothingInside()
}

// endedByASignal has the program end while nobody looks.
func (f *front) endedByASignal(l *rig.Ledger) {
	l.Leave()
	if got := f.Pipe(f.Command("kill", "-s", "USR1", l.Machine), ""); got != (rig.Ended{}) {
		f.T.Errorf("snug kill: %+v", got)
	}
	l.EndUnseen()
}

// endedWithoutAKeeper has it end while there is nobody on the host at all.
func (f *front) endedWithoutAKeeper(l *rig.Ledger) {
	l.Leave()
	l.Kill(rig.Keeper)
	f.Eventually("no client of the tool is left", func() bool { return len(f.PIDs(rig.Client)) == 0 })
	rig.Must(f.T, f.box.Command("sh", "-c", `for p in /proc/[0-9]*; do if grep -q 'probe.l[e]dger' $p/cmdline; then kill -USR1 ${p##*/}; fi; done`).Run())
	f.Eventually("the program has ended", func() bool {
		return !slices.ContainsFunc(f.box.Processes(), func(line string) bool { return strings.Contains(line, " ledger ") })
	})
	l.EndUnseen()
}

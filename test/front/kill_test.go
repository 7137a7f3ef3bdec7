//go:build linux

package front

import (
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
	ends := []func(*rig.Ledger){(*rig.Ledger).EndBySignal, f.endedWithoutAKeeper, (*rig.Ledger).End}
	for i := range kills() / 10 {
		l := f.StartLedger(f.onTerminal(at, "ledger", "20")...)
		l.KillSome(10, rig.Keeper, rig.Client, rig.Viewer)
		ends[i%len(ends)](l)
		f.NothingLeft()
	}
	f.nothingInside()
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

//go:build linux

package vm

import (
	"strings"
	"syscall"
	"testing"

	"github.com/snugvm/snug/test/ptytest"
	user "github.com/snugvm/snug/test/rig"
)

// Whatever process of snug's is killed on the host, and whenever, the session goes
// on in the same machine: its program gets all that was typed, once, and of what it
// prints nothing is lost.
func TestNoKillOnTheHostCostsOrDoublesAByte(t *testing.T) {
	kills := 10 // of each session
	if soaking() {
		kills += *trials
	}
	r := newRig(t)
	for ; kills > 0; kills -= 10 {
		l := r.StartLedger(runArgs("--", probe, "ledger", "5")...)
		machine := r.PID(user.QEMU)
		l.KillSome(10, user.Keeper, user.Viewer)
		if now := r.PID(user.QEMU); now != machine {
			t.Errorf("QEMU is process %d, not %d", now, machine)
		}
		l.EndBySignal()
		r.NothingLeft()
	}
}

// QEMU outlives its keepers: each is followed by another one, until snug rm finds
// that there is none.
func TestAMachineOutlivesItsKeepersUntilItIsRemoved(t *testing.T) {
	r := newRig(t)
	l := r.StartLedger(runArgs("--name", "dev", "--", probe, "ledger", "5")...)
	machine := r.PID(user.QEMU)
	for _, kind := range []user.Kind{user.Keeper, user.Viewer, user.Keeper, user.Keeper, user.Viewer} {
		l.Type(3)
		l.Kill(kind)
	}
	l.Leave()
	l.Kill(user.Keeper)
	if got := r.Pipe(r.Command("kill", "-s", "USR1", "dev"), ""); got != (user.Ended{}) {
		t.Errorf("snug kill: %+v", got)
	}
	l.EndUnseen()
	if names := r.Names(); len(names) != 1 || r.PID(user.QEMU) != machine {
		t.Errorf("a machine with a name stays: %q", names)
	}

	r.Signal(user.Keeper, syscall.SIGKILL)
	r.Eventually("the keeper is dead", func() bool { return len(r.PIDs(user.Keeper)) == 0 })
	if !ptytest.Alive(machine) {
		t.Error("QEMU died with its keeper")
	}
	if got := r.Pipe(r.Command("rm", "dev"), ""); got != (user.Ended{}) {
		t.Errorf("snug rm: %+v", got)
	}
	if left := r.Leftovers(); left != nil {
		t.Errorf("after snug rm there is left:\n%s", strings.Join(left, "\n"))
	}
}

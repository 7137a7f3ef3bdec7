package state

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// kept is a machine as its keeper holds it.
type kept struct {
	Machine
	keeper *os.File
	logs   Logs
}

func keep(t *testing.T, d Dirs, name string, sessions ...string) kept {
	t.Helper()
	m, keeper, err := d.Claim(patience(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return holding(t, kept{Machine: m, keeper: keeper}, sessions...)
}

// holding has the keeper hold logs of sessions.
func holding(t *testing.T, k kept, sessions ...string) kept {
	t.Helper()
	logs, err := k.HoldLogs(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		if err := os.Mkdir(filepath.Join(logs.Dir, s), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	k.logs = logs
	t.Cleanup(k.die)
	return k
}

// die is the death of the keeper.
func (k kept) die() {
	_ = k.keeper.Close()
	k.logs.Close()
}

// log is the name of its folder of logs.
func (k kept) log() string { return filepath.Base(k.logs.Dir) }

// leave ends the machine with its keeper, as that does.
func (k kept) leave(t *testing.T) {
	t.Helper()
	if err := k.logs.Leave(patience(t)); err != nil {
		t.Error(err)
	}
	if err := k.Remove(patience(t), k.keeper); err != nil {
		t.Error(err)
	}
	k.die()
}

// withRuntime are the folders of the same user with another runtime folder.
func withRuntime(t *testing.T, d Dirs) Dirs {
	t.Helper()
	d.Runtime = dirs(t).Runtime
	return d
}

func wantLost(t *testing.T, d Dirs, want ...string) {
	t.Helper()
	lost, err := d.LostMachines()
	var got []string
	for _, l := range lost {
		got = append(got, l.Log)
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("lost are %q, %v, want %q", got, err, want)
	}
}

func TestSessionLogsAreNamedAndListed(t *testing.T) {
	d := dirs(t)
	if all, err := d.SessionLogs(); err != nil || len(all) != 0 {
		t.Errorf("without any: %v, %v", all, err)
	}
	strays := []string{"02", "x", "-1"}
	tool := keep(t, d, "docker:web", append(strays, "10", "2")...)
	gone := keep(t, d, "web-1", "1")
	gone.leave(t)
	web := keep(t, d, "web-1", "1")
	want := []SessionLog{
		{"docker:web", 2, filepath.Join(tool.logs.Dir, "2")},
		{"docker:web", 10, filepath.Join(tool.logs.Dir, "10")},
		{"web-1", 1, filepath.Join(web.logs.Dir, "1")},
		{gone.log(), 1, filepath.Join(gone.logs.Dir, "1")},
	}
	if all, err := d.SessionLogs(); err != nil || !slices.Equal(all, want) {
		t.Errorf("listed %v, %v, want %v", all, err, want)
	}
	if dir := filepath.Dir(tool.logs.Dir); dir != filepath.Join(d.State, "log") || !strings.HasPrefix(tool.log(), "docker:web~20") {
		t.Errorf("logs are in %s", tool.logs.Dir)
	}
	wantLost(t, d, gone.log())
}

func TestSessionLogsAreForTheUserAlone(t *testing.T) {
	d := dirs(t)
	k := keep(t, d, "web-1")
	for _, path := range []string{filepath.Join(d.State, "log"), k.logs.Dir} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := k.HoldLogs(patience(t)); err == nil || !strings.Contains(err.Error(), "chmod 700 "+path) {
			t.Errorf("with %s open to others: %v", path, err)
		}
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// However many machines of a name are made in a second, in two runtime folders.
func TestNoTwoMachinesShareLogs(t *testing.T) {
	d := dirs(t)
	other := withRuntime(t, d)
	seen := map[string]bool{}
	var want []string
	for range 3 {
		for _, k := range []kept{keep(t, d, "web-1", "1"), keep(t, other, "web-1", "1")} {
			if seen[k.log()] {
				t.Errorf("another machine has %s", k.log())
			}
			seen[k.log()] = true
			want = append(want, k.log())
			k.leave(t)
		}
	}
	slices.Sort(want)
	wantLost(t, d, want...)
}

func TestALaterKeeperHasTheLogsOfTheOneBefore(t *testing.T) {
	d, ctx := dirs(t), patience(t)
	first := keep(t, d, "web-1", "1")
	if err := first.SetElsewhere(); err != nil {
		t.Fatal(err)
	}
	first.die()
	keeper, err := first.Adopt(ctx)
	if err != nil {
		t.Fatal(err)
	}
	second := holding(t, kept{Machine: first.Machine, keeper: keeper})
	if second.logs.Dir != first.logs.Dir || !hasSessions(second.logs.Dir) {
		t.Errorf("they are in %s, and were in %s", second.logs.Dir, first.logs.Dir)
	}
	if err := os.RemoveAll(second.logs.Dir); err != nil {
		t.Fatal(err)
	}
	second.logs.Close()
	if third := holding(t, second); third.logs.Dir == "" {
		t.Error("there are none any more, once somebody has removed them")
	}
}

// What is alive is never pruned, in this runtime folder or another; what is gone
// and has no log is.
func TestLogsThatAreInUseAreNotLost(t *testing.T) {
	d, ctx := dirs(t), patience(t)
	other := withRuntime(t, d)
	keep(t, other, "held", "1")
	orphan := keep(t, other, "orphan", "1")
	if err := orphan.SetElsewhere(); err != nil {
		t.Fatal(err)
	}
	orphan.die()
	cut := keep(t, other, "cut", "1")
	if err := os.RemoveAll(cut.Dir); err != nil {
		t.Fatal(err)
	}
	unreaped := keep(t, other, "unreaped", "1")
	unreaped.die()
	idle := keep(t, d, "idle")
	idle.die()
	if _, err := d.Reap(ctx, nil); err != nil {
		t.Fatal(err)
	}
	wantLost(t, d)
	if err := d.PruneLogs(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(idle.logs.Dir); !os.IsNotExist(err) {
		t.Errorf("a folder without a log stays: %v", err)
	}
	if err := d.DropLost(ctx, LostMachine{"held", "held~x"}); err != nil {
		t.Errorf("what is not there is not removed: %v", err)
	}
	if err := d.DropLost(ctx, LostMachine{orphan.Name, orphan.log()}); err == nil {
		t.Error("the logs of an orphan were removed")
	}

	wantReap(t, other, []string{"orphan"}, []string{"unreaped"})
	cut.die()
	wantLost(t, d, cut.log(), unreaped.log())
	if err := d.DropLost(ctx, LostMachine{cut.Name, cut.log()}); err != nil {
		t.Error(err)
	}
	wantLost(t, d, unreaped.log())
}

// Machines of one name come and go in many runtime folders, and each prunes.
func TestPruningNeverMeetsAMachineThatIsBeingMade(t *testing.T) {
	d, ctx := dirs(t), patience(t)
	var making sync.WaitGroup
	for range 3 {
		other := withRuntime(t, d)
		making.Go(func() {
			for range keptLost {
				k := keep(t, other, "web-1", "1")
				if err := other.PruneLogs(ctx); err != nil {
					t.Error(err)
				}
				if !hasSessions(k.logs.Dir) {
					t.Errorf("%s was pruned while its machine lived", k.log())
				}
				k.leave(t)
			}
		})
	}
	making.Wait()
	if err := d.PruneLogs(ctx); err != nil {
		t.Error(err)
	}
	if lost, err := d.LostMachines(); err != nil || len(lost) != keptLost {
		t.Errorf("%d are lost, %v", len(lost), err)
	}
}

func TestAMachineThatWasEndedLeavesNoLogs(t *testing.T) {
	d, ctx := dirs(t), patience(t)
	for name, remove := range map[string]func(kept) error{
		"by its keeper":   func(k kept) error { k.leave(t); return nil },
		"by force":        func(k kept) error { return k.Remove(ctx, k.keeper) },
		"as it died":      func(k kept) error { k.die(); return k.RemoveDead(ctx) },
		"by whoever came": func(k kept) error { k.die(); _, err := d.Reap(ctx, nil); return err },
		"by the next":     func(k kept) error { k.die(); keep(t, d, "web-1").leave(t); return nil },
	} {
		k := keep(t, d, "web-1", "1")
		if err := k.SetEnding(); err != nil {
			t.Fatal(err)
		}
		if err := remove(k); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(k.logs.Dir); !os.IsNotExist(err) {
			t.Errorf("%s: the logs stay: %v", name, err)
		}
		k.die()
	}
}

func TestTheLastLostMachinesStayForAMonth(t *testing.T) {
	d, ctx := dirs(t), patience(t)
	now := time.Now()
	var want []string
	lose := func(name string, ago time.Duration) string {
		k := keep(t, d, name, "1")
		k.leave(t)
		for _, path := range []string{"1", "lock", "."} {
			if err := os.Chtimes(filepath.Join(k.logs.Dir, path), now.Add(-ago), now.Add(-ago)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(d.logMachine(k.log())); err != nil { // a link keeps its time
			t.Fatal(err)
		}
		if err := os.Chtimes(k.logs.Dir, now.Add(-ago), now.Add(-ago)); err != nil {
			t.Fatal(err)
		}
		return k.log()
	}
	lose("old", lostKept+time.Hour)
	for i := range keptLost + 2 {
		log := lose(fmt.Sprintf("web-%02d", i), time.Duration(i+1)*time.Hour)
		if i < keptLost {
			want = append(want, log)
		}
	}
	if err := d.PruneLogs(ctx); err != nil {
		t.Fatal(err)
	}
	wantLost(t, d, want...)
}

// Whoever removes the folder under a keeper makes room for another machine.
func TestAKeeperRemovesNoOtherMachinesFolder(t *testing.T) {
	d, ctx := withRuntime(t, dirs(t)), patience(t)
	first := keep(t, d, "web-1", "1")
	removed, stop, err := first.WatchFolder()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if !first.HeldBy(first.keeper) {
		t.Error("it is not the keeper's from the start")
	}
	if err := os.RemoveAll(d.Runtime); err != nil {
		t.Fatal(err)
	}
	select {
	case <-removed:
	case <-ctx.Done():
		t.Fatal("nobody is told that the folder was removed")
	}
	second := keep(t, d, "web-1", "1")
	if first.HeldBy(first.keeper) || !second.HeldBy(second.keeper) {
		t.Error("the folder is the first one's")
	}
	first.leave(t)
	wantLife(t, second.Machine, Kept)
	wantLost(t, d, first.log())
	if err := os.RemoveAll(filepath.Dir(d.Runtime)); err != nil {
		t.Fatal(err)
	}
	if err := second.Remove(ctx, second.keeper); err != nil {
		t.Errorf("with no runtime folder at all: %v", err)
	}
}

// systemd-tmpfiles passes over a folder that it cannot lock for itself alone.
func TestTheRuntimeFolderIsHeldByEveryKeeper(t *testing.T) {
	d := dirs(t)
	var holds []*os.File
	for _, name := range []string{"one", "two"} {
		f, err := keep(t, d, name).HoldRuntime()
		if err != nil {
			t.Fatal(err)
		}
		holds = append(holds, f)
	}
	cleaner, err := os.Open(d.Runtime)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cleaner.Close() }()
	for _, f := range holds {
		if flock(cleaner, unix.LOCK_EX|unix.LOCK_NB) == nil {
			t.Error("the folder is not held while there is a keeper")
		}
		_ = f.Close()
	}
	if err := flock(cleaner, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Errorf("without a keeper: %v", err)
	}
}

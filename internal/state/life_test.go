package state

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestClaimIsHeldUntilItsFileIsClosed(t *testing.T) {
	d, ctx := dirs(t), patience(t)
	m, keeper, err := d.Claim(ctx, "box")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = d.Claim(ctx, "box")
	taken := (*TakenError)(nil)
	if !errors.As(err, &taken) || taken.Name != "box" {
		t.Fatalf("second claim: %v, want a TakenError for box", err)
	}
	if !strings.Contains(err.Error(), "--name") || !strings.Contains(err.Error(), "snug stop box") {
		t.Errorf("%q does not say what to do", err)
	}
	if err := os.WriteFile(m.Config(), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keeper.Close(); err != nil {
		t.Fatal(err)
	}
	again, _, err := d.Claim(ctx, "box")
	if err != nil {
		t.Fatalf("claim of a dead machine's name: %v", err)
	}
	if _, err := os.Stat(again.Config()); !os.IsNotExist(err) {
		t.Errorf("the dead machine's config is still there: %v", err)
	}
}

func TestClaimNextTakesTheFirstFreeNumber(t *testing.T) {
	d, ctx := dirs(t), patience(t)
	var held []*os.File
	for _, want := range []string{"my-app-1", "my-app-2", "my-app-3"} {
		m, keeper, err := d.ClaimNext(ctx, FolderNames("/home/ann/My App"))
		if err != nil || m.Name != want {
			t.Fatalf("got %q, %v, want %q", m.Name, err, want)
		}
		held = append(held, keeper)
	}
	if err := held[1].Close(); err != nil {
		t.Fatal(err)
	}
	m, keeper, err := d.ClaimNext(ctx, FolderNames("/home/ann/My App"))
	if err != nil || m.Name != "my-app-2" {
		t.Fatalf("got %q, %v, want my-app-2, which is free again", m.Name, err)
	}
	for _, f := range append(held, keeper) {
		_ = f.Close()
	}
}

// The life of a machine as the next snug command sees it when its processes are
// killed one after the other.
func TestKillNineLeavesAnOrphanThenNothing(t *testing.T) {
	d, ctx := dirs(t), patience(t)
	m, claim, err := d.Claim(ctx, "box")
	if err != nil {
		t.Fatal(err)
	}
	keeper := play(t, d, claim, "keeper", "box")
	if err := claim.Close(); err != nil {
		t.Fatal(err)
	}
	qemu, err := strconv.Atoi(keeper.ready(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(qemu, syscall.SIGKILL) })
	wantLife(t, m, Kept)
	if pid, err := m.ReadPID(); err != nil || pid != keeper.Process.Pid {
		t.Errorf("keeper's pid reads %d, %v, want %d", pid, err, keeper.Process.Pid)
	}
	wantReap(t, d, nil, nil)

	keeper.kill9()
	wantLife(t, m, Orphaned)
	wantReap(t, d, []string{"box"}, nil)
	if _, _, err := d.Claim(ctx, "box"); err == nil {
		t.Fatal("the name of an orphaned machine was free")
	}

	adopted, err := m.Adopt(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wantLife(t, m, Kept)
	if _, err := m.Adopt(ctx); !errors.Is(err, ErrNotOrphaned) {
		t.Errorf("second adoption: %v, want ErrNotOrphaned", err)
	}
	if err := adopted.Close(); err != nil {
		t.Fatal(err)
	}

	if err := syscall.Kill(qemu, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFree(t, m.Lock()) // nobody here is the dead process's parent
	wantReap(t, d, nil, []string{"box"})
	if _, err := os.Stat(m.Dir); !os.IsNotExist(err) {
		t.Errorf("the dead machine's folder is still there: %v", err)
	}
	if _, err := m.Adopt(ctx); !errors.Is(err, ErrNotOrphaned) {
		t.Errorf("adoption of a dead machine: %v, want ErrNotOrphaned", err)
	}
}

// Names are distinct, and no claim is reaped, however many processes claim and
// reap at once.
func TestClaimsOfManyProcessesNeverMeet(t *testing.T) {
	d := dirs(t)
	stop := make(chan struct{})
	reaped := make(chan []string)
	go func() { reaped <- reapUntil(t, d, stop) }()

	const claimers = 8
	claims := make([]process, claimers)
	for i := range claims {
		claims[i] = play(t, d, nil, "claimer", "work")
	}
	var names []string
	for _, p := range claims {
		names = append(names, p.ready(t))
	}
	close(stop)
	if dead := <-reaped; len(dead) != 0 {
		t.Errorf("reaped while alive: %v", dead)
	}
	slices.Sort(names)
	want := []string{"work-1", "work-2", "work-3", "work-4", "work-5", "work-6", "work-7", "work-8"}
	if !slices.Equal(names, want) {
		t.Errorf("claimed %v, want %v", names, want)
	}
}

// reapUntil reaps without a pause until stop is closed and returns the names of
// what it found dead.
func reapUntil(t *testing.T, d Dirs, stop <-chan struct{}) (dead []string) {
	t.Helper()
	for {
		select {
		case <-stop:
			return dead
		default:
		}
		if _, err := d.Reap(context.Background(), func(m Machine) { dead = append(dead, m.Name) }); err != nil {
			t.Error(err)
		}
	}
}

func TestReapLeavesWhatIsNoMachine(t *testing.T) {
	d, ctx := dirs(t), patience(t)
	m, keeper, err := d.Claim(ctx, "box")
	if err != nil {
		t.Fatal(err)
	}
	_ = keeper.Close()
	stray := m.Dir + ".file"
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantReap(t, d, nil, []string{"box"})
	if _, err := os.Stat(stray); err != nil {
		t.Error(err)
	}
}

func TestALookLeavesNoTrace(t *testing.T) {
	d := dirs(t)
	wantReap(t, d, nil, nil)
	if machines, err := d.Machines(patience(t)); err != nil || len(machines) != 0 {
		t.Errorf("machines: %v, %v", machines, err)
	}
	if _, err := os.Stat(d.Runtime); !os.IsNotExist(err) {
		t.Errorf("reaping nothing made the runtime folder: %v", err)
	}
}

func TestMachinesAreTheLivingOnes(t *testing.T) {
	d, ctx := dirs(t), patience(t)
	for _, name := range []string{"dead", "zoe", "ann"} {
		_, keeper, err := d.Claim(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "dead" {
			_ = keeper.Close()
		} else {
			defer func() { _ = keeper.Close() }()
		}
	}
	machines, err := d.Machines(ctx)
	if got := namesOf(machines); err != nil || !slices.Equal(got, []string{"ann", "zoe"}) {
		t.Errorf("machines: %v, %v, want ann and zoe", got, err)
	}
}

func TestConfigIsWrittenWhole(t *testing.T) {
	d, ctx := dirs(t), patience(t)
	m, keeper, err := d.Claim(ctx, "box")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keeper.Close() }()
	type config struct{ Mem string }
	for _, want := range []config{{"1G"}, {"512M"}} {
		var got config
		if err := errors.Join(m.WriteConfig(want), m.ReadConfig(&got)); err != nil || got != want {
			t.Errorf("read %v, %v, want %v", got, err, want)
		}
	}
	if err := m.Remove(ctx, keeper); err != nil {
		t.Fatal(err)
	}
	if err := m.ReadConfig(new(config)); err == nil {
		t.Error("the config outlived the machine")
	}
}

func wantLife(t *testing.T, m Machine, want Life) {
	t.Helper()
	if got, err := m.Life(patience(t)); err != nil || got != want {
		t.Errorf("machine is %s, %v, want %s", got, err, want)
	}
}

func wantReap(t *testing.T, d Dirs, orphans, dead []string) {
	t.Helper()
	var died []string
	found, err := d.Reap(patience(t), func(m Machine) { died = append(died, m.Name) })
	if err != nil {
		t.Fatal(err)
	}
	if got := namesOf(found); !slices.Equal(got, orphans) {
		t.Errorf("orphans %v, want %v", got, orphans)
	}
	if !slices.Equal(died, dead) {
		t.Errorf("dead %v, want %v", died, dead)
	}
}

func waitFree(t *testing.T, path string) {
	t.Helper()
	unlock, err := Lock(patience(t), path)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func namesOf(machines []Machine) (names []string) {
	for _, m := range machines {
		names = append(names, m.Name)
	}
	return names
}

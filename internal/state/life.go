package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Life is what a machine's two locks tell.
type Life int

// The lives of a machine.
const (
	Dead     Life = iota // nobody holds either lock, or there is no folder
	Orphaned             // the machine lives, its keeper does not
	Kept                 // a keeper holds it: starting, running or ending
)

func (l Life) String() string {
	switch l {
	case Kept:
		return "kept"
	case Orphaned:
		return "orphaned"
	default:
		return "dead"
	}
}

// TakenError says that a machine of the wanted name is alive.
type TakenError struct{ Name string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("a machine named %q is already running: choose another --name, or end it with 'snug stop %s'", e.Name, e.Name)
}

// ErrNotOrphaned is returned by Adopt for a machine that has a keeper or is dead.
var ErrNotOrphaned = errors.New("machine needs no new keeper")

// Claim takes name for a new machine, against every other snug process, and
// returns its folder, empty but for the keeper's lock, which the returned file
// holds. The caller is the keeper, or hands the file to it (see Inherited). Claim
// returns a *TakenError if a machine of that name is alive.
func (d Dirs) Claim(ctx context.Context, name string) (Machine, *os.File, error) {
	m, err := d.Machine(name)
	if err != nil {
		return Machine{}, nil, err
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return Machine{}, nil, err
	}
	defer unlock()
	keeper, err := m.claim(ctx)
	return m, keeper, err
}

// ClaimNext is Claim for the first free name, from the first on.
func (d Dirs) ClaimNext(ctx context.Context, names func(n int) string) (Machine, *os.File, error) {
	unlock, err := d.lock(ctx)
	if err != nil {
		return Machine{}, nil, err
	}
	defer unlock()
	for n := 1; ; n++ {
		m, err := d.Machine(names(n))
		if err != nil {
			return Machine{}, nil, err
		}
		keeper, err := m.claim(ctx)
		if taken := (*TakenError)(nil); errors.As(err, &taken) {
			continue
		}
		return m, keeper, err
	}
}

// claim is Claim under the runtime lock. The name of a dead machine is free.
func (m Machine) claim(ctx context.Context) (*os.File, error) {
	life, err := m.life()
	if err != nil {
		return nil, err
	}
	if life != Dead {
		return nil, &TakenError{m.Name}
	}
	if err := m.remove(ctx); err != nil {
		return nil, err
	}
	if err := os.Mkdir(m.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make machine folder: %w", err)
	}
	keeper, err := TryLock(m.KeeperLock())
	if err != nil {
		return nil, errors.Join(err, m.remove(ctx))
	}
	return keeper, nil
}

// Adopt makes the caller the keeper of an orphaned machine and returns the lock
// that says so. It returns ErrNotOrphaned, wrapped, if there is nothing to
// adopt, which is no surprise after Reap: another process was faster, or the
// machine has ended since.
func (m Machine) Adopt(ctx context.Context) (*os.File, error) {
	unlock, err := m.dirs.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	life, err := m.life()
	if err != nil {
		return nil, err
	}
	if life != Orphaned {
		return nil, fmt.Errorf("adopt %s machine %s: %w", life, m.Name, ErrNotOrphaned)
	}
	return TryLock(m.KeeperLock())
}

// Life tells whether the machine and its keeper are alive.
func (m Machine) Life(ctx context.Context) (Life, error) {
	unlock, err := m.dirs.lock(ctx)
	if err != nil {
		return Dead, err
	}
	defer unlock()
	return m.life()
}

func (m Machine) life() (Life, error) {
	if kept, err := Held(m.KeeperLock()); kept || err != nil {
		return Kept, err
	}
	if alive, err := Held(m.Lock()); alive || err != nil {
		return Orphaned, err
	}
	if _, err := os.Lstat(m.elsewhere()); err == nil {
		return Orphaned, nil
	}
	return Dead, nil
}

// Machines returns the machines that are alive, sorted by name.
func (d Dirs) Machines(ctx context.Context) ([]Machine, error) {
	var alive []Machine
	err := d.each(ctx, func(m Machine, life Life) error {
		if life != Dead {
			alive = append(alive, m)
		}
		return nil
	})
	return alive, err
}

// Reap removes the folders of dead machines, which are lost then if they left
// logs, and returns the orphaned ones, for the caller to Adopt: then it keeps them
// or ends them. Reap calls dead, unless
// nil, on each dead machine before its folder goes; dead must not call back into
// this package's locked methods. A folder that cannot be removed does not keep
// the others from being reaped: the error names every such one.
func (d Dirs) Reap(ctx context.Context, dead func(Machine)) (orphans []Machine, err error) {
	err = d.each(ctx, func(m Machine, life Life) error {
		switch life {
		case Orphaned:
			orphans = append(orphans, m)
		case Dead:
			if dead != nil {
				dead(m)
			}
			return m.remove(ctx)
		case Kept:
		}
		return nil
	})
	return orphans, err
}

// each calls f on every machine folder, under the runtime lock, and joins what
// went wrong. What is no machine's folder is not touched.
func (d Dirs) each(ctx context.Context, f func(Machine, Life) error) error {
	if _, err := os.Lstat(d.Runtime); errors.Is(err, fs.ErrNotExist) {
		return nil // nothing has run since boot: leave no trace of a mere look
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := os.ReadDir(d.machines())
	if err != nil {
		return fmt.Errorf("list machines: %w", err)
	}
	var failed []error
	for _, entry := range entries {
		m, err := d.Machine(entry.Name())
		if err != nil || !entry.IsDir() {
			continue
		}
		life, err := m.life()
		if err == nil {
			err = f(m, life)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// LockTool takes the lock on what a tool calls by one name, against every other
// snug process: while it is held nobody else brings an agent up there.
func (d Dirs) LockTool(ctx context.Context, id string) (unlock func(), err error) {
	if err := d.makeRuntime(); err != nil {
		return nil, err
	}
	if err := makePrivate(d.tools()); err != nil {
		return nil, err
	}
	return Lock(ctx, filepath.Join(d.tools(), id+".lock"))
}

// lock makes the runtime folder and takes its lock. What is done under it takes
// microseconds, so a wait is short.
func (d Dirs) lock(ctx context.Context) (unlock func(), err error) {
	if err := d.makeRuntime(); err != nil {
		return nil, err
	}
	return Lock(ctx, d.runtimeLock())
}

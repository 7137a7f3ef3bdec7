package keeper

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
)

// Sessions tells what sessions there are, in the order of their numbers.
func (k *Keeper) Sessions() []wire.SessionInfo {
	all := k.all()
	infos := make([]wire.SessionInfo, 0, len(all))
	for _, s := range all {
		infos = append(infos, s.info())
	}
	return infos
}

// all returns the sessions in the order of their numbers.
func (k *Keeper) all() []*session {
	k.mu.Lock()
	all := make([]*session, 0, len(k.sessions))
	for _, s := range k.sessions {
		all = append(all, s)
	}
	k.mu.Unlock()
	slices.SortFunc(all, func(a, b *session) int { return cmp.Compare(a.memo.Number, b.memo.Number) })
	return all
}

// Screen returns the screen of a session after all output so far. It
// implements wire.Screens.
func (k *Keeper) Screen(number uint32, scrollback int) (wire.Snapshot, error) {
	all := k.all()
	i := slices.IndexFunc(all, func(s *session) bool { return s.memo.Number == number })
	switch {
	case i < 0:
		return wire.Snapshot{}, fmt.Errorf("there is no session %d", number)
	case all[i].follow == nil:
		return wire.Snapshot{}, fmt.Errorf("session %d runs on pipes: it has no screen", number)
	}
	return all[i].snapshotAt(screen.SnapshotOptions{Scrollback: scrollback}, nil), nil
}

func (s *session) info() wire.SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := wire.SessionInfo{
		Number: s.memo.Number, Program: s.memo.Program, Pty: s.memo.Pty, Size: s.size, Viewers: uint32(s.viewers()),
		Title: s.title, Idle: time.Since(s.active), Started: s.memo.Started, Attention: s.attention,
		Ended: s.ended, Exit: s.exit,
	}
	if s.failure != nil {
		info.Failure = s.failure.Message
	}
	return info
}

func (s *session) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// discard forgets a session that has ended, seen or not.
func (s *session) discard() bool {
	s.mu.Lock()
	ended := s.ended
	s.seen = s.seen || ended
	s.stranded = s.stranded && !ended
	over := s.over()
	s.mu.Unlock()
	if over {
		s.keeper.forget(s)
	}
	return ended
}

// programOf is the command line that a session was started with.
func programOf(start wire.Start) string {
	switch {
	case start.Subsystem != "":
		return start.Subsystem
	case len(start.Args) > 0:
		return strings.Join(start.Args, " ")
	}
	return start.Command
}

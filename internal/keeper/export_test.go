package keeper

import "errors"

// Die has a keeper stop as a kill -9 does, as far as others can tell: nothing
// more is logged, sent or answered.
func (k *Keeper) Die() {
	all := k.all()
	for _, s := range all {
		s.typing.Lock()
		s.journal.writing.Lock()
		s.mu.Lock()
	}
	k.mu.Lock()
	k.users = 0       // nobody is let in, and nobody is told why
	clear(k.sessions) // their logs stay
	for conn := range k.viewers {
		_ = conn.Close()
	}
	k.mu.Unlock()
	k.link.fail(errors.New("the keeper has died"))
	for _, s := range all {
		// Only now: what cannot be logged must not be acknowledged to the agent,
		// which would forget it.
		if s.journal.log != nil {
			_ = s.journal.log.Close()
		}
		s.mu.Unlock()
		s.journal.writing.Unlock()
		s.typing.Unlock()
	}
	close(k.idle)
}

package keeper

import "errors"

// Die has a keeper stop as a kill -9 does, as far as others can tell: nothing
// more is logged, sent or answered.
func (k *Keeper) Die() {
	k.mu.Lock()
	k.users = 0 // nobody is let in
	k.mu.Unlock()
	all := k.all()
	for _, s := range all {
		s.typing.Lock()
		s.journal.writing.Lock()
		s.mu.Lock()
		if s.journal.log != nil {
			_ = s.journal.log.Close()
		}
	}
	k.mu.Lock()
	clear(k.sessions) // their logs stay
	k.mu.Unlock()
	k.dismiss()
	k.link.fail(errors.New("the keeper has died"))
	for _, s := range all {
		s.mu.Unlock()
		s.journal.writing.Unlock()
		s.typing.Unlock()
	}
	close(k.idle)
}

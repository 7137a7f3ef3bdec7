package screen

// keyStack is what the kitty keyboard protocol keeps for each screen: the flags in force, and those below them.
type keyStack struct {
	current uint8
	flags   []uint8 // pushed, the oldest first
}

const (
	maxKeyStack = 16
	keyFlags    = 31 // the flags that the protocol defines
)

// push is CSI > flags u. When the stack is full, the oldest entry is lost.
func (k *keyStack) push(flags int) {
	if len(k.flags) == maxKeyStack {
		k.flags = append(k.flags[:0], k.flags[1:]...)
	}
	k.flags = append(k.flags, k.current)
	k.current = uint8(flags & keyFlags)
}

// pop is CSI < n u. Below the last entry all flags are off.
func (k *keyStack) pop(n int) {
	for ; n > 0; n-- {
		last := len(k.flags) - 1
		if last < 0 {
			k.current = 0
			return
		}
		k.current, k.flags = k.flags[last], k.flags[:last]
	}
}

// change is CSI = flags ; how u: 1 sets all flags, 2 adds, 3 removes.
func (k *keyStack) change(flags, how int) {
	f := uint8(flags & keyFlags)
	switch how {
	case 1:
		k.current = f
	case 2:
		k.current |= f
	case 3:
		k.current &^= f
	}
}

// KeyboardFlags returns the flags of the kitty keyboard protocol that are in force.
func (s *Screen) KeyboardFlags() int { return int(s.buf.keys.current) }

// setModifyOtherKeys is XTMODKEYS of resource 4.
func (s *Screen) setModifyOtherKeys(resource, value int) {
	if resource == 4 && value <= 3 {
		s.modifyOther = uint8(value)
	}
}

package firewall

import (
	"fmt"
	"strings"
)

// refusal is a kind of thing that a guest asked of the terminal and did not get, as a user would want to know.
type refusal uint8

const (
	clipboardRead refusal = iota
	clipboardWrite
	titleRead
	screenRead
	fileAccess
	remoteControl
	windowChange
	printing
	notification
	refusals // how many there are
)

var refusalNames = [refusals]string{
	"read of the clipboard", "write to the clipboard", "read of the title", "read of the screen", "transfer of a file",
	"command to the terminal", "change of the window", "print", "notification",
}

func (f *Filter) refuse(r refusal) { f.refused[r].Add(1) }

// maxReplies bounds what one piece of output is answered.
const maxReplies = 4 << 10

// answer gives the program a reply in the terminal's place.
func (f *Filter) answer(reply string) {
	if len(f.replies)+len(reply) <= maxReplies {
		f.replies = append(f.replies, reply...)
	}
}

// Refused says in a few words what was asked of the terminal so far and refused, or nothing if nothing was that a user
// might miss. It may be called while the filter is fed.
func (f *Filter) Refused() string {
	var words []string
	for r := range f.refused {
		if n := f.refused[r].Load(); n > 0 {
			words = append(words, fmt.Sprintf("%s (%d)", refusalNames[r], n))
		}
	}
	return strings.Join(words, ", ")
}

package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kind is what is wrong, as far as a caller acts on it.
type Kind int

// Kinds of an Error. All but Failed are final: trying again does not help.
const (
	Failed       Kind = iota // the bring-up failed for no reason that is known
	NotInstalled             // the tool is not on this host
	Missing                  // the tool does not know the machine
	Stopped                  // the machine does not run
	Denied                   // the tool, or the machine, does not let us in
	Unreachable              // the tool does not get through to where the machine is
	NoShell                  // the machine has no shell
	NoFolder                 // nothing in the machine is writable and executable
	NotLinux                 // the machine runs no Linux
	NoAgent                  // snug has no agent for the machine's architecture
	Ended                    // Kill was called
)

// ErrNoAgentPossible is what errors of the kinds NoShell, NoFolder, NotLinux and
// NoAgent are, for errors.Is: the tool reaches the machine, but no agent can be
// put there, and only a lesser bridge may work.
var ErrNoAgentPossible = errors.New("no agent can be placed in this machine")

// ErrNoShell and ErrNoFolder tell two of them apart: without a folder there is
// still a shell that can set a terminal's size.
var (
	ErrNoShell  = errors.New("the machine has no shell")
	ErrNoFolder = errors.New("the machine has no folder that is writable and executable")
)

// Error is a bring-up that failed. Its text is for the user: what was done, the
// tool's own words, and what to do.
type Error struct {
	Kind   Kind
	Tool   string
	Step   string // what was waited for
	Words  string // the tool's own, or ours where it said nothing
	Remedy string // may be empty
	Err    error  // may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Tool)
	if e.Step != "" {
		fmt.Fprintf(&b, ": %s", e.Step)
	}
	if e.Words != "" {
		fmt.Fprintf(&b, ": %s", e.Words)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Remedy != "" {
		fmt.Fprintf(&b, ": %s", e.Remedy)
	}
	return b.String()
}

// Unwrap makes an Error the sentinels of its kind too.
func (e *Error) Unwrap() []error {
	var all []error
	if e.Err != nil {
		all = append(all, e.Err)
	}
	switch e.Kind {
	case NoShell:
		all = append(all, ErrNoShell, ErrNoAgentPossible)
	case NoFolder:
		all = append(all, ErrNoFolder, ErrNoAgentPossible)
	case NotLinux, NoAgent:
		all = append(all, ErrNoAgentPossible)
	}
	return all
}

// networked are the tools that reach their machines over a network.
var networked = map[string]bool{"ssh": true, "kubectl": true}

// Away tells of an error of Dial that the network is to blame, so that the
// machine may come back: nothing answered, not even to refuse.
func Away(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || !networked[e.Tool] || strings.Contains(strings.ToLower(e.Error()), "refused") {
		return false
	}
	return e.Kind == Unreachable || errors.Is(e.Err, context.DeadlineExceeded)
}

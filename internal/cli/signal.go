package cli

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// signalName is a signal as SSH names it, without SIG. It is a flag value that
// takes TERM, SIGTERM, term and 15.
type signalName string

// Set parses a name or a number.
func (s *signalName) Set(text string) error {
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if n, err := strconv.Atoi(text); err == nil {
		name = strings.TrimPrefix(unix.SignalName(unix.Signal(n)), "SIG")
	}
	if name == "" || unix.SignalNum("SIG"+name) == 0 {
		return fmt.Errorf("there is no signal %q: name one such as TERM, INT or KILL", text)
	}
	*s = signalName(name)
	return nil
}

func (s *signalName) String() string { return string(*s) }

// Type names the kind of flag.
func (s *signalName) Type() string { return "signal" }

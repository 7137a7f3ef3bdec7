package firewall

import (
	"fmt"
	"slices"
	"strings"
)

// Policy says how much a guest may do with the terminal. It is a flag value and a value of the configuration.
type Policy uint8

// The policies.
const (
	Default Policy = iota // what programs need, and nothing that reads or changes the host
	Strict                // drawing, colours, keys and titles only
	Open                  // every byte as it is
)

var policyNames = [...]string{Default: "default", Strict: "strict", Open: "open"}

// PolicyNames are the words that [ParsePolicy] knows, the safest first.
func PolicyNames() []string { return []string{Strict.String(), Default.String(), Open.String()} }

// ParsePolicy reads the name of a policy.
func ParsePolicy(s string) (Policy, error) {
	if i := slices.Index(policyNames[:], s); i >= 0 {
		return Policy(i), nil
	}
	return Default, fmt.Errorf("no terminal policy %q: use one of %s", s, strings.Join(PolicyNames(), ", "))
}

func (p Policy) String() string { return policyNames[p] }

// Set parses s; with String and Type it makes a Policy a command-line flag.
func (p *Policy) Set(s string) (err error) {
	parsed, err := ParsePolicy(s)
	if err == nil {
		*p = parsed
	}
	return err
}

// Type names the kind of flag.
func (p *Policy) Type() string { return strings.Join(PolicyNames(), "|") }

// UnmarshalText is Set for a configuration file.
func (p *Policy) UnmarshalText(text []byte) error { return p.Set(string(text)) }

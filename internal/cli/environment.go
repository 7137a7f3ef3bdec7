package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/snugvm/snug/internal/wire"
)

// passedOn are the variables of the host that enter the guest by themselves;
// LC_* does too.
var passedOn = []string{"LANG", "COLORTERM", "TERM_PROGRAM"}

// environment returns the variables of the host that enter a guest by
// themselves.
func environment(pty bool) []wire.Env {
	var env []wire.Env
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if slices.Contains(passedOn, name) || strings.HasPrefix(name, "LC_") {
			env = append(env, wire.Env{Name: name, Value: value})
		}
	}
	if term, ok := os.LookupEnv("TERM"); ok && !pty {
		env = append(env, wire.Env{Name: "TERM", Value: term})
	}
	return env
}

// checkEnv checks the words of -e.
func checkEnv(words []string) error {
	for _, e := range words {
		if name, _, _ := strings.Cut(e, "="); name == "" {
			return fmt.Errorf("-e %s: write NAME=VALUE, or NAME to pass the host's value", e)
		}
	}
	return nil
}

// named returns the variables that -e names. One that the host has not is left
// out, as docker does.
func named(words []string) (env []wire.Env) {
	for _, e := range words {
		name, value, given := strings.Cut(e, "=")
		if !given {
			var ok bool
			if value, ok = os.LookupEnv(name); !ok {
				continue
			}
		}
		env = append(env, wire.Env{Name: name, Value: value})
	}
	return env
}

// terminfo returns the compiled description of term, for a guest that may not
// have it.
func terminfo(term string) []byte {
	if term == "" || strings.ContainsAny(term, "/\x00") || term[0] == '.' {
		return nil
	}
	home, _ := os.UserHomeDir()
	dirs := []string{os.Getenv("TERMINFO"), filepath.Join(home, ".terminfo")}
	dirs = append(dirs, filepath.SplitList(os.Getenv("TERMINFO_DIRS"))...)
	dirs = append(dirs, "/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/lib/terminfo", "/usr/local/share/terminfo")
	for _, d := range dirs {
		for _, sub := range []string{term[:1], fmt.Sprintf("%x", term[0])} {
			if b, err := os.ReadFile(filepath.Join(d, sub, term)); d != "" && err == nil {
				return b
			}
		}
	}
	return nil
}

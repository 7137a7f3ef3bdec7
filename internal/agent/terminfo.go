package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// terminfoDirs are where ncurses looks on the distributions that we know.
var terminfoDirs = []string{
	"/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/lib/terminfo",
	"/usr/local/share/terminfo",
}

// terminfo holds the entries that came from the host, in a folder of its own
// that is made when the first one comes.
type terminfo struct {
	scratch string // where it may be, should the usual folders be no good
	mu      sync.Mutex
	dir     string
}

// makeDir makes the folder. The variables of an exec may name one that is of
// another root, and what is usual may be read-only.
func (d *terminfo) makeDir() (err error) {
	for _, parent := range []string{os.TempDir(), "/tmp", d.scratch} {
		if parent == "" {
			continue
		}
		if d.dir, err = os.MkdirTemp(parent, "snug-terminfo-"); err == nil {
			return nil
		}
	}
	return err
}

// resolve returns the variables by which a program finds its terminal's
// description: TERM as the person has it, if the machine can resolve it or
// the entry came along, else the nearest one that it can, and a word on that.
func (d *terminfo) resolve(term string, entry []byte, home string) (env []string, notice string) {
	dirs := append([]string{filepath.Join(home, ".terminfo")}, terminfoDirs...)
	switch {
	case !validTerm(term):
	case hasTerm(term, dirs):
		return []string{"TERM=" + term}, ""
	case len(entry) > 0:
		if dir, err := d.deliver(term, entry); err == nil {
			return []string{"TERM=" + term, "TERMINFO=" + dir}, ""
		}
	}
	known := knownTerm(term, dirs)
	if term == "" || term == known {
		return []string{"TERM=" + known}, ""
	}
	return []string{"TERM=" + known}, fmt.Sprintf("the machine does not know the terminal %q: TERM=%s is used", term, known)
}

// knownTerm chooses a description that the machine has, near to term.
func knownTerm(term string, dirs []string) string {
	choices := []string{"xterm-256color", "xterm", "vt220", "vt100", "linux", "ansi"}
	if strings.HasPrefix(term, "tmux") || strings.HasPrefix(term, "screen") {
		choices = append([]string{"screen-256color", "screen"}, choices...)
	}
	for _, c := range choices {
		if hasTerm(c, dirs) {
			return c
		}
	}
	// Without any description a program knows names only, and this one best.
	return "xterm-256color"
}

// validTerm keeps a name from the host a name within one folder.
func validTerm(term string) bool {
	return term != "" && term[0] != '.' && !strings.ContainsAny(term, "/\x00=")
}

// hasTerm looks for a compiled entry, filed under its first letter or, on
// file systems that ignore case, under that letter's code.
func hasTerm(term string, dirs []string) bool {
	for _, d := range dirs {
		for _, sub := range []string{term[:1], fmt.Sprintf("%x", term[0])} {
			if _, err := os.Stat(filepath.Join(d, sub, term)); err == nil {
				return true
			}
		}
	}
	return false
}

// deliver files an entry that came from the host and returns the folder to
// look in. The entry appears whole or not at all.
func (d *terminfo) deliver(term string, entry []byte) (dir string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() {
		if err != nil {
			err = fmt.Errorf("terminfo: %w", err)
		}
	}()
	if d.dir == "" {
		if err := d.makeDir(); err != nil {
			return "", err
		}
	}
	sub := filepath.Join(d.dir, term[:1])
	if err := os.MkdirAll(sub, 0o755); err != nil {
		return "", err
	}
	if err := os.Chmod(d.dir, 0o755); err != nil { // the program's user reads it
		return "", err
	}
	temp := filepath.Join(sub, ".new")
	if err := os.WriteFile(temp, entry, 0o644); err != nil {
		return "", err
	}
	return d.dir, os.Rename(temp, filepath.Join(sub, term))
}

// remove deletes the folder.
func (d *terminfo) remove() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dir != "" {
		_ = os.RemoveAll(d.dir)
	}
}

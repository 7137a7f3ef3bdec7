package bridge

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
)

// progressLine is one line of a terminal that is written again and again, and
// leaves nothing behind. Without an output it is silent.
type progressLine struct {
	out io.Writer

	mu    sync.Mutex
	shown bool
}

func (l *progressLine) show(text string) {
	if l.out == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown = true
	_, _ = fmt.Fprintf(l.out, "\r\x1b[Ksnug: %s", text)
}

func (l *progressLine) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown {
		_, _ = io.WriteString(l.out, "\r\x1b[K")
	}
	l.shown = false
}

// printable makes one harmless line of a text that may come from a guest.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.TrimSpace(text))
}

package bridge

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"
)

// ProgressLine is one line of a terminal that is written again and again, and
// leaves nothing behind. Without an output it is silent. Its methods may be
// called from any goroutine.
type ProgressLine struct {
	out io.Writer

	mu    sync.Mutex
	text  string // empty: nothing is shown
	since time.Time
}

// NewProgressLine returns the line of out. Nothing is shown yet, and time counts.
func NewProgressLine(out io.Writer) *ProgressLine {
	return &ProgressLine{out: out, since: time.Now()}
}

// Show replaces the line.
func (l *ProgressLine) Show(text string) {
	if l.out == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.IsZero() {
		l.since = time.Now()
	}
	l.text = text
	l.draw()
}

// Tick renews the line, so that a person sees how long it takes.
func (l *ProgressLine) Tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text != "" {
		l.draw()
	}
}

func (l *ProgressLine) draw() {
	elapsed := ""
	if s := int(time.Since(l.since).Seconds()); s > 0 {
		elapsed = fmt.Sprintf(" %d s", s)
	}
	_, _ = fmt.Fprintf(l.out, "\r\x1b[Ksnug: %s …%s", l.text, elapsed)
}

// Clear removes the line.
func (l *ProgressLine) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text != "" {
		_, _ = io.WriteString(l.out, "\r\x1b[K")
	}
	l.text = ""
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

package ptytest

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// maxTranscript bounds what a failure prints; the end is what matters.
const maxTranscript = 256 << 10

// transcript is the record of both directions that a failed expectation prints.
type transcript struct {
	start time.Time

	mu    sync.Mutex
	lines []string
	size  int
	cut   int
}

func newTranscript() *transcript { return &transcript{start: time.Now()} }

// add records bytes that passed.
func (tr *transcript) add(verb string, p []byte) {
	if len(p) > 0 {
		tr.note("%s %d: %q", verb, len(p), p)
	}
}

// note records an event.
func (tr *transcript) note(format string, args ...any) {
	line := fmt.Sprintf("%9.3fs ", time.Since(tr.start).Seconds()) + fmt.Sprintf(format, args...) + "\n"
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.lines = append(tr.lines, line)
	tr.size += len(line)
	for tr.size > maxTranscript && len(tr.lines) > 1 {
		tr.size -= len(tr.lines[0])
		tr.lines = tr.lines[1:]
		tr.cut++
	}
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	head := "transcript:\n"
	if tr.cut > 0 {
		head = fmt.Sprintf("transcript, without its first %d entries:\n", tr.cut)
	}
	return head + strings.Join(tr.lines, "")
}

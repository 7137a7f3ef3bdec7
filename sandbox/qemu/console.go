package qemu

import (
	"io"
	"net"
	"strings"
	"sync"
	"unicode"
)

const (
	// consoleKept is how much of the guest's console is remembered.
	consoleKept = 64 << 10
	// causeLine bounds what a user is shown of a hostile text.
	causeLine = 300
)

// console reads a guest's serial console for as long as QEMU lives.
type console struct {
	first chan struct{} // closed once a whole line has come

	mu   sync.Mutex
	tail []byte
}

func newConsole() *console { return &console{first: make(chan struct{})} }

// follow reads conn to its end, which is QEMU's.
func (c *console) follow(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_, _ = io.Copy(c, conn)
}

// Write keeps the last of what the guest has printed.
func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tail = append(c.tail, b...)
	if over := len(c.tail) - consoleKept; over > 0 {
		c.tail = append(c.tail[:0], c.tail[over:]...)
	}
	select {
	case <-c.first:
	default:
		if strings.TrimSpace(string(c.tail)) != "" && strings.ContainsRune(string(c.tail), '\n') {
			close(c.first)
		}
	}
	return len(b), nil
}

func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.tail)
}

// guestCause is the line of a guest's console that says why it ended: a panic of
// its kernel, else the last word of process 1 or of the agent, else its last
// line. It is empty if the guest printed nothing.
func guestCause(console string) string {
	var last, own, panicked string
	for line := range strings.Lines(console) {
		line = plain(line)
		switch {
		case line == "":
			continue
		case strings.Contains(line, "Kernel panic") && !strings.Contains(line, "end Kernel panic"):
			_, after, _ := strings.Cut(line, "Kernel panic")
			panicked = "kernel panic" + after
		case strings.HasPrefix(line, "snug: "), strings.HasPrefix(line, "snug-agent: "):
			own = line
		}
		last = line
	}
	for _, cause := range []string{panicked, own, last} {
		if cause != "" {
			return cause
		}
	}
	return ""
}

// plain is a line of foreign text made safe for a user's terminal.
func plain(line string) string {
	line = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(line, "?")))
	if runes := []rune(line); len(runes) > causeLine {
		line = string(runes[:causeLine]) + "…"
	}
	return line
}

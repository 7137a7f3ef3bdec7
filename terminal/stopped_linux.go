package terminal

import (
	"bytes"
	"fmt"
	"os"
)

// stopped reports whether a child is stopped now: the state follows the command's closing parenthesis in /proc/PID/stat.
// Without /proc it is believed to be, since wait said so.
func stopped(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, found := bytes.Cut(stat[max(bytes.LastIndexByte(stat, ')'), 0):], []byte(") "))
	return !found || bytes.HasPrefix(rest, []byte("T"))
}

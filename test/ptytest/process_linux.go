package ptytest

import (
	"bytes"
	"fmt"
	"os"
)

// zombie reads the state that follows the command's closing parenthesis in /proc/PID/stat.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	i := bytes.LastIndexByte(stat, ')')
	return i >= 0 && i+2 < len(stat) && stat[i+2] == 'Z'
}

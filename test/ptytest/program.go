package ptytest

import (
	"os"
	"syscall"
)

// WriteProgram writes a file that is to be executed. Of a file that is written with [os.WriteFile] the execution may fail
// with "text file busy": a process that another goroutine forks meanwhile holds it open for writing, until it has become
// its own program. Nothing is forked while this writes.
func WriteProgram(name string, content []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(name, content, 0o755)
}

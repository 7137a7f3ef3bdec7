//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// ledger N takes numbered lines from 1 on, and writes N numbered lines each
// millisecond, each with the number of the last line that it took. The first line
// of input that is not the next one ends it with 1, "end" and SIGUSR1 with 42. So
// its output tells whether all of it is there, and all of its input was.
func ledger(args []string) error {
	each, err := strconv.Atoi(args[0])
	if err == nil {
		err = raw()
	}
	if err != nil {
		return err
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, unix.SIGUSR1)
	var taken atomic.Int64
	wrong := make(chan string, 1)
	go func() { wrong <- takeLines(&taken) }() // ends with the program
	for n := 0; ; {
		var lines bytes.Buffer
		for range each {
			fmt.Fprintf(&lines, "%d %d\r\n", n, taken.Load())
			n++
		}
		if _, err := os.Stdout.Write(lines.Bytes()); err != nil {
			return err
		}
		select {
		case <-told:
			return closeLedger(n, &taken)
		case line := <-wrong:
			if line == "end" {
				return closeLedger(n, &taken)
			}
			return fmt.Errorf("after line %d came %q", taken.Load(), line)
		case <-time.After(time.Millisecond): // its pace
		}
	}
}

func closeLedger(n int, taken *atomic.Int64) error {
	fmt.Fprintf(os.Stdout, "%d %d end", n, taken.Load())
	return status(42)
}

// takeLines counts lines up to one that is not the next, and returns that one.
func takeLines(taken *atomic.Int64) string {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); taken.Add(1) {
		if in.Text() != strconv.FormatInt(taken.Load()+1, 10) {
			return in.Text()
		}
	}
	return "the end of input"
}

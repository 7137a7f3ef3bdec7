//go:build linux

// Command probe is the program that the conformance suite runs in a machine:
// it does one thing that a suite can check, and says what it sees.
package main

import "os"

func main() {
	if len(os.Args) < 2 {
		os.Exit(2)
	}
	os.Exit(run(os.Args[1], os.Args[2:]))
}

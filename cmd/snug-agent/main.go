// Snug-agent is the guest's binary. As process 1 of a microVM it is the init
// (internal/guestinit); as "serve" it is the agent that starts and keeps
// programs (internal/agent).
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "snug-agent:", err)
		os.Exit(1)
	}
}

//go:build linux

// Command smolvm is a double of smolvm: package smolvm, two folders up, says what it keeps of it.
package main

import (
	"os"

	"github.com/snugvm/snug/test/smolvm/internal/host"
)

func main() { os.Exit(host.Main(os.Args[1:])) }

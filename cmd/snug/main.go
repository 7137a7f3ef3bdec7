// Snug runs an interactive program in a microVM or another sandbox and makes
// the terminal fit it exactly. See internal/cli for its commands.
package main

import (
	"os"

	"github.com/snugvm/snug/internal/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:])) }

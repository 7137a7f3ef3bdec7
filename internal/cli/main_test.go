package cli

import (
	"os"
	"strings"
	"testing"
)

// asSnug names the variable by which the tests' binary is told to be snug, with
// the command line in it.
const asSnug = "SNUG_TEST_COMMAND_LINE"

func TestMain(m *testing.M) {
	if line, ok := os.LookupEnv(asSnug); ok {
		os.Exit(Run(strings.Fields(line)))
	}
	os.Exit(m.Run())
}

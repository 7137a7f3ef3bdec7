package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write what the commands print to testdata")

// visible are the command and all those below it that people are told of.
func visible(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			all = append(all, visible(sub)...)
		}
	}
	return all
}

// What a command says of itself changes only on purpose: go test -update.
func TestHelp(t *testing.T) {
	for _, cmd := range visible(new(app).root()) {
		path := cmd.CommandPath()
		t.Run(path, func(t *testing.T) {
			root := new(app).root()
			var out bytes.Buffer
			root.SetOut(&out)
			root.SetArgs(append(strings.Fields(path)[1:], "--help"))
			if err := root.Execute(); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", strings.ReplaceAll(path, " ", "-")+".golden")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v\nwrite it: go test ./internal/cli -update", err)
			}
			if out.String() != string(want) {
				t.Errorf("%s --help is\n%s\nwant, by %s,\n%s\nif that is meant: go test ./internal/cli -update", path, &out, golden, want)
			}
		})
	}
}

// A command that is gone leaves no help behind.
func TestEveryGoldenFileHasItsCommand(t *testing.T) {
	known := map[string]bool{}
	for _, cmd := range visible(new(app).root()) {
		known[strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".golden"] = true
	}
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Ext(f.Name()) == ".golden" && !known[f.Name()] {
			t.Errorf("testdata/%s belongs to no command", f.Name())
		}
	}
}

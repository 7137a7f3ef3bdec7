// Package config reads snug's configuration, a TOML file that a user writes: what a flag says there applies to every
// command, unless the command's own flag says otherwise.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/snugvm/snug/internal/firewall"
)

// Config is what the file says, or the defaults.
type Config struct {
	TerminalPolicy firewall.Policy
}

// file is the form of the file. Each key is the name of the flag that it stands for.
type file struct {
	TerminalPolicy word `toml:"terminal-policy"`
}

// word is a policy that is written as a word: a bare Policy would take a number, too.
type word struct{ firewall.Policy }

// keys are all that a file may hold.
const keys = "terminal-policy"

// Load reads the file at path. There need not be one.
func Load(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, nil
	}
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w; make it readable, or remove it", err)
	}
	c, err := parse(text)
	if err != nil {
		return c, fmt.Errorf("%s:%w", path, err)
	}
	return c, nil
}

// parse reads the text of a file. Errors begin with the number of the line.
func parse(text []byte) (Config, error) {
	var f file
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f)
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case err == nil:
		return Config{TerminalPolicy: f.TerminalPolicy.Policy}, nil
	case errors.As(err, &unknown):
		first := unknown.Errors[0]
		line, _ := first.Position()
		return Config{}, fmt.Errorf("%d: unknown key %q: remove it; the keys are: %s", line, strings.Join(first.Key(), "."), keys)
	case errors.As(err, &wrong):
		line, _ := wrong.Position()
		return Config{}, fmt.Errorf("%d: %s", line, strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return Config{}, fmt.Errorf("1: %w", err)
}

package screen

import (
	"fmt"
	"testing"
)

func TestResetBringsAnyStateToThatOfANewTerminal(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error {
		got, want := run(cols, rows, output), New(cols, rows, Options{Scrollback: 30})
		_, _ = got.Write(Reset())
		got.title, got.icon, got.titles, got.cwd = "", "", nil, ""
		got.history = want.history
		got.main.images.stored, got.loading = nil, nil
		if d := difference(got.state(), want.state()); d != "" {
			return fmt.Errorf("reset: %s", d)
		}
		return nil
	})
}

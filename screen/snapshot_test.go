package screen

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestASnapshotBringsAFreshTerminalToTheSameState(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error {
		return restores(run(cols, rows, output))
	})
}

func restores(want *Screen) error {
	snapshot := want.Snapshot(SnapshotOptions{Scrollback: -1})
	got := New(want.cols, want.rows, want.opts)
	_, _ = got.Write(snapshot)
	if d := difference(got.state(), want.state()); d != "" {
		return fmt.Errorf("snapshot %q\n%s", snapshot, d)
	}
	if got.modes.has(modeSynchronized) {
		return fmt.Errorf("snapshot %q switches synchronized output on", snapshot)
	}
	return nil
}

func TestADifferenceBringsATerminalFromOneStateToTheOther(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error {
		half := len(output) / 2
		from := run(cols, rows, output[:half])
		to := from.Clone(true)
		_, _ = to.Write([]byte(strings.Join(output[half:], "")))
		if err := leads(from, to); err != nil {
			return err
		}
		stranger := run(cols, rows, output[half:])
		stranger.history.epoch = from.history.epoch + 1
		return leads(stranger, from)
	})
}

func leads(from, to *Screen) error {
	before := from.state()
	bytes := Diff(from, to)
	if d := difference(from.state(), before); d != "" {
		return fmt.Errorf("from has changed\n%s", d)
	}
	got := from.Clone(true)
	_, _ = got.Write(bytes)
	if d := difference(got.state(), to.state()); d != "" {
		return fmt.Errorf("difference %q\n%s", bytes, d)
	}
	return nil
}

func TestAResizedScreenIsSound(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error {
		s := New(cols, rows, Options{Scrollback: 30})
		r := rand.New(rand.NewPCG(uint64(len(output)), 2))
		for _, token := range output {
			_, _ = s.Write([]byte(token))
			if r.IntN(4) > 0 {
				continue
			}
			cols, rows := 1+r.IntN(30), 1+r.IntN(10)
			s.Resize(cols, rows)
			if err := s.check(); err != nil {
				return fmt.Errorf("resized to %dx%d: %w", cols, rows, err)
			}
		}
		return restores(s)
	})
}

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
	got := measured(want.cols, want.rows)
	got.SetPixels(want.pixels.x, want.pixels.y)
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
	bytes := Diff(from, to, -1)
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
		s := measured(cols, rows)
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

// looksLike compares what is seen of two screens.
func looksLike(got, want *Screen) error {
	for y := range want.rows {
		if g, w := visible(got, y), visible(want, y); g != w {
			return fmt.Errorf("row %d\n  got  %s\n  want %s", y, g, w)
		}
	}
	return nil
}

func TestASnapshotForAnotherSizeShowsTheResizedScreen(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error {
		s := run(cols, rows, output)
		before := s.state()
		snapshot := s.Snapshot(SnapshotOptions{Cols: 15, Rows: 5, Scrollback: -1})
		if d := difference(s.state(), before); d != "" {
			return fmt.Errorf("the screen has changed\n%s", d)
		}
		got := measured(15, 5)
		_, _ = got.Write(snapshot)
		s.Resize(15, 5)
		if d := difference(got.state(), s.state()); d != "" {
			return fmt.Errorf("snapshot %q\n%s", snapshot, d)
		}
		return nil
	})
}

func TestASnapshotIsACheckpoint(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error {
		text := []byte(strings.Join(output, ""))
		at := len(text) * 2 / 3 // within a sequence or character, as often as not
		s := measured(cols, rows)
		_, _ = s.Write(text[:at])
		restored := measured(cols, rows)
		_, _ = restored.Write(s.Snapshot(SnapshotOptions{Scrollback: -1}))
		_, _ = s.Write(text[at:])
		_, _ = restored.Write(text[at:])
		if d := difference(restored.state(), s.state()); d != "" {
			return fmt.Errorf("cut after %q\n%s", text[:at], d)
		}
		return nil
	})
}

func TestASnapshotHoldsAsMuchScrollbackAsIsAskedFor(t *testing.T) {
	s := written(t, 10, 3, strings.Repeat("line\r\n", 50))
	for ask, want := range map[int]int{0: 0, 7: 7, 48: 48, 99: 48, -1: 48} {
		got := New(10, 3, s.opts)
		_, _ = got.Write(s.Snapshot(SnapshotOptions{Scrollback: ask}))
		if got.Scrollback() != want {
			t.Errorf("asked for %d lines, got %d of %d", ask, got.Scrollback(), s.Scrollback())
		}
	}
}

func TestADifferenceIsSmallerThanASnapshot(t *testing.T) {
	s := written(t, 80, 24, strings.Repeat("\x1b[1;3;38;5;200mtext in colours\x1b[0m and without\r\n", 30))
	from := s.Clone(false)
	if d := Diff(from, s, -1); len(d) > 0 {
		t.Errorf("nothing has changed, and the difference is %q", d)
	}
	s.write(t, "a")
	if d := Diff(from, s, -1); string(d) != "a" {
		t.Errorf("one character was typed, and the difference is %q", d)
	}
	s.write(t, "\r\nnext line\r\n")
	if d := Diff(from, s, -1); len(d) > 60 {
		t.Errorf("two lines have scrolled by, and the difference is %q", d)
	}
}

func TestAViewerThatWantsNoScrollbackGetsTheScreenOnly(t *testing.T) {
	s := written(t, 10, 3, "first\r\n")
	from := s.Clone(true)
	s.write(t, strings.Repeat("line\r\n", 90)+"$ ")
	for ask, want := range map[int]int{0: 0, 5: 5, -1: 89} {
		got := from.Clone(true)
		_, _ = got.Write(Diff(from, s, ask))
		if got.Text() != s.Text() {
			t.Errorf("asked for %d lines of scrollback, and the screen is %q", ask, got.Text())
		}
		if got.Scrollback() != want {
			t.Errorf("asked for %d lines of scrollback, got %d", ask, got.Scrollback())
		}
	}
}

func TestADifferenceOfSizesIsASnapshot(t *testing.T) {
	from, to := written(t, 10, 3, "\x1b[?1049h\x1b[4habc\x1b[1;"), written(t, 20, 5, "some text\r\n\x1b[31m$ ")
	got := from.Clone(true)
	bytes := Diff(from, to, -1)
	got.Resize(20, 5) // as its window has meanwhile
	_, _ = got.Write(bytes)
	if d := difference(got.state(), to.state()); d != "" {
		t.Errorf("difference %q\n%s", bytes, d)
	}
}

func TestACloneSharesNothing(t *testing.T) {
	hold(t, everything, func(cols, rows int, output []string) error {
		s := run(cols, rows, output)
		before := s.state()
		c := s.Clone(true)
		if d := difference(c.state(), before); d != "" {
			return fmt.Errorf("the clone differs\n%s", d)
		}
		_, _ = c.Write([]byte(strings.Join(output, "") + "\x1b[?1049l\x1b#8\x1b[3g\x1b[>1u\x1b]4;3;#123\a\x1b]0;x\a\x1b[22t" + strings.Repeat("x\r\n", 40)))
		if d := difference(s.state(), before); d != "" {
			return fmt.Errorf("writing to the clone has changed the original\n%s", d)
		}
		return nil
	})
}

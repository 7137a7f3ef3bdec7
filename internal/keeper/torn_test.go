//go:build linux

package keeper_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/snugvm/snug/internal/sessionlog"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/sandboxtest"
)

// tears has each link torn once it has carried 64 KiB from the guest, or 16 KiB to
// it, or up to twice as much, and counts the links.
type tears struct {
	mu    sync.Mutex
	r     *rand.Rand
	links int
}

func (c *tears) over(link io.ReadWriteCloser) io.ReadWriteCloser {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.links++
	return sandboxtest.NewCut(link, 16<<10+c.r.IntN(16<<10), 64<<10+c.r.IntN(64<<10))
}

func (c *tears) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.links
}

// listener is a program that answers each line with 29 KB, notes it in the
// file heard, and ends at the line stop.
const listener = `stty -echo; echo up
while read -r l; do
	echo "$l" >>heard
	[ "$l" = stop ] && break
	seq 5000
	echo "heard ${l%%:*}"
done
exit 7`

// line is what a person types, long enough that many of them tear links as well.
func line(person string, i int) string {
	return fmt.Sprintf("%s%d:%s", person, i, strings.Repeat("x", 400))
}

// typeLines types, each line once the one before it has arrived.
func (v *viewer) typeLines(t *testing.T, person string, lines int) {
	typed := uint64(0)
	for i := range lines {
		text := line(person, i) + "\r"
		_, _ = v.session.Write([]byte(text))
		typed += uint64(len(text))
		await(t, "a line to arrive", func() bool { return v.safeInput() == typed })
	}
}

// heard returns the lines that the program of a folder has noted.
func heard(t *testing.T, folder string) []string {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(folder, "heard"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(got), "\n") // the last of which is empty, or not whole
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\n")
	}
	return lines[:len(lines)-1]
}

// loggedOutput is all output in the log of the first session.
func (r *rig) loggedOutput(t *testing.T) string {
	t.Helper()
	in, err := sessionlog.NewReader(filepath.Join(r.logs, "1"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var b strings.Builder
	for rec, err := range in.All() {
		if err != nil {
			t.Fatal(err)
		}
		if out, ok := rec.Event.(sessionlog.Output); ok {
			b.Write(out.Data)
		}
	}
	return b.String()
}

// answers is what the program prints that has heard these lines.
func answers(lines []string) string {
	var filler strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&filler, "%d\r\n", i+1)
	}
	var b strings.Builder
	b.WriteString("up\r\n")
	for _, l := range lines {
		name, _, _ := strings.Cut(l, ":")
		fmt.Fprintf(&b, "%sheard %s\r\n", filler.String(), name)
	}
	return b.String()
}

// Two people type at once and ten more come to look, some of whom leave again,
// while the link to the machine is torn again and again.
func TestLinksThatAreTornAgainAndAgainLoseAndDoubleNothing(t *testing.T) {
	const lines = 25 // of each
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r, folder := newRig(t), t.TempDir()
			cuts := &tears{r: rand.New(rand.NewPCG(seed, 5))}
			r.machine.through(cuts.over)
			r.boot <- nil
			start := onPty("")
			start.Args, start.Dir, start.Pty.Size = []string{"bash", "-c", listener}, folder, wide
			ada := r.view(start)
			ada.awaitText(t, "up")
			ben := r.join(wire.Join{Number: 1}, small)
			var people sync.WaitGroup
			people.Go(func() { ada.typeLines(t, "a", lines) })
			people.Go(func() { ben.typeLines(t, "b", lines) })
			others := r.lookIn(t, folder)
			people.Wait()
			want := answers(checkHeard(t, folder, lines))
			await(t, "all output", func() bool { return len(r.loggedOutput(t)) >= len(want) })
			if r.loggedOutput(t) != want {
				t.Error("the log has other output than the program's")
			}
			if n := cuts.count(); n < 8 {
				t.Errorf("there were %d links only", n)
			}
			_, _ = ben.session.Write([]byte("stop\r"))
			endAlike(t, wide, append(others[wide], ada))
			endAlike(t, small, append(others[small], ben))
			r.served1(t)
		})
	}
}

// lookIn has ten viewers come, each once some more lines were heard, and returns
// those that stay, by the sizes of their terminals.
func (r *rig) lookIn(t *testing.T, folder string) map[wire.Size][]*viewer {
	t.Helper()
	stay := make(map[wire.Size][]*viewer)
	for n := range 10 {
		await(t, "lines to be heard", func() bool { return len(heard(t, folder)) > 4*n })
		size := []wire.Size{wide, small}[n%2]
		v := r.join(wire.Join{Number: 1, ReadOnly: n%3 == 1, Scrollback: uint32(n)}, size)
		if n%4 == 3 {
			_ = v.conn.Close()
		} else {
			stay[size] = append(stay[size], v)
		}
	}
	return stay
}

// checkHeard fails the test unless all lines of both people were heard, each
// person's in order, and returns them.
func checkHeard(t *testing.T, folder string, lines int) []string {
	t.Helper()
	await(t, "all lines to be heard", func() bool { return len(heard(t, folder)) >= 2*lines })
	all := heard(t, folder)
	next := make(map[byte]int)
	for _, l := range all {
		if want := line(l[:1], next[l[0]]); l != want {
			t.Fatalf("%.20q was heard where %.20q comes", l, want)
		}
		next[l[0]]++
	}
	if next['a'] != lines || next['b'] != lines {
		t.Errorf("%d and %d of %d lines were heard", next['a'], next['b'], lines)
	}
	return all
}

// endAlike fails the test unless all viewers hear the program's end, and show
// the same.
func endAlike(t *testing.T, size wire.Size, all []*viewer) {
	t.Helper()
	for _, v := range all {
		if exit, err := v.end(t); err != nil || exit.Status != 7 {
			t.Errorf("%+v, %v", exit, err)
		}
		if got, want := v.shows(size), all[0].shows(size); got != want || !strings.Contains(got, "5000\nheard ") {
			t.Errorf("a viewer is shown\n%s\nwhere another one is shown\n%s", got, want)
		}
	}
}

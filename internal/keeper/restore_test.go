//go:build linux

package keeper_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
)

// again has a viewer reach the next keeper with its session, unless that had
// ended just before.
func (v *viewer) again(t *testing.T, r *rig) {
	t.Helper()
	if err := <-v.ran; err == nil {
		v.ran <- nil
		return
	}
	v.dial(r)
	go func() { v.ran <- v.session.Run(v.conn) }()
}

// count is a program that prints numbers, and each line that it is told.
const count = `stty -echo; (i=0; while [ $i -lt 400 ]; do i=$((i+1)); printf 'n%d\n' $i; done) & while read -r l; do echo "heard $l"; [ "$l" = stop ] && exit 7; done`

func TestASessionGoesOnWithAnotherKeeper(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	start := onPty("")
	start.Args = []string{"bash", "-c", count}
	start.Pty.Size = wide
	v := r.view(start)
	v.awaitShown(t, wide, "n400")
	before := v.shows(wide)
	r.die()
	v.again(t, r)
	other := r.join(wire.Join{Number: 1}, wide)
	other.awaitShown(t, wide, "n400")
	if got := other.shows(wide); strings.TrimSpace(got) != strings.TrimSpace(before) {
		t.Errorf("another viewer is shown\n%s\nwhere there was\n%s", got, before)
	}
	_, _ = v.session.Write([]byte("hello\r"))
	v.awaitShown(t, wide, "heard hello")
	_, _ = v.session.Write([]byte("stop\r"))
	for _, v := range []*viewer{v, other} {
		if exit, err := v.end(t); err != nil || exit.Status != 7 {
			t.Errorf("%+v, %v", exit, err)
		}
	}
	r.served1(t)
}

// A keeper dies again and again while a program counts and is typed at: what it
// hears, and what is shown in the end, is all there, once.
func TestKeepersThatDieLoseAndDoubleNothing(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	start := onPty("")
	const lines = 300
	start.Args = []string{"bash", "-c", fmt.Sprintf(`stty -echo; for i in $(seq %d); do read -r l; echo "$i:$l"; done; exit 9`, lines)}
	start.Pty.Size = wire.Size{Rows: 24, Cols: 80}
	v := r.view(start)
	<-v.ready
	typed := make(chan struct{})
	go func() {
		defer close(typed)
		for i := range lines {
			_, _ = fmt.Fprintf(writer{v.session}, "l%d\r", i+1)
			if i%7 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for range 12 {
		time.Sleep(time.Duration(rand.IntN(15)) * time.Millisecond)
		select {
		case <-v.session.Done():
		default:
			r.die()
			v.again(t, r)
			continue
		}
		break
	}
	<-typed
	if exit, err := v.end(t); err != nil || exit.Status != 9 {
		t.Fatalf("%+v, %v", exit, err)
	}
	size := start.Pty.Size
	s := screen.New(int(size.Cols), int(size.Rows), screen.Options{})
	_, _ = s.Write([]byte(v.text(wire.Stdout)))
	var want strings.Builder
	for i := lines - 22; i <= lines; i++ {
		fmt.Fprintf(&want, "%d:l%d\n", i, i)
	}
	if got := strings.TrimSpace(s.Text()); got != strings.TrimSpace(want.String()) {
		t.Errorf("shown\n%s\nwant\n%s", got, want.String())
	}
}

type writer struct{ *wire.Session }

func TestPipesGoOnWithAnotherKeeper(t *testing.T) {
	r := newRig(t)
	r.boot <- nil
	v := r.view(sh("cat; echo done >&2; exit 5"))
	<-v.ready
	all := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = v.session.Write(all)
		_ = v.session.CloseWrite()
	}()
	for range 5 {
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
		select {
		case <-v.session.Done():
		default:
			r.die()
			v.again(t, r)
		}
	}
	<-sent
	exit, err := v.end(t)
	if err != nil || exit.Status != 5 {
		t.Fatalf("%+v, %v", exit, err)
	}
	if got := v.text(wire.Stdout); got != string(all) {
		t.Errorf("%d bytes came back of %d", len(got), len(all))
	}
	if got := v.text(wire.Stderr); got != "done\n" {
		t.Errorf("stderr %q", got)
	}
	r.served1(t)
}

func TestAnEndThatNobodySawIsKeptByTheNextKeeper(t *testing.T) {
	for name, early := range map[string]bool{"before": true, "while there is none": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.boot <- nil
			v := r.view(onPty("echo last words; read -r l; sleep 0.2; exit 3"))
			v.awaitText(t, "last words")
			_, _ = v.session.Write([]byte("x\r"))
			await(t, "its input to arrive", func() bool { return v.safeInput() == 2 })
			if early {
				_ = v.conn.Close()
				await(t, "its end", func() bool { return r.keeper.Sessions()[0].Ended })
			}
			r.die()
			late := r.attach(1)
			if exit, err := late.end(t); err != nil || exit.Status != 3 {
				t.Errorf("%+v, %v", exit, err)
			}
			if text := late.text(wire.Stdout); !strings.Contains(text, "last words") {
				t.Errorf("the last screen is %q", text)
			}
			if !early {
				v.again(t, r)
				if exit, err := v.end(t); err != nil || exit.Status != 3 {
					t.Errorf("who was there before: %+v, %v", exit, err)
				}
			}
			r.served1(t)
		})
	}
}

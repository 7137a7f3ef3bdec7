package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/snugvm/snug/asciicast"
	"github.com/snugvm/snug/bridge"
	"github.com/snugvm/snug/internal/firewall"
	"github.com/snugvm/snug/terminal"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// playOptions are the flags of snug play.
type playOptions struct {
	view  viewOptions
	speed float64
	idle  float64 // seconds; 0 is what the recording says
}

func (a *app) playCommand() *cobra.Command {
	o := playOptions{view: viewOptions{escape: bridge.NoEscape}, speed: 1}
	cmd := &cobra.Command{
		Use:   "play [flags] FILE",
		Short: "Play a recording on this terminal",
		Long: `Play plays a recording, of the format asciicast v3 or v2, on this terminal. Space
pauses and goes on, a full stop shows the next output while it is paused, and q
or ^C ends it. Your terminal is as it was afterwards, and what the recording may
do to it is what a program may: see --terminal-policy.

FILE may be - for standard input; then there are no keys.`,
		Example: `  snug play web.cast
  snug play --speed 4 --idle-limit 1 web.cast
  snug record web-1/1 | snug play -`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.complete(cmd, &o.view); err != nil {
				return err
			}
			return a.play(o, args[0])
		},
		ValidArgsFunction: cobra.FixedCompletions([]cobra.Completion{"cast"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.Float64Var(&o.speed, "speed", 1, "play `N` times as fast as it was")
	f.Float64Var(&o.idle, "idle-limit", 0, "the longest pause, in `seconds` of the recording's time (default: what the recording says)")
	f.Var(&o.view.policy, policyFlag, "what the recording may do to the terminal: draw, also picture and copy, or everything")
	_ = cmd.RegisterFlagCompletionFunc(policyFlag, cobra.FixedCompletions(firewall.PolicyNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) play(o playOptions, name string) error {
	if !(o.speed > 0 && o.speed <= 1e6) || !(o.idle >= 0 && o.idle <= 1e9) {
		return errors.New("--speed is more than 0 and at most 1000000, --idle-limit 0 or more seconds")
	}
	file := a.in
	if name != "-" {
		var err error
		if file, err = os.Open(name); err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
	}
	recording, err := asciicast.NewReader(file)
	if err != nil {
		return err
	}
	p := newPlayer(recording, o)
	if name == "-" || !terminal.IsTerminal(a.in) || !terminal.IsTerminal(a.out) {
		return a.playPlain(o, p)
	}
	if !terminal.Guarded() {
		return a.guard()
	}
	v, err := a.newViewer(true, true, o.view)
	if err != nil {
		return err
	}
	p.show = v.bridge.Output
	v.sayTooSmall(recording.Header())
	v.bridge.Ready()
	go p.run(v.ctx) // ends with the recording or ctx, or if the terminal never takes it, with this process
	status := 0
	if err = v.bridge.Run(v.ctx, p); err != nil {
		status, err = v.left(err, "")
	} else if err = p.err; err != nil {
		status = statusFailed
	}
	a.sayRefused(v)
	return v.finish(status, err)
}

// sayTooSmall says that the recording is of a larger terminal.
func (v *viewer) sayTooSmall(h asciicast.Header) {
	size, err := v.sizes.Size()
	if err == nil && !size.IsZero() && (int(size.Cols) < h.Cols || int(size.Rows) < h.Rows) {
		v.bridge.Notice(false, fmt.Sprintf("the recording is of a terminal of %dx%d, this one has %v: it may look wrong", h.Cols, h.Rows, size))
	}
}

// playPlain plays without keys, in the recording's time all the same.
func (a *app) playPlain(o playOptions, p *player) error {
	ctx, cancel := untilSignalled()
	defer cancel()
	p.show = func(b []byte) error {
		_, err := a.out.Write(b)
		return err
	}
	if terminal.IsTerminal(a.out) {
		filter := firewall.New(o.view.policy)
		var modes bridge.Modes
		defer func() { _, _ = a.out.Write(modes.Undo()) }()
		p.show = func(b []byte) error {
			out, _ := filter.Feed(b)
			modes.Feed(out)
			_, err := a.out.Write(out)
			return err
		}
	}
	p.run(ctx)
	if ctx.Err() != nil {
		return &statusError{128 + int(unix.SIGINT), nil}
	}
	return p.err
}

// What the keys of a player do.
const (
	keyPause     = ' '
	keyStep      = '.'
	keyQuit      = 'q'
	keyInterrupt = 3 // ^C
)

// player plays a recording. To a bridge it is a program, of which the input are
// its keys.
type player struct {
	recording *asciicast.Reader
	speed     float64
	idle      time.Duration // the longest pause; 0 is any
	show      func([]byte) error

	keys chan byte
	done chan struct{} // closed when all is played
	err  error         // valid then

	played time.Duration // of the recording
	paused bool
	due    time.Time     // of the next output, unless it is paused
	left   time.Duration // until the next output, while it is
}

func newPlayer(r *asciicast.Reader, o playOptions) *player {
	idle := r.Header().Idle
	if o.idle > 0 {
		idle = time.Duration(o.idle * float64(time.Second))
	}
	return &player{recording: r, speed: o.speed, idle: idle, keys: make(chan byte), done: make(chan struct{})}
}

// run plays to the end, or until a key or ctx ends it.
func (p *player) run(ctx context.Context) {
	defer close(p.done)
	p.due = time.Now()
	for {
		e, err := p.recording.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				p.err = err
			}
			return
		}
		if e.Code != asciicast.Output {
			continue
		}
		if pause := p.pause(e.Time); p.paused {
			p.left = pause
		} else {
			p.due = p.due.Add(pause) // not from now on: what shows late delays nothing
		}
		if !p.await(ctx) {
			return
		}
		if p.err = p.show([]byte(e.Text)); p.err != nil {
			return
		}
	}
}

// pause is how long to wait before the output at that time.
func (p *player) pause(at time.Duration) time.Duration {
	d := at - p.played
	p.played = at
	if p.idle > 0 {
		d = min(d, p.idle)
	}
	return time.Duration(float64(d) / p.speed)
}

// await waits until the next output is due, or wanted by a key. It returns false
// if there is to be none.
func (p *player) await(ctx context.Context) bool {
	for {
		var due <-chan time.Time
		if !p.paused {
			due = time.After(time.Until(p.due))
		}
		select {
		case <-due:
			return true
		case <-ctx.Done():
			return false
		case key := <-p.keys:
			switch key {
			case keyQuit, keyInterrupt:
				return false
			case keyStep:
				if p.paused {
					return true
				}
			case keyPause:
				p.toggle()
			}
		}
	}
}

func (p *player) toggle() {
	if p.paused = !p.paused; p.paused {
		p.left = max(0, time.Until(p.due))
	} else {
		p.due = time.Now().Add(p.left)
	}
}

// Write takes keys. What has an ESC in it is none: a function key, or what the
// terminal answers to something in the recording.
func (p *player) Write(b []byte) (int, error) {
	if bytes.IndexByte(b, '\x1b') >= 0 {
		return len(b), nil
	}
	for _, key := range b {
		select {
		case p.keys <- key:
		case <-p.done:
		}
	}
	return len(b), nil
}

// CloseWrite has nothing to do: a recording plays on without keys.
func (p *player) CloseWrite() error { return nil }

// Resize has nothing to do: a recording's size is its own.
func (p *player) Resize(terminal.Size) {}

// Signal has nothing to do: there is no program.
func (p *player) Signal(string) {}

// Done is closed when all is played.
func (p *player) Done() <-chan struct{} { return p.done }

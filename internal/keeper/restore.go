package keeper

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/snugvm/snug/internal/sessionlog"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
	"golang.org/x/crypto/ssh"
)

// grace is how long the viewers of a keeper that died have to come back. They
// do so at once; one that does not has died as well.
const grace = 10 * time.Second

// past is what a session knows of the time of another keeper.
type past struct {
	inputs  []sessionlog.Input
	before  sessionlog.Totals // input that came before those
	awaited map[string]bool   // viewers that have not come back yet, by name; true if read-only
	typed   map[string]uint64 // input by viewer that the agent has, once that is known
	ended   map[string]bool   // viewers whose input has come to an end
	timer   *time.Timer
	// gap says that the log is not whole: which input was whose nobody knows.
	gap bool
}

func (p *past) awaits() bool { return p != nil && len(p.awaited) > 0 }

// restore takes up the sessions of a keeper that died: what their logs tell, and
// what the agent still has.
func (k *Keeper) restore(ctx context.Context) {
	programs, lost := k.programs()
	folders, err := os.ReadDir(k.cfg.Logs)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		k.cfg.Log.Error("restore sessions", "error", err)
	}
	for _, folder := range folders {
		if ctx.Err() != nil {
			return
		}
		if !folder.IsDir() { // it tells of the machine
			continue
		}
		if err := k.restoreOne(filepath.Join(k.cfg.Logs, folder.Name()), programs, lost); err != nil {
			k.cfg.Log.Error("restore a session", "log", folder.Name(), "error", err)
		}
	}
}

// programs asks the agent which programs it has. The error says why it cannot be
// reached any more.
func (k *Keeper) programs() (map[string]uint64, error) {
	var last ssh.Conn
	for {
		conn, err := k.link.next(last)
		if err != nil {
			return nil, err
		}
		programs, err := wire.AskPrograms(conn)
		if err == nil {
			return programs, nil
		}
		k.cfg.Log.Info("ask for the programs", "error", err)
		_ = conn.Close()
		last = conn
	}
}

// restoreOne takes up one session. One whose program never ran is its viewer's
// to ask for again.
func (k *Keeper) restoreOne(dir string, programs map[string]uint64, lost error) error {
	if os.Remove(dir) == nil { // it was empty: the keeper died before it wrote anything
		return nil
	}
	log, state, err := sessionlog.Open(dir, k.cfg.LogOptions)
	if err != nil {
		return err
	}
	var m memo
	if err := json.Unmarshal(state.Meta, &m); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", dir, err), log.Close())
	}
	k.mu.Lock()
	k.last = max(k.last, m.Number)
	k.mu.Unlock()
	held, running := programs[m.ID]
	if !running && !state.Ended() && !state.Ready {
		return errors.Join(log.Close(), os.RemoveAll(dir))
	}
	s := blankSession(k, m)
	gap := running && m.Pty && held > state.Offset
	if gap { // the log could not be written: what is lost is lost, and the program is not
		log.Skip(held)
		state.Offset = held
	}
	s.journal = &journal{pty: m.Pty, log: log, count: state.Offset}
	s.met, s.ready, s.size = true, false, wire.Size(state.Size)
	if err := s.remember(dir); err != nil {
		return errors.Join(err, log.Close())
	}
	s.past.gap = gap
	k.mu.Lock()
	k.sessions[m.ID] = s
	for id := range s.past.awaited {
		k.names[id] = s
	}
	k.users++
	k.mu.Unlock()
	s.past.timer = time.AfterFunc(grace, s.giveUp)
	s.resume(state, running, lost)
	return nil
}

// remember reads what the log tells: the screen, the input, and who looked.
func (s *session) remember(dir string) error {
	r, err := sessionlog.NewReader(dir)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	s.past = &past{awaited: make(map[string]bool), ended: make(map[string]bool), typed: make(map[string]uint64)}
	var to *screen.Screen
	begun, offset := false, uint64(0)
	for rec, err := range r.All() {
		if err != nil {
			return err
		}
		switch e := rec.Event.(type) {
		case sessionlog.Checkpoint:
			if !begun {
				s.past.before = e.Input
			}
			if !begun || e.Offset != offset {
				to = screen.New(int(max(e.Size.Cols, 1)), int(max(e.Size.Rows, 1)), screen.Options{Scrollback: scrollback})
				to.SetPixels(int(e.Size.XPixel), int(e.Size.YPixel)) // which tell how large its images are
				_, _ = to.Write(e.Snapshot)
			}
			begun, offset = true, e.Offset
		case sessionlog.Output:
			_, _ = to.Write(e.Data)
			offset = e.Offset + uint64(len(e.Data))
		case sessionlog.Resize:
			to.Resize(int(e.Size.Cols), int(e.Size.Rows))
			to.SetPixels(int(e.Size.XPixel), int(e.Size.YPixel))
		default:
			s.past.note(e)
		}
		if to != nil {
			to.TakeReplies()
			s.attention = calls(to.TakeEvents()) || s.attention
		}
	}
	if s.memo.Pty && to != nil {
		s.title = to.Title()
		s.out = wire.NewBufferAt(ahead, s.journal.count)
		s.follow = newFollower(s, s.size)
		s.follow.screen = to
		s.follow.begin()
	}
	return nil
}

// note takes note of viewers and what they typed.
func (p *past) note(e sessionlog.Event) {
	switch e := e.(type) {
	case sessionlog.Viewer:
		if e.Joined {
			p.awaited[e.ID] = e.ReadOnly
		} else {
			delete(p.awaited, e.ID)
		}
	case sessionlog.Arrived:
		p.before, p.inputs = e.Input, nil
	case sessionlog.Input:
		p.inputs = append(p.inputs, e)
		if e.N == 0 {
			p.ended[e.Viewer] = true
		}
	}
}

// resume has the session go on with its program, if it has one, or at its end.
func (s *session) resume(state *sessionlog.State, running bool, lost error) {
	if !s.memo.Pty && running {
		return // its viewer knows where
	}
	var pty *wire.Pty
	if s.memo.Pty {
		pty = &wire.Pty{Size: s.size}
	}
	s.near = wire.AdoptSession(s.memo.ID, pty, state.Offset, 0, agentSide{s})
	if running {
		go s.carry() // ends when the session does, at the latest with the link
		return
	}
	failure := &wire.Failure{Status: 255, Message: cmp.Or(lost, wire.ErrForgotten).Error()}
	if state.Failure != nil {
		failure = &wire.Failure{Status: state.Failure.Status, Message: state.Failure.Message}
	}
	stranded := s.keeper.strands()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.near.Fail(failure)
	s.ready, s.ended = true, true
	if state.Exit != nil {
		s.exit = wire.Exit{Status: state.Exit.Status, Signal: state.Exit.Signal, Core: state.Exit.Core}
	} else {
		s.failure, s.stranded = failure, stranded && s.memo.Pty
	}
	s.closeOutput()
	s.past.count(state.Input.All)
	close(s.running)
}

// count finds out how much of each viewer's input is in the first all bytes of
// the session's input. Where the log does not tell of so many there is a gap.
func (p *past) count(all uint64) {
	at := p.before.All
	maps.Copy(p.typed, p.before.By)
	cut := make(map[string]bool)
	for _, e := range p.inputs {
		n := e.N
		if !e.Ignored {
			at += e.N
			if at > all {
				n -= min(n, at-all)
			}
		}
		if cut[e.Viewer] {
			continue
		}
		p.typed[e.Viewer] += n
		cut[e.Viewer] = n < e.N
	}
	p.inputs = nil
	p.gap = p.gap || at < all
}

// account tells the viewers of the keeper before what of their input has
// arrived. The caller holds mu.
func (s *session) account(all uint64) {
	if s.past == nil {
		return
	}
	s.safe = all
	s.past.count(all)
	s.journal.arrived(all, s.past.typed)
	for _, v := range s.views {
		if v.back {
			v.typed = s.past.typed[v.a.ID()]
		}
	}
}

// lostCount says that the viewer cannot go on where it was, since the log does
// not tell where that is. The caller holds the session's mu.
func (v *view) lostCount() bool { return v.back && v.s.memo.Pty && v.s.past.gap }

const gapWords = "the session goes on, but its keeper died while its log could not be written: 'snug attach' comes back to it"

// welcome takes up a viewer of the keeper before. The caller holds mu.
func (s *session) welcome(v *view) {
	if s.past == nil {
		return
	}
	id := v.a.ID()
	readOnly, awaited := s.past.awaited[id]
	if !awaited {
		return
	}
	delete(s.past.awaited, id)
	v.back, v.readOnly, v.typed, v.inputEnded = true, readOnly, s.past.typed[id], s.past.ended[id]
	if s.near == nil { // on pipes, of which the viewer has what is not safe
		stdout, stderr := v.a.From()
		s.out, s.err = wire.NewBufferAt(held, stdout), wire.NewBufferAt(held, stderr)
		v.shown[wire.Stdout], v.shown[wire.Stderr] = stdout, stderr
		s.near = wire.AdoptSession(s.memo.ID, nil, stdout, stderr, agentSide{s})
		s.holdExit()
		go s.carry() // ends when the session does, at the latest with the link
	}
}

// giveUp waits no longer for viewers to come back.
func (s *session) giveUp() {
	s.mu.Lock()
	s.past.awaited = nil
	if s.near == nil {
		s.near = wire.AdoptSession(s.memo.ID, nil, 0, 0, agentSide{s})
		go s.carry() // likewise
		s.near.Signal("HUP")
	}
	over := s.over()
	s.mu.Unlock()
	if over {
		s.keeper.forget(s)
	}
}

package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/snugvm/snug/internal/sessionlog"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
)

// checkpointLines is how many lines above the screen a checkpoint holds. It is
// what is left of the scrollback where all output before it is gone from the log.
const checkpointLines = 200

// memo is what a later keeper needs to know of a session.
type memo struct {
	ID      string    `json:"id"`
	Number  uint32    `json:"number"`
	Program string    `json:"program"`
	Pty     bool      `json:"pty"`
	Term    string    `json:"term,omitempty"`
	Started time.Time `json:"started"`
}

// journal writes a session's log. A session whose log cannot be written goes
// on: only its keeper's death would tell the difference. Output and input of a
// session on pipes are not in it: its viewer holds what is not safe.
type journal struct {
	pty bool
	log *sessionlog.Log // nil if there is none

	writing sync.Mutex             // held while output is written, and for a checkpoint of it; taken before follower.mu
	count   uint64                 // of output; under mu
	mu      sync.Mutex             // for count
	fault   atomic.Pointer[string] // what people have not been told yet
}

// newJournal begins a log in dir; "" is for none.
func newJournal(dir string, m memo, size wire.Size, opts sessionlog.Options) *journal {
	j := &journal{pty: m.Pty}
	if dir == "" {
		return j
	}
	words, err := json.Marshal(m)
	if err == nil {
		j.log, err = sessionlog.Create(dir, opts, words, sessionlog.Checkpoint{Size: sessionlog.Size(size)})
	}
	j.note(err)
	return j
}

// note keeps an error for people.
func (j *journal) note(err error) {
	if err != nil && !errors.Is(err, sessionlog.ErrGap) {
		words := err.Error()
		j.fault.Store(&words)
	}
}

// output logs output of the program.
func (j *journal) output(p []byte) {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.count += uint64(len(p))
	if j.log != nil {
		j.note(j.log.Output(p))
	}
}

// offset is how much output there was.
func (j *journal) offset() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.count
}

// resize logs a size, and returns the output that came before it.
func (j *journal) resize(size wire.Size) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.log != nil {
		_, err := j.log.Resize(sessionlog.Size(size))
		j.note(err)
	}
	return j.count
}

// input logs that a viewer typed; nothing is the end of its input.
func (j *journal) input(v *view, p []byte) {
	if j.log != nil && j.pty {
		j.note(j.log.Input(v.id(), len(p), p))
	}
}

// arrived logs what of the input was not lost with another keeper.
func (j *journal) arrived(all uint64, by map[string]uint64) {
	if j.log != nil && j.pty {
		j.note(j.log.Arrived(sessionlog.Totals{All: all, By: by}))
	}
}

// ignored logs that a viewer sent what is not for the program.
func (j *journal) ignored(v *view, n int) {
	if j.log != nil && j.pty {
		j.note(j.log.Ignored(v.id(), n))
	}
}

func (j *journal) viewer(v *view, joined bool) {
	if j.log != nil {
		j.note(j.log.Viewer(sessionlog.Viewer{ID: v.id(), Joined: joined, Size: sessionlog.Size(v.size), ReadOnly: v.readOnly}))
	}
}

func (j *journal) ready() {
	if j.log != nil {
		j.note(j.log.Ready())
	}
}

func (j *journal) outputEnd() {
	if j.log != nil && j.pty {
		j.note(j.log.OutputEnd())
	}
}

// exit logs how the program ended, before its agent may forget that.
func (j *journal) exit(e wire.Exit) {
	if j.log != nil {
		j.note(j.log.Exit(sessionlog.Exit{Status: e.Status, Signal: e.Signal, Core: e.Core}))
	}
}

func (j *journal) failure(f *wire.Failure) {
	if j.log != nil {
		j.note(j.log.Failure(sessionlog.Failure{Status: f.Status, Message: f.Message}))
	}
}

// close ends the log, and removes it if dir is where it is.
func (j *journal) close(dir string) error {
	if j.log == nil {
		return nil
	}
	_ = j.log.Close()
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove session log: %w", err)
	}
	return nil
}

// checkpoint begins a new segment of the log where it is time to: with the
// screen as it is after all that is logged.
func (s *session) checkpoint() {
	j := s.journal
	if words := j.fault.Swap(nil); words != nil {
		s.Notice(wire.Notice{Text: *words})
	}
	if j.log == nil || !j.log.Due() {
		return
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	f := s.follow
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.in.Next() < j.offset() { // what is logged is on its way to the buffer
		if f.in.Wait() != nil {
			return
		}
		f.step()
		f.tend()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.marks) > 0 { // and none comes while mu is held
		s.mu.Unlock()
		f.step()
		s.mu.Lock()
	}
	j.note(j.log.Checkpoint(sessionlog.Checkpoint{
		Offset: f.in.Next(), Size: sessionlog.Size(f.size),
		Snapshot: f.screen.Snapshot(screen.SnapshotOptions{Scrollback: checkpointLines}),
	}))
}

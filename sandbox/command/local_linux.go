package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"sync"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/port"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox"
)

// Local is a machine behind a tool in which no agent can be placed. The agent
// runs in this process, and each program is the tool's own command line, on a
// terminal of this host or on pipes: one exec for each program, and by BridgeStty
// one for each later size.
type Local struct {
	m      *Machine // for what is the same with an agent: to make it, and its end
	cfg    LocalConfig
	port   *port.Port
	cancel context.CancelFunc
	ctx    context.Context // done when the machine ends
	served chan struct{}   // closed when the agent is at its end
	once   sync.Once       // NoStty
}

var _ sandbox.Machine = (*Local)(nil)

// StartLocal makes the machine, where the command line asks for a new one.
// Nothing is tried of one that is there: its first program finds out.
func StartLocal(ctx context.Context, cfg LocalConfig) (*Local, error) {
	l := &Local{m: newMachine(cfg.Config, nil), cfg: cfg, port: port.New(), served: make(chan struct{})}
	if err := l.m.make(ctx); err != nil {
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	a := agent.New(agent.Config{Mark: cfg.Agent.Mark, HostKey: cfg.Agent.HostKey, Inherit: true, Dir: "/"}, nil)
	a.Through(l.standIn)
	go func() { // Kill joins it
		defer close(l.served)
		err := a.Serve(l.ctx, l.port.Guest())
		l.m.cfg.Log.Debug("agent of this process", "error", err)
	}()
	return l, nil
}

// Target is Machine.Target.
func (l *Local) Target() string { return l.m.Target() }

// Dial opens the link to the agent, and cuts an older one off.
func (l *Local) Dial(context.Context) (io.ReadWriteCloser, error) { return l.port.Dial() }

// Wait blocks until Kill. That a machine is gone its programs' ends tell.
func (l *Local) Wait() error { return l.m.Wait() }

// Kill ends the programs, and the machine if Start has made it.
func (l *Local) Kill() error {
	l.m.dialing.Lock()
	defer l.m.dialing.Unlock()
	if l.m.ended() {
		return nil
	}
	l.cancel()
	<-l.served
	err := l.m.unmake()
	l.m.end(nil)
	return err
}

// standIn makes the tool's command line of a program.
func (l *Local) standIn(_ string, s wire.Start) (*agent.Standin, error) {
	if err := l.installed(s); err != nil {
		return nil, err
	}
	if l.cfg.Bridge == BridgeStty {
		return l.setByStty(s)
	}
	argv, err := l.m.plan.direct(l.m.target, s)
	if err != nil {
		return nil, err
	}
	watch := &refusal{}
	return &agent.Standin{
		Args: func(wire.Size) []string { return argv }, RawInput: l.m.plan.typesAhead(),
		Filter: watch.look, Ended: watch.translate,
	}, nil
}

// installed finds that the tool is not there before the agent does, which would
// take it for a program of the machine.
func (l *Local) installed(s wire.Start) error {
	template := l.m.plan.fill(l.m.plan.execTemplate(s.Pty != nil), "")
	if _, err := exec.LookPath(template[0]); err != nil {
		return l.m.plan.notInstalled(err)
	}
	return nil
}

// settle is how long after the ready mark the lock is still held. The program runs
// then, but a tool that does not itself copy to and fro may still be writing down
// that it does: smolvm 0.6 deletes a container that another exec does not find to be
// running. Of that end nothing tells.
const settle = 200 * time.Millisecond

// setByStty makes a stand-in whose terminal stty sets. It holds the machine's lock
// from the tool's start to the ready mark: the machine's other execs, of whatever
// snug process, are not what older tools can bear at that time.
func (l *Local) setByStty(s wire.Start) (*agent.Standin, error) {
	unlock, err := l.m.cfg.Lock(l.ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for another exec of %s: %w", l.m.plan.Name, err)
	}
	unlock = sync.OnceFunc(unlock)
	late := time.AfterFunc(l.m.cfg.Patience, unlock) // what has said nothing by then may never
	nonce := wire.NewID()
	f := newFollower(l)
	f.pty = s.Pty != nil
	ready := make(chan struct{})
	filter := newMarkFilter(nonce, f.answer, func(mark readyMark) {
		late.Reset(settle)
		close(ready)
		f.begin(mark)
	})
	marked := wire.Stderr
	if f.pty {
		marked = wire.Stdout
	}
	return &agent.Standin{
		Args: func(size wire.Size) []string {
			f.started(size)
			return l.m.plan.setting(l.m.target, s, size, nonce)
		},
		RawInput:  l.m.plan.typesAhead(),
		FixedSize: l.m.plan.row.stale,
		Resize:    f.resize,
		Ready:     ready,
		Filter: func(stream wire.Stream, p []byte) (programs, answer []byte) {
			if stream != marked {
				return p, nil
			}
			return filter.pass(p)
		},
		Ended: func(exit *wire.Exit) wire.Exit {
			late.Stop()
			unlock()
			return f.end(exit)
		},
	}, nil
}

// refusal looks at the first words of a program that the tool itself runs: they
// may be the tool's, who found none, and whose status says something else.
type refusal struct {
	mu    sync.Mutex
	words []byte // what came, as long as it can be only the tool's
	long  bool   // so much came that a program must have run
}

const longestRefusal = 1 << 10

func (r *refusal) look(_ wire.Stream, p []byte) (programs, answer []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.long {
		r.words = append(r.words, p[:min(len(p), longestRefusal)]...)
		r.long = len(r.words) >= longestRefusal
	}
	return p, nil
}

// What OCI runtimes say for a program that is not there, or not executable, with
// a status of their own: crun run 1, crun exec and runc exec 255, docker 126 for
// either; and docker says it on stdout.
var (
	notFoundWords = regexp.MustCompile("executable file [^\n]*not found|open executable: [^\n]*no such file|(?i:exec[^\n]*: no such file or directory)")
	notExecWords  = regexp.MustCompile("(open executable|exec)[^\n]*: (?i:permission denied)")
)

// translate turns the tool's status for a program that it could not run into the
// one that every shell has for it.
func (r *refusal) translate(exit *wire.Exit) wire.Exit {
	switch {
	case exit == nil:
		return wire.Exit{}
	case r.long || exit.Status != 1 && exit.Status != 126 && exit.Status != 255:
	case notFoundWords.Match(r.words):
		return wire.Exit{Status: 127}
	case notExecWords.Match(r.words):
		return wire.Exit{Status: 126}
	}
	return *exit
}

// follower lets a terminal in the machine follow the size of the one here. It is
// the side channel: one exec at a time, none before the ready mark, the latest size
// only, and none of what becomes of them is the program's business.
type follower struct {
	l   *Local
	pty bool

	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // of capacity 1: there is another size
	joined sync.WaitGroup

	mu   sync.Mutex
	mark *readyMark // nil before it has come
	want wire.Size  // the latest
	have wire.Size  // what the terminal in the machine was last set to
}

func newFollower(l *Local) *follower {
	f := &follower{l: l, wake: make(chan struct{}, 1)}
	f.ctx, f.cancel = context.WithCancel(l.ctx)
	return f
}

// started says which size the program starts with.
func (f *follower) started(size wire.Size) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.have, f.want = size, size
}

// answer is the line that setScript reads its size from.
func (f *follower) answer() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.have = f.want
	return fmt.Appendf(nil, "%d %d\n", f.have.Rows, f.have.Cols)
}

func (f *follower) resize(size wire.Size) {
	f.mu.Lock()
	f.want = size
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// begin starts the side channel: the program is there.
func (f *follower) begin(mark readyMark) {
	f.mu.Lock()
	f.mark = &mark
	f.mu.Unlock()
	if !f.pty {
		return
	}
	if !mark.sized {
		if f.l.cfg.NoStty != nil {
			f.l.once.Do(f.l.cfg.NoStty)
		}
		return
	}
	f.joined.Go(f.follow)
}

// next waits for a size that the terminal in the machine has not.
func (f *follower) next() (wire.Size, bool) {
	for {
		f.mu.Lock()
		want, have := f.want, f.have
		f.mu.Unlock()
		if !want.Empty() && (want.Rows != have.Rows || want.Cols != have.Cols) {
			return want, f.ctx.Err() == nil
		}
		select {
		case <-f.wake:
		case <-f.ctx.Done():
			return wire.Size{}, false
		}
	}
}

// followTries is how often one size is tried: a tool that loses an exec now and
// then must not lose the last size.
const followTries = 3

func (f *follower) follow() {
	release := holdThread()
	defer release()
	tries := 0
	for size, ok := f.next(); ok; size, ok = f.next() {
		tries++
		err := f.l.side(f.ctx, f.l.m.plan.sizing(f.l.m.target, f.mark.tty(), size))
		if err != nil {
			f.l.m.cfg.Log.Debug("side channel", "size", size, "error", err)
		}
		if err != nil && tries < followTries {
			continue // by now there may be a later size
		}
		tries = 0
		f.mu.Lock()
		f.have = size
		f.mu.Unlock()
	}
}

// end joins the side channel and says how the program ended.
func (f *follower) end(exit *wire.Exit) wire.Exit {
	f.cancel()
	f.joined.Wait()
	if exit == nil {
		return wire.Exit{}
	}
	f.mu.Lock()
	mark := f.mark
	f.mu.Unlock()
	switch {
	case mark == nil && exit.Status != 0 && exit.Signal == "":
		// The tool has ended before the shell in the machine could speak.
		return wire.Exit{Status: 125}
	case mark != nil && mark.input != "" && exit.Signal != "":
		f.hangUp(mark)
	}
	return *exit
}

// hangUp ends a program whose client was killed here: some tools leave it.
func (f *follower) hangUp(mark *readyMark) {
	ctx, cancel := context.WithTimeout(context.Background(), sidePatience)
	defer cancel()
	if err := f.l.side(ctx, f.l.m.plan.hanging(f.l.m.target, mark.input, mark.pid)); err != nil {
		f.l.m.cfg.Log.Debug("end of a program", "error", err)
	}
}

var errSideLate = errors.New("the side channel's exec took too long")

package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// maxHeldStderr bounds what the viewer writes to standard error while the terminal is raw: the tail is kept, which is
// where a panic says what it was.
const maxHeldStderr = 64 << 10

// Guard starts cmd, the viewer, and returns its exit status once it has ended and the terminal of in and out is as it
// was: its termios, and the modes undone that the viewer told of. The viewer calls [NewWard].
//
// The status is the one told by [Ward.Done], else that of the process. A viewer that a signal ended, or that ended
// while the terminal was raw, without telling one, has [StatusLost], and one line on standard error says so. An error
// means that no viewer was started.
//
// Standard input and output of cmd are in and out unless set. Its standard error is a pipe: what arrives is copied to
// cmd.Stderr, or else to [os.Stderr], at once while the terminal is not raw, and after the restoration otherwise.
//
// SIGINT, SIGTERM, SIGHUP and SIGQUIT are forwarded to the viewer. When the viewer stops, or SIGTSTP arrives, the
// terminal is restored and the caller's process stops too, as job control expects; SIGCONT continues both.
//
// cmd must not come from [exec.CommandContext]: the guardian reaps it without calling its Wait.
func Guard(in, out *os.File, cmd *exec.Cmd) (status int, err error) {
	g := &guardian{
		term:    restorer{in: in, out: out},
		stderr:  cmd.Stderr,
		signals: make(chan os.Signal, 16),
		stops:   make(chan os.Signal, 1),
		waits:   make(chan unix.WaitStatus),
	}
	if g.stderr == nil {
		g.stderr = os.Stderr
	}
	signal.Notify(g.signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGCONT)
	defer signal.Stop(g.signals)
	signal.Notify(g.stops, unix.SIGTSTP)
	defer signal.Stop(g.stops)
	if err := g.start(cmd); err != nil {
		return 0, err
	}
	g.run()
	return g.conclude(), nil
}

// guardian is the state of one Guard. Only the goroutine that calls run touches it; the others send to its channels.
type guardian struct {
	term   restorer
	stderr io.Writer
	pid    int

	signals  chan os.Signal
	stops    chan os.Signal       // SIGTSTP
	waits    chan unix.WaitStatus // every change of the child, until its end
	reports  *inlet
	errors   *inlet // the child's standard error
	lifeline *os.File
	joined   sync.WaitGroup

	parser reportParser
	held   []byte // tail of standard error while raw
	cut    bool   // held lacks its beginning
	status int    // told by Done
	told   bool
	end    unix.WaitStatus
}

// start starts the child with its three pipes, and the goroutines that watch them and it.
func (g *guardian) start(cmd *exec.Cmd) error {
	var pipes pipeSet
	reports, reportsChild := pipes.open()
	errs, errsChild := pipes.open()
	lifelineChild, lifeline := pipes.open()
	if pipes.err != nil {
		pipes.close()
		return fmt.Errorf("start the viewer: %w", pipes.err)
	}
	if cmd.Stdin == nil {
		cmd.Stdin = g.term.in
	}
	if cmd.Stdout == nil {
		cmd.Stdout = g.term.out
	}
	cmd.Stderr = errsChild
	first := 3 + len(cmd.ExtraFiles)
	cmd.ExtraFiles = append(cmd.ExtraFiles, reportsChild, lifelineChild)
	tty := 0
	if f, ok := g.stderr.(*os.File); ok && IsTerminal(f) {
		tty = 1
	}
	cmd.Env = append(cmd.Environ(), fmt.Sprintf("%s=%d:%d:%d", guardianEnv, first, first+1, tty))
	if err := cmd.Start(); err != nil {
		pipes.close()
		return fmt.Errorf("start the viewer: %w", err)
	}
	for _, f := range []*os.File{reportsChild, errsChild, lifelineChild} {
		_ = f.Close() // the child has its own; a pipe's close does not fail
	}
	g.pid = cmd.Process.Pid
	_ = cmd.Process.Release() // awaitChild reaps it: os.Process cannot tell a stop
	g.lifeline, g.reports, g.errors = lifeline, newInlet(reports), newInlet(errs)
	g.joined.Go(g.awaitChild)
	g.joined.Go(g.reports.watch)
	g.joined.Go(g.errors.watch)
	return nil
}

// run serves events until the child has ended and all that it said is heard.
func (g *guardian) run() {
	for running := true; running; {
		select {
		case s := <-g.signals:
			g.signalled(s)
		case <-g.stops:
			if !orphaned() {
				g.kill(unix.SIGSTOP) // what else there is to do follows from the child's stop
			}
		case ws := <-g.waits:
			running = !g.changed(ws)
		case <-g.reports.ready:
			g.reports.drain(g.hear)
		case <-g.errors.ready:
			g.errors.drain(g.relay)
		}
	}
	g.reports.finish()
	g.errors.finish()
	g.joined.Wait()
	// A process that the viewer left behind may hold the pipes open; what the viewer itself wrote is in them now.
	g.reports.drain(g.hear)
	g.errors.drain(g.relay)
}

// signalled passes a signal on. One that the terminal sent has reached the child already: the ward counts only the
// first, and a child without a ward dies only once.
func (g *guardian) signalled(s os.Signal) {
	switch s {
	case unix.SIGCONT:
		g.kill(unix.SIGCONT)
		g.resume()
	default:
		g.kill(s.(unix.Signal))
		g.kill(unix.SIGCONT) // a stopped child would take no signal but SIGKILL
	}
}

// kill sends the child a signal. It does nothing once the child is reaped, when its number may be another's.
func (g *guardian) kill(s unix.Signal) {
	if g.pid != 0 {
		_ = unix.Kill(g.pid, s) // fails only when the child has just ended
	}
}

// changed takes a change of the child and reports whether it was its end. What a stopped child has said is in the pipe
// and comes first: it tells what there is to undo.
func (g *guardian) changed(ws unix.WaitStatus) (ended bool) {
	switch {
	case ws.Stopped():
		g.reports.drain(g.hear)
		g.suspend()
	case ws.Continued():
		g.resume()
	default:
		g.end, g.pid = ws, 0
		return true
	}
	return false
}

// suspend gives the terminal back while the child is stopped, and stops this process, for which a shell waits.
func (g *guardian) suspend() {
	g.term.suspend()
	if !stopped(g.pid) {
		g.resume() // the whole job was stopped by force meanwhile, this process too, and continued
		return
	}
	if orphaned() {
		return // nobody would continue us: wait for the child to be continued
	}
	g.forgetStops()
	defer signal.Notify(g.stops, unix.SIGTSTP)
	if err := unix.Kill(unix.Getpid(), unix.SIGSTOP); err != nil {
		return
	}
	for s := range g.signals {
		g.signalled(s)
		if s == unix.SIGCONT {
			return
		}
	}
}

// forgetStops discards the SIGTSTP of the keystroke that stopped the child, be it pending in the kernel, in the runtime
// or in the channel. After the continuation, which it may overtake, it would stop everything once more.
func (g *guardian) forgetStops() {
	signal.Ignore(unix.SIGTSTP)
	signal.Stop(g.stops) // when it returns, nothing sends any more
	select {
	case <-g.stops:
	default:
	}
}

// resume takes the terminal again, unless we were continued in the background: then the child's next read stops it.
func (g *guardian) resume() {
	if g.term.resume() {
		g.say(lineContinued)
	}
}

func (g *guardian) say(c byte) {
	_, _ = g.lifeline.Write([]byte{c}) // a child that ended hears nothing
}

// hear takes a piece of the child's reports.
func (g *guardian) hear(p []byte) {
	// A malformed report means a viewer with corrupted memory: what it told before still counts.
	_ = g.parser.feed(p, func(r report) {
		switch r.kind {
		case reportRaw:
			g.enterRaw()
		case reportUndo:
			g.term.undo = append(g.term.undo[:0], r.payload...)
		case reportStatus:
			g.status, g.told = int(r.payload[0]), true
		}
	})
}

// enterRaw serves [Ward.Raw]. What the child wrote to standard error before, such as the removal of a progress line,
// must be on the terminal before the program draws.
func (g *guardian) enterRaw() {
	g.errors.drain(g.relay)
	if err := g.term.enter(); err != nil {
		g.say(lineFailed)
		return
	}
	g.say(lineRaw)
}

// relay takes a piece of the child's standard error.
func (g *guardian) relay(p []byte) {
	if !g.term.raw() {
		_, _ = g.stderr.Write(p) // there is nowhere else to say that standard error is closed
		return
	}
	g.held = append(g.held, p...)
	if over := len(g.held) - maxHeldStderr; over > 0 {
		g.held, g.cut = append(g.held[:0], g.held[over:]...), true
	}
}

// conclude restores the terminal, then says what there is to say, and returns the exit status.
func (g *guardian) conclude() int {
	wasRaw := g.term.raw()
	g.term.leave(!g.told)
	if g.cut {
		fmt.Fprintf(g.stderr, "snug: only the last %d KiB of messages follow\n", maxHeldStderr>>10)
	}
	_, _ = g.stderr.Write(g.held)
	for _, f := range []*os.File{g.lifeline, g.reports.pipe, g.errors.pipe} {
		_ = f.Close() // a pipe's close does not fail
	}
	switch {
	case g.told:
		return g.status
	case g.end.Signaled():
		fmt.Fprintf(g.stderr, "snug: the viewer died (%v)%s\n", g.end.Signal(), restoredNote(wasRaw))
		return StatusLost
	case wasRaw:
		fmt.Fprintf(g.stderr, "snug: the viewer ended unexpectedly (exit status %d)%s\n", g.end.ExitStatus(), restoredNote(wasRaw))
		return StatusLost
	}
	return g.end.ExitStatus()
}

func restoredNote(wasRaw bool) string {
	if wasRaw {
		return "; terminal restored"
	}
	return ""
}

// awaitChild reports every change of the child and returns at its end. It alone waits for it.
func (g *guardian) awaitChild() {
	pid := g.pid
	for {
		var ws unix.WaitStatus
		_, err := unix.Wait4(pid, &ws, unix.WUNTRACED|unix.WCONTINUED, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			ws = unix.WaitStatus(StatusLost << 8) // someone else reaped it: it has ended, nobody knows how
		}
		g.waits <- ws
		if ws.Exited() || ws.Signaled() {
			return
		}
	}
}

// orphaned reports whether our process group is orphaned: then nobody does job control for us, and a stopped process
// would stay stopped. A session leader's children that share its group, such as a pane's only command, are such.
func orphaned() bool {
	parent := unix.Getppid()
	group, err := unix.Getpgid(parent)
	if err != nil || group == unix.Getpgrp() {
		return true
	}
	session, err := unix.Getsid(parent)
	own, ownErr := unix.Getsid(0)
	return err != nil || ownErr != nil || session != own
}

// pipeSet opens pipes and remembers the first error and what is to be closed after one.
type pipeSet struct {
	files []*os.File
	err   error
}

func (s *pipeSet) open() (r, w *os.File) {
	if s.err != nil {
		return nil, nil
	}
	r, w, s.err = os.Pipe()
	if s.err == nil {
		s.files = append(s.files, r, w)
	}
	return r, w
}

func (s *pipeSet) close() {
	for _, f := range s.files {
		_ = f.Close()
	}
}

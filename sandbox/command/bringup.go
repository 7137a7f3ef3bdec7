package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/snugvm/snug/internal/relay"
	"github.com/snugvm/snug/internal/wire"
)

// Bounds of a bring-up.
const (
	tries = 5 // in a row that fail for no reason that is known
	// firstPause is waited after the first of them, and doubles: what a tool
	// trips over is another exec that starts at the same moment.
	firstPause = 50 * time.Millisecond
)

// setback is an attempt that failed and may be repeated.
type setback struct {
	step   string
	words  string // the tool's, for the user
	err    error
	fresh  bool   // the agent that is there is no good
	avoid  string // this folder is no good
	silent bool   // nothing came in time, and a second wait is the last
}

func (s *setback) Error() string { return fmt.Sprintf("%s: %s: %v", s.step, s.words, s.err) }
func (s *setback) Unwrap() error { return s.err }

// bringUp opens a link, or ends the agent (purpose forEnd, and then there is no
// link). Nothing of it starts a program, so it is tried until it succeeds or
// something is known to be final.
func (m *Machine) bringUp(ctx context.Context, purpose string) (*link, error) {
	unlock, err := m.cfg.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	a := attempt{m: m, purpose: purpose}
	pause := firstPause
	for failed := 0; ; {
		l, err := a.run(ctx)
		m.placed = m.placed || err == nil
		var s *setback
		if err == nil || !errors.As(err, &s) {
			return l, err
		}
		m.cfg.Log.Debug("bring-up", "error", err)
		a.last = s
		if s.fresh && a.purpose == forRelay {
			a.purpose = forFresh
		}
		// Another folder is another thing to try, until an agent was heard: then
		// the programs are with that one, and elsewhere there would be a second.
		if s.avoid != "" && !m.placed {
			a.avoid = append(a.avoid, s.avoid)
			continue
		}
		if failed++; failed >= tries || s.silent && failed > 1 {
			return nil, m.errorFrom(Failed, s)
		}
		select {
		case <-ctx.Done():
			return nil, &Error{Kind: Failed, Tool: m.plan.Tool, Step: s.step, Words: s.words, Err: context.Cause(ctx)}
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// attempt is one exec of a bring-up, and what the ones before it have taught.
type attempt struct {
	m       *Machine
	purpose string
	avoid   []string
	last    *setback
	unheard int // how often no hello came

	ctx   context.Context
	c     *client
	nonce string
	noise *tail // what came on stdout and is no answer
	shell bool  // the shell has answered
}

// run makes one attempt. An error that is no *setback is final.
func (a *attempt) run(ctx context.Context) (*link, error) {
	argv := a.m.plan.carrier(a.m.target)
	c, err := startClient(argv)
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
			return nil, a.m.plan.notInstalled(err)
		}
		return nil, &setback{step: "start " + argv[0], err: err}
	}
	a.ctx, a.c, a.nonce, a.noise, a.shell = ctx, c, wire.NewID(), &tail{}, false
	stop := context.AfterFunc(ctx, func() { a.expire(time.Now()) })
	err = a.converse()
	if !stop() && err == nil {
		err = context.Cause(ctx) // the deadline that it set may be the link's now
	}
	if err != nil || a.purpose == forEnd {
		c.close()
		return nil, err
	}
	a.expire(time.Time{})
	return &link{c}, nil
}

// converse is the host's part of the bring-up.
func (a *attempt) converse() error {
	m := a.m
	b := bootstrap{
		nonce: a.nonce, id: m.id, amd64: m.agents.hash("amd64"), arm64: m.agents.hash("arm64"),
		folders: m.cfg.Folders, avoid: a.avoid, purpose: a.purpose,
	}
	if err := a.say("the shell in the machine", b.line()); err != nil {
		return err
	}
	words, err := a.await("the shell in the machine", "warm", "send", "none")
	if err != nil {
		return err
	}
	a.shell = true
	switch {
	case words[0] == "none" && a.purpose == forEnd:
		return nil
	case words[0] == "none":
		return a.noFolder()
	case words[0] == "warm" && len(words) > 2:
		return a.greet(strings.Join(words[2:], " "), goArch(words[1]), false)
	case words[0] == "send" && len(words) > 5:
		p := place{words[1], words[2], words[3], words[4], strings.Join(words[5:], " ")}
		if err := a.send(p); err != nil {
			return err
		}
		return a.greet(p.folder, goArch(p.arch), true)
	}
	return &setback{step: "the shell in the machine", words: strings.Join(words, " "), err: errors.New("half an answer")}
}

// place is what the script says of where the agent is to be sent.
type place struct{ arch, kernel, how, packing, folder string }

// noFolder is the error when the script has found no place.
func (a *attempt) noFolder() error {
	e := &Error{Kind: NoFolder, Tool: a.m.plan.Tool, Step: "place the agent",
		Words: "no folder of the machine is both writable and executable"}
	if a.last != nil && a.last.avoid != "" {
		e.Words, e.Err = a.last.step+": "+a.last.words, a.last.err
	}
	return e
}

// send carries the agent into the machine.
func (a *attempt) send(p place) error {
	refusal := &Error{Tool: a.m.plan.Tool, Step: "place the agent"}
	switch {
	case p.kernel != "Linux" && p.kernel != "?":
		refusal.Kind, refusal.Words = NotLinux, "the machine runs "+p.kernel+", not Linux"
		return refusal
	case p.how == takeNone:
		refusal.Kind, refusal.Words = NoFolder, "the machine has none of head, dd and a printf in its shell"
		return refusal
	}
	binary, err := a.m.agents.binary(goArch(p.arch), p.packing == packGzip)
	if err != nil {
		refusal.Kind, refusal.Err = NoAgent, err
		return refusal
	}
	a.m.cfg.Progress("sending snug's agent into the machine")
	chunks, last := encode(binary, p.how)
	full := len(chunks)
	if last > 0 {
		full--
	}
	if err := a.say("send the agent", fmt.Sprintf("%d %d\n", full, last)); err != nil {
		return err
	}
	for i, chunk := range chunks {
		step := fmt.Sprintf("send the agent, part %d of %d", i+1, len(chunks))
		if err := a.say(step, string(chunk)); err != nil {
			return err
		}
		if err := a.taken(step, "ok", "full", p.folder); err != nil {
			return err
		}
	}
	return a.taken("unpack the agent", "got", "unpack", p.folder)
}

// taken waits for the word that the folder took what it was given.
func (a *attempt) taken(step, yes, no, folder string) error {
	words, err := a.await(step, yes, no)
	if err == nil && words[0] == no {
		err = &setback{step: step, words: folder + " takes no more", err: errFolder, avoid: folder}
	}
	return err
}

var errFolder = errors.New("the folder is of no use")

// goArch is Go's word for what uname calls an architecture. A machine that cannot
// say is most likely one of this host.
func goArch(arch string) string {
	switch arch {
	case "x86_64", "amd64":
		return "amd64"
	case "aarch64", "arm64":
		return "arm64"
	case "?":
		return runtime.GOARCH
	}
	return arch
}

// greet makes the shell the agent's relay, and hears the hello.
func (a *attempt) greet(folder, arch string, sent bool) error {
	hello := relay.Hello{Nonce: a.nonce, Hash: a.m.agents.hash(arch), ID: a.m.id, Config: &a.m.cfg.Agent}
	if a.purpose == forEnd {
		hello.Config, hello.End = nil, true
	}
	line, err := json.Marshal(hello)
	if err != nil {
		return fmt.Errorf("encode the hello: %w", err)
	}
	const step = "the agent's hello"
	if err := a.say(step, "go\n"+string(line)+"\n"); err != nil {
		return err
	}
	words, err := a.await(step, relay.AnswerHello, relay.AnswerEnded, relay.AnswerFail)
	var s *setback
	if errors.As(err, &s) {
		// The exec was torn, or the agent does not run: twice is no accident. Then
		// one that was there may be broken, and one that was just sent cannot
		// run in this folder.
		if a.unheard++; a.unheard%2 == 0 {
			if s.fresh = !sent; sent {
				s.avoid = folder
			}
		}
		return s
	}
	if err != nil || words[0] != relay.AnswerFail {
		return err
	}
	s = &setback{step: step, words: strings.Join(words[1:], " "), err: errors.New("the agent cannot work")}
	if len(words) > 1 && words[1] == relay.FailBinary {
		s.fresh = true
	} else {
		s.avoid = folder
	}
	return s
}

// expire sets the time at which the conversation is over.
func (a *attempt) expire(t time.Time) {
	_ = a.c.out.SetReadDeadline(t) // pipes have deadlines
	_ = a.c.in.SetWriteDeadline(t)
}

// extend gives the next step its time.
func (a *attempt) extend() {
	a.expire(time.Now().Add(a.m.cfg.Patience))
	if a.ctx.Err() != nil { // before or after AfterFunc has run
		a.expire(time.Now())
	}
}

func (a *attempt) say(step, text string) error {
	a.extend()
	if _, err := io.WriteString(a.c.in, text); err != nil {
		return a.broken(step, err)
	}
	return nil
}

// await waits for one of the answers.
func (a *attempt) await(step string, answers ...string) ([]string, error) {
	a.extend()
	for {
		line, err := a.c.lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue // what is that long is noise
		}
		// Something may stand before an answer: a prompt, the end of a motd.
		_, text, found := strings.Cut(string(line), "@"+a.nonce+" ")
		if words := strings.Fields(text); found && err == nil && len(words) > 0 {
			if slices.Contains(answers, words[0]) {
				return words, nil
			}
			return nil, &setback{step: step, words: text, err: errors.New("another answer than was waited for")}
		}
		_, _ = a.noise.Write(line)
		if err != nil {
			return nil, a.broken(step, err)
		}
	}
}

// broken makes an error of a conversation that has ended too early.
func (a *attempt) broken(step string, err error) error {
	if a.ctx.Err() != nil {
		return &Error{Kind: Failed, Tool: a.m.plan.Tool, Step: step, Words: a.c.stderr.String(), Err: context.Cause(a.ctx)}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("nothing within %v", a.m.cfg.Patience)
		return &setback{step: step, words: a.said(), err: err, silent: true}
	}
	// The tool has ended, or is about to: its status and last words are news.
	_ = a.c.in.Close()
	if a.c.ended(partPatience) {
		err = fmt.Errorf("%s ended: %s", a.m.plan.Tool, a.c.status())
	}
	s := &setback{step: step, words: a.said(), err: err}
	if a.shell {
		return s
	}
	if kind, remedy := a.m.plan.row.explain(s.words, a.m.plan, a.m.target); kind != Failed {
		e := a.m.errorFrom(kind, s)
		e.Remedy = remedy
		return e
	}
	return s
}

// said is what the tool said: on stderr, or, where that is empty, on stdout.
func (a *attempt) said() string {
	if words := a.c.stderr.String(); words != "" {
		return oneLine(words)
	}
	return oneLine(a.noise.String())
}

// oneLine is the last lines of a text as one, each as long as an error may be.
func oneLine(text string) string {
	const longest = 300
	var kept []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); len(line) > longest {
			line = strings.ToValidUTF8(line[:longest], "") + "..."
		}
		if line != "" {
			kept = append(kept, line)
		}
	}
	const most = 3
	return strings.Join(kept[max(0, len(kept)-most):], "; ")
}

func (m *Machine) errorFrom(kind Kind, s *setback) *Error {
	return &Error{Kind: kind, Tool: m.plan.Tool, Step: s.step, Words: s.words, Err: s.err}
}

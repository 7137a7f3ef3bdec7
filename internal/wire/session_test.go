package wire

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestProgramStartsWithAllThatWasAskedFor(t *testing.T) {
	for name, want := range map[string]Start{
		"arguments": {Args: []string{"a", "", "b c"}, Dir: "/dir", Env: []Env{{"A", "1"}, {"A", "2"}, {"EMPTY", ""}}},
		"command":   {Command: "echo | cat"},
		"shell":     {},
		"a terminal": {Args: []string{"a"}, Pty: &Pty{Term: "xterm", Size: Size{41, 137, 1370, 820},
			Modes: []byte{53, 0, 0, 0, 1, 0}, Terminfo: []byte("entry")}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.host.begin = func(p *fakeProgram) { p.say("", ""); p.exit = &Exit{} }
			k := session(want)
			if e, err := k.finish(t, k.run(t, r.dial())); e != (Exit{}) || err != nil {
				t.Errorf("exit %+v, %v", e, err)
			}
			if got := r.host.starts; !reflect.DeepEqual(got, []Start{want}) {
				t.Errorf("started %+v, want %+v", got, want)
			}
		})
	}
}

// The exit status is news that overtakes no output, however slowly that is
// taken.
func TestSessionEndsAfterItsLastByteOfOutput(t *testing.T) {
	r := newRig(t)
	out, errs := strings.Repeat("output ", 100_000), strings.Repeat("errors ", 50_000)
	want := Exit{Status: 143, Signal: "TERM", Core: true}
	r.host.begin = func(p *fakeProgram) { p.say(out, errs); p.exit = &want }
	k := session(onPipes)
	k.held = make(chan struct{})
	ran := k.run(t, r.dial())
	eventually(t, "the program runs", func() bool { k.mu.Lock(); defer k.mu.Unlock(); return k.ready == 1 })
	select {
	case <-k.s.Done():
		t.Fatal("the session has ended before its output was taken")
	default:
	}
	close(k.held)
	if e, err := k.finish(t, ran); e != want || err != nil {
		t.Errorf("exit %+v, %v; want %+v", e, err, want)
	}
	if k.text(Stdout) != out || k.text(Stderr) != errs {
		t.Errorf("%d and %d bytes of output came, of %d and %d", len(k.text(Stdout)), len(k.text(Stderr)), len(out), len(errs))
	}
	if k.ends != [streams]int{Stdout: 1, Stderr: 1} {
		t.Errorf("streams ended %v times", k.ends)
	}
	eventually(t, "the exit status is acknowledged", func() bool {
		p := r.host.program(t)
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.safe == [streams]uint64{Stdout: uint64(len(out)), Stderr: uint64(len(errs)), Exited: 1}
	})
}

func TestNoMoreOutputIsUnderWayThanItsCredit(t *testing.T) {
	r := newRig(t)
	r.host.begin = func(p *fakeProgram) { p.say(strings.Repeat("x", 3*Credit), ""); p.exit = &Exit{} }
	k := session(onPty())
	k.mute = true
	ran := k.run(t, r.dial())
	eventually(t, "the credit is used up", func() bool { return len(k.text(Stdout)) == Credit })
	k.s.Ack(Stdout, 1000)
	eventually(t, "what was acknowledged is renewed", func() bool { return len(k.text(Stdout)) == Credit+1000 })
	k.note(func() { k.mute = false })
	k.s.Ack(Stdout, Credit+1000)
	if _, err := k.finish(t, ran); err != nil || len(k.text(Stdout)) != 3*Credit {
		t.Errorf("%d bytes came, %v", len(k.text(Stdout)), err)
	}
}

func TestNoMoreInputIsUnderWayThanItsCredit(t *testing.T) {
	r := newRig(t)
	r.host.begin = func(p *fakeProgram) { p.silent = true }
	k := session(onPipes)
	ran := k.run(t, r.dial())
	input := bytes.Repeat([]byte("0123456789abcdef"), 3*Credit/16)
	wrote := make(chan error, 1)
	go func() { _, err := k.s.Write(input); wrote <- err }()
	p := r.host.program(t)
	got := func() int { p.mu.Lock(); defer p.mu.Unlock(); return p.in.Len() }
	eventually(t, "the credit is used up", func() bool { return got() == Credit })
	select {
	case err := <-wrote:
		t.Fatalf("Write returned %v with %d of %d bytes under way", err, got(), len(input))
	default:
	}
	p.note(func() { p.silent = false; p.safeInput() })
	must(t, await(t, "all input was taken", wrote))
	must(t, k.s.CloseWrite())
	eventually(t, "the end of input", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.inEnded })
	if !bytes.Equal(p.in.Bytes(), input) {
		t.Errorf("%d bytes of %d came, or others", p.in.Len(), len(input))
	}
	p.say("", "")
	p.end(Exit{})
	if _, err := k.finish(t, ran); err != nil {
		t.Error(err)
	}
	if _, err := k.s.Write([]byte("late")); err == nil {
		t.Error("a session that ended takes input")
	}
}

func TestProgramThatCannotBeStartedFailsItsSession(t *testing.T) {
	r := newRig(t)
	r.host.begin = func(p *fakeProgram) { p.failure = &Failure{Status: 127, Message: "no such program"} }
	conn := r.dial()
	k := session(onPipes)
	_, err := k.finish(t, k.run(t, conn))
	if message := wantFailure(t, err, 127); message != "no such program" {
		t.Errorf("failed with %q", message)
	}
	if k.ready > 0 {
		t.Error("the program was said to run")
	}
	p := r.host.program(t)
	eventually(t, "the failure is acknowledged", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.safe[Exited] == 1 })
	// The connection carries other sessions after that.
	r.host.begin = func(p *fakeProgram) { p.say("", ""); p.exit = &Exit{Status: 3} }
	k = session(onPipes)
	if e, err := k.finish(t, k.run(t, conn)); e.Status != 3 || err != nil {
		t.Errorf("the next session: %+v, %v", e, err)
	}
}

func TestStartThatIsTooLargeIsNotSent(t *testing.T) {
	r := newRig(t)
	k := session(Start{Args: []string{strings.Repeat("x", maxStart)}})
	_, err := k.finish(t, k.run(t, r.dial()))
	wantFailure(t, err, 126)
	if r.host.started() > 0 {
		t.Error("the far side was asked to start something")
	}
}

// What looks like a stream's end when a link dies is none.
func TestDeadLinkIsNoEndOfASession(t *testing.T) {
	r := newRig(t)
	k := session(onPipes)
	conn := r.dial()
	ran := k.run(t, conn)
	p := r.host.program(t)
	must(t, p.out.Append([]byte("first ")))
	eventually(t, "output", func() bool { return k.text(Stdout) == "first " })
	_ = conn.Close()
	if err := await(t, "the connection's end", ran); err == nil {
		t.Fatal("the session has ended with its connection")
	}
	if e, err := k.s.Result(); err == nil {
		t.Errorf("the session has a result: %+v", e)
	}
	if k.ends != [streams]int{} {
		t.Errorf("streams ended with the connection: %v", k.ends)
	}
	p.say("second", "")
	p.end(Exit{Status: 7})
	if e, err := k.finish(t, k.run(t, r.dial())); e.Status != 7 || err != nil {
		t.Errorf("exit %+v, %v", e, err)
	}
	if k.text(Stdout) != "first second" || k.ready != 1 || r.host.started() != 1 {
		t.Errorf("output %q, told %d times that it runs, started %d times", k.text(Stdout), k.ready, r.host.started())
	}
}

// The exit status alone ends nothing: output may be lost with the link.
func TestOutputThatWasLostAfterTheExitStatusIsAskedForAgain(t *testing.T) {
	r := newRig(t)
	k := session(onPty())
	ran := k.run(t, r.hostile(func(conn ssh.Conn, ch ssh.Channel) {
		_, _ = ch.SendRequest(requestReady, false, ssh.Marshal(readyPayload{}))
		_, _ = ch.Write([]byte("some "))
		_, _ = ch.SendRequest(requestEnd, false, ssh.Marshal(offsetPayload{uint32(Stdout), 9}))
		_, _ = ch.SendRequest(requestExitStatus, false, ssh.Marshal(statusPayload{0}))
		_ = ch.CloseWrite()
		eventually(t, "output", func() bool { return k.text(Stdout) == "some " })
		_ = conn.Close()
	}))
	if err := await(t, "the connection's end", ran); err == nil {
		t.Fatalf("the session has ended with %q", k.text(Stdout))
	}
	p := newFakeProgram(onPty())
	p.say("some more", "")
	p.exit = &Exit{}
	r.host.programs[k.s.ID()] = p
	if e, err := k.finish(t, k.run(t, r.dial())); e != (Exit{}) || err != nil || k.text(Stdout) != "some more" {
		t.Errorf("exit %+v, %v, output %q", e, err, k.text(Stdout))
	}
}

// Who shows no output before the program is said to run is not left with output
// of a connection that was lost before that.
func TestNoOutputIsTakenBeforeTheProgramIsSaidToRun(t *testing.T) {
	r := newRig(t)
	k := session(onPty())
	k.held = make(chan struct{})
	k.runs = func() { close(k.held) }
	ran := k.run(t, r.hostile(func(conn ssh.Conn, ch ssh.Channel) {
		_, _ = ch.Write([]byte("early"))
		_, _ = ch.SendRequest("known", true, nil) // the output has come
		_ = conn.Close()
	}))
	if err := await(t, "the connection's end", ran); err == nil {
		t.Fatalf("the session has ended with %q", k.text(Stdout))
	}
	p := newFakeProgram(onPty())
	p.say("early and late", "")
	p.exit = &Exit{}
	r.host.programs[k.s.ID()] = p
	if e, err := k.finish(t, k.run(t, r.dial())); e != (Exit{}) || err != nil || k.text(Stdout) != "early and late" {
		t.Errorf("exit %+v, %v, output %q", e, err, k.text(Stdout))
	}
}

// A keeper that takes over has a stream of its own for a viewer from then on: it
// ends elsewhere, and may go on where the viewer has seen the end.
func TestStreamsEndIsThatOfTheLastConnection(t *testing.T) {
	for name, test := range map[string]struct {
		end  uint64 // where the first connection says that stdout ends
		want string
	}{
		"the end had not come": {9, "some other words"},
		"the end had come":     {5, "some "},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			k := session(onPty())
			ends := func() int { k.mu.Lock(); defer k.mu.Unlock(); return k.ends[Stdout] }
			ran := k.run(t, r.hostile(func(conn ssh.Conn, ch ssh.Channel) {
				_, _ = ch.SendRequest(requestReady, false, ssh.Marshal(readyPayload{}))
				_, _ = ch.Write([]byte("some "))
				_, _ = ch.SendRequest(requestEnd, true, ssh.Marshal(offsetPayload{uint32(Stdout), test.end}))
				eventually(t, "output", func() bool { return k.text(Stdout) == "some " && (test.end > 5 || ends() == 1) })
				_ = conn.Close()
			}))
			if err := await(t, "the connection's end", ran); err == nil {
				t.Fatalf("the session has ended with %q", k.text(Stdout))
			}
			p := newFakeProgram(onPty())
			p.say("some other words", "")
			r.host.programs[k.s.ID()] = p
			ran = k.run(t, r.dial())
			eventually(t, "all is safe", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.safe[Stdout] == 16 })
			p.end(Exit{})
			if e, err := k.finish(t, ran); e != (Exit{}) || err != nil || k.text(Stdout) != test.want || ends() != 1 {
				t.Errorf("exit %+v, %v, output %q, which ended %d times", e, err, k.text(Stdout), ends())
			}
		})
	}
}

func TestASessionIsAbandonedOnlyBeforeItsProgramIsAskedFor(t *testing.T) {
	r := newRig(t)
	gone := &Failure{Status: 130, Message: "not wanted"}
	k := session(onPipes)
	if !k.s.Abandon(gone) || k.s.Abandon(gone) {
		t.Error("a session is abandoned once")
	}
	conn := r.dial()
	if _, err := k.finish(t, k.run(t, conn)); !errors.Is(err, gone) || r.host.started() > 0 {
		t.Errorf("an abandoned session ends with %v, and %d programs were started", err, r.host.started())
	}
	k = session(onPipes)
	ran := k.run(t, conn)
	p := r.host.program(t)
	if k.s.Abandon(gone) {
		t.Error("a session whose program runs is abandoned")
	}
	p.say("", "")
	p.end(Exit{Status: 3})
	if e, err := k.finish(t, ran); e.Status != 3 || err != nil {
		t.Errorf("it ends with %+v, %v", e, err)
	}
}

// A program may end while somebody joins it.
func TestExitOvertakesNoStreamThatIsStillAskedFor(t *testing.T) {
	r := newRig(t)
	errs := strings.Repeat("errors ", 50_000)
	r.host.begin = func(p *fakeProgram) {
		p.say("", errs)
		p.asked = func(a *Attachment, s Stream) {
			if s != Stderr {
				return
			}
			eventually(t, "the end of the other stream", func() bool {
				a.box.mu.Lock()
				defer a.box.mu.Unlock()
				return a.box.ends[Stdout] != nil
			})
			a.Exit(Exit{Status: 3})
		}
	}
	k := session(onPipes)
	if e, err := k.finish(t, k.run(t, r.dial())); e.Status != 3 || err != nil || k.text(Stderr) != errs {
		t.Errorf("exit %+v, %v, %d bytes of errors of %d", e, err, len(k.text(Stderr)), len(errs))
	}
}

func TestForgottenSessionIsNeverStartedAgain(t *testing.T) {
	r := newRig(t)
	k := session(onPipes)
	conn := r.dial()
	ran := k.run(t, conn)
	eventually(t, "the program runs", func() bool { k.mu.Lock(); defer k.mu.Unlock(); return k.ready == 1 })
	_ = conn.Close()
	if err := await(t, "the connection's end", ran); err == nil {
		t.Fatal("the session has ended with its connection")
	}
	r.host.forget()
	_, err := k.finish(t, k.run(t, r.dial()))
	if message := wantFailure(t, err, 255); message != ErrForgotten.Error() {
		t.Errorf("failed with %q", message)
	}
	if n := r.host.started(); n != 1 {
		t.Errorf("the program was started %d times", n)
	}
}

// A start whose answer is lost is not made again where it was heard.
func TestStartIsNotRepeatedWhenItsAnswerWasLost(t *testing.T) {
	r := newRig(t)
	started := make(chan struct{})
	goOn := make(chan struct{})
	r.host.begin = func(*fakeProgram) { close(started); <-goOn }
	k := session(onPipes)
	conn := r.dial()
	ran := k.run(t, conn)
	await(t, "the start", started)
	_ = conn.Close()
	close(goOn)
	if err := await(t, "the connection's end", ran); err == nil {
		t.Fatal("the session has ended with its connection")
	}
	ran = k.run(t, r.dial())
	p := r.host.program(t)
	p.say("out", "")
	p.end(Exit{})
	if _, err := k.finish(t, ran); err != nil || k.text(Stdout) != "out" || r.host.started() != 1 || k.ready != 1 {
		t.Errorf("%v, output %q, started %d times, told %d times that it runs", err, k.text(Stdout), r.host.started(), k.ready)
	}
}

// Output, input, the last size and signals are what they would have been.
func TestSessionResumesWhereverItWasTorn(t *testing.T) {
	for range *trials {
		r := newRig(t)
		r.host.begin = func(p *fakeProgram) { p.silent = true }
		k := session(onPty())
		var out, in string
		var p *fakeProgram
		for link := range 5 {
			conn := r.dial()
			ran := k.run(t, conn)
			p = r.host.program(t)
			piece := fmt.Sprintf("%d:%s ", link, strings.Repeat("x", rand.N(20_000)))
			out, in = out+piece, in+piece
			must(t, p.out.Append([]byte(piece)))
			_, err := k.s.Write([]byte(piece))
			must(t, err)
			switch rand.N(3) {
			case 0: // at once
			case 1:
				eventually(t, "output", func() bool { return k.text(Stdout) == out })
			case 2:
				p.note(func() { p.safeInput() })
				eventually(t, "input", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.in.Len() == len(in) })
			}
			_ = conn.Close()
			if err := await(t, "the connection's end", ran); err == nil {
				t.Fatal("the session has ended with its connection")
			}
			k.s.Resize(Size{Rows: uint16(50 + link), Cols: 10})
			k.s.Signal(fmt.Sprint("S", link))
		}
		ran := k.run(t, r.dial())
		must(t, k.s.CloseWrite())
		eventually(t, "all has come", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.inEnded && slices.Contains(p.signals, "S4") && len(p.sizes) > 0 && p.sizes[len(p.sizes)-1] == Size{Rows: 54, Cols: 10}
		})
		p.say("", "")
		p.end(Exit{})
		if _, err := k.finish(t, ran); err != nil {
			t.Fatal(err)
		}
		if k.text(Stdout) != out || p.in.String() != in {
			t.Fatalf("%d bytes of output came of %d, %d of input of %d, or others", len(k.text(Stdout)), len(out), p.in.Len(), len(in))
		}
	}
}

// x/crypto/ssh holds a connection up once 16 requests of a channel wait. A
// handler that blocks in Output must not be why.
func TestRequestsAreTakenWhileOutputIsNot(t *testing.T) {
	r := newRig(t)
	r.host.begin = func(p *fakeProgram) { p.silent = true }
	k := session(onPipes)
	k.held = make(chan struct{})
	conn := r.dial()
	ran := k.run(t, conn)
	p := r.host.program(t)
	must(t, p.out.Append([]byte("held")))
	const requests = 200
	for n := range requests {
		p.note(func() {
			for a := range p.attached {
				a.box.notice(Notice{Text: fmt.Sprint(n)})
			}
		})
		eventually(t, "a notice", func() bool {
			k.mu.Lock()
			defer k.mu.Unlock()
			return len(k.notices) == n+1
		})
	}
	other := session(onPipes)
	r.host.begin = func(p *fakeProgram) { p.say("beside it", ""); p.exit = &Exit{} }
	if _, err := other.finish(t, other.run(t, conn)); err != nil || other.text(Stdout) != "beside it" {
		t.Errorf("another session on the link: %q, %v", other.text(Stdout), err)
	}
	close(k.held)
	p.say("", "")
	p.end(Exit{})
	if _, err := k.finish(t, ran); err != nil || k.text(Stdout) != "held" {
		t.Errorf("%q, %v", k.text(Stdout), err)
	}
}

func TestFailedSessionStaysFailed(t *testing.T) {
	r := newRig(t)
	k := session(onPipes)
	ran := k.run(t, r.dial())
	r.host.program(t)
	k.s.Fail(&Failure{Status: 255, Message: "first"})
	k.s.Fail(&Failure{Status: 1, Message: "second"})
	_, err := k.finish(t, ran)
	if message := wantFailure(t, err, 255); message != "first" {
		t.Errorf("failed with %q", message)
	}
}

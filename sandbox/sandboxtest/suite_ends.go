package sandboxtest

import (
	"errors"
	"strconv"
	"time"

	"github.com/snugvm/snug/internal/wire"
)

var exitChecks = []check{
	{name: "the exit status is the program's own", run: func(r *rig) {
		r.everywhere(func(r *rig, start func(...string) wire.Start) {
			for _, status := range []uint32{0, 1, 42, 125, 255} {
				r.start(start("exit", strconv.Itoa(int(status)))).WantExit(status)
			}
		})
	}},
	{name: "death by a signal is 128 and the signal's number, with its name", run: deathBySignal},
	{name: "a program that is not there is 127, one that cannot be executed 126", needs: Failures, run: notExecuted},
	{name: "a background job that holds the terminal delays no end and costs no output", run: tailIsNotLost},
}

func deathBySignal(r *rig) {
	r.everywhere(func(r *rig, start func(...string) wire.Start) {
		for name, number := range map[string]uint32{"TERM": 15, "KILL": 9, "HUP": 1, "INT": 2} {
			p := r.start(start("die", name))
			if exit, err := p.Wait(); err != nil || exit != (wire.Exit{Status: 128 + number, Signal: name}) {
				p.fatalf("died of %s: %+v, %v", name, exit, err)
			}
		}
	})
}

func notExecuted(r *rig) {
	for program, status := range map[string]uint32{
		"snug-no-such-program":  127,
		"/snug/no/such/program": 127,
		"/":                     126, // a folder
		"/proc/version":         126, // a file that no one may execute
	} {
		p := r.start(wire.Start{Args: []string{program}})
		_, err := p.Wait()
		var failure *wire.Failure
		if !errors.As(err, &failure) || failure.Status != status || failure.Message == "" {
			r.t.Errorf("%s: %v, want a failure with status %d", program, err, status)
		}
	}
}

// tailLimit is far above what an end takes, and well below the 20 s for which
// the job of the probe's tail stays.
const tailLimit = 8 * time.Second

func tailIsNotLost(r *rig) {
	r.everywhere(func(r *rig, start func(...string) wire.Start) {
		began := time.Now()
		p := r.start(start("tail"))
		p.WantExit(0)
		r.wantOutput(p, "TAIL")
		if took := time.Since(began); took > tailLimit {
			r.t.Errorf("the end took %v", took)
		}
	})
}

var endChecks = []check{
	{name: "an agent that is told to shut down answers when all is done", needs: Shutdown, run: shutdownIsAnswered},
	{name: "a killed machine is gone, without a cause", needs: Kill, run: killedMachineIsGone},
}

func shutdownIsAnswered(r *rig) {
	p := r.start(r.probe("signals"))
	p.Expect("ready")
	ok, err := r.host.Request(wire.RequestShutdown)
	if err != nil || !ok {
		p.fatalf("shut down: %t, %v", ok, err)
	}
	p.Fail(&wire.Failure{Status: 255, Message: "the machine was shut down"})
}

func killedMachineIsGone(r *rig) {
	for range 2 { // to kill a dead machine is no error
		if err := r.within("kill", r.s.Machine.Kill); err != nil {
			r.t.Errorf("kill: %v", err)
		}
	}
	if err := r.within("wait", r.s.Machine.Wait); err != nil {
		r.t.Errorf("the machine was killed, and ended because of %v", err)
	}
	if link, err := r.s.Machine.Dial(r.t.Context()); err == nil {
		_ = link.Close()
		r.t.Error("a killed machine has a link")
	}
}

// within calls f, which must return in time.
func (r *rig) within(what string, f func() error) error {
	r.t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	timeout, stop := r.host.deadline()
	defer stop()
	select {
	case err := <-done:
		return err
	case <-timeout:
		r.t.Fatalf("%s does not return within %v", what, r.s.Patience)
		return nil
	}
}

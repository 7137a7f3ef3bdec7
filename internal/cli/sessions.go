package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"golang.org/x/crypto/ssh"
)

// How long a keeper may take: to tell its sessions for a list of all, which it
// does at once, and to do what a command asks of it, though it may have to take
// its machine over first. One that does not answer holds up no command for longer.
const (
	listPatience    = 2 * time.Second
	consultPatience = 10 * time.Second
)

// holding is what a machine's keeper says that it holds.
type holding struct {
	machine  state.Machine
	spec     machineSpec
	sessions []wire.SessionInfo
	more     int   // sessions beside these
	err      error // why it is not known
}

// find finds the session with a screen that arg means.
func (a *app) find(ctx context.Context, arg string) (chosen, error) {
	all, err := a.holdings(ctx, arg, (*app).consult)
	if err != nil {
		return chosen{}, err
	}
	c, err := choose(all, arg, a.dirs.LastUsed(folder()))
	return c, a.orLost(err)
}

// consulter asks a keeper something.
type consulter func(*app, context.Context, state.Machine, *machineSpec, func(ssh.Conn) error) error

// holdings asks the keepers of the machines that arg may mean, at the same time;
// of all that run if it is "".
func (a *app) holdings(ctx context.Context, arg string, consult consulter) ([]holding, error) {
	machines, err := a.dirs.Machines(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]holding, 0, len(machines))
	for _, m := range machines {
		h := holding{machine: m}
		if m.ReadConfig(&h.spec) == nil { // else it is just being claimed, or just gone
			all = append(all, h)
		}
	}
	name, _, _ := strings.Cut(arg, "/")
	var wg sync.WaitGroup
	for i := range all {
		h := &all[i]
		if strings.HasPrefix(h.machine.Name, name) {
			wg.Go(func() { h.ask(ctx, a, consult) })
		}
	}
	wg.Wait()
	return all, nil
}

func (h *holding) ask(ctx context.Context, a *app, consult consulter) {
	h.err = consult(a, ctx, h.machine, &h.spec, func(conn ssh.Conn) error {
		listed, total, err := wire.AskSessions(conn)
		h.sessions, h.more = listed, int(total)-len(listed)
		return err
	})
}

// consult asks a keeper something, and the next one if that one dies over it. To
// one that takes its machine over it gives the time for that.
func (a *app) consult(ctx context.Context, m state.Machine, spec *machineSpec, ask func(ssh.Conn) error) error {
	return a.consultUntil(ctx, m, spec, func() time.Duration {
		if m.Adopting() {
			return consultPatience
		}
		return listPatience
	}, ask)
}

// consultBriefly is consult for those who list machines: none holds them up.
func (a *app) consultBriefly(ctx context.Context, m state.Machine, spec *machineSpec, ask func(ssh.Conn) error) error {
	return a.consultUntil(ctx, m, spec, func() time.Duration { return listPatience }, ask)
}

func (a *app) consultUntil(ctx context.Context, m state.Machine, spec *machineSpec, patience func() time.Duration, ask func(ssh.Conn) error) error {
	for begun := time.Now(); ; {
		deadline := begun.Add(patience())
		err := consult(m, spec, deadline, ask)
		lost := (*unreachedError)(nil)
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &lost):
			return fmt.Errorf("the keeper of %s: %w", m.Name, err)
		case time.Since(begun) > patience():
			return fmt.Errorf("the keeper of %s does not answer within %v", m.Name, patience())
		}
		if err := a.succeed(ctx, m); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond) // another process is at work, which tells nobody
	}
}

// unreachedError says that a keeper was not there, or not to the end.
type unreachedError struct{ error }

func (e *unreachedError) Unwrap() error { return e.error }

// consult connects to a keeper for a question, which must be answered in time.
func consult(m state.Machine, spec *machineSpec, deadline time.Time, ask func(ssh.Conn) error) error {
	socket, err := (&net.Dialer{Deadline: deadline}).Dial("unix", m.SSHSocket())
	if err != nil {
		return &unreachedError{err}
	}
	if err := socket.SetDeadline(deadline); err != nil {
		_ = socket.Close()
		return err
	}
	conn, err := greetKeeper(context.Background(), socket, spec) // which has a deadline
	if err != nil {
		return &unreachedError{err}
	}
	defer func() {
		_ = conn.Close()
		_ = conn.Wait()
	}()
	if err = ask(conn); err == nil {
		return nil
	}
	if _, _, dead := conn.SendRequest(wire.RequestSessions, true, nil); dead != nil {
		return &unreachedError{err}
	}
	return err
}

// sessionName is a session as people name it.
func sessionName(m state.Machine, s wire.SessionInfo) string {
	return m.Name + "/" + strconv.Itoa(int(s.Number))
}

// chosen is one session of one machine.
type chosen struct {
	machine state.Machine
	spec    *machineSpec
	session wire.SessionInfo
}

// choose finds the session with a screen that MACHINE, MACHINE/SESSION or
// nothing means: the only one that there is, or the one that was used last.
func choose(all []holding, arg, last string) (chosen, error) {
	found, unknown, err := candidates(all, arg)
	if err != nil {
		return chosen{}, err
	}
	if arg == "" && last != "" && len(found) > 1 {
		if used, _, err := candidates(all, last); err == nil && len(used) == 1 {
			return used[0], nil
		}
	}
	name, number, numbered := strings.Cut(arg, "/")
	if one, err := called(all, name); err == nil && name != "" {
		name = one[0].machine.Name
	}
	switch {
	case len(found) == 1 && unknown == nil:
		return found[0], nil
	case len(found) > 1:
		return chosen{}, fmt.Errorf("there are %d sessions: name one of\n%s", len(found), list(found))
	case unknown != nil:
		return chosen{}, unknown // what it does not tell of may be the one
	case numbered:
		return chosen{}, fmt.Errorf("%s has no session %s: 'snug ls' lists those that there are", name, number)
	case name != "":
		return chosen{}, fmt.Errorf("%s has no session on a terminal: 'snug ls' lists what runs there", name)
	}
	return chosen{}, errors.New("there is no session on a terminal: 'snug ls' lists what runs")
}

// candidates are the sessions on a terminal that arg may mean. Unknown is why a
// keeper that may have more does not say.
func candidates(all []holding, arg string) (found []chosen, unknown, err error) {
	name, number, numbered := strings.Cut(arg, "/")
	if all, err = called(all, name); err != nil {
		return nil, nil, err
	}
	n := 0
	if numbered {
		if n, err = strconv.Atoi(number); err != nil || n < 1 || name == "" {
			return nil, nil, fmt.Errorf("%q is no session: name it as MACHINE/NUMBER; 'snug ls' lists them", arg)
		}
	}
	for i := range all {
		unknown = errors.Join(unknown, all[i].err)
		for _, s := range all[i].sessions {
			if s.Pty && !numbered || numbered && int(s.Number) == n {
				found = append(found, chosen{all[i].machine, &all[i].spec, s})
			}
		}
	}
	return found, unknown, nil
}

// called returns the machine of a name, or else the one whose name begins so.
// Without a name it returns all.
func called(all []holding, name string) ([]holding, error) {
	if name == "" {
		return all, nil
	}
	var begin []holding
	var names []string
	for _, h := range all {
		if h.machine.Name == name {
			return []holding{h}, nil
		}
		if strings.HasPrefix(h.machine.Name, name) {
			begin = append(begin, h)
			names = append(names, h.machine.Name)
		}
	}
	switch len(begin) {
	case 0:
		return nil, &notRunningError{name}
	case 1:
		return begin, nil
	}
	return nil, fmt.Errorf("%s may be %s: use more of its name", name, strings.Join(names, " or "))
}

// list is one line for each session.
func list(all []chosen) string {
	lines := make([]string, 0, len(all))
	for _, c := range all {
		lines = append(lines, "  "+sessionName(c.machine, c.session)+"   "+programName(c.session))
	}
	return strings.Join(lines, "\n")
}

// programName is the program of a session, for people.
func programName(s wire.SessionInfo) string {
	if s.Program == "" {
		return "(login shell)"
	}
	return oneLine(s.Program)
}

// oneLine makes words that are not ours fit in a line of a table.
func oneLine(text string) string { return strings.Join(strings.Fields(printable(text)), " ") }

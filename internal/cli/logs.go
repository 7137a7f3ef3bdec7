package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/snugvm/snug/internal/sessionlog"
	"github.com/snugvm/snug/internal/state"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// burstPause is how long nothing is typed between two bursts of input.
const burstPause = time.Second

// maxLogsNamed bounds the logs that an error names.
const maxLogsNamed = 20

// logMeta is what of a log's meta is shown to people. The keeper writes it.
type logMeta struct {
	Program string `json:"program"` // the command line; "" for a login shell
	Term    string `json:"term"`    // of the program's terminal
}

func metaOf(c sessionlog.Checkpoint) (m logMeta) {
	_ = json.Unmarshal(c.Meta, &m) // what is not there is not shown
	return m
}

// title is the program, for people.
func (m logMeta) title() string {
	if m.Program == "" {
		return "(login shell)"
	}
	return oneLine(m.Program)
}

func logName(l state.SessionLog) string {
	return l.Machine + "/" + strconv.FormatUint(uint64(l.Number), 10)
}

// openLog opens the log that MACHINE, MACHINE/SESSION or nothing means. It asks
// no keeper: a log is there whether one is busy, dead or gone.
func (a *app) openLog(arg string) (*sessionlog.Reader, error) {
	all, err := a.dirs.SessionLogs()
	if err != nil {
		return nil, err
	}
	l, err := chooseLog(all, arg)
	if err != nil {
		return nil, err
	}
	return sessionlog.NewReader(l.Dir)
}

// chooseLog finds the log that arg means: the only one that there is. Those of
// machines that are gone are meant where no other is.
func chooseLog(all []state.SessionLog, arg string) (state.SessionLog, error) {
	none := state.SessionLog{}
	name, number, numbered := strings.Cut(arg, "/")
	all, err := logsOf(all, name)
	if err != nil {
		return none, err
	}
	if numbered {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || name == "" {
			return none, fmt.Errorf("%q is no session: name it as MACHINE/NUMBER", arg)
		}
		for _, l := range all {
			if l.Number == uint32(n) {
				return l, nil
			}
		}
		return none, fmt.Errorf("%s has no log of a session %d: there is\n%s", all[0].Machine, n, listLogs(all))
	}
	switch len(all) {
	case 0:
		return none, errors.New("there is no log of a session")
	case 1:
		return all[0], nil
	}
	return none, fmt.Errorf("there are logs of %d sessions: name one of\n%s", len(all), listLogs(all))
}

// logsOf returns the logs of the machine that a name means: the one that is called
// so, also with the time when it was made; the last one that was; or else the one
// whose name begins so. Without a name it returns those of all machines that run,
// or else all.
func logsOf(all []state.SessionLog, name string) ([]state.SessionLog, error) {
	some := func(of []state.SessionLog, ok func(state.SessionLog) bool) (found []state.SessionLog) {
		for _, l := range of {
			if ok(l) {
				found = append(found, l)
			}
		}
		return found
	}
	here := some(all, func(l state.SessionLog) bool { return !l.Past() })
	if name == "" {
		if len(here) > 0 {
			return here, nil
		}
		return all, nil
	}
	exact := func(l state.SessionLog) bool { return l.Machine == name }
	begins := func(l state.SessionLog) bool { return strings.HasPrefix(l.Machine, name) }
	for _, found := range [][]state.SessionLog{
		some(all, exact), lastMade(some(all, func(l state.SessionLog) bool { return l.Name() == name })),
		some(here, begins), some(all, begins),
	} {
		if len(found) > 0 {
			return onlyOne(found, name)
		}
	}
	return nil, fmt.Errorf("there is no log of a machine %s", name)
}

// lastMade returns the logs of the last machine among those of one name.
func lastMade(all []state.SessionLog) (found []state.SessionLog) {
	for _, l := range all {
		if l.Machine == all[len(all)-1].Machine { // they are sorted
			found = append(found, l)
		}
	}
	return found
}

// onlyOne returns the logs of the one machine, by its last one, that they are of.
func onlyOne(found []state.SessionLog, name string) ([]state.SessionLog, error) {
	var names []string
	for _, l := range found {
		if !slices.Contains(names, l.Name()) {
			names = append(names, l.Name())
		}
	}
	if len(names) > 1 {
		return nil, fmt.Errorf("%s may be %s: use more of its name", name, strings.Join(names, " or "))
	}
	return lastMade(found), nil
}

// listLogs is one line for each log.
func listLogs(all []state.SessionLog) string {
	var lines []string
	for _, l := range all[:min(len(all), maxLogsNamed)] {
		lines = append(lines, strings.TrimRight("  "+logName(l)+"   "+describeLog(l), " "))
	}
	if more := len(all) - maxLogsNamed; more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// describeLog is the program of a log's session, or nothing.
func describeLog(l state.SessionLog) string {
	r, err := sessionlog.NewReader(l.Dir)
	if err != nil {
		return ""
	}
	defer func() { _ = r.Close() }()
	rec, err := r.Next()
	if c, ok := rec.Event.(sessionlog.Checkpoint); ok && err == nil {
		return metaOf(c).title()
	}
	return ""
}

// completeLog completes the name of a session that has a log.
func (a *app) completeLog(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	dirs, err := state.Locate(os.Getenv)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, _ := dirs.SessionLogs()
	for _, l := range all {
		names = append(names, strings.TrimRight(logName(l)+"\t"+describeLog(l), "\t"))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// untilSignalled is done when this process is asked to end.
func untilSignalled() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
}

// eachRecord calls take for each record of a log: those that are there, and with
// follow further ones, until the session has ended, its log is removed, or ctx
// is done. Idle is called when for a while nothing has come.
func eachRecord(ctx context.Context, r *sessionlog.Reader, follow bool, take func(sessionlog.Record) error, idle func() error) error {
	for {
		rec, err := r.Next()
		if err == nil {
			err = take(rec)
		}
		switch {
		case err == nil:
			continue
		case !errors.Is(err, io.EOF):
			return err
		case !follow || r.Ended():
			return idle()
		}
		err = waitBriefly(ctx, r)
		if errors.Is(err, context.DeadlineExceeded) {
			if err = idle(); err == nil {
				err = r.Wait(ctx)
			}
		}
		switch {
		case errors.Is(err, sessionlog.ErrRemoved), ctx.Err() != nil:
			return idle()
		case err != nil:
			return err
		}
	}
}

func waitBriefly(ctx context.Context, r *sessionlog.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, burstPause)
	defer cancel()
	return r.Wait(ctx)
}

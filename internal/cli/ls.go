package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/snugvm/snug/internal/wire"
	"github.com/spf13/cobra"
)

// listed is one machine as snug ls --json shows it.
type listed struct {
	Name    string    `json:"name"`
	Sandbox string    `json:"sandbox"` // "qemu", or the tool
	Bridge  string    `json:"bridge"`  // "agent", "stty", "native"; "auto" while it is being found out
	Folder  string    `json:"folder"`  // where its programs start
	Started time.Time `json:"started"` // RFC 3339
	Command []string  `json:"command"` // snug's own words
	// Sessions are at most 256, by number; none if they are not known.
	Sessions []listedSession `json:"sessions"`
	// Error is why they are not known.
	Error string `json:"error,omitempty"`
}

// listedSession is one session as snug ls --json shows it.
type listedSession struct {
	Number   int    `json:"number"`   // snug screen MACHINE/NUMBER
	Program  string `json:"program"`  // its command line, cut at 256 bytes; "" for a login shell
	Terminal bool   `json:"terminal"` // or it runs on pipes
	Columns  int    `json:"columns"`  // of the terminal; 0 on pipes
	Rows     int    `json:"rows"`
	Viewers  int    `json:"viewers"`
	Title    string `json:"title"`        // by the program
	Idle     int    `json:"idle_seconds"` // since it last printed, or was typed at
	// Attention says that the program rang or notified, and nobody typed since.
	Attention bool      `json:"attention"`
	Started   time.Time `json:"started"` // RFC 3339
	// ExitStatus is null while the program runs; 255 if it is lost.
	ExitStatus *int   `json:"exit_status"`
	Signal     string `json:"signal,omitempty"`  // that ended the program, without SIG
	Failure    string `json:"failure,omitempty"` // why nobody knows how it ended
}

func (a *app) lsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the machines that run, and their sessions",
		Long: `Ls lists the machines that run, and below each its sessions: number, size of the
terminal, how many look at it, how long nothing happened, program, title. A "!"
says that the program rang or sent a notification, and nobody has typed since. A
session that ended while nobody looked is listed until somebody has seen its end.
A keeper that does not tell its sessions within 2 seconds is said to be silent.

With --json each machine is an object with name, sandbox, bridge (agent, stty,
native, or auto while it is being found out), folder, started (RFC 3339),
command, sessions, and error if the sessions are not known; each session one with number, program ("" for a login shell), terminal (false on pipes),
columns, rows, viewers, title, idle_seconds, attention, started (RFC 3339),
exit_status (null while it runs), and signal or failure if there was one.`,
		Example: "  snug ls\n  snug ls --json | jq -r '.[].name'\n  snug ls --json | jq '.[].sessions[] | select(.viewers == 0)'",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.list(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func (a *app) list(asJSON bool) error {
	ctx := context.Background()
	a.reap(ctx)
	all, err := a.holdings(ctx, "", (*app).consultBriefly)
	if err != nil {
		return err
	}
	if asJSON {
		rows := []listed{}
		for i := range all {
			rows = append(rows, all[i].listed())
		}
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		return e.Encode(rows)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(a.err, "no machine runs"+a.lostWords())
		return err
	}
	_, err = io.WriteString(a.out, table(all))
	return err
}

// lostWords tell of machines that are gone though nobody has ended them.
func (a *app) lostWords() string {
	lost, _ := a.dirs.LostMachines() // those that cannot be read are no news
	switch len(lost) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(": %s is gone, as after a crash or a reboot; 'snug log %[1]s' tells what happened in it", lost[0].Name)
	}
	return fmt.Sprintf(": %d are gone, as after a crash or a reboot; 'snug log' tells what happened in them", len(lost))
}

func (h *holding) listed() listed {
	l := listed{
		Name: h.machine.Name, Sandbox: h.spec.sandbox(), Bridge: string(h.spec.bridge()), Folder: h.spec.Dir, Started: h.spec.Started, Command: h.spec.Command,
		Sessions: []listedSession{},
	}
	if h.err != nil {
		l.Error = oneLine(h.err.Error())
	}
	for _, s := range h.sessions {
		one := listedSession{
			Number: int(s.Number), Program: printable(s.Program), Terminal: s.Pty, Columns: int(s.Size.Cols), Rows: int(s.Size.Rows),
			Viewers: int(s.Viewers), Title: oneLine(s.Title), Idle: int(s.Idle.Seconds()),
			Attention: s.Attention, Started: s.Started, Signal: printable(s.Exit.Signal), Failure: oneLine(s.Failure),
		}
		if status := exitStatus(s); s.Ended {
			one.ExitStatus = &status
		}
		l.Sessions = append(l.Sessions, one)
	}
	return l
}

// table shows machines, and below each a line for each of its sessions. The
// two kinds of lines have columns of their own, alike for all machines.
func table(all []holding) string {
	var machines, sessions strings.Builder
	mw, sw := tabwriter.NewWriter(&machines, 0, 0, 3, ' ', 0), tabwriter.NewWriter(&sessions, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(mw, "NAME\tSANDBOX\tBRIDGE\tSTARTED\tFOLDER\tCOMMAND")
	for _, h := range all {
		_, _ = fmt.Fprintf(mw, "%s\t%s\t%s\t%s\t%s\t%s\n", h.machine.Name, h.spec.sandbox(), h.spec.bridge(), h.spec.Started.Format(time.DateTime),
			oneLine(h.spec.Dir), oneLine(strings.Join(h.spec.Command, " ")))
		for _, s := range h.sessions {
			_, _ = fmt.Fprintf(sw, "  /%d\t%s\t%s\t%s\t%s\t%s\n", s.Number, sizeWords(s), viewerWords(s.Viewers),
				stateWords(s), programName(s), oneLine(s.Title))
		}
	}
	_, _ = mw.Flush(), sw.Flush()
	rows, below := strings.SplitAfter(machines.String(), "\n"), strings.SplitAfter(sessions.String(), "\n")
	var b strings.Builder
	b.WriteString(rows[0])
	for i, h := range all {
		b.WriteString(rows[i+1])
		for _, line := range below[:len(h.sessions)] {
			b.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
		below = below[len(h.sessions):]
		switch {
		case h.err != nil:
			b.WriteString("  sessions unknown: " + oneLine(h.err.Error()) + "\n")
		case h.more > 0:
			fmt.Fprintf(&b, "  and %d more\n", h.more)
		}
	}
	return b.String()
}

// stateWords says how long a session was idle, or how it ended.
func stateWords(s wire.SessionInfo) string {
	switch {
	case s.Failure != "":
		return "lost"
	case s.Ended && s.Exit.Signal != "":
		return "ended by " + oneLine(s.Exit.Signal)
	case s.Ended:
		return fmt.Sprintf("ended with %d", s.Exit.Status)
	case s.Attention:
		return "! idle " + idleWords(s.Idle)
	}
	return "idle " + idleWords(s.Idle)
}

func exitStatus(s wire.SessionInfo) int {
	if s.Failure != "" {
		return statusLost
	}
	return int(s.Exit.Status)
}

func sizeWords(s wire.SessionInfo) string {
	if !s.Pty {
		return "pipes"
	}
	return fmt.Sprintf("%dx%d", s.Size.Cols, s.Size.Rows)
}

func viewerWords(n uint32) string {
	switch n {
	case 0:
		return "nobody looks"
	case 1:
		return "1 viewer"
	}
	return fmt.Sprintf("%d viewers", n)
}

// idleWords is a duration in its largest unit.
func idleWords(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

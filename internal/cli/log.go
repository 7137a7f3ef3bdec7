package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/snugvm/snug/internal/sessionlog"
	"github.com/snugvm/snug/terminal"
	"github.com/spf13/cobra"
)

// logOptions are the flags of snug log.
type logOptions struct {
	output, asJSON, follow bool
}

// logFollowFlag is the flag of each command that reads a log.
func logFollowFlag(cmd *cobra.Command, follow *bool, usage string) {
	cmd.Flags().BoolVarP(follow, "follow", "f", false, usage)
}

func (a *app) logCommand() *cobra.Command {
	var o logOptions
	cmd := &cobra.Command{
		Use:   "log [flags] [MACHINE[/SESSION]]",
		Short: "Tell what happened in a session, or print its output",
		Long: `Log tells what happened in a session, until somebody has seen its end: its start,
who came to look and left, sizes, how much was typed, its end, each with its
time. The log goes with the session: 'snug record' keeps it. MACHINE may be the beginning
of a name; what is left out is the only one that there is. No keeper is asked, so
it works also where that is busy or dead.

Of a machine that a reboot or a crash has ended the logs stay: those of the last 20
such machines, for 30 days. MACHINE is the last of that name, unless one runs;
MACHINE~TIME is the one that was made at that time, in UTC. 'snug rm' removes them.

A log holds the last 16 MiB of a session, for you alone: all output, and of what
was typed only how much, unless the session was started to record it.

With --json each record is an object on a line of its own, with time (RFC 3339),
elapsed_seconds since the session's start, and event: checkpoint (program,
offset, columns, rows), output (offset, bytes), input (viewer, bytes, of which 0
is its end; ignored, if it was not for the program; content in base64, if it was
recorded), resize (offset, columns, rows), join and leave (viewer, columns, rows,
read_only), ready, output_end (offset), exit (status, signal, core), failure
(status, message), resumed (by another keeper), arrived (bytes of input in all; what
was typed beyond them was lost with the keeper before, and comes again), clock (it
was set, or the machine slept), and gap (offset, to) where output from the one offset to the other is
missing.`,
		Example: `  snug log web-1/1
  snug log -f web
  snug log web --output > output.raw
  snug log web-1~20260102T030405Z
  snug log web --json | jq 'select(.event == "input")'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.printLog(o, strings.Join(args, ""))
		},
		ValidArgsFunction: a.completeLog,
	}
	f := cmd.Flags()
	f.SortFlags = false
	logFollowFlag(cmd, &o.follow, "go on until the session ends")
	f.BoolVar(&o.output, "output", false, "print the bytes that the program wrote, as far as they are kept")
	f.BoolVar(&o.asJSON, "json", false, "print an object for each record")
	cmd.MarkFlagsMutuallyExclusive("output", "json")
	return cmd
}

func (a *app) printLog(o logOptions, arg string) error {
	if o.output && terminal.IsTerminal(a.out) {
		return errors.New("raw output is not for a terminal: redirect it, or see it with 'snug record -o FILE' and 'snug play FILE'")
	}
	r, err := a.openLog(arg)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	ctx, cancel := untilSignalled()
	defer cancel()
	p := &logPrinter{app: a}
	take, idle := p.line, p.flush
	switch {
	case o.output:
		take = p.output
	case o.asJSON:
		take = p.object
	}
	return eachRecord(ctx, r, o.follow, take, idle)
}

// logPrinter prints records.
type logPrinter struct {
	app   *app
	begun bool
	bytes uint64 // of output, that is known of
	burst *burst
}

// burst is input of one viewer that came without much of a pause.
type burst struct {
	viewer string
	bytes  uint64
	first  sessionlog.Record
	last   time.Duration
}

// output prints what the program wrote.
func (p *logPrinter) output(rec sessionlog.Record) error {
	switch e := rec.Event.(type) {
	case sessionlog.Output:
		_, err := p.app.out.Write(e.Data)
		return err
	case sessionlog.Checkpoint:
		if !p.begun && e.Offset > 0 {
			p.missing(0, e.Offset)
		}
		p.begun = true
	case sessionlog.Gap:
		p.missing(e.From, e.To)
	}
	return nil
}

func (p *logPrinter) missing(from, to uint64) {
	_, _ = fmt.Fprintf(p.app.err, "snug: %d bytes of output, from the %dth on, are not in the log\n", to-from, from+1)
}

// line prints a line for what people want to know.
func (p *logPrinter) line(rec sessionlog.Record) error {
	if in, ok := rec.Event.(sessionlog.Input); ok && in.N > 0 && !in.Ignored {
		return p.typed(rec, in)
	}
	words := p.words(rec.Event)
	if words == "" {
		return nil
	}
	if err := p.flush(); err != nil {
		return err
	}
	return p.print(rec.Time, words)
}

func (p *logPrinter) print(at time.Time, words string) error {
	_, err := fmt.Fprintln(p.app.out, at.Local().Format("2006-01-02 15:04:05.000")+"   "+words)
	return err
}

// typed adds input to a burst.
func (p *logPrinter) typed(rec sessionlog.Record, in sessionlog.Input) error {
	if b := p.burst; b == nil || b.viewer != in.Viewer || rec.Elapsed-b.last > burstPause {
		if err := p.flush(); err != nil {
			return err
		}
		p.burst = &burst{viewer: in.Viewer, first: rec}
	}
	p.burst.bytes += in.N
	p.burst.last = rec.Elapsed
	return nil
}

// flush prints the burst that is over.
func (p *logPrinter) flush() error {
	b := p.burst
	if b == nil {
		return nil
	}
	p.burst = nil
	words := fmt.Sprintf("%s typed %s", viewerName(b.viewer), bytesOf(b.bytes))
	if took := b.last - b.first.Elapsed; took >= time.Second {
		words += " in " + took.Round(time.Second).String()
	}
	return p.print(b.first.Time, words)
}

// words tell of an event; none of what is too small, or told of elsewhere.
func (p *logPrinter) words(e sessionlog.Event) string {
	switch e := e.(type) {
	case sessionlog.Checkpoint:
		return p.began(e)
	case sessionlog.Output:
		p.bytes = e.Offset + uint64(len(e.Data))
	case sessionlog.Input:
		if e.N == 0 {
			return viewerName(e.Viewer) + " ended its input"
		}
	case sessionlog.Viewer:
		return viewerWord(e)
	case sessionlog.Resize:
		return "resized to " + logSize(e.Size)
	case sessionlog.Ready:
		return "the program runs"
	case sessionlog.Resumed:
		return "another keeper went on"
	case sessionlog.Clock:
		return "the clock was set, or this machine slept"
	case sessionlog.Gap:
		if e.To > e.From {
			return fmt.Sprintf("a gap: %s of output, and what else happened, are not in the log", bytesOf(e.To-e.From))
		}
		return "a gap: what happened here is not in the log"
	case sessionlog.Exit:
		return exitWords(e) + "; " + bytesOf(p.bytes) + " of output"
	case sessionlog.Failure:
		return fmt.Sprintf("ended with status %d: %s", e.Status, oneLine(e.Message))
	}
	return ""
}

// began tells how the log begins; later checkpoints tell nothing.
func (p *logPrinter) began(c sessionlog.Checkpoint) string {
	p.bytes = c.Offset
	if p.begun {
		return ""
	}
	p.begun = true
	words := metaOf(c).title()
	if c.Size != (sessionlog.Size{}) {
		words += ", " + logSize(c.Size)
	}
	if c.Offset == 0 && !c.Ready && !c.Ended() {
		return "start of " + words
	}
	words = fmt.Sprintf("the log begins, after %s of output: %s", bytesOf(c.Offset), words)
	if c.Exit != nil {
		words += "; " + exitWords(*c.Exit)
	}
	return words
}

func exitWords(e sessionlog.Exit) string {
	switch {
	case e.Signal != "" && e.Core:
		return fmt.Sprintf("ended by SIG%s, with a core dump: exit status %d", oneLine(e.Signal), e.Status)
	case e.Signal != "":
		return fmt.Sprintf("ended by SIG%s: exit status %d", oneLine(e.Signal), e.Status)
	}
	return fmt.Sprintf("ended: exit status %d", e.Status)
}

func viewerWord(v sessionlog.Viewer) string {
	words := viewerName(v.ID)
	if !v.Joined {
		return words + " left"
	}
	words += " joined"
	if v.Size != (sessionlog.Size{}) {
		words += ", " + logSize(v.Size)
	}
	if v.ReadOnly {
		words += ", read-only"
	}
	return words
}

// viewerName is a viewer by the first digits of its id.
func viewerName(id string) string {
	if id == "" {
		return "snug"
	}
	id = oneLine(id)
	return "viewer " + id[:min(len(id), 8)]
}

func logSize(s sessionlog.Size) string { return fmt.Sprintf("%dx%d", s.Cols, s.Rows) }

func bytesOf(n uint64) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// logged is one record as snug log --json shows it.
type logged struct {
	Time     time.Time `json:"time"`
	Elapsed  float64   `json:"elapsed_seconds"`
	Event    string    `json:"event"`
	Program  *string   `json:"program,omitempty"`
	Viewer   *string   `json:"viewer,omitempty"`
	Offset   *uint64   `json:"offset,omitempty"` // in bytes of output
	To       *uint64   `json:"to,omitempty"`
	Bytes    *uint64   `json:"bytes,omitempty"`
	Ignored  *bool     `json:"ignored,omitempty"`
	Content  []byte    `json:"content,omitempty"` // base64
	Columns  *uint16   `json:"columns,omitempty"`
	Rows     *uint16   `json:"rows,omitempty"`
	ReadOnly *bool     `json:"read_only,omitempty"`
	Status   *uint32   `json:"status,omitempty"`
	Signal   *string   `json:"signal,omitempty"`
	Core     *bool     `json:"core,omitempty"`
	Message  *string   `json:"message,omitempty"`
}

// object prints a record as JSON.
func (p *logPrinter) object(rec sessionlog.Record) error {
	l := logged{Time: rec.Time, Elapsed: rec.Elapsed.Seconds()}
	switch e := rec.Event.(type) {
	case sessionlog.Checkpoint:
		l.Event, l.Program, l.Offset, l.Columns, l.Rows = "checkpoint", new(printable(metaOf(e).Program)), &e.Offset, &e.Size.Cols, &e.Size.Rows
	case sessionlog.Output:
		l.Event, l.Offset, l.Bytes = "output", &e.Offset, new(uint64(len(e.Data)))
	case sessionlog.Input:
		l.Event, l.Viewer, l.Bytes, l.Ignored, l.Content = "input", &e.Viewer, &e.N, &e.Ignored, e.Content
	case sessionlog.Resize:
		l.Event, l.Offset, l.Columns, l.Rows = "resize", &e.Offset, &e.Size.Cols, &e.Size.Rows
	case sessionlog.Viewer:
		l.Event, l.Viewer, l.Columns, l.Rows, l.ReadOnly = "leave", &e.ID, &e.Size.Cols, &e.Size.Rows, &e.ReadOnly
		if e.Joined {
			l.Event = "join"
		}
	case sessionlog.Ready:
		l.Event = "ready"
	case sessionlog.OutputEnd:
		l.Event, l.Offset = "output_end", &e.Offset
	case sessionlog.Exit:
		l.Event, l.Status, l.Signal, l.Core = "exit", &e.Status, &e.Signal, &e.Core
	case sessionlog.Failure:
		l.Event, l.Status, l.Message = "failure", &e.Status, new(oneLine(e.Message))
	case sessionlog.Resumed:
		l.Event = "resumed"
	case sessionlog.Arrived:
		l.Event, l.Bytes = "arrived", &e.Input.All
	case sessionlog.Clock:
		l.Event = "clock"
	case sessionlog.Gap:
		l.Event, l.Offset, l.To = "gap", &e.From, &e.To
	}
	return json.NewEncoder(p.app.out).Encode(l)
}

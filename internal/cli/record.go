package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/snugvm/snug/asciicast"
	"github.com/snugvm/snug/internal/sessionlog"
	"github.com/snugvm/snug/terminal"
	"github.com/spf13/cobra"
)

// recordOptions are the flags of snug record.
type recordOptions struct {
	file   string
	v2     bool
	follow bool
}

func (a *app) recordCommand() *cobra.Command {
	var o recordOptions
	cmd := &cobra.Command{
		Use:   "record [flags] [MACHINE[/SESSION]]",
		Short: "Make a recording of a session, as asciinema plays it",
		Long: `Record writes what a session's log holds as a recording in the format asciicast
v3, or v2 for asciinema before 3.0. For the program it makes no difference: the
log is there anyway, and has all from the start on, or the last 16 MiB. Where the
start is no longer kept, the recording begins with the screen at that point.

With --follow it goes on until the session ends, or ^C. MACHINE may be the
beginning of a name; what is left out is the only one that there is. 'snug play'
plays it. What was typed is in it only if the session was started to record it.`,
		Example: `  snug record -o web.cast web-1/1
  snug record -f -o live.cast
  snug record --v2 web | asciinema cat -`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.record(o, strings.Join(args, ""))
		},
		ValidArgsFunction: a.completeLog,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&o.file, "output", "o", "", "write to `FILE` instead of standard output")
	f.BoolVar(&o.v2, "v2", false, "the format of asciinema before 3.0")
	logFollowFlag(cmd, &o.follow, "go on until the session ends")
	return cmd
}

func (a *app) record(o recordOptions, arg string) (err error) {
	if o.file == "" && terminal.IsTerminal(a.out) {
		return errors.New("a recording is not for a terminal: write it to a file, with -o FILE")
	}
	r, err := a.openLog(arg)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	out := a.out
	if o.file != "" {
		// It shows whatever was on the screen: to the user alone, at first.
		if out, err = os.OpenFile(o.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, out.Close()) }()
	}
	ctx, cancel := untilSignalled()
	defer cancel()
	var w io.Writer = out
	flush := func() error { return nil }
	if !o.follow { // who follows wants each event at once
		b := bufio.NewWriterSize(out, 64<<10)
		w, flush = b, b.Flush
	}
	rec := &recorder{out: w, version: asciicast.V3}
	if o.v2 {
		rec.version = asciicast.V2
	}
	if err := eachRecord(ctx, r, o.follow, rec.take, flush); err != nil {
		return err
	}
	return errors.Join(rec.close(), flush())
}

// recorder makes a recording of a log's records.
type recorder struct {
	out     io.Writer
	version asciicast.Version
	w       *asciicast.Writer
	start   time.Duration // of the recording, in the session's time
	gap     bool          // records before the next checkpoint are missing
}

// anew brings a terminal in any state to that of one that was just switched on.
const anew = "\x18\x1bc"

func (r *recorder) take(rec sessionlog.Record) error {
	at := rec.Elapsed - r.start
	switch e := rec.Event.(type) {
	case sessionlog.Checkpoint:
		return r.checkpoint(rec, e)
	case sessionlog.Output:
		return r.w.Output(at, e.Data)
	case sessionlog.Input:
		return r.w.Input(at, e.Content)
	case sessionlog.Resize:
		return r.resize(at, e.Size)
	case sessionlog.Gap:
		r.gap = true
		return r.w.Marker(at, fmt.Sprintf("a gap: %s of output are not in the log", bytesOf(e.To-e.From)))
	case sessionlog.Exit:
		return r.w.Exit(at, int(e.Status))
	case sessionlog.Failure:
		return errors.Join(r.w.Marker(at, oneLine(e.Message)), r.w.Exit(at, int(e.Status)))
	}
	return nil
}

// checkpoint begins the recording, or goes on after a gap.
func (r *recorder) checkpoint(rec sessionlog.Record, c sessionlog.Checkpoint) (err error) {
	switch {
	case r.w == nil:
		r.start = rec.Elapsed
		meta := metaOf(c)
		h := asciicast.Header{
			Version: r.version, Cols: int(c.Size.Cols), Rows: int(c.Size.Rows), Time: rec.Time, Term: printable(meta.Term),
			Command: printable(meta.Program),
		}
		if h.Cols == 0 || h.Rows == 0 { // it ran on pipes
			h.Cols, h.Rows = 80, 24
		}
		if r.w, err = asciicast.NewWriter(r.out, h); err != nil {
			return err
		}
		return r.w.Output(0, c.Snapshot)
	case r.gap:
		r.gap = false
		at := rec.Elapsed - r.start
		return errors.Join(r.resize(at, c.Size), r.w.Output(at, []byte(anew)), r.w.Output(at, c.Snapshot))
	}
	return nil
}

func (r *recorder) resize(at time.Duration, s sessionlog.Size) error {
	if s.Cols == 0 || s.Rows == 0 {
		return nil
	}
	return r.w.Resize(at, int(s.Cols), int(s.Rows))
}

func (r *recorder) close() error {
	if r.w == nil {
		return errors.New("the log is empty")
	}
	return r.w.Close()
}

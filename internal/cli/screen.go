package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/snugvm/snug/internal/config"
	"github.com/snugvm/snug/internal/firewall"
	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/screen"
	"github.com/snugvm/snug/screen/picture"
	"github.com/snugvm/snug/terminal"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
)

// screenOptions are the flags of snug screen.
type screenOptions struct {
	text, ansi, svg, png bool
	file                 string
}

// format is what a screen is printed as.
type format string

const (
	formatText format = "text"
	formatANSI format = "ansi"
	formatSVG  format = "svg"
	formatPNG  format = "png"
)

// padding is the space around the cells of a picture, in pixels.
const padding = 12

func (a *app) screenCommand() *cobra.Command {
	var o screenOptions
	cmd := &cobra.Command{
		Use:   "screen [flags] [MACHINE[/SESSION]]",
		Short: "Print what the terminal of a session shows now",
		Long: `Screen prints what the terminal of a session shows now, whether somebody looks
at it or not. MACHINE may be the beginning of a name, and SESSION is the number
that 'snug ls' shows; what is left out is the only one that there is.

A screen is printed with its colours on a terminal, and as plain text elsewhere,
unless a flag, or the ending of FILE, says otherwise: .txt, .ansi, .svg or .png.`,
		Example: `  snug screen
  snug screen web-1/2 --text | grep -i error
  snug screen web -o web.png`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.printScreen(o, strings.Join(args, ""))
		},
		ValidArgsFunction: a.completeSession,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&o.text, string(formatText), false, "plain text, a line for each row")
	f.BoolVar(&o.ansi, string(formatANSI), false, "text with escape sequences for colours, attributes and links")
	f.BoolVar(&o.svg, string(formatSVG), false, "an SVG image")
	f.BoolVar(&o.png, string(formatPNG), false, "a PNG image")
	f.StringVarP(&o.file, "output", "o", "", "write to `FILE` instead of standard output")
	cmd.MarkFlagsMutuallyExclusive(string(formatText), string(formatANSI), string(formatSVG), string(formatPNG))
	return cmd
}

// format is what the flags, the file's name or the output ask for.
func (o *screenOptions) format(onTerminal bool) (format, error) {
	for chosen, f := range map[*bool]format{&o.text: formatText, &o.ansi: formatANSI, &o.svg: formatSVG, &o.png: formatPNG} {
		if !*chosen {
			continue
		}
		if f == formatPNG && o.file == "" && onTerminal {
			return "", errors.New("a PNG image is not for a terminal: write it to a file, with -o FILE")
		}
		return f, nil
	}
	if o.file == "" && onTerminal {
		return formatANSI, nil
	}
	switch f := format(strings.TrimPrefix(filepath.Ext(o.file), ".")); f {
	case formatANSI, formatSVG, formatPNG:
		return f, nil
	}
	return formatText, nil
}

// printScreen prints the screen of the session that arg means.
func (a *app) printScreen(o screenOptions, arg string) error {
	onTerminal := terminal.IsTerminal(a.out)
	f, err := o.format(onTerminal)
	if err != nil {
		return err
	}
	c, err := config.Load(a.dirs.ConfigFile())
	if err != nil {
		return err
	}
	s, err := a.fetchScreen(context.Background(), arg)
	if err != nil {
		return err
	}
	out, err := render(s, f)
	if err != nil {
		return fmt.Errorf("draw the screen: %w", err)
	}
	if o.file != "" {
		return os.WriteFile(o.file, out, 0o666)
	}
	if onTerminal {
		out, _ = firewall.New(c.TerminalPolicy).Feed(out) // its text and links are a guest's
	}
	_, err = a.out.Write(out)
	return err
}

// fetchScreen gets a session's screen from its keeper.
func (a *app) fetchScreen(ctx context.Context, arg string) (*screen.Screen, error) {
	a.reap(ctx)
	defer a.waiting(forKeeper)()
	c, err := a.find(ctx, arg)
	if err != nil {
		return nil, err
	}
	var at wire.Snapshot
	err = a.consult(ctx, c.machine, c.spec, func(conn ssh.Conn) (err error) {
		at, err = wire.AskScreen(conn, c.session.Number, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	s := screen.New(int(at.Cols), int(at.Rows), screen.Options{})
	_, _ = s.Write(at.Bytes) // never fails
	return s, nil
}

// render draws a screen.
func render(s *screen.Screen, f format) ([]byte, error) {
	var b bytes.Buffer
	var err error
	switch f {
	case formatText:
		b.WriteString(s.Text())
	case formatANSI:
		b.WriteString(s.ANSI())
	case formatSVG:
		err = picture.SVG(&b, s, picture.Options{Cursor: true, Padding: padding})
	case formatPNG:
		err = picture.PNG(&b, s, picture.Options{Cursor: true, Padding: padding})
	}
	return b.Bytes(), err
}

// completeSession completes the name of a session on a terminal.
func (a *app) completeSession(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	dirs, err := state.Locate(os.Getenv)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	other := *a
	other.dirs = dirs
	all, _ := other.holdings(context.Background(), "", (*app).consultBriefly)
	for _, h := range all {
		for _, s := range h.sessions {
			if s.Pty {
				names = append(names, sessionName(h.machine, s)+"\t"+programName(s))
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

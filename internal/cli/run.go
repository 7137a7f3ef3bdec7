package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/snugvm/snug/bridge"
	"github.com/snugvm/snug/internal/config"
	"github.com/snugvm/snug/internal/firewall"
	"github.com/snugvm/snug/internal/machine"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/qemu"
	"github.com/snugvm/snug/terminal"
	"github.com/spf13/cobra"
)

// runOptions are the flags of snug run.
type runOptions struct {
	name   string
	memory string
	cpus   int
	mounts []string
	env    []string
	dir    string
	accel  string
	tty    bool
	noTTY  bool
	escape bridge.EscapeChar
	policy firewall.Policy
	debug  bool
	args   []string
}

func (a *app) runCommand() *cobra.Command {
	o := runOptions{escape: bridge.DefaultEscape}
	cmd := &cobra.Command{
		Use:   "run [flags] [--] [PROGRAM ARG...]",
		Short: "Run a program, or a login shell, in a fresh microVM around the current folder",
		Long: `Run starts a microVM around the current folder and runs a program in it, or a
login shell if none is named. The guest sees the host's programs (/usr, /opt)
read-only and the current folder read-write at the same path, and nothing else
of the host. The machine ends with its last session.

With a terminal on stdin and stdout the program runs on a PTY of the terminal's
exact size; otherwise on pipes, byte for byte. The exit status is the program's:
128+n if signal n ended it, 127 if it was not found, 126 if it cannot be
executed; 125 if snug failed before it started, 255 if the machine was lost.`,
		Example: `  snug run
  snug run -- vim README.md
  snug run --mem 4G -e ANTHROPIC_API_KEY -- claude
  snug run -v ~/data:/data:ro -- python3 count.py
  tar c . | snug run -T -- tar t`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.args = args
			if o.policy, err = a.policy(cmd, o.policy); err != nil {
				return err
			}
			return a.run(o)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the program is the program's
	f.SortFlags = false
	f.StringVar(&o.name, "name", "", "the machine's `name` (default: the folder's name and a number)")
	f.StringVar(&o.memory, "mem", "1G", "the guest's memory, as `512M` or 4G")
	f.IntVar(&o.cpus, "cpus", 2, "the guest's processors")
	f.StringArrayVarP(&o.mounts, "volume", "v", nil, "share one more folder: `HOST[:GUEST][:ro]`")
	f.StringArrayVarP(&o.env, "env", "e", nil, "set a variable in the guest, or pass the host's: `K[=V]`")
	f.StringVarP(&o.dir, "workdir", "w", "", "the `folder` that the program starts in (default: the current one)")
	f.StringVar(&o.accel, "accel", "auto", "`auto|kvm|hvf|tcg`: hardware acceleration where it works, or software emulation")
	f.BoolVarP(&o.tty, "tty", "t", false, "run on a PTY even without a terminal")
	f.BoolVarP(&o.noTTY, "no-tty", "T", false, "run on pipes even with a terminal")
	f.Var(&o.escape, "escape", "the `character` that begins ~. ~d ~? at the start of a line, or none")
	f.Var(&o.policy, policyFlag, "what the program may do to the terminal: draw, also picture and copy, or everything")
	f.BoolVar(&o.debug, "debug", false, "write a trace to a file in the state folder")
	_ = cmd.RegisterFlagCompletionFunc("accel", cobra.FixedCompletions([]string{"auto", "kvm", "hvf", "tcg"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc(policyFlag, cobra.FixedCompletions(firewall.PolicyNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// policyFlag is the flag that goes before the key of the same name in the
// configuration.
const policyFlag = "terminal-policy"

// policy returns what the flag says, or else the configuration. A configuration
// that is wrong is an error in any case: whoever wrote it relies on it.
func (a *app) policy(cmd *cobra.Command, flag firewall.Policy) (firewall.Policy, error) {
	c, err := config.Load(a.dirs.ConfigFile())
	if err != nil || cmd.Flags().Changed(policyFlag) {
		return flag, err
	}
	return c.TerminalPolicy, nil
}

// run is the command. On a terminal it is two processes: this one guards the
// terminal, and the other, which takes the same path again, is the viewer.
func (a *app) run(o runOptions) error {
	spec, err := a.spec(o)
	if err != nil {
		return err
	}
	onTerminal := terminal.IsTerminal(a.in) && terminal.IsTerminal(a.out)
	pty := o.tty || onTerminal && !o.noTTY
	if pty && onTerminal && !terminal.Guarded() {
		return a.guard()
	}
	start := wire.Start{Env: a.environment(o.env, pty), Dir: spec.Dir, Args: o.args}
	v, err := a.newViewer(pty, onTerminal, o.escape, o.policy)
	if err != nil {
		return err
	}
	if pty {
		if start.Pty, err = a.pty(v.sizes); err != nil {
			return err
		}
	}
	ctx := context.Background()
	a.reap(ctx)
	m, keeper, err := a.startKeeper(ctx, o.name, spec)
	if err != nil {
		return v.finish(statusFailed, err)
	}
	status, err := v.view(m, spec, start, keeper)
	a.sayRefused(v)
	return v.finish(status, err)
}

// guard runs this command line again as the viewer, and restores the terminal
// after whatever end that has.
func (a *app) guard() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find snug itself: %w", err)
	}
	a.status, err = terminal.Guard(a.in, a.out, exec.Command(self, os.Args[1:]...))
	return err
}

// spec checks the flags and makes the machine's description of them.
func (a *app) spec(o runOptions) (*machineSpec, error) {
	memory, err := parseMemory(o.memory)
	if err != nil {
		return nil, err
	}
	switch {
	case o.tty && o.noTTY:
		return nil, errors.New("-t and -T contradict each other: use one of them, or none")
	case o.cpus < 1:
		return nil, fmt.Errorf("--cpus %d: use 1 or more", o.cpus)
	case !slices.Contains([]string{"auto", string(qemu.KVM), string(qemu.HVF), string(qemu.TCG)}, o.accel):
		return nil, fmt.Errorf("--accel %s: use auto, kvm, hvf or tcg", o.accel)
	case o.dir != "" && !filepath.IsAbs(o.dir):
		return nil, fmt.Errorf("-w %s: name the guest's folder by an absolute path", o.dir)
	}
	for _, e := range o.env {
		if name, _, _ := strings.Cut(e, "="); name == "" {
			return nil, fmt.Errorf("-e %s: write NAME=VALUE, or NAME to pass the host's value", e)
		}
	}
	shares, dir, err := a.shares(o)
	if err != nil {
		return nil, err
	}
	user, err := caller()
	if err != nil {
		return nil, err
	}
	return &machineSpec{
		Accel: o.accel, MemoryMiB: memory, CPUs: o.cpus, Shares: shares, Dir: dir,
		User: user, Mark: wire.NewMark(), AgentKey: newSeed(), KeeperKey: newSeed(), Debug: o.debug,
	}, nil
}

// shares returns the project folder and what -v names, and the folder that
// the program starts in. A folder named by -v takes the project's place where
// it is the same one, and any -v makes up for a folder that is not shared.
func (a *app) shares(o runOptions) ([]machine.Share, string, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return nil, "", fmt.Errorf("current folder: %w: cd into a project folder", err)
	}
	var shares []machine.Share
	for _, text := range o.mounts {
		mount, err := machine.ParseMount(text)
		if err != nil {
			return nil, "", err
		}
		share, err := mount.Share(cwd)
		if err != nil {
			return nil, "", err
		}
		if slices.ContainsFunc(shares, func(s machine.Share) bool { return s.Guest == share.Guest }) {
			return nil, "", fmt.Errorf("-v %s: the guest's %s is taken by another -v", text, share.Guest)
		}
		shares = append(shares, share)
	}
	dir := filepath.Clean(cwd)
	named := slices.ContainsFunc(shares, func(s machine.Share) bool { return s.Guest == dir })
	if !named {
		home, _ := os.UserHomeDir() // without one there is one folder less to refuse
		project, err := machine.CheckProject(cwd, home, a.dirs.Runtime, a.dirs.State, a.dirs.Cache)
		switch {
		case err == nil:
			shares = append(shares, project)
		case len(shares) > 0:
			dir = shares[0].Guest
		default:
			return nil, "", err
		}
	}
	if o.dir != "" {
		dir = o.dir
	}
	return shares, dir, nil
}

// parseMemory reads a size such as 512M or 4G and returns MiB.
func parseMemory(s string) (int, error) {
	bad := fmt.Errorf("--mem %s: write a size such as 512M or 4G", s)
	if s == "" {
		return 0, bad
	}
	unit := 1
	switch s[len(s)-1] {
	case 'm', 'M':
		s = s[:len(s)-1]
	case 'g', 'G':
		s, unit = s[:len(s)-1], 1<<10
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n == 0 || n > 1<<24 {
		return 0, bad
	}
	return int(n) * unit, nil
}

// passedOn are the variables of the host that enter the guest by themselves;
// LC_* does too.
var passedOn = []string{"LANG", "COLORTERM", "TERM_PROGRAM"}

// environment returns the variables that enter the guest.
func (a *app) environment(named []string, pty bool) []wire.Env {
	var env []wire.Env
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if slices.Contains(passedOn, name) || strings.HasPrefix(name, "LC_") {
			env = append(env, wire.Env{Name: name, Value: value})
		}
	}
	if term, ok := os.LookupEnv("TERM"); ok && !pty {
		env = append(env, wire.Env{Name: "TERM", Value: term})
	}
	for _, e := range named {
		name, value, given := strings.Cut(e, "=")
		if !given {
			var ok bool
			if value, ok = os.LookupEnv(name); !ok {
				continue // as docker does: nothing to pass on
			}
		}
		env = append(env, wire.Env{Name: name, Value: value})
	}
	return env
}

// pty describes the terminal that the program is to have: this one.
func (a *app) pty(sizes *terminal.Watcher) (*wire.Pty, error) {
	p := &wire.Pty{Term: os.Getenv("TERM"), Size: wire.Size{Rows: 24, Cols: 80}}
	if sizes != nil {
		size, err := sizes.Size()
		if err != nil {
			return nil, fmt.Errorf("terminal: %w", err)
		}
		if !size.IsZero() {
			p.Size = wire.Size(size)
		}
	}
	if before, err := terminal.GetState(a.in); err == nil {
		termios := before.Termios()
		p.Modes = wire.EncodeModes(&termios)
	}
	p.Terminfo = terminfo(p.Term)
	return p, nil
}

// terminfo returns the compiled description of term, for a guest that may not
// have it.
func terminfo(term string) []byte {
	if term == "" || strings.ContainsAny(term, "/\x00") || term[0] == '.' {
		return nil
	}
	home, _ := os.UserHomeDir()
	dirs := []string{os.Getenv("TERMINFO"), filepath.Join(home, ".terminfo")}
	dirs = append(dirs, filepath.SplitList(os.Getenv("TERMINFO_DIRS"))...)
	dirs = append(dirs, "/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/lib/terminfo", "/usr/local/share/terminfo")
	for _, d := range dirs {
		for _, sub := range []string{term[:1], fmt.Sprintf("%x", term[0])} {
			if b, err := os.ReadFile(filepath.Join(d, sub, term)); d != "" && err == nil {
				return b
			}
		}
	}
	return nil
}

var errDetachedWords = errors.New("detached: the session goes on; end it with 'snug stop'")

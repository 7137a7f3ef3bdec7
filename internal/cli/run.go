package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/snugvm/snug/internal/machine"
	"github.com/snugvm/snug/internal/state"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/qemu"
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
	remove bool
	args   []string
	viewOptions
}

func (a *app) runCommand() *cobra.Command {
	o := runOptions{viewOptions: newViewOptions()}
	cmd := &cobra.Command{
		Use:   "run [flags] [--] [PROGRAM ARG...]",
		Short: "Run a program, or a login shell, in a fresh microVM around the current folder",
		Long: `Run starts a microVM around the current folder and runs a program in it, or a
login shell if none is named. The guest sees the host's programs (/usr, /opt)
read-only and the current folder read-write at the same path, and nothing else
of the host. The machine ends with its last session, or with 'snug rm' if it has
a --name. A session on a terminal goes on when its terminal is closed, or left by
~d, until somebody has seen its end: 'snug attach' comes back to it.

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
			if err := a.complete(cmd, &o.viewOptions); err != nil {
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
	f.BoolVar(&o.remove, "rm", false, "end a machine that has a --name with its last session, as others do")
	o.recordFlag(cmd)
	f.StringVar(&o.accel, "accel", "auto", "`auto|kvm|hvf|tcg`: hardware acceleration where it works, or software emulation")
	o.flags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("accel", cobra.FixedCompletions([]string{"auto", "kvm", "hvf", "tcg"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// run is the command.
func (a *app) run(o runOptions) error {
	spec, err := a.spec(o)
	if err != nil {
		return err
	}
	start := wire.Start{Env: named(o.env), Dir: spec.Dir, Args: o.args}
	return a.show(o.viewOptions, start, func(ctx context.Context, _ *wire.Start) (*kept, error) {
		return a.startKeeper(ctx, naming{o.name, state.FolderNames(spec.Dir)}, spec)
	})
}

// spec checks the flags and makes the machine's description of them.
func (a *app) spec(o runOptions) (*machineSpec, error) {
	memory, err := parseMemory(o.memory)
	if err != nil {
		return nil, err
	}
	switch {
	case o.cpus < 1:
		return nil, fmt.Errorf("--cpus %d: use 1 or more", o.cpus)
	case !slices.Contains([]string{"auto", string(qemu.KVM), string(qemu.HVF), string(qemu.TCG)}, o.accel):
		return nil, fmt.Errorf("--accel %s: use auto, kvm, hvf or tcg", o.accel)
	case o.dir != "" && !filepath.IsAbs(o.dir):
		return nil, fmt.Errorf("-w %s: name the guest's folder by an absolute path", o.dir)
	}
	if o.name != "" {
		if err := state.CheckName(o.name); err != nil {
			return nil, err
		}
	}
	if err := checkEnv(o.env); err != nil {
		return nil, err
	}
	shares, dir, err := a.shares(o)
	if err != nil {
		return nil, err
	}
	user, err := caller()
	if err != nil {
		return nil, err
	}
	spec := newSpec(o.debug)
	spec.Accel, spec.MemoryMiB, spec.CPUs = o.accel, memory, o.cpus
	spec.Shares, spec.Dir, spec.User = shares, dir, user
	spec.Stay, spec.RecordInput = o.name != "" && !o.remove, o.record
	return &spec, nil
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

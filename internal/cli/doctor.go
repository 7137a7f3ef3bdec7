package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/snugvm/snug/internal/guestbin"
	"github.com/snugvm/snug/internal/machine"
	"github.com/snugvm/snug/sandbox/qemu"
	"github.com/snugvm/snug/terminal"
	"github.com/spf13/cobra"
)

// The states of a finding.
const (
	findingOK      = "ok"
	findingLimited = "limited" // snug run works, with less
	findingMissing = "missing" // snug run cannot work
)

// finding is what doctor has to say of one thing.
type finding struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what snug needs, and say what to do about what is missing",
		Long: `Doctor looks at everything that snug run needs and prints what it found, with
the remedy where something is missing. It exits 1 if snug run cannot work.`,
		Example: "  snug doctor\n  snug doctor --json",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.doctor(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array with name, state (ok, limited, missing), found, remedy")
	return cmd
}

func (a *app) doctor(asJSON bool) error {
	ctx := context.Background()
	a.reap(ctx)
	findings := []finding{
		a.checkQEMU(ctx), a.checkKernel(), checkAgent(), checkAcceleration(ctx),
		a.checkFolders(ctx), checkTmux(ctx), a.checkTerm(),
	}
	if u, err := caller(); err == nil {
		if f, ok := checkLogout("/", a.dirs.Runtime, int(u.UID), u.Name); ok {
			findings = append(findings, f)
		}
	}
	for _, f := range findings {
		if f.State == findingMissing {
			a.status = 1
		}
	}
	if asJSON {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		return e.Encode(findings)
	}
	return a.printFindings(findings)
}

func (a *app) printFindings(findings []finding) error {
	colours := map[string]string{findingOK: "32", findingLimited: "33", findingMissing: "31"}
	colourful := terminal.IsTerminal(a.out) && os.Getenv("NO_COLOR") == ""
	var b strings.Builder
	for _, f := range findings {
		state := fmt.Sprintf("%-8s", f.State)
		if colourful {
			state = "\x1b[" + colours[f.State] + "m" + state + "\x1b[0m"
		}
		fmt.Fprintf(&b, "%s %-13s %s\n", state, f.Name, f.Found)
		if f.Remedy != "" {
			fmt.Fprintf(&b, "%-8s %-13s → %s\n", "", "", f.Remedy)
		}
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

// missing is the finding for an error, which names its own remedy.
func missing(name string, err error) finding {
	found, remedy, ok := strings.Cut(err.Error(), ": run ")
	if ok {
		remedy = "run " + remedy
	}
	return finding{name, findingMissing, found, remedy}
}

func (a *app) checkQEMU(ctx context.Context) finding {
	path, version, err := qemu.FindBinary(ctx)
	if err != nil {
		return missing("qemu", err)
	}
	return finding{"qemu", findingOK, fmt.Sprintf("%s, version %s", path, version), ""}
}

func (a *app) checkKernel() finding {
	kernel, err := machine.FindKernel(a.dirs.Kernels(), "/")
	if err != nil {
		return missing("kernel", err)
	}
	return finding{"kernel", findingOK, fmt.Sprintf("Linux %s in %s", kernel.Version, kernel.Image), ""}
}

func checkAgent() finding {
	program, err := guestbin.Agent(runtime.GOARCH)
	if err != nil {
		return missing("agent", err)
	}
	return finding{"agent", findingOK, fmt.Sprintf("built in for %s, %.1f MB", runtime.GOARCH, float64(len(program))/1e6), ""}
}

func checkAcceleration(ctx context.Context) finding {
	accel, why := chooseAccel(ctx, "auto")
	if accel != qemu.TCG {
		return finding{"acceleration", findingOK, fmt.Sprintf("%s: %s", accel, why), ""}
	}
	remedy := "a machine with working hardware virtualisation runs guests ten times faster"
	if strings.Contains(why, "permission") {
		remedy = "let your user open it: sudo usermod -aG kvm $USER, then log in again"
	}
	return finding{"acceleration", findingLimited, "software emulation: " + why, remedy}
}

func (a *app) checkFolders(ctx context.Context) finding {
	if _, err := a.dirs.Machines(ctx); err != nil {
		return finding{"folders", findingMissing, err.Error(), ""}
	}
	return finding{"folders", findingOK, fmt.Sprintf("%s, %s, %s", a.dirs.Runtime, a.dirs.State, a.dirs.Cache), ""}
}

func checkTmux(ctx context.Context) finding {
	out, err := exec.CommandContext(ctx, "tmux", "-V").Output()
	if err != nil {
		return finding{"tmux", findingLimited, "not found; snug works without it", "to split one terminal into many: apt-get install tmux"}
	}
	inside := ""
	if os.Getenv("TMUX") != "" {
		inside = ", and this is a pane of it"
	}
	return finding{"tmux", findingOK, strings.TrimSpace(string(out)) + inside, ""}
}

// checkTerm looks at what a program in the guest is told of this terminal.
func (a *app) checkTerm() finding {
	term := os.Getenv("TERM")
	switch {
	case !terminal.IsTerminal(a.in):
		return finding{"terminal", findingOK, "stdin is none: programs run on pipes", ""}
	case term == "":
		return finding{"terminal", findingLimited, "TERM is not set: programs are told xterm-256color", "export TERM=xterm-256color"}
	case terminfo(term) == nil:
		return finding{"terminal", findingLimited, fmt.Sprintf("TERM=%s has no terminfo entry here: a near one is used in the guest", term),
			"install it: apt-get install ncurses-term, or the terminal's own package"}
	}
	size, err := terminal.GetSize(a.in)
	if err != nil {
		return finding{"terminal", findingMissing, errors.Unwrap(err).Error(), ""}
	}
	pixels := ""
	if size.XPixel > 0 {
		pixels = fmt.Sprintf(", %dx%d pixels", size.XPixel, size.YPixel)
	}
	return finding{"terminal", findingOK, fmt.Sprintf("TERM=%s with its terminfo entry, %dx%d%s", term, size.Cols, size.Rows, pixels), ""}
}

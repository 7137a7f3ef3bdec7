//go:build linux

package rig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/ptytest"
)

// Size is what every terminal of a rig has at first.
var Size = terminal.Size{Rows: 41, Cols: 137, XPixel: 1370, YPixel: 820}

// Build makes the command, if it is not up to date, and returns its path. The
// package that calls it is two folders below the root.
func Build() (string, error) {
	build := exec.Command("make", "--no-print-directory", "-C", "../..", "build")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make build: %w\n%s\nGo and make are needed: apt-get install make", err, out)
	}
	return filepath.Abs("../../bin/snug")
}

// Options say what is special about a rig.
type Options struct {
	Cache    string              // the cache folder; "" for one of the rig's own
	As       *syscall.Credential // who runs snug; nil for whoever runs the tests
	Patience time.Duration       // bounds every wait for something that is sure to come
}

// Rig is a user's surroundings.
type Rig struct {
	T       *testing.T
	Root    string // of all its folders
	Project string // the folder that commands start in
	Home    string
	Snug    string // the command
	Env     []string

	As       *syscall.Credential // nil: whoever runs the tests
	patience time.Duration
}

// New returns surroundings whose end is the test's: by then nothing of snug may
// be left in them.
func New(t *testing.T, snug string, o Options) *Rig {
	t.Helper()
	root, err := os.MkdirTemp("", "rig") // a socket's path is bounded: t.TempDir is too long
	Must(t, err)
	Must(t, os.Chmod(root, 0o755))
	r := &Rig{
		T: t, Root: root, Project: filepath.Join(root, "project"), Home: filepath.Join(root, "home"),
		Snug: snug, As: o.As, patience: o.Patience,
	}
	t.Cleanup(r.close)
	run, state, tmp, cache := filepath.Join(root, "run"), filepath.Join(root, "state"), filepath.Join(root, "tmp"), filepath.Join(root, "cache")
	for _, dir := range []string{r.Project, r.Home, run, state, tmp, cache} {
		Must(t, os.Mkdir(dir, 0o755))
		if o.As != nil {
			Must(t, os.Chown(dir, int(o.As.Uid), int(o.As.Gid)))
		}
	}
	if o.Cache != "" {
		cache = o.Cache
	}
	r.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.Home, "TERM=xterm-256color", "LANG=C.UTF-8", "TMPDIR=" + tmp,
		"XDG_RUNTIME_DIR=" + run, "XDG_STATE_HOME=" + state, "XDG_CACHE_HOME=" + cache,
	}
	return r
}

// With returns the rig with other variables, of which the last of a name counts.
func (r *Rig) With(variables ...string) *Rig {
	other := *r
	other.Env = append(slices.Clone(r.Env), variables...)
	return &other
}

// WithTool returns the rig with what an environment, in which a tool is found, has
// beside the tests' own.
func (r *Rig) WithTool(env []string) *Rig {
	return r.With(slices.DeleteFunc(slices.Clone(env), func(v string) bool { return slices.Contains(os.Environ(), v) })...)
}

// For returns the rig for a test within its own.
func (r *Rig) For(t *testing.T) *Rig {
	other := *r
	other.T = t
	return &other
}

// Command is a command line of snug.
func (r *Rig) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(r.Snug, args...)
	cmd.Dir, cmd.Env = r.Project, r.Env
	if r.As != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: r.As}
	}
	return cmd
}

// Ended is how a command without a terminal ended.
type Ended struct {
	Status         int
	Stdout, Stderr string
}

// Pipe runs a command without a terminal to its end.
func (r *Rig) Pipe(cmd *exec.Cmd, stdin string) Ended {
	r.T.Helper()
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	status := r.Wait(cmd)
	return Ended{status, stdout.String(), stderr.String()}
}

// Wait runs a command to its end and returns its exit status.
func (r *Rig) Wait(cmd *exec.Cmd) int {
	r.T.Helper()
	Must(r.T, cmd.Start())
	return r.Reap(cmd)
}

// Reap waits for a command's end and returns its exit status.
func (r *Rig) Reap(cmd *exec.Cmd) int {
	r.T.Helper()
	limit := time.AfterFunc(r.patience, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !limit.Stop() {
		r.T.Fatalf("no end of %q within %v: stdout %.500v, stderr %.500v", cmd.Args, r.patience, cmd.Stdout, cmd.Stderr)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.T.Fatalf("%q: %v", cmd.Args, err)
	}
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return cmd.ProcessState.ExitCode()
}

// Console starts a command on a terminal of Size.
func (r *Rig) Console(cmd *exec.Cmd) *ptytest.Console {
	r.T.Helper()
	c := ptytest.Start(r.T, Size, cmd)
	c.SetTimeout(r.patience)
	return c
}

// Tmux runs a shell script in a pane of Size. The shell finds snug as $SNUG.
func (r *Rig) Tmux(script string) *ptytest.Tmux {
	r.T.Helper()
	return r.TmuxAt(int(Size.Cols), int(Size.Rows), script)
}

// TmuxAt is Tmux in a pane of another size.
func (r *Rig) TmuxAt(cols, rows int, script string) *ptytest.Tmux {
	r.T.Helper()
	argv := append([]string{"env", "-i", "-C", r.Project}, r.Env...)
	argv = append(argv, "TERM=screen-256color", "SNUG="+r.Snug, "sh", "-c", script)
	tm := ptytest.StartTmux(r.T, cols, rows, argv...)
	tm.SetTimeout(r.patience)
	return tm
}

// Machine is what tests want to know of a line of snug ls.
type Machine struct {
	Name, Sandbox, Bridge, Folder string
	Started                       time.Time
	Command                       []string
	Sessions                      []Session
	Error                         string
}

// Session is what tests want to know of a session of a machine.
type Session struct {
	Number        int
	Program       string
	Terminal      bool
	Columns, Rows int
	Viewers       int
	Title         string
	ExitStatus    *int `json:"exit_status"` // nil while it runs
	Signal        string
	Failure       string
}

// List returns what snug ls --json says.
func (r *Rig) List() []Machine {
	r.T.Helper()
	got := r.Pipe(r.Command("ls", "--json"), "")
	var machines []Machine
	if err := json.Unmarshal([]byte(got.Stdout), &machines); err != nil || got.Status != 0 {
		r.T.Fatalf("snug ls --json: %+v, %v", got, err)
	}
	return machines
}

// Names are the machines that snug ls lists.
func (r *Rig) Names() (names []string) {
	r.T.Helper()
	for _, m := range r.List() {
		names = append(names, m.Name)
	}
	return names
}

// Stop runs snug stop.
func (r *Rig) Stop(name string) {
	r.T.Helper()
	if got := r.Pipe(r.Command("stop", name), ""); got.Status != 0 || got.Stderr != "" {
		r.T.Errorf("snug stop %s: %+v", name, got)
	}
}

// RemoveLost removes the logs of machines that ended though nobody had ended them, and
// returns how many there were. No other machine may be left, once its keeper has ended.
func (r *Rig) RemoveLost() int {
	r.T.Helper()
	r.Eventually("no keeper is left", func() bool { return len(r.PIDs(Keeper)) == 0 })
	lost, _ := filepath.Glob(filepath.Join(r.Root, "state/snug/log/*~*")) // the pattern is valid
	for _, dir := range lost {
		if got := r.Pipe(r.Command("rm", filepath.Base(dir)), ""); got != (Ended{}) {
			r.T.Errorf("snug rm %s: %+v", filepath.Base(dir), got)
		}
	}
	return len(lost)
}

// Write makes a file in the project.
func (r *Rig) Write(name, content string, mode os.FileMode) {
	r.T.Helper()
	Must(r.T, os.WriteFile(filepath.Join(r.Project, name), []byte(content), mode))
}

// Read returns a file of the project.
func (r *Rig) Read(name string) string {
	r.T.Helper()
	content, err := os.ReadFile(filepath.Join(r.Project, name))
	Must(r.T, err)
	return string(content)
}

// Eventually waits until ok, which no event tells of.
func (r *Rig) Eventually(what string, ok func() bool) {
	r.T.Helper()
	for deadline := time.Now().Add(r.patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.T.Fatalf("not within %v: %s", r.patience, what)
		}
	}
}

// AwaitFile waits until a file of the project has content.
func (r *Rig) AwaitFile(name string) string {
	r.T.Helper()
	r.Eventually("content of "+name, func() bool {
		info, err := os.Stat(filepath.Join(r.Project, name))
		return err == nil && info.Size() > 0
	})
	return r.Read(name)
}

// AwaitEmptyFile waits until there is a file of the project.
func (r *Rig) AwaitEmptyFile(name string) {
	r.T.Helper()
	r.Eventually("a file "+name, func() bool {
		_, err := os.Stat(filepath.Join(r.Project, name))
		return err == nil
	})
}

// OneLine reports whether s is one line of snug's own.
func OneLine(s string) bool {
	return strings.HasPrefix(s, "snug: ") && strings.HasSuffix(s, "\n") && strings.Count(s, "\n") == 1
}

// Need fails the test where a command is missing, with the line that installs it.
func Need(t *testing.T, command, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(command)
	if err != nil {
		t.Fatalf("%v\ninstall it: apt-get install %s", err, debianPackage)
	}
	return path
}

// Must fails the test on an error.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

//go:build linux

package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
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

// size is what every terminal of these tests has at first.
var size = terminal.Size{Rows: 41, Cols: 137, XPixel: 1370, YPixel: 820}

// rig is a user's surroundings, in which nothing else runs.
type rig struct {
	t       *testing.T
	root    string
	project string // the folder that commands start in
	home    string
	snug    string // the command
	env     []string
	as      *syscall.Credential // nil: whoever runs the tests
}

// newRig returns surroundings whose end is the test's: by then nothing of snug
// may be left in them.
func newRig(t *testing.T) *rig {
	t.Helper()
	cache, err := os.UserCacheDir()
	must(t, err)
	return newRigWith(t, cache, nil)
}

func newRigWith(t *testing.T, cache string, as *syscall.Credential) *rig {
	t.Helper()
	needMachine(t)
	root, err := os.MkdirTemp("", "vm") // a socket's path is bounded: t.TempDir is too long
	must(t, err)
	must(t, os.Chmod(root, 0o755))
	r := &rig{t: t, root: root, project: filepath.Join(root, "project"), home: filepath.Join(root, "home"), snug: snug, as: as}
	t.Cleanup(r.close)
	run, state, tmp := filepath.Join(root, "run"), filepath.Join(root, "state"), filepath.Join(root, "tmp")
	for _, dir := range []string{r.project, r.home, run, state, tmp} {
		must(t, os.Mkdir(dir, 0o755))
		if as != nil {
			must(t, os.Chown(dir, int(as.Uid), int(as.Gid)))
		}
	}
	r.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.home, "TERM=xterm-256color", "LANG=C.UTF-8", "TMPDIR=" + tmp,
		"XDG_RUNTIME_DIR=" + run, "XDG_STATE_HOME=" + state, "XDG_CACHE_HOME=" + cache,
	}
	return r
}

// with returns the rig with other variables.
func (r *rig) with(variables ...string) *rig {
	other := *r
	other.env = append(slices.Clone(r.env), variables...)
	return &other
}

// command is a command line of snug.
func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(r.snug, args...)
	cmd.Dir, cmd.Env = r.project, r.env
	if r.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: r.as}
	}
	return cmd
}

// runArgs are the words of a snug run with the tools in the machine.
func runArgs(args ...string) []string {
	return append([]string{"run", "-v", tools + ":" + guestTools + ":ro"}, args...)
}

// run is snug run with the tools in the machine.
func (r *rig) run(args ...string) *exec.Cmd { return r.command(runArgs(args...)...) }

// ended is how a command without a terminal ended.
type ended struct {
	status         int
	stdout, stderr string
}

// pipe runs a command without a terminal to its end.
func (r *rig) pipe(cmd *exec.Cmd, stdin string) ended {
	r.t.Helper()
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	status := r.wait(cmd)
	return ended{status, stdout.String(), stderr.String()}
}

// wait runs a command to its end and returns its exit status.
func (r *rig) wait(cmd *exec.Cmd) int {
	r.t.Helper()
	must(r.t, cmd.Start())
	return r.reap(cmd)
}

// reap waits for a command's end and returns its exit status.
func (r *rig) reap(cmd *exec.Cmd) int {
	r.t.Helper()
	limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !limit.Stop() {
		r.t.Fatalf("no end of %q within %v", cmd.Args, patience)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("%q: %v", cmd.Args, err)
	}
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return cmd.ProcessState.ExitCode()
}

// console starts a command on a terminal of size.
func (r *rig) console(cmd *exec.Cmd) *ptytest.Console {
	r.t.Helper()
	c := ptytest.Start(r.t, size, cmd)
	c.SetTimeout(patience)
	return c
}

// tmux runs a shell script in a pane of size. The shell finds snug as $SNUG and
// snug run with the tools as $RUN.
func (r *rig) tmux(script string) *ptytest.Tmux {
	r.t.Helper()
	argv := append([]string{"env", "-i", "-C", r.project}, r.env...)
	argv = append(argv, "TERM=screen-256color", "SNUG="+r.snug, "RUN="+strings.Join(append([]string{r.snug}, runArgs()...), " "), "sh", "-c", script)
	tm := ptytest.StartTmux(r.t, int(size.Cols), int(size.Rows), argv...)
	tm.SetTimeout(patience)
	return tm
}

// machine is what these tests want to know of a line of snug ls.
type machine struct {
	Name, Sandbox, Folder string
	Started               time.Time
	Command               []string
	Sessions              []session
}

// session is what these tests want to know of a session of a machine.
type session struct {
	Number        int
	Program       string
	Terminal      bool
	Columns, Rows int
	Viewers       int
	Title         string
}

// ls returns what snug ls --json says.
func (r *rig) ls() []machine {
	r.t.Helper()
	got := r.pipe(r.command("ls", "--json"), "")
	var machines []machine
	if err := json.Unmarshal([]byte(got.stdout), &machines); err != nil || got.status != 0 {
		r.t.Fatalf("snug ls --json: %+v, %v", got, err)
	}
	return machines
}

// names are the machines that snug ls lists.
func (r *rig) names() (names []string) {
	r.t.Helper()
	for _, m := range r.ls() {
		names = append(names, m.Name)
	}
	return names
}

// stop runs snug stop.
func (r *rig) stop(name string) {
	r.t.Helper()
	if got := r.pipe(r.command("stop", name), ""); got.status != 0 || got.stderr != "" {
		r.t.Errorf("snug stop %s: %+v", name, got)
	}
}

// write makes a file in the project.
func (r *rig) write(name, content string, mode os.FileMode) {
	r.t.Helper()
	must(r.t, os.WriteFile(filepath.Join(r.project, name), []byte(content), mode))
}

// read returns a file of the project.
func (r *rig) read(name string) string {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.project, name))
	must(r.t, err)
	return string(content)
}

// eventually waits until ok, which no event tells of.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", patience, what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// awaitFile waits until a file of the project has content.
func (r *rig) awaitFile(name string) string {
	r.t.Helper()
	eventually(r.t, "content of "+name, func() bool {
		info, err := os.Stat(filepath.Join(r.project, name))
		return err == nil && info.Size() > 0
	})
	return r.read(name)
}

// copyTo feeds a command's input, whose loss is for the command to tell.
func copyTo(w io.WriteCloser, content []byte) {
	_, _ = w.Write(content)
	_ = w.Close()
}

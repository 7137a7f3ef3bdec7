package ptytest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Tmux is one pane, the only one, of a tmux server that nothing else uses. Its methods are for the test's goroutine.
type Tmux struct {
	t       testing.TB
	bin     string
	socket  string
	timeout time.Duration
	log     *transcript
}

// StartTmux runs argv, or a shell without start-up files, in a pane of the given size. A machine without tmux fails
// the test: what it would show must not go unseen.
func StartTmux(t testing.TB, cols, rows int, argv ...string) *Tmux {
	t.Helper()
	bin, err := exec.LookPath("tmux")
	if err != nil {
		t.Fatalf("%v\ninstall it: apt-get install tmux (Debian), brew install tmux (macOS)", err)
	}
	if len(argv) == 0 {
		argv = []string{"bash", "--norc", "--noprofile", "-i"}
	}
	// A socket's path is bounded to about 100 bytes, which t.TempDir exceeds.
	dir, err := os.MkdirTemp("", "ptytest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	tm := &Tmux{t: t, bin: bin, socket: filepath.Join(dir, "tmux"), timeout: DefaultTimeout, log: newTranscript()}
	t.Cleanup(tm.kill)
	// The pane outlives its command, so that its last screen can be seen.
	tm.run(append([]string{
		"set-option", "-g", "remain-on-exit", "on", ";", "set-option", "-g", "status", "off", ";",
		"set-option", "-sg", "escape-time", "0", ";",
		"new-session", "-d", "-x", strconv.Itoa(cols), "-y", strconv.Itoa(rows), "--",
	}, argv...)...)
	return tm
}

// SetTimeout changes the deadline of each later wait.
func (tm *Tmux) SetTimeout(d time.Duration) { tm.timeout = d }

// Send types keys by tmux's names, as in Send("Up", "C-c", "Enter"); use [Tmux.Type] for text.
func (tm *Tmux) Send(keys ...string) {
	tm.t.Helper()
	tm.run(append([]string{"send-keys", "--"}, keys...)...)
}

// Type types text as it is, one key a character.
func (tm *Tmux) Type(text string) {
	tm.t.Helper()
	tm.run("send-keys", "-l", "--", text)
}

// Line types text and Enter.
func (tm *Tmux) Line(text string) {
	tm.t.Helper()
	tm.Type(text)
	tm.Send("Enter")
}

// Paste pastes p byte for byte, in brackets if the program has asked for them.
func (tm *Tmux) Paste(p []byte) {
	tm.t.Helper()
	tm.log.add("pasted", p)
	tm.runWith(p, "load-buffer", "-b", "ptytest", "-")
	tm.run("paste-buffer", "-p", "-r", "-d", "-b", "ptytest")
}

// SetBuffer puts text where tmux keeps what was copied, and lets the pane's program ask for it and set it by OSC 52.
func (tm *Tmux) SetBuffer(text string) {
	tm.t.Helper()
	tm.run("set-option", "-s", "set-clipboard", "on", ";", "set-buffer", "--", text)
}

// Buffer returns what was copied last.
func (tm *Tmux) Buffer() string {
	tm.t.Helper()
	return tm.run("show-buffer")
}

// Capture returns the screen: a line per row, trailing spaces removed.
func (tm *Tmux) Capture() string {
	tm.t.Helper()
	return tm.run("capture-pane", "-p")
}

// CaptureEscapes returns the screen with the escape sequences for its attributes and colours.
func (tm *Tmux) CaptureEscapes() string {
	tm.t.Helper()
	return tm.run("capture-pane", "-p", "-e")
}

// CaptureCells returns the screen like [Tmux.CaptureEscapes], with the spaces at the ends of rows.
func (tm *Tmux) CaptureCells() string {
	tm.t.Helper()
	return tm.run("capture-pane", "-p", "-e", "-N")
}

// ClearHistory forgets the scrollback.
func (tm *Tmux) ClearHistory() {
	tm.t.Helper()
	tm.run("clear-history")
}

// ResizeWindow changes the pane's size.
func (tm *Tmux) ResizeWindow(cols, rows int) {
	tm.t.Helper()
	tm.run("resize-window", "-x", strconv.Itoa(cols), "-y", strconv.Itoa(rows))
}

// Cursor returns the cursor's column and row, from 0.
func (tm *Tmux) Cursor() (col, row int) {
	tm.t.Helper()
	at := tm.Format("#{cursor_x} #{cursor_y}")
	if _, err := fmt.Sscanf(at, "%d %d", &col, &row); err != nil {
		tm.fail("cursor position %q: %v", at, err)
	}
	return col, row
}

// Flag reports whether a format variable of the pane is 1: alternate_on, mouse_any_flag, cursor_flag, insert_flag,
// keypad_cursor_flag, keypad_flag, mouse_sgr_flag, pane_dead, wrap_flag, ….
func (tm *Tmux) Flag(name string) bool {
	tm.t.Helper()
	return tm.Format("#{"+name+"}") == "1"
}

// Format expands a tmux format for the pane.
func (tm *Tmux) Format(format string) string {
	tm.t.Helper()
	return strings.TrimSuffix(tm.run("display-message", "-p", format), "\n")
}

// PanePid returns the process id of the pane's command.
func (tm *Tmux) PanePid() int {
	tm.t.Helper()
	pid, err := strconv.Atoi(tm.Format("#{pane_pid}"))
	if err != nil {
		tm.fail("pane_pid: %v", err)
	}
	return pid
}

// WaitFor waits until ok returns true of the screen, and returns that screen. What says what is awaited.
func (tm *Tmux) WaitFor(what string, ok func(screen string) bool) string {
	tm.t.Helper()
	var screen string
	if !poll(tm.timeout, func() bool { screen = tm.Capture(); return ok(screen) }) {
		tm.fail("no %s within %v", what, tm.timeout)
	}
	return screen
}

// WaitText waits until the screen shows text.
func (tm *Tmux) WaitText(text string) string {
	tm.t.Helper()
	return tm.WaitFor(fmt.Sprintf("%q", text), func(screen string) bool { return strings.Contains(screen, text) })
}

// WaitFlag waits until [Tmux.Flag] of name is want.
func (tm *Tmux) WaitFlag(name string, want bool) {
	tm.t.Helper()
	if !poll(tm.timeout, func() bool { return tm.Flag(name) == want }) {
		tm.fail("%s is not %v within %v", name, want, tm.timeout)
	}
}

func (tm *Tmux) fail(format string, args ...any) {
	tm.t.Helper()
	screen, err := tm.command(nil, "capture-pane", "-p")
	if err != nil {
		screen = err.Error()
	}
	tm.t.Fatalf("%s\nscreen:\n%s\n%s", fmt.Sprintf(format, args...), screen, tm.log)
}

func (tm *Tmux) run(args ...string) string {
	tm.t.Helper()
	return tm.runWith(nil, args...)
}

func (tm *Tmux) runWith(stdin []byte, args ...string) string {
	tm.t.Helper()
	if args[0] != "capture-pane" && args[0] != "display-message" { // polled
		tm.log.note("tmux %q", args)
	}
	out, err := tm.command(stdin, args...)
	if err != nil {
		tm.t.Fatalf("%v\n%s", err, tm.log)
	}
	return out
}

// command runs tmux as its client. tmux must not believe that it runs inside another, and needs a UTF-8 locale.
func (tm *Tmux) command(stdin []byte, args ...string) (string, error) {
	cmd := exec.Command(tm.bin, append([]string{"-S", tm.socket, "-f", "/dev/null", "-u"}, args...)...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TMUX") && !strings.HasPrefix(kv, "LC_ALL=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C.UTF-8")
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // the server that the first call starts must not hold the streams
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("tmux %q: %w: %s", args, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

// kill ends the server, which hangs up on the pane's command, and waits for neither: a hung one is killed.
func (tm *Tmux) kill() {
	pids, err := tm.command(nil, "display-message", "-p", "#{pane_pid} #{pid}")
	if err != nil {
		return // it never started, or ended
	}
	_, _ = tm.command(nil, "kill-server")
	for field := range strings.FieldsSeq(pids) {
		if pid, err := strconv.Atoi(field); err == nil {
			killWhenStuck(pid)
		}
	}
}

//go:build linux

package front

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snugvm/snug/sandbox/sandboxtest"
	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/box"
	"github.com/snugvm/snug/test/rig"
)

// options are those of all boxes: the entrypoint of an image says the terminal's size, the image's
// variable and what is run.
var options = box.Options{
	Entrypoint: []string{"sh", "-c", `stty size; echo "$IMAGE $0 $*"; exit 9`}, Cmd: []string{"from", "the image"},
	Env: []string{"IMAGE=yes"},
}

// makers make a box of each tool.
var makers = map[string]func(testing.TB, box.Options) *box.Box{
	"docker": box.Docker, "podman": box.Podman, "crun": box.Crun, "runc": box.Runc, "chroot": box.Chroot, "nsenter": box.Nsenter,
	"ssh": func(t testing.TB, _ box.Options) *box.Box { return box.SSH(t) },
}

// order has first what takes longest.
var order = []string{"ssh", "docker", "podman", "crun", "runc", "chroot", "nsenter"}

// front is snug in front of a tool, with a box that other checks share.
type front struct {
	*rig.Rig
	tool  string
	box   *box.Box
	probe string // the path of the probe in the box

	removed bool // the box is no more
}

// check is one thing that snug does in front of tools.
type check struct {
	name  string
	tools []string // nil: of all
	run   func(f *front)
}

var (
	engines = []string{"docker", "podman"}
	oci     = []string{"docker", "podman", "crun", "runc"}
	// Who can be somebody else: ssh cannot, as this machine has no user app.
	users = []string{"docker", "podman", "crun", "runc", "chroot", "nsenter"}
)

var checks = []check{
	{"the size is right first, and followed, in a tmux pane", nil, sizeInAPane},
	{"the size is right first, and followed, with pixels", nil, sizeWithPixels},
	{"the exit status is the program's", nil, exitStatuses},
	{"on pipes bytes are exact both ways, and have an end", nil, exactBytes},
	{"flags for variables and the folder are honoured, and the image's are there", oci, flagsAndVariables},
	{"two users at once are two agents", users, twoUsers},
	{"sessions share one machine", nil, moreSessions},
	{"the stock tools of ssh reach it as any host", nil, stockTools},
	{"without an agent the stock tools are told what is missing", []string{"docker", "crun"}, stockToolsWithoutAgent},
	{"run makes a container with the image's entrypoint and command", engines, runsAnImage},
	{"any tool is served by its exec", users, wrapsAnyTool},
	{"the suite of all sandboxes", nil, conforms},
	{"what the tool cannot do is said in its words", oci, toolsWords},
}

func TestInFrontOf(t *testing.T) {
	needTools(t)
	for _, tool := range order {
		t.Run(tool, func(t *testing.T) {
			t.Parallel() // daemons take their time to start, and boxes share nothing
			b := makers[tool](t, options)
			at := install(t, tool, b)
			for _, c := range slices.Concat(checks, endChecks) {
				if c.tools != nil && !slices.Contains(c.tools, tool) {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					f := &front{Rig: newRig(t, b.Env()), tool: tool, box: b, probe: at}
					c.run(f)
					f.NothingLeft()
					if !f.removed {
						f.nothingInside()
					}
				})
			}
		})
	}
}

// install puts the probe into a box and returns its path there.
func install(t *testing.T, tool string, b *box.Box) string {
	t.Helper()
	if tool == "ssh" {
		return filepath.Join(tools, probe) // it leads to this machine
	}
	content, err := os.ReadFile(filepath.Join(tools, probe))
	rig.Must(t, err)
	cmd := b.Command("sh", "-c", "cat >"+probe+" && chmod 755 "+probe)
	cmd.Stdin = bytes.NewReader(content)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("install the probe: %v\n%s", err, out)
	}
	return probe
}

// line is the tool's command line for a program, without a terminal.
func (f *front) line(program ...string) []string { return f.lineAs("", program...) }

func (f *front) lineAs(user string, program ...string) []string {
	return append(f.box.Prefix(false, user), f.quoted(program)...)
}

// onTerminal is the tool's command line for a program, with a terminal.
func (f *front) onTerminal(program ...string) []string {
	return append(f.box.Prefix(true, ""), f.quoted(program)...)
}

// quoted are words as they stand on the tool's command line: ssh joins them for a
// shell.
func (f *front) quoted(words []string) []string {
	if f.tool != "ssh" {
		return words
	}
	var quoted []string
	for _, w := range words {
		quoted = append(quoted, quote([]string{w}))
	}
	return quoted
}

// quote makes one line for a shell of words.
func quote(words []string) string {
	var quoted []string
	for _, w := range words {
		quoted = append(quoted, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return strings.Join(quoted, " ")
}

// nothingInside waits until nothing of snug is left in the box but the agent's
// binary, which the next bring-up need not send.
func (f *front) nothingInside() {
	f.T.Helper()
	f.Eventually("nothing of snug runs in the box", func() bool {
		return !slices.ContainsFunc(f.box.Processes(), func(line string) bool {
			return strings.Contains(line, "snug-agent") || strings.Contains(line, filepath.Base(probe))
		})
	})
	got, err := f.box.Command(f.quoted([]string{"sh", "-c", f.findOurs()})...).Output()
	rig.Must(f.T, err)
	for name := range strings.Lines(string(got)) {
		if !strings.HasPrefix(filepath.Base(strings.TrimSpace(name)), "agent-") {
			f.T.Errorf("left in the box: %s", name)
		}
	}
}

// findOurs is a script that lists what snug has in a box.
func (f *front) findOurs() string {
	folders := "/dev/shm /tmp /run /root /home/app /var/tmp /mnt /"
	if f.tool == "ssh" {
		folders = "/dev/shm" // all else is this machine's
	}
	return `for d in ` + folders + `; do for n in "$d"/.snug-* "$d"/snug-terminfo-* "$d"/snug-ssh-* "$d"/snug-agent-*/*; do if [ -e "$n" ]; then echo "$n"; fi; done; done`
}

func sizeInAPane(f *front) {
	tm := f.Tmux("$SNUG " + quote(f.onTerminal(f.probe, "watch")) + "; echo status $?; read end")
	screen := tm.WaitText("size ")
	if first, _, _ := strings.Cut(screen[strings.Index(screen, "size "):], "\n"); !strings.HasPrefix(first, "size 41 137 ") {
		f.T.Errorf("the program saw %q first:\n%s", first, screen)
	}
	tm.ResizeWindow(100, 30)
	tm.WaitText("size 30 100 ")
	tm.ResizeWindow(160, 50)
	tm.WaitText("size 50 160 ")
	tm.Send("C-d")
	tm.WaitText("status 0")
	tm.Send("Enter")
	tm.WaitFlag("pane_dead", true)
}

func sizeWithPixels(f *front) {
	for range max(2, *trials/10) {
		c := f.Console(f.Command(f.onTerminal(f.probe, "watch")...))
		if first := c.ExpectRegexp(`(?s)size .*?\n`)[0]; first != rig.SizeLine(rig.Size) {
			f.T.Errorf("the program saw %q first, want %q", first, rig.SizeLine(rig.Size))
		}
		stop := rain(c)
		last := terminal.Size{Rows: 30, Cols: 200, XPixel: 2000, YPixel: 900}
		stop(last)
		c.Expect(rig.SizeLine(last))
		c.Send("\x04")
		if status := c.Wait(); status != 0 {
			f.T.Errorf("exit status %d: %s", status, c.Output())
		}
	}
}

func exitStatuses(f *front) {
	for status, program := range map[int][]string{
		0: {"true"}, 42: {f.probe, "exit", "42"}, 255: {f.probe, "exit", "255"}, 127: {"no-such-program"},
		126: {"/etc"}, 128 + 15: {f.probe, "die", "TERM"}, 128 + 9: {f.probe, "die", "KILL"},
	} {
		if got := f.Pipe(f.Command(f.line(program...)...), ""); got.Status != status || got.Stdout != "" {
			f.T.Errorf("%q on pipes: %+v, want status %d", program, got, status)
		}
		c := f.Console(f.Command(f.onTerminal(program...)...))
		if got := c.Wait(); got != status {
			f.T.Errorf("%q on a terminal: status %d, want %d: %s", program, got, status, c.Output())
		}
	}
}

func exactBytes(f *front) {
	const n = 2 << 20
	cmd := f.Command(f.line(f.probe, "duplex", "out", "in", strconv.Itoa(n))...)
	stdin, err := cmd.StdinPipe()
	rig.Must(f.T, err)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	rig.Must(f.T, cmd.Start())
	go func() { // ends with the command
		_, _ = io.Copy(stdin, bytes.NewReader(sandboxtest.Sequence("in", n)))
		_ = stdin.Close()
	}()
	if status := f.Reap(cmd); status != 42 || stderr.Len() > 0 {
		f.T.Errorf("the program's input was wrong: status %d, stderr %q", status, stderr.String())
	}
	if stdout.String() != "ready"+string(sandboxtest.Sequence("out", n)) {
		f.T.Errorf("the program's output differs: %d bytes of %d", stdout.Len(), n)
	}
	got := f.Pipe(f.Command(f.line("sh", "-c", "cat; echo apart >&2; test ! -t 0 && exit 3")...), "input\n")
	if want := (rig.Ended{Status: 3, Stdout: "input\n", Stderr: "apart\n"}); got != want {
		f.T.Errorf("got %+v, want %+v", got, want)
	}
}

func flagsAndVariables(f *front) {
	words := f.line("sh", "-c", `echo "$IMAGE $A $B"; pwd`)
	dir := "-w"
	if f.tool == "crun" || f.tool == "runc" {
		dir = "--cwd"
	}
	at := slices.Index(words, "exec") + 1
	words = slices.Insert(words, at, "-e", "A=1 2", "-e", "B=two", dir, "/tmp")
	if got := f.Pipe(f.Command(words...), ""); got != (rig.Ended{Stdout: "yes 1 2 two\n/tmp\n"}) {
		f.T.Errorf("%q: %+v", words, got)
	}
}

func twoUsers(f *front) {
	root := f.Console(f.Command(append([]string{"wrap", "-t", "--"}, f.lineAs("root", f.probe, "watch")...)...))
	root.Expect("size 41 137")
	app := f.Console(f.Command(append([]string{"wrap", "-t", "--"}, f.lineAs("app", f.probe, "watch")...)...))
	app.Expect("size 41 137")
	if names := f.Names(); len(names) != 2 {
		f.T.Errorf("snug ls lists %q, want two", names)
	}
	for user, uid := range map[string]string{"root": "0\n", "app": "1000\n"} {
		if got := f.Pipe(f.Command(f.lineAs(user, "id", "-u")...), ""); got != (rig.Ended{Stdout: uid}) {
			f.T.Errorf("as %s: %+v, want user %s", user, got, uid)
		}
	}
	root.Send("\x04")
	app.Send("\x04")
	if one, two := root.Wait(), app.Wait(); one != 0 || two != 0 {
		f.T.Errorf("exit statuses %d and %d: %s%s", one, two, root.Output(), app.Output())
	}
}

// moreSessions needs one client of the tool, whatever is run.
func moreSessions(f *front) {
	c := f.Console(f.Command(f.onTerminal(f.probe, "watch")...))
	c.Expect(rig.SizeLine(rig.Size))
	first := client(f.Rig, 0)
	names := f.Names()
	if len(names) != 1 {
		f.T.Fatalf("snug ls lists %q, want one", names)
	}
	if got := f.Pipe(f.Command("exec", names[0], "--", "sh", "-c", "cat; exit 4"), "in"); got != (rig.Ended{Status: 4, Stdout: "in"}) {
		f.T.Errorf("snug exec: %+v", got)
	}
	beside := f.Console(f.Command(f.onTerminal("sh", "-c", "stty size; exit 5")...))
	beside.Expect("41 137\r\n")
	if status := beside.Wait(); status != 5 {
		f.T.Errorf("the same line again: exit status %d: %s", status, beside.Output())
	}
	if now := client(f.Rig, 0); now != first {
		f.T.Error("the tool's client is another one")
	}
	c.Send("\x04")
	if status := c.Wait(); status != 0 {
		f.T.Errorf("exit status %d: %s", status, c.Output())
	}
}

func runsAnImage(f *front) {
	for _, c := range []struct {
		flags, program, want string
		stays                bool
	}{
		{"--rm", "", "yes from the image", false},
		{"--name made", "another command", "yes another command", true},
	} {
		line := append(words(f.tool+" run -it --network none "+c.flags, f.box.Image), strings.Fields(c.program)...)
		con := f.Console(f.Command(line...))
		con.Expect("41 137\r\n" + c.want + "\r\n")
		if status := con.Wait(); status != 9 {
			f.T.Errorf("%q: exit status %d: %s", line, status, con.Output())
		}
		f.NothingLeft()
		all, err := f.box.Tool(f.tool, "ps", "-a", "--format", "{{.Names}} {{.Status}}").Output()
		rig.Must(f.T, err)
		want := 1 // the box itself
		if c.stays {
			want = 2
		}
		if n := strings.Count(string(all), "\n"); n != want || c.stays && !strings.Contains(string(all), "made Exited") {
			f.T.Errorf("after %q there are\n%s", line, all)
		}
	}
	rig.Must(f.T, f.box.Tool(f.tool, "rm", "made").Run())
}

func toolsWords(f *front) {
	missing := strings.Fields(strings.Replace(strings.Join(f.line("true"), " "), box.Name, "gone", 1))
	got := f.Pipe(f.Command(missing...), "")
	list := map[string]string{"docker": "docker ps -a", "podman": "podman ps -a", "crun": "crun list", "runc": "runc list"}[f.tool]
	if got.Status != 125 || !rig.OneLine(got.Stderr) || !strings.Contains(got.Stderr, list) || !strings.Contains(got.Stderr, "gone") && !strings.Contains(got.Stderr, "exist") {
		f.T.Errorf("no such container: %+v, want 125 and %q", got, list)
	}
	none := f.With("PATH=" + filepath.Join(f.Root, "nowhere"))
	got = none.Pipe(none.Command(f.line("true")...), "")
	if got.Status != 125 || !rig.OneLine(got.Stderr) || !strings.Contains(got.Stderr, "install "+f.tool) {
		f.T.Errorf("not installed: %+v, want 125 and the tool's name", got)
	}
}

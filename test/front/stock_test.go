//go:build linux

package front

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/snugvm/snug/test/rig"
)

// stockHost is a machine behind a tool as a host of ssh's.
type stockHost struct {
	*front
	name, config string
}

// host writes what snug ssh-config says of the only machine there is.
func (f *front) host() *stockHost {
	f.T.Helper()
	names := f.Names()
	if len(names) != 1 {
		f.T.Fatalf("snug ls lists %q, want one", names)
	}
	h := &stockHost{f, strings.NewReplacer(":", "-", "+", "-", "@", "-").Replace(names[0]), filepath.Join(f.Root, "ssh.conf")}
	got := f.Pipe(f.Command("ssh-config", names[0]), "")
	if got.Status != 0 || got.Stderr != "" {
		f.T.Fatalf("snug ssh-config: %+v", got)
	}
	rig.Must(f.T, os.WriteFile(h.config, []byte(got.Stdout), 0o600))
	return h
}

// tool is a stock tool, which takes -F as ssh does.
func (h *stockHost) tool(name string, args ...string) *exec.Cmd {
	h.T.Helper()
	rig.Need(h.T, name, "openssh-client")
	cmd := exec.Command(name, append([]string{"-F", h.config}, args...)...)
	cmd.Dir, cmd.Env = h.Project, h.Env
	return cmd
}

func freePort(f *front) string {
	f.T.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	rig.Must(f.T, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// stockTools reach a machine behind a tool as any host.
func stockTools(f *front) {
	c := f.Console(f.Command(f.onTerminal(f.probe, "watch")...))
	c.Expect(rig.SizeLine(rig.Size))
	h := f.host()
	for _, name := range []string{h.name, h.name + ".snug"} {
		if got := f.Pipe(h.tool("ssh", name, "cat; echo apart >&2; exit 4"), "in"); got != (rig.Ended{Status: 4, Stdout: "in", Stderr: "apart\n"}) {
			f.T.Errorf("ssh %s: %+v", name, got)
		}
	}
	h.copies()
	names := f.Names()
	f.Write("mine", "copied\n", 0o644)
	there := "/tmp/cp-" + strconv.Itoa(os.Getpid())
	for _, line := range [][]string{{"cp", "mine", names[0] + ":" + there}, {"cp", names[0] + ":" + there, "came"}, {"exec", names[0], "--", "rm", there}} {
		if got := f.Pipe(f.Command(line...), ""); got != (rig.Ended{}) {
			f.T.Errorf("snug %q: %+v", line, got)
		}
	}
	if got := f.Read("came"); got != "copied\n" {
		f.T.Errorf("snug cp has brought back %q", got)
	}
	if f.tool != "nsenter" { // in whose box no network is up, not even its own
		h.forwards()
	}
	c.Send("\x04")
	if status := c.Wait(); status != 0 {
		f.T.Errorf("exit status %d: %s", status, c.Output())
	}
}

func (h *stockHost) copies() {
	h.T.Helper()
	content := make([]byte, 2<<20)
	_, _ = rand.Read(content)
	h.Write("sent", string(content), 0o750)
	there := "/tmp/stock-" + strconv.Itoa(os.Getpid())
	for _, cmd := range []*exec.Cmd{
		h.tool("scp", "-p", "sent", h.name+":"+there), h.tool("scp", "-p", h.name+":"+there, "back"), h.tool("ssh", h.name, "rm "+there),
	} {
		if got := h.Pipe(cmd, ""); got.Status != 0 {
			h.T.Fatalf("%q: %+v", cmd.Args, got)
		}
	}
	info, err := os.Stat(filepath.Join(h.Project, "back"))
	rig.Must(h.T, err)
	if h.Read("back") != string(content) || info.Mode().Perm() != 0o750 {
		h.T.Errorf("scp has brought back %d bytes of mode %v, or others", info.Size(), info.Mode())
	}
}

// forwards goes into the machine by -L, to a port that -R has opened there, and
// so back to where it came from.
func (h *stockHost) forwards() {
	h.T.Helper()
	content := bytes.Repeat([]byte("around"), 50_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }))
	defer server.Close()
	in, out := freePort(h.front), freePort(h.front)
	cmd := h.tool("ssh", "-o", "ExitOnForwardFailure=yes", "-R", in+":"+strings.TrimPrefix(server.URL, "http://"), "-L", out+":localhost:"+in, h.name, "echo up >&2; cat")
	stdin, err := cmd.StdinPipe()
	rig.Must(h.T, err)
	stderr, err := cmd.StderrPipe()
	rig.Must(h.T, err)
	rig.Must(h.T, cmd.Start())
	if line, err := io.ReadAll(io.LimitReader(stderr, 3)); err != nil || string(line) != "up\n" {
		h.T.Errorf("ssh says %q, %v", line, err)
	}
	for range 5 {
		got, err := http.Get("http://127.0.0.1:" + out + "/")
		if err != nil {
			h.T.Error(err)
			break
		}
		all, err := io.ReadAll(got.Body)
		_ = got.Body.Close()
		if err != nil || !bytes.Equal(all, content) {
			h.T.Errorf("%d bytes of %d, or others: %v", len(all), len(content), err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	_ = stdin.Close()
	if status := h.Reap(cmd); status != 0 {
		h.T.Errorf("ssh ended with %d", status)
	}
}

// stockToolsWithoutAgent are told what is missing where the tool's own terminal
// takes the agent's place.
func stockToolsWithoutAgent(f *front) {
	c := f.Console(f.Command(append([]string{"wrap", "--bridge", "native", "--"}, f.onTerminal("sh", "-c", "echo up; cat")...)...))
	c.Expect("up\r\n")
	h := f.host()
	if got := f.Pipe(h.tool("ssh", h.name, "echo there"), ""); got.Status != 0 || got.Stdout != "there\n" {
		f.T.Errorf("ssh: %+v", got)
	}
	for _, cmd := range []*exec.Cmd{h.tool("sftp", "-b", "/dev/null", h.name), h.tool("ssh", "-W", "localhost:1", h.name)} {
		if got := f.Pipe(cmd, ""); got.Status != 255 || !strings.Contains(got.Stderr, "needs snug's agent in the machine") {
			f.T.Errorf("%q: %+v", cmd.Args, got)
		}
	}
	port := freePort(f)
	got := f.Pipe(h.tool("ssh", "-o", "ExitOnForwardFailure=yes", "-R", port+":127.0.0.1:1", h.name, "true"), "")
	if got.Status != 255 || !strings.Contains(got.Stderr, "remote port forwarding failed") {
		f.T.Errorf("ssh -R: %+v", got)
	}
	c.Send("\x04")
	if status := c.Wait(); status != 0 {
		f.T.Errorf("exit status %d: %s", status, c.Output())
	}
}

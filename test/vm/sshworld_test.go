//go:build linux

package vm

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	user "github.com/snugvm/snug/test/rig"
	"golang.org/x/crypto/ssh"
)

// stock is a machine that the stock tools reach by what snug ssh-config prints.
type stock struct {
	*rig
	config string
	mine   string // a folder of the host's, which the machine does not see
}

// TestStockToolsOfSSH drives one machine with all that speaks SSH.
func TestStockToolsOfSSH(t *testing.T) {
	for command, debianPackage := range map[string]string{
		"ssh": "openssh-client", "scp": "openssh-client", "sftp": "openssh-client", "ssh-agent": "openssh-client", "rsync": "rsync",
		"git": "git", "curl": "curl", "busybox": "busybox-static",
	} {
		user.Need(t, command, debianPackage)
	}
	r := newRig(t)
	run := r.run("--rm", "--name", "box", "--", "sh", "-c", "echo up >up; exec cat")
	stdin, err := run.StdinPipe()
	user.Must(t, err)
	user.Must(t, run.Start())
	r.AwaitFile("up")
	s := &stock{r, filepath.Join(r.Root, "ssh.conf"), t.TempDir()}
	printed := r.Pipe(r.Command("ssh-config"), "")
	if printed.Status != 0 {
		t.Fatalf("snug ssh-config: %+v", printed)
	}
	user.Must(t, os.WriteFile(s.config, []byte(printed.Stdout), 0o600))

	for _, test := range []struct {
		name string
		run  func(s *stock)
	}{
		{"ssh by both names", (*stock).names},
		{"another host key is refused", (*stock).foreignKey},
		{"scp, new and old, both ways", (*stock).scp},
		{"sftp in a batch", (*stock).sftp},
		{"rsync both ways", (*stock).rsync},
		{"git clone, fetch and push", (*stock).git},
		{"ssh -L, 50 connections at a time", (*stock).local},
		{"ssh -D", (*stock).dynamic},
		{"ssh -R", (*stock).remote},
		{"ssh -A, and without", (*stock).agent},
		{"snug cp", (*stock).cp},
		{"snug forward", (*stock).forward},
		{"an editor's remote server", (*stock).editor},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := *s
			r.rig = &rig{s.For(t)}
			test.run(&r)
		})
	}
	_ = stdin.Close()
	if status := r.Reap(run); status != 0 {
		t.Errorf("the machine's own session ended with %d", status)
	}
}

// tool is a stock tool, which takes -F as ssh does.
func (s *stock) tool(name string, args ...string) *exec.Cmd {
	return s.host(name, append([]string{"-F", s.config}, args...)...)
}

// host is a command of the host's that runs ssh, or none, with the configuration.
func (s *stock) host(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.mine, append(slices.Clone(s.Env), "GIT_SSH_COMMAND=ssh -F "+s.config, "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	return cmd
}

// ok runs a command that must succeed, and returns its output.
func (s *stock) ok(cmd *exec.Cmd, stdin string) string {
	s.T.Helper()
	got := s.Pipe(cmd, stdin)
	if got.Status != 0 {
		s.T.Fatalf("%q: %+v", cmd.Args, got)
	}
	return got.Stdout
}

// guest runs a shell's line in the machine.
func (s *stock) guest(line string) string {
	s.T.Helper()
	return s.ok(s.tool("ssh", "box.snug", line), "")
}

func (s *stock) file(name string, size int, mode os.FileMode) []byte {
	s.T.Helper()
	content := make([]byte, size)
	_, _ = rand.Read(content)
	user.Must(s.T, os.MkdirAll(filepath.Dir(filepath.Join(s.mine, name)), 0o755))
	user.Must(s.T, os.WriteFile(filepath.Join(s.mine, name), content, 0o600))
	user.Must(s.T, os.Chmod(filepath.Join(s.mine, name), mode))
	return content
}

func (s *stock) is(name string, content []byte, mode os.FileMode) {
	s.T.Helper()
	name = filepath.Join(s.mine, name)
	got, err := os.ReadFile(name)
	user.Must(s.T, err)
	info, err := os.Stat(name)
	user.Must(s.T, err)
	if !bytes.Equal(got, content) || info.Mode().Perm() != mode {
		s.T.Errorf("%s: %d bytes of mode %v, want %d of %v, or others", name, len(got), info.Mode().Perm(), len(content), mode)
	}
}

func (s *stock) names() {
	for _, name := range []string{"box", "box.snug", "somebody@box.snug"} {
		if got := s.ok(s.tool("ssh", name, "echo here; id -un"), ""); !strings.HasPrefix(got, "here\n") {
			s.T.Errorf("%s: %q", name, got)
		}
	}
	got := s.Pipe(s.tool("ssh", "nobody.snug", "true"), "")
	if got.Status != 255 || !strings.Contains(got.Stderr, "no machine nobody runs") {
		s.T.Errorf("a machine that does not run: %+v", got)
	}
}

func (s *stock) foreignKey() {
	text, err := os.ReadFile(s.config)
	user.Must(s.T, err)
	public, _, err := ed25519.GenerateKey(nil)
	user.Must(s.T, err)
	key, err := ssh.NewPublicKey(public)
	user.Must(s.T, err)
	var other []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "KnownHostsCommand") {
			line = "\tKnownHostsCommand /bin/echo %H " + string(ssh.MarshalAuthorizedKey(key))
		}
		other = append(other, line)
	}
	config := filepath.Join(s.mine, "other.conf")
	user.Must(s.T, os.WriteFile(config, []byte(strings.Join(other, "")), 0o600))
	for _, name := range []string{"box", "box.snug"} {
		got := s.Pipe(s.host("ssh", "-F", config, name, "echo here"), "")
		if got.Status != 255 || got.Stdout != "" || !strings.Contains(got.Stderr, "REMOTE HOST IDENTIFICATION HAS CHANGED") {
			s.T.Errorf("%s: %+v", name, got)
		}
	}
}

func (s *stock) scp() {
	for i, old := range [][]string{nil, {"-O"}} {
		dir := fmt.Sprintf("/tmp/scp%d", i)
		s.guest("mkdir " + dir)
		big, script := s.file("big", 10<<20, 0o640), s.file("script", 100, 0o755)
		scp := func(args ...string) { s.ok(s.tool("scp", slices.Concat(old, []string{"-p"}, args)...), "") }
		scp("big", "script", "box.snug:"+dir)
		want := fmt.Sprintf("%x  big\n640 755\n", sha256.Sum256(big))
		if got := s.guest("cd " + dir + " && sha256sum big && stat -c %a big script | xargs"); got != want {
			s.T.Errorf("scp %v into the machine: %q, want %q", old, got, want)
		}
		scp("-r", "box.snug:"+dir, "back")
		s.is("back/big", big, 0o640)
		s.is("back/script", script, 0o755)
		user.Must(s.T, os.RemoveAll(filepath.Join(s.mine, "back")))
	}
	got := s.Pipe(s.tool("scp", "box.snug:/no/such", "."), "")
	if got.Status != 1 || !strings.Contains(got.Stderr, "No such file") {
		s.T.Errorf("a file that is not there: %+v", got)
	}
}

func (s *stock) sftp() {
	content := s.file("batch", 1<<20, 0o600)
	batch := "mkdir /tmp/batch\nput batch /tmp/batch/one\nrename /tmp/batch/one /tmp/batch/two\nsymlink two /tmp/batch/link\n" +
		"chmod 640 /tmp/batch/two\nls -l /tmp/batch\nget /tmp/batch/link back\nrm /tmp/batch/*\nrmdir /tmp/batch\n-ls /tmp/batch\npwd\n"
	got := s.ok(s.tool("sftp", "-b", "-", "box.snug"), batch)
	if !strings.Contains(got, "-rw-r-----") || !strings.Contains(got, "Remote working directory: "+s.Project) {
		s.T.Errorf("sftp: %s", got)
	}
	s.is("back", content, 0o640)
	for _, sessions := range s.List() {
		for _, session := range sessions.Sessions {
			if session.Terminal {
				s.T.Errorf("a session on a terminal that nobody has asked for: %+v", session)
			}
		}
	}
}

func (s *stock) rsync() {
	user.Must(s.T, os.MkdirAll(filepath.Join(s.mine, "tree/sub"), 0o755))
	one, two := s.file("tree/one", 1<<20, 0o644), s.file("tree/sub/two", 100, 0o755)
	rsync := func(args ...string) {
		s.ok(s.host("rsync", append([]string{"-a", "--delete", "-e", "ssh -F " + s.config}, args...)...), "")
	}
	rsync("tree/", "box.snug:/tmp/tree/")
	s.guest("cd /tmp/tree && test -x sub/two && echo more >extra && rm sub/two && cp one three")
	rsync("box.snug:/tmp/tree/", "pulled/")
	s.is("pulled/three", one, 0o644)
	if _, err := os.Stat(filepath.Join(s.mine, "pulled/sub/two")); err == nil {
		s.T.Error("rsync has brought what is not there")
	}
	rsync("tree/", "box.snug:/tmp/tree/")
	if got := s.guest("cd /tmp/tree && find . -type f | sort | xargs"); got != "./one ./sub/two\n" {
		s.T.Errorf("rsync --delete has left %q", got)
	}
	rsync("box.snug:/tmp/tree/", "pulled/")
	s.is("pulled/sub/two", two, 0o755)
}

func (s *stock) git() {
	s.guest("git init -q --bare -b main /tmp/repo.git")
	s.ok(s.host("git", "init", "-q", "-b", "main", "work"), "")
	content := s.file("work/file", 1<<20, 0o644)
	for _, line := range []string{"-C work add file", "-C work commit -qm one", "-C work push -q box.snug:/tmp/repo.git main", "clone -q box.snug:/tmp/repo.git cloned",
		"-C cloned fetch -q origin"} {
		s.ok(s.host("git", strings.Fields(line)...), "")
	}
	s.is("cloned/file", content, 0o644)
}

// free is a port of the host's that nobody listened on just now.
func (s *stock) free() string {
	s.T.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	user.Must(s.T, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// until runs a command while a test does something, from when it has made ready.
func (s *stock) until(cmd *exec.Cmd, ready func() bool, do func()) {
	s.T.Helper()
	var words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &words, &words
	user.Must(s.T, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if s.T.Failed() {
			s.T.Logf("%q: %s", cmd.Args, &words)
		}
	}()
	s.Eventually(fmt.Sprintf("%q is ready", cmd.Args), ready)
	do()
}

func listens(port string) func() bool {
	return func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}
}

// web has the machine serve a file while a test does something, at port 8080 of its loopback.
func (s *stock) web(do func(content []byte)) {
	s.T.Helper()
	content := s.file("served", 300<<10, 0o644)
	s.guest("mkdir -p /tmp/web")
	s.ok(s.tool("scp", "served", "box.snug:/tmp/web/file"), "")
	server := s.tool("ssh", "box.snug", "exec busybox httpd -f -p 127.0.0.1:8080 -h /tmp/web")
	s.until(server, func() bool {
		return s.Pipe(s.tool("ssh", "box.snug", "busybox wget -q -O /dev/null http://127.0.0.1:8080/file"), "").Status == 0
	}, func() { do(content) })
}

func fetch(client *http.Client, url string) ([]byte, error) {
	got, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	return io.ReadAll(got.Body)
}

func (s *stock) local() {
	s.web(func(content []byte) {
		port, dead := s.free(), s.free()
		s.until(s.tool("ssh", "-N", "-L", port+":localhost:8080", "-L", dead+":localhost:1", "box.snug"), listens(port), func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if got, err := fetch(client, "http://127.0.0.1:"+port+"/file"); err != nil || !bytes.Equal(got, content) {
						s.T.Errorf("%d bytes of %d, or others: %v", len(got), len(content), err)
					}
				})
			}
			wg.Wait()
			if got, err := fetch(client, "http://127.0.0.1:"+dead+"/"); err == nil {
				s.T.Errorf("nobody's port says %q", got)
			}
		})
	})
}

func (s *stock) dynamic() {
	s.web(func(content []byte) {
		port := s.free()
		s.until(s.tool("ssh", "-N", "-D", port, "box.snug"), listens(port), func() {
			for _, proxy := range []string{"--socks5-hostname", "--socks5", "--socks4a"} {
				got := s.ok(s.host("curl", "-sS", proxy, "127.0.0.1:"+port, "http://127.0.0.1:8080/file"), "")
				if got != string(content) {
					s.T.Errorf("%s: %d bytes of %d, or others", proxy, len(got), len(content))
				}
			}
		})
	})
}

func (s *stock) remote() {
	content := s.file("offered", 300<<10, 0o644)
	server := httptest.NewServer(http.FileServer(http.Dir(s.mine)))
	defer server.Close()
	target := strings.TrimPrefix(server.URL, "http://")
	get := func(port string) string {
		return s.guest("busybox wget -q -O - http://localhost:" + port + "/offered | sha256sum")
	}
	want := fmt.Sprintf("%x  -\n", sha256.Sum256(content))
	around := s.free()
	done := s.tool("ssh", "-o", "ExitOnForwardFailure=yes", "-R", "9090:"+target, "-R", "/tmp/offered.sock:"+target,
		"-L", around+":/tmp/offered.sock", "box.snug", "test -S /tmp/offered.sock && touch /tmp/offered.first; cat")
	hold, err := done.StdinPipe()
	user.Must(s.T, err)
	s.until(done, listens(around), func() {
		s.Eventually("the program has begun with what was asked for before it", func() bool {
			return s.Pipe(s.tool("ssh", "box.snug", "test -e /tmp/offered.first"), "").Status == 0
		})
		if got, err := fetch(http.DefaultClient, "http://127.0.0.1:"+around+"/offered"); err != nil || !bytes.Equal(got, content) {
			s.T.Errorf("into the machine's socket and back: %d bytes of %d, or others: %v", len(got), len(content), err)
		}
		http.DefaultClient.CloseIdleConnections()
		if got := get("9090"); got != want {
			s.T.Errorf("the guest has got %q, want %q", got, want)
		}
		taken := s.Pipe(s.tool("ssh", "-o", "ExitOnForwardFailure=yes", "-R", "9090:"+target, "box.snug", "true"), "")
		if taken.Status != 255 || !strings.Contains(taken.Stderr, "remote port forwarding failed") {
			s.T.Errorf("a port that is taken: %+v", taken)
		}
		_ = hold.Close()
	})
	s.Eventually("the guest listens no longer", func() bool {
		return s.guest("test -e /tmp/offered.sock && echo there; busybox wget -q -O - http://localhost:9090/ >/dev/null 2>&1 && echo there; true") == ""
	})
	// Any port: ssh says which.
	chosen := s.Pipe(s.tool("ssh", "-R", "0:"+target, "box.snug", "cat"), "")
	if chosen.Status != 0 || !strings.Contains(chosen.Stderr, "Allocated port ") {
		s.T.Errorf("any port: %+v", chosen)
	}
}

// agentWith starts an SSH agent with one key, and returns its socket and the key's fingerprint.
func (s *stock) agentWith() (socket, fingerprint string) {
	s.T.Helper()
	socket = filepath.Join(s.T.TempDir(), "a")
	keeper := exec.Command("ssh-agent", "-D", "-a", socket)
	user.Must(s.T, keeper.Start())
	s.T.Cleanup(func() {
		_ = keeper.Process.Kill()
		_ = keeper.Wait()
	})
	s.Eventually("the agent is there", func() bool { _, err := os.Stat(socket); return err == nil })
	s.ok(s.host("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key"), "")
	add := s.host("ssh-add", "-q", "key")
	add.Env = append(add.Env, "SSH_AUTH_SOCK="+socket)
	s.ok(add, "")
	return socket, strings.Fields(s.ok(s.host("ssh-keygen", "-l", "-f", "key.pub"), ""))[1]
}

func (s *stock) agent() {
	socket, fingerprint := s.agentWith()
	ask := func(args ...string) user.Ended {
		cmd := s.tool("ssh", append(args, "box.snug", `ssh-add -l; echo "at=$SSH_AUTH_SOCK"; stat -c '%a %u' "$SSH_AUTH_SOCK" "$(dirname "$SSH_AUTH_SOCK")"`)...)
		cmd.Env = append(cmd.Env, "SSH_AUTH_SOCK="+socket)
		return s.Pipe(cmd, "")
	}
	uid := os.Getuid()
	if s.As != nil {
		uid = int(s.As.Uid)
	}
	got := ask("-A")
	if !strings.Contains(got.Stdout, fingerprint) || !strings.HasSuffix(got.Stdout, fmt.Sprintf("\n600 %d\n700 %d\n", uid, uid)) {
		s.T.Errorf("with -A: %+v, want %s", got, fingerprint)
	}
	if got := ask(); strings.Contains(got.Stdout, fingerprint) || !strings.Contains(got.Stdout, "at=\n") {
		s.T.Errorf("without -A: %+v", got)
	}
	if got := s.guest("ls -d /tmp/snug-ssh-* 2>/dev/null; true"); got != "" {
		s.T.Errorf("left in the machine: %s", got)
	}
}

// The agent is root in the machine, and what it does for an ordinary user it does as that user.
func TestFilesAndSocketsAreTheUsers(t *testing.T) {
	user.Need(t, "ssh", "openssh-client")
	setpriv := user.Need(t, "setpriv", "util-linux")
	needMachine(t)
	r := newOrdinaryRig(t)
	run := r.run("--rm", "--name", "box", "--", "sh", "-c", "echo up >up; exec cat")
	stdin, err := run.StdinPipe()
	user.Must(t, err)
	user.Must(t, run.Start())
	r.AwaitFile("up")
	s := &stock{r, filepath.Join(r.Root, "ssh.conf"), t.TempDir()}
	config := s.ok(r.Command("ssh-config"), "")
	if r.As != nil {
		// Ssh wants users to have an account. So ssh is root here, and what it runs is not.
		mine := "'" + r.Snug + "'"
		config = strings.ReplaceAll(config, mine, fmt.Sprintf("%s --reuid=%d --regid=%d --clear-groups %s", setpriv, r.As.Uid, r.As.Gid, mine))
	}
	user.Must(t, os.WriteFile(s.config, []byte(config), 0o600))

	s.agent()
	got := s.Pipe(s.tool("sftp", "-b", "-", "box.snug"), "get /proc/1/environ environ\n")
	if got.Status == 0 || !strings.Contains(got.Stderr, "ermission denied") {
		t.Errorf("what is root's in the machine, by sftp: %+v", got)
	}
	for path, allowed := range map[string]bool{"/tmp/mine": true, "/not-mine": false} {
		got := s.Pipe(s.tool("ssh", "-o", "ExitOnForwardFailure=yes", "-R", path+":127.0.0.1:1", "box.snug", "stat -c '%U %a' "+path+"; id -un"), "")
		if name, words, _ := strings.Cut(got.Stdout, " "); allowed && words != "600\n"+name+"\n" || allowed != (got.Status == 0) {
			t.Errorf("a socket at %s: %+v", path, got)
		}
	}
	_ = stdin.Close()
	if status := r.Reap(run); status != 0 {
		t.Errorf("the machine's own session ended with %d", status)
	}
}

// in is snug itself, in the folder of the test's.
func (s *stock) in(args ...string) *exec.Cmd {
	cmd := s.Command(args...)
	cmd.Dir = s.mine
	return cmd
}

func (s *stock) cp() {
	big := s.file("cp/big", 10<<20, 0o640)
	script := s.file("cp/sub/script", 100, 0o755)
	s.ok(s.in("cp", "-r", "-p", "cp", "box:/tmp"), "")
	want := fmt.Sprintf("%x  big\n640 755\n", sha256.Sum256(big))
	if got := s.guest("cd /tmp/cp && sha256sum big && stat -c %a big sub/script | xargs"); got != want {
		s.T.Errorf("into the machine: %q, want %q", got, want)
	}
	s.ok(s.in("cp", "-rp", "box:/tmp/cp", "came"), "")
	s.is("came/big", big, 0o640)
	s.is("came/sub/script", script, 0o755)
	if got := s.ok(s.in("cp", "box:/tmp/cp/sub/script", "-"), ""); got != string(script) {
		s.T.Errorf("to standard output: %d bytes of %d, or others", len(got), len(script))
	}
	s.ok(s.in("cp", "-", "box:/tmp/cp/in"), "from standard input")
	if got := s.guest("cat /tmp/cp/in; ls -A /tmp/cp | xargs"); got != "from standard inputbig in sub\n" {
		s.T.Errorf("from standard input: %q", got)
	}
	for words, args := range map[string][]string{
		"no such machine runs":      {"x", "nobody:/tmp"},
		"name one side":             {"cp/big", "elsewhere"},
		"both sides are machines":   {"box:/tmp/cp/in", "box:/tmp/cp/in2"},
		"copy it with -r":           {"box:/tmp/cp", "."},
		"file does not exist":       {"box:/no/such", "x"},
		"standard output takes one": {"box:/tmp/cp/in", "box:/tmp/cp/big", "-"},
	} {
		got := s.Pipe(s.in(append([]string{"cp"}, args...)...), "")
		if got.Status != 125 || !user.OneLine(got.Stderr) || !strings.Contains(got.Stderr, words) {
			s.T.Errorf("snug cp %q: %+v, want 125 and %q", args, got, words)
		}
	}
}

func (s *stock) forward() {
	s.web(func(content []byte) {
		offered := httptest.NewServer(http.FileServer(http.Dir(s.mine)))
		defer offered.Close()
		in, long, socks := s.free(), s.free(), s.free()
		command := s.in("forward", "--json", "box", in+":8080", "-L", long+":localhost:8080", "-D", socks, "-R", "9191:"+strings.TrimPrefix(offered.URL, "http://"))
		out, err := command.StdoutPipe()
		user.Must(s.T, err)
		command.Stderr = os.Stderr
		user.Must(s.T, command.Start())
		var ready struct {
			Forwards []struct{ Kind, Listen, To string }
		}
		user.Must(s.T, json.NewDecoder(out).Decode(&ready))
		if len(ready.Forwards) != 4 || ready.Forwards[0].Listen != "127.0.0.1:"+in || ready.Forwards[0].To != "localhost:8080" {
			s.T.Errorf("it says %+v", ready)
		}
		for _, port := range []string{in, long} {
			if got, err := fetch(http.DefaultClient, "http://127.0.0.1:"+port+"/file"); err != nil || !bytes.Equal(got, content) {
				s.T.Errorf("%d bytes of %d, or others: %v", len(got), len(content), err)
			}
		}
		http.DefaultClient.CloseIdleConnections()
		for _, proxy := range []string{"--socks5-hostname", "--socks5", "--socks4", "--socks4a"} {
			if got := s.ok(s.host("curl", "-sS", proxy, "127.0.0.1:"+socks, "http://127.0.0.1:8080/file"), ""); got != string(content) {
				s.T.Errorf("%s: %d bytes of %d, or others", proxy, len(got), len(content))
			}
		}
		want := fmt.Sprintf("%x  -\n", sha256.Sum256(content))
		if got := s.guest("busybox wget -q -O - http://localhost:9191/served | sha256sum"); got != want {
			s.T.Errorf("the guest has got %q, want %q", got, want)
		}
		user.Must(s.T, command.Process.Signal(os.Interrupt))
		if status := s.Reap(command); status != 128+2 {
			s.T.Errorf("after ^C it ended with %d", status)
		}
	})
}

// editor is what VS Code and its like do: a script on standard input of a shell
// without a terminal, which starts a server that stays, and is told by lines
// where it listens; and a SOCKS port, by which it is reached.
func (s *stock) editor() {
	content := s.file("index", 100<<10, 0o644)
	user.Must(s.T, os.WriteFile(filepath.Join(s.Project, "index"), content, 0o644))
	socks := s.free()
	remote := s.tool("ssh", "-T", "-D", socks, "-o", "ConnectTimeout=60", "box.snug", "bash")
	in, err := remote.StdinPipe()
	user.Must(s.T, err)
	out, err := remote.StdoutPipe()
	user.Must(s.T, err)
	user.Must(s.T, remote.Start())
	defer func() {
		_ = in.Close()
		_ = remote.Wait()
	}()
	_, err = io.WriteString(in, `echo "abc: running"
DIR="$HOME/.editor-server"
mkdir -p "$DIR" || { echo "exitCode==202=="; exit 1; }
case "$(uname -s)" in Linux) PLATFORM=linux;; *) echo "exitCode==204=="; exit 1;; esac
LOCK="$DIR/lock.$USER"
if ! (set -o noclobber; echo $$ >"$LOCK") 2>/dev/null; then echo "exitCode==24=="; exit 1; fi
cp index "$DIR/" && cd "$DIR" || exit 1
nohup busybox httpd -f -p 127.0.0.1:8123 -h "$DIR" >"$DIR/log" 2>&1 </dev/null &
echo $! >"$DIR/pid"
for i in $(seq 100); do busybox wget -q -O /dev/null http://127.0.0.1:8123/index && break; sleep 0.1; done
rm -f "$LOCK"
echo "abc: start"
echo "SSH_AUTH_SOCK==$SSH_AUTH_SOCK=="
echo "listeningOn==127.0.0.1:8123=="
echo "platform==$PLATFORM=="
echo "arch==$(uname -m)=="
echo "abc: end"
`)
	user.Must(s.T, err)
	said := make([]byte, 0, 1024)
	for !bytes.Contains(said, []byte("abc: end\n")) {
		buf := make([]byte, 256)
		n, err := out.Read(buf)
		if said = append(said, buf[:n]...); err != nil {
			s.T.Fatalf("%v after %q", err, said)
		}
	}
	for _, want := range []string{"abc: running\n", "SSH_AUTH_SOCK====\n", "listeningOn==127.0.0.1:8123==\n", "platform==linux==\n"} {
		if !bytes.Contains(said, []byte(want)) {
			s.T.Errorf("no %q in %q", want, said)
		}
	}
	get := func() string {
		return s.ok(s.host("curl", "-sS", "--socks5-hostname", "127.0.0.1:"+socks, "http://127.0.0.1:8123/index"), "")
	}
	if got := get(); got != string(content) {
		s.T.Errorf("%d bytes of %d, or others", len(got), len(content))
	}
	// A window that is reloaded finds its server.
	if got := s.guest("kill -0 $(cat ~/.editor-server/pid) && echo lives"); got != "lives\n" {
		s.T.Errorf("the server: %q", got)
	}
	s.guest("kill $(cat ~/.editor-server/pid)")
}

//go:build linux

package relay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snugvm/snug/internal/agent"
	"github.com/snugvm/snug/internal/wire"
	"github.com/snugvm/snug/sandbox/sandboxtest"
	"github.com/snugvm/snug/test/ptytest"
)

// binary is the agent's, built once for the tests.
var binary, probe string

func TestMain(m *testing.M) {
	os.Exit(sandboxtest.Main(m, func(dir string) (err error) {
		if binary, err = sandboxtest.BuildAgent(dir); err == nil {
			probe, err = sandboxtest.BuildProbe(dir)
		}
		return err
	}))
}

// box is a folder in which Enter is run, as the shell of a sandbox runs it.
type box struct {
	t      *testing.T
	dir    string
	config agent.Config
	hash   string

	mu     sync.Mutex
	relays []*enterProcess
}

func newBox(t *testing.T) *box {
	t.Helper()
	dir, err := os.MkdirTemp("", "snug-box-") // short enough for a socket
	must(t, err)
	mark := wire.NewMark()
	b := &box{t: t, dir: dir, config: agent.Config{Mark: mark[:], HostKey: make([]byte, 32), Inherit: true}}
	content, err := os.ReadFile(binary)
	must(t, err)
	sum := sha256.Sum256(content)
	b.hash = hex.EncodeToString(sum[:])
	t.Cleanup(func() {
		for _, r := range b.all() {
			r.kill()
		}
		must(t, end(context.Background(), b.folder()))
		must(t, os.RemoveAll(dir))
	})
	return b
}

func (b *box) base() string { return filepath.Join(b.dir, UserFolder(os.Geteuid())) }

func (b *box) folder() string { return filepath.Join(b.base(), FolderID(b.config.Mark)) }

func (b *box) all() []*enterProcess {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*enterProcess(nil), b.relays...)
}

// upload leaves the binary where the shell does.
func (b *box) upload(content []byte) string {
	b.t.Helper()
	name := filepath.Join(b.dir, Upload+wire.NewID()[:16])
	must(b.t, ptytest.WriteProgram(name, content))
	return name
}

func (b *box) uploaded() string {
	b.t.Helper()
	content, err := os.ReadFile(binary)
	must(b.t, err)
	return b.upload(content)
}

// enterProcess is one Enter and the host's end of its stdio.
type enterProcess struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *os.File
	stderr strings.Builder
	once   sync.Once
}

func (p *enterProcess) Read(b []byte) (int, error)  { return p.out.Read(b) }
func (p *enterProcess) Write(b []byte) (int, error) { return p.in.Write(b) }
func (p *enterProcess) Close() error {
	_ = p.in.Close()
	p.join()
	return nil
}
func (p *enterProcess) kill() { _ = p.cmd.Process.Kill(); p.join() }
func (p *enterProcess) join() {
	p.once.Do(func() {
		_ = p.cmd.Wait()
		_ = p.out.Close()
	})
}

// enter runs Enter and returns it with its answer.
func (b *box) enter(self string, hello Hello) (*enterProcess, string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	p := &enterProcess{cmd: exec.Command(self, "enter", b.dir), out: r}
	p.cmd.Stdout, p.cmd.Stderr = w, &p.stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, "", err
	}
	err = p.cmd.Start()
	_ = w.Close()
	if err != nil {
		return nil, "", err
	}
	b.mu.Lock()
	b.relays = append(b.relays, p)
	b.mu.Unlock()
	line, _ := json.Marshal(hello)
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return p, "", err
	}
	_ = r.SetReadDeadline(time.Now().Add(20 * time.Second))
	var answer []byte
	for one := make([]byte, 1); len(answer) == 0 || answer[len(answer)-1] != '\n'; answer = append(answer, one[0]) {
		if _, err := r.Read(one); err != nil {
			return p, string(answer), fmt.Errorf("no answer after %q: %w", answer, err)
		}
	}
	_ = r.SetReadDeadline(time.Time{})
	return p, strings.TrimSuffix(string(answer), "\n"), nil
}

func (b *box) hello() Hello {
	return Hello{Nonce: wire.NewID(), Hash: b.hash, ID: FolderID(b.config.Mark), Config: &b.config}
}

// Dial, Wait and Kill make a box a machine.
func (b *box) Dial(context.Context) (io.ReadWriteCloser, error) {
	self := filepath.Join(b.base(), AgentFile(b.hash))
	if _, err := os.Stat(self); err != nil {
		self = b.uploaded()
	}
	hello := b.hello()
	p, answer, err := b.enter(self, hello)
	if err != nil {
		return nil, err
	}
	if answer != "@"+hello.Nonce+" "+AnswerHello {
		return nil, fmt.Errorf("answer %q", answer)
	}
	return p, nil
}
func (b *box) Wait() error { select {} }
func (b *box) Kill() error { return end(context.Background(), b.folder()) }

func (b *box) host() *sandboxtest.Host {
	b.t.Helper()
	peer, err := b.config.Peer()
	must(b.t, err)
	return sandboxtest.NewHost(b.t, b, peer, 30*time.Second)
}

// pid is the agent's process, or 0.
func (b *box) pid() int {
	f, err := os.Open(filepath.Join(b.folder(), lockName))
	if err != nil {
		return 0
	}
	defer f.Close()
	pid, _ := readPID(f)
	return pid
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

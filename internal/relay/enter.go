//go:build linux

package relay

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// maxHello bounds the one line that a host says.
const maxHello = 64 << 10

// failure is an error with the kind that the host goes by.
type failure struct {
	kind string
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// Enter is the relay in a tool's exec: it reads the host's hello, installs its
// own binary below dir, starts the agent unless it is up, answers, and carries
// stdin and stdout to the agent until either side ends. Stderr takes the word on
// an agent that has ended.
func Enter(ctx context.Context, dir string, stdio Stdio) error {
	in := bufio.NewReaderSize(stdio.In, maxHello)
	var hello Hello
	line, err := in.ReadSlice('\n')
	if err == nil {
		err = json.Unmarshal(line, &hello)
	}
	if err != nil {
		return fmt.Errorf("read the host's hello: %w", err)
	}
	conn, folder, err := enter(ctx, dir, stdio.Self, hello)
	if err != nil {
		kind := FailFolder
		if f, ok := errors.AsType[*failure](err); ok {
			kind = f.kind
		}
		_, _ = io.WriteString(stdio.Out, Line(hello.Nonce, AnswerFail, kind, err.Error()))
		return err
	}
	if hello.End {
		_, err := io.WriteString(stdio.Out, Line(hello.Nonce, AnswerEnded))
		return err
	}
	if _, err := io.WriteString(stdio.Out, Line(hello.Nonce, AnswerHello)); err != nil {
		return fmt.Errorf("answer the host: %w", err)
	}
	Carry(conn, folder, Stdio{In: in, Out: stdio.Out, Err: stdio.Err})
	return nil
}

// Stdio is what a relay has of its exec.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
	// Self is the name of the running binary.
	Self string
}

// enter does what Enter answers for.
func enter(ctx context.Context, dir, self string, hello Hello) (*net.UnixConn, string, error) {
	if !validID(hello.ID) || !hello.End && (!validID(hello.Hash) || hello.Config == nil) {
		return nil, "", &failure{FailHello, errors.New("the host's hello is malformed")}
	}
	base := filepath.Join(dir, UserFolder(os.Geteuid()))
	folder := filepath.Join(base, hello.ID)
	if hello.End {
		return nil, "", end(ctx, folder)
	}
	if err := checkBinary(self, hello.Hash); err != nil {
		return nil, "", &failure{FailBinary, err}
	}
	if err := makeFolder(base); err != nil {
		return nil, "", err
	}
	self, err := install(dir, base, self, hello.Hash)
	if err != nil {
		return nil, "", err
	}
	conn, err := Connect(folder, func() error { return StartServe(self, folder, *hello.Config) })
	return conn, folder, err
}

func validID(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdef") == ""
}

// checkBinary sees that this is the binary that the host means: one that was
// torn on its way can well run as far as here.
func checkBinary(self, hash string) error {
	f, err := os.Open(self)
	if err != nil {
		return fmt.Errorf("open the agent's binary: %w", err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read the agent's binary: %w", err)
	}
	if hex.EncodeToString(h.Sum(nil)) == hash {
		return nil
	}
	_ = os.Remove(self)
	return errors.New("the agent's binary is not what the host sent")
}

// install gives the binary its name at one stroke and returns it. Binaries of
// other versions go, and uploads that were never finished: an agent that runs
// needs no name, and a host of another version sends its own again.
func install(dir, base, self, hash string) (string, error) {
	name := filepath.Join(base, AgentFile(hash))
	if self != name {
		if err := os.Rename(self, name); err != nil {
			return "", fmt.Errorf("install the agent: %w", err)
		}
	}
	entries, _ := os.ReadDir(base)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "agent-") && e.Name() != filepath.Base(name) {
			_ = os.Remove(filepath.Join(base, e.Name()))
		}
	}
	sweep(dir)
	return name, nil
}

// unfinished is the age from which an upload is taken for a dead one.
const unfinished = time.Hour

// sweep removes uploads that nobody finished. Other users' are not ours to
// remove, and the folder's mode or sticky bit sees to that.
func sweep(dir string) {
	uploads, _ := filepath.Glob(filepath.Join(dir, Upload+"*")) // the pattern is well-formed
	for _, u := range uploads {
		if st, err := os.Lstat(u); err == nil && st.Mode().IsRegular() && time.Since(st.ModTime()) > unfinished {
			_ = os.Remove(u)
		}
	}
}

// Connect opens a relay's way to the folder's agent. Where there is none it
// calls start, which returns when an agent takes relays, or ErrLive if another
// one holds the folder: it is about to take relays, or about to go.
func Connect(folder string, start func() error) (*net.UnixConn, error) {
	deadline := time.Now().Add(patience)
	for {
		conn, err := dial(folder)
		if err == nil {
			return conn, nil
		}
		if time.Now().After(deadline) {
			return nil, err
		}
		switch err := start(); {
		case errors.Is(err, ErrLive):
			time.Sleep(lockPoll) // what another process does has no event for us
		case err != nil:
			return nil, err
		}
	}
}

// lastBytes bounds how long a relay whose host has gone waits for the agent to
// notice.
const lastBytes = time.Second

// Carry carries bytes between an exec's stdio and the agent. It returns when one
// of the two has ended; a read of stdin may then still be under way, and ends
// with the process.
func Carry(conn *net.UnixConn, folder string, stdio Stdio) {
	var fromAgent sync.WaitGroup
	hostGone := make(chan struct{})
	go func() { // not joined: nothing ends a read of stdin
		_, _ = io.Copy(conn, stdio.In)
		close(hostGone)
	}()
	agentGone := make(chan struct{})
	fromAgent.Go(func() {
		defer close(agentGone)
		_, _ = io.Copy(stdio.Out, conn)
	})
	select {
	case <-hostGone:
		_ = conn.CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(lastBytes))
	case <-agentGone:
	}
	fromAgent.Wait()
	_ = conn.Close()
	if gone(folder) {
		_, _ = fmt.Fprintln(stdio.Err, Ended)
	}
}

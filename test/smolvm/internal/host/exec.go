//go:build linux

package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/snugvm/snug/terminal"
	"github.com/snugvm/snug/test/smolvm/internal/frame"
	"github.com/snugvm/snug/test/smolvm/internal/home"
)

// exec runs the command in a running machine.
func (c *command) exec(m home.Machine) (status int, err error) {
	conn, err := net.Dial("unix", m.Socket())
	if err != nil {
		remedy := fmt.Sprintf("Use 'smolvm machine start --name %s' first.", m.Name)
		return 0, fmt.Errorf("machine '%s' is not running. %s", m.Name, remedy)
	}
	defer conn.Close()
	req, err := c.request()
	if err != nil {
		return 0, err
	}
	out := frame.NewWriter(conn)
	if err := out.WriteJSON(frame.Start, req); err != nil {
		return 0, err
	}
	if c.TTY && terminal.IsTerminal(os.Stdin) {
		before, err := terminal.MakeRaw(os.Stdin)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, terminal.Restore(os.Stdin, before)) }()
	}
	// These two end with the process: a read of a terminal cannot be called off.
	if c.Interactive {
		go sendInput(out)
	}
	if c.TTY && c.settings.Console {
		go sendSizes(out)
	}
	return c.receive(frame.NewReader(conn))
}

// request is what the agent is asked for. Secrets are the caller's, read here.
func (c *command) request() (frame.Request, error) {
	env := c.Env
	for _, secret := range c.SecretEnv {
		key, name, _ := strings.Cut(secret, "=")
		value, ok := os.LookupEnv(name)
		if !ok {
			return frame.Request{}, fmt.Errorf("--secret-env %s: %s is not set", secret, name)
		}
		env = append(env, key+"="+value)
	}
	for _, secret := range c.SecretFile {
		key, name, _ := strings.Cut(secret, "=")
		value, err := os.ReadFile(name)
		if err != nil {
			return frame.Request{}, fmt.Errorf("--secret-file %s: %w", secret, err)
		}
		env = append(env, key+"="+string(value))
	}
	return frame.Request{
		Argv: c.Command, Args: c.args, Env: env, Workdir: c.Workdir, Timeout: c.Timeout,
		TTY: c.TTY, Interactive: c.Interactive, Detach: c.Detach,
	}, nil
}

// sendInput sends standard input, and its end.
func sendInput(out *frame.Writer) {
	b := make([]byte, 32<<10)
	for {
		n, err := os.Stdin.Read(b)
		if n > 0 && out.Write(frame.Stdin, b[:n]) != nil {
			return
		}
		if err != nil {
			_ = out.Write(frame.EOF, nil)
			return
		}
	}
}

// sendSizes sends the terminal's size when it has changed, as seldom as smolvm looks.
func sendSizes(out *frame.Writer) {
	var last terminal.Size
	for range time.Tick(100 * time.Millisecond) {
		size, err := terminal.GetSize(os.Stdin)
		if err != nil || size == last {
			continue
		}
		last = size
		if out.WriteJSON(frame.Resize, frame.Size{Rows: size.Rows, Cols: size.Cols}) != nil {
			return
		}
	}
}

// receive writes what the command writes, and returns how it ended. Without -i, -t or --stream output comes at the end.
func (c *command) receive(in *frame.Reader) (int, error) {
	var stdout, stderr io.Writer = os.Stdout, os.Stderr
	if !c.Interactive && !c.TTY && !c.Stream {
		var heldOut, heldErr bytes.Buffer
		stdout, stderr = &heldOut, &heldErr
		defer func() {
			_, _ = os.Stdout.Write(heldOut.Bytes()) // where nobody reads, nobody misses it
			_, _ = os.Stderr.Write(heldErr.Bytes())
		}()
	}
	for {
		kind, payload, err := in.Read()
		if err != nil {
			return 0, fmt.Errorf("agent operation failed: connection closed: %w", err)
		}
		switch kind {
		case frame.Stdout:
			_, err = stdout.Write(payload)
		case frame.Stderr:
			_, err = stderr.Write(payload)
		case frame.Exit:
			var end frame.End
			if err := json.Unmarshal(payload, &end); err != nil {
				return 0, err
			}
			if end.Failure != "" {
				return 0, fmt.Errorf("agent operation failed: %s", end.Failure)
			}
			return end.Status & 0xff, nil // all that an exit status holds: -1 is 255
		}
		if err != nil {
			return 0, fmt.Errorf("write output: %w", err)
		}
	}
}

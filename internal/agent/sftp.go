//go:build linux

package agent

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pkg/sftp"
	"github.com/snugvm/snug/internal/wire"
)

// SFTP is the word that makes the agent's binary run ServeSFTP.
const SFTP = "sftp"

// subsystem is the command line of a service. It is this binary again, started
// like any program: as the session's user, in the working directory of programs
// that name none, and with no more rights than they have.
func (c *Config) subsystem(name string) (path string, args []string, err error) {
	if name != wire.SubsystemSFTP {
		return "", nil, &wire.Failure{Status: 127, Message: name + ": no such subsystem"}
	}
	path, err = c.binary()
	if err != nil {
		err = &wire.Failure{Status: 125, Message: "sftp: " + err.Error()}
	}
	return path, []string{"snug-agent", SFTP}, err
}

// binary is a name of this binary that can be started. In a microVM it has no
// name of its own any more, and in another's sandbox there may be no /proc.
func (c *Config) binary() (string, error) {
	for _, name := range []string{"/proc/self/exe", c.Binary} {
		if st, err := os.Stat(name); err == nil && st.Mode().IsRegular() {
			return name, nil
		}
	}
	return "", errors.New("the agent cannot find its own binary: mount proc on the sandbox's /proc")
}

// noAgent is the refusal of what only an agent in the machine can do.
func noAgent(what string) error {
	return &wire.Failure{Status: 125, Message: what + " needs snug's agent in the machine, and this machine has none (bridge stty or native in 'snug ls'): " +
		"copy by a program instead, such as 'tar'"}
}

// ServeSFTP serves the file system as whoever runs it sees it (SFTP, version
// 3) until in is at its end.
func ServeSFTP(in io.Reader, out io.WriteCloser) error {
	server, err := sftp.NewServer(struct {
		io.Reader
		io.WriteCloser
	}{in, out})
	if err != nil {
		return fmt.Errorf("sftp: %w", err)
	}
	if err := server.Serve(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("sftp: %w", err)
	}
	return nil
}

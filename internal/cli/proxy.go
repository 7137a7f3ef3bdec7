package cli

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"
)

func (a *app) proxyCommand() *cobra.Command {
	var host string
	cmd := &cobra.Command{
		Use:   "proxy MACHINE",
		Short: "Carry an SSH connection to a machine: a ProxyCommand for ssh",
		Long: `Proxy connects standard input and output to the SSH endpoint of a machine's
keeper, so that a stock ssh reaches the machine without a port or a password:
whoever can open the endpoint's socket is its owner. The machine may be named as
snug ssh-config, which makes use of this command, has it: web-1.snug.

With --host-key it prints the endpoint's key, as a line of a known_hosts file for
the host's name that is given.`,
		Example: `  ssh -o ProxyCommand='snug proxy %h' web-1
  snug proxy --host-key web-1 web-1 >>~/.ssh/known_hosts`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if host != "" {
				return a.hostKey(args[0], host)
			}
			return a.proxy(args[0])
		},
		ValidArgsFunction: a.completeMachine,
	}
	cmd.Flags().StringVar(&host, "host-key", "", "print the endpoint's key for this `host`")
	return cmd
}

// proxy ends when the keeper hangs up, or ssh does.
func (a *app) proxy(name string) error {
	ctx := context.Background()
	a.reap(ctx)
	m, err := a.sshMachine(ctx, name)
	if err != nil {
		return err
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: m.SSHSocket(), Net: "unix"})
	if err != nil {
		return fmt.Errorf("reach the keeper of %s: %w", name, err)
	}
	defer func() { _ = conn.Close() }()
	go func() { // ends with standard input, at the latest with the process
		_, _ = io.Copy(conn, a.in)
		_ = conn.CloseWrite()
	}()
	_, err = io.Copy(a.out, conn)
	return err
}

package cli

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"
)

func (a *app) proxyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "proxy MACHINE",
		Short: "Carry an SSH connection to a machine: a ProxyCommand for ssh",
		Long: `Proxy connects standard input and output to the SSH endpoint of a machine's
keeper, so that a stock ssh reaches the machine without a port or a password:
whoever can open the endpoint's socket is its owner.`,
		Example: `  ssh -o ProxyCommand='snug proxy %h' web-1
  ssh -o ProxyCommand='snug proxy %h' web-1 make test`,
		Args:              cobra.ExactArgs(1),
		RunE:              func(_ *cobra.Command, args []string) error { return a.proxy(args[0]) },
		ValidArgsFunction: a.completeMachine,
	}
}

// proxy ends when the keeper hangs up, or ssh does.
func (a *app) proxy(name string) error {
	ctx := context.Background()
	a.reap(ctx)
	m, err := a.living(ctx, name)
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

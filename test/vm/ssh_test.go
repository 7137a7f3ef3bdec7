//go:build linux

package vm

import (
	"fmt"
	"io"
	"net"
	"os"
)

// proxyVariable makes this test binary ssh's ProxyCommand: it names a socket.
const proxyVariable = "SNUG_TEST_PROXY"

// proxy carries standard input and output to a socket and back.
func proxy(socket string) (status int) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		_, _ = io.Copy(conn, os.Stdin)
		_ = conn.CloseWrite()
	}()
	_, _ = io.Copy(os.Stdout, conn)
	return 0
}

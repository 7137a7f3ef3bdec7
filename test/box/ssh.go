//go:build linux

package box

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// SSH returns this machine itself, behind an SSH server on a loopback port, with keys that end with it. It has no
// options: what a login finds is the machine's own root and shell, but for a /dev/shm and a home that end with the box.
func SSH(t testing.TB) *Box {
	t.Helper()
	ssh, sshd := need(t, "ssh", "openssh-client"), need(t, "sshd", "openssh-server")
	need(t, "ssh-keygen", "openssh-client")
	port := freePort(t)
	// The server's process namespace ends with the cell, and with it every login. A root without a password, as in
	// many a container, may be locked: to a server without PAM this one is not. Its own home would have each login run
	// what is in its shell's start-up files, which is anything, and may not bear to be killed.
	c := newCell(t, 0, []string{"--pid", "--fork", "--kill-child", "--mount-proc"}, `
		mkdir -m 755 /run/sshd
		mount -t tmpfs -o mode=1777 shm /dev/shm
		sed 's/^root:[^:]*:/root:*:/' /etc/shadow >shadow && mount --bind shadow /etc/shadow
		mkdir -m 700 home
		awk -F: -v OFS=: -v home="$PWD/home" '$1 == "root" { $6 = home } 1' /etc/passwd >passwd && mount --bind passwd /etc/passwd
		for key in host user; do ssh-keygen -q -t ed25519 -N '' -C '' -f "$key"; done
		printf '[127.0.0.1]:%d %s\n' "$2" "$(cat host.pub)" >known_hosts
		cat >sshd_config <<-END
			Port $2
			ListenAddress 127.0.0.1
			HostKey $PWD/host
			AuthorizedKeysFile $PWD/user.pub
			StrictModes no
			UsePAM no
			PermitRootLogin prohibit-password
			PidFile none
			Subsystem sftp internal-sftp
		END
		"$1" -D -e -f "$PWD/sshd_config" </dev/null >>log 2>&1 &`, sshd, port)
	b := newBox(t, c)
	config := filepath.Join(c.dir, "ssh_config")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `Host %[1]s
	HostName 127.0.0.1
	Port %[2]s
	User root
	IdentityFile %[3]s/user
	IdentitiesOnly yes
	UserKnownHostsFile %[3]s/known_hosts
	StrictHostKeyChecking yes
	LogLevel ERROR
`, Name, port, c.dir), 0o600))
	c.script("ssh", ssh, "-F", config)
	b.Rootfs = "/"
	b.prefix = func(tty bool, user string) []string {
		words := []string{"ssh"}
		if tty {
			words = append(words, "-t")
		}
		if user == "" {
			return append(words, Name)
		}
		return append(words, user+"@"+Name)
	}
	b.remove = func() { must(t, c.holder.Process.Kill()) }
	defer c.tellLog()
	eventually(t, "the SSH server answers", c.ended, func() bool { return b.Command("true").Run() == nil })
	return b
}

// freePort returns a port that nobody listened on just now.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, ok := strings.Cut(l.Addr().String(), ":")
	if !ok {
		t.Fatalf("no port in %v", l.Addr())
	}
	return port
}

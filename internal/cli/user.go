package cli

import (
	"bufio"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/snugvm/snug/internal/agent"
)

// caller returns whom the program runs as: the one who calls snug, with a home
// of the guest's.
func caller() (agent.User, error) {
	u := agent.User{UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
	groups, err := os.Getgroups()
	if err != nil {
		return u, fmt.Errorf("your groups: %w", err)
	}
	for _, g := range groups {
		u.Groups = append(u.Groups, uint32(g))
	}
	u.Name = "user" // of somebody without an account, as in a container
	if me, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil {
		u.Name = me.Username
	}
	u.Home = "/home/" + u.Name
	if u.UID == 0 {
		u.Home = "/root"
	}
	u.Shell = loginShell(u.Name)
	return u, nil
}

// loginShell returns the shell of an account on this host, which a guest that
// shares the host's programs has too.
func loginShell(name string) string {
	f, err := os.Open("/etc/passwd")
	if err == nil {
		defer func() { _ = f.Close() }()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if fields := strings.Split(lines.Text(), ":"); len(fields) == 7 && fields[0] == name && fields[6] != "" {
				return fields[6]
			}
		}
	}
	return "/bin/sh"
}

// owner returns who owns a folder.
func owner(path string) (uid, gid int, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(st.Uid), int(st.Gid), true
}

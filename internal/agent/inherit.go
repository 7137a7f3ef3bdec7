//go:build linux

package agent

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// credential is whom a program is to run as, or nil where it runs as the agent
// does: who is not root cannot choose, and in another's sandbox, where root may
// have lost the right to, there is nothing to choose.
func (c *Config) credential() *syscall.Credential {
	if c.Inherit || os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: c.User.UID, Gid: c.User.GID, Groups: c.User.Groups}
}

// ttyOwner is whom a program's terminal is to be given to, or -1.
func (c *Config) ttyOwner() int {
	if c.Inherit || os.Geteuid() != 0 {
		return -1
	}
	return int(c.User.UID)
}

// inheritedUser is the account that the sandbox's own exec runs as.
func inheritedUser() User {
	u := User{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	name, home, shell := account("/etc/passwd", os.Geteuid())
	u.Name = first(os.Getenv("USER"), name)
	u.Home = first(os.Getenv("HOME"), home, "/")
	u.Shell = first(os.Getenv("SHELL"), shell)
	return u
}

// account looks a user up in a passwd file; what it does not find is empty.
func account(passwd string, uid int) (name, home, shell string) {
	f, err := os.Open(passwd)
	if err != nil {
		return "", "", ""
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) == 7 && fields[2] == strconv.Itoa(uid) {
			return fields[0], fields[5], fields[6]
		}
	}
	return "", "", ""
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// shellNoise are the variables of the shell that brought the agent up, which
// are true of that shell only.
var shellNoise = []string{"_", "PWD", "OLDPWD", "SHLVL"}

// inheritedEnvironment is the sandbox's own environment, with the two variables
// that no program does without.
func inheritedEnvironment(home string) []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(shellNoise, name)
	})
	for name, value := range map[string]string{"PATH": basePath, "HOME": home} {
		if getenv(env, name) == "" {
			env = setenv(env, name, value)
		}
	}
	return env
}

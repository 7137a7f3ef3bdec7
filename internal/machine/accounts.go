package machine

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/snugvm/snug/internal/agent"
)

// lastSystemID is the last id of Debian's system accounts; nobody is beyond.
const lastSystemID = 999

// toolPaths gives a login shell, whose profile sets a PATH of its own, the
// toolchains that a program without one finds by the agent.
const toolPaths = `for dir in /usr/local/go/bin /opt/*/bin; do
	case :$PATH: in
	*:$dir:*) ;;
	*) [ -d "$dir" ] && PATH=$PATH:$dir ;;
	esac
done
unset dir
`

// Generate adds the files of a machine's own: who is who in it, its name, and
// nothing that opens a door. hostEtc is where the system's accounts are read
// from, normally /etc.
func (e *Etc) Generate(hostEtc, hostname string, user agent.User) error {
	passwd, err := os.ReadFile(filepath.Join(hostEtc, "passwd"))
	if err != nil {
		return fmt.Errorf("read system accounts: %w", err)
	}
	group, err := os.ReadFile(filepath.Join(hostEtc, "group"))
	if err != nil {
		return fmt.Errorf("read system groups: %w", err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails

	accounts := passwdLines(string(passwd), user)
	e.file("passwd", 0o644, join(accounts))
	e.file("group", 0o644, join(groupLines(string(group), user)))
	e.file("shadow", 0o600, join(lockedLines(accounts)))
	e.file("hostname", 0o644, hostname+"\n")
	e.file("hosts", 0o644, "127.0.0.1\tlocalhost\n127.0.1.1\t"+hostname+"\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	e.file("resolv.conf", 0o644, "")
	e.file("machine-id", 0o444, hex.EncodeToString(id)+"\n")
	e.file("fstab", 0o644, "")
	e.file("profile.d/snug.sh", 0o644, toolPaths)
	e.symlink("mtab", "/proc/self/mounts")
	return nil
}

// passwdLines are root, the system's accounts, and the user.
func passwdLines(host string, user agent.User) []string {
	lines := []string{"root:x:0:0:root:/root:" + rootShell(user)}
	for fields := range records(host, 7) {
		if system(fields[2]) && fields[2] != "0" && fields[0] != user.Name && fields[2] != id(user.UID) {
			fields[1] = "x"
			lines = append(lines, strings.Join(fields, ":"))
		}
	}
	if user.UID != 0 {
		lines = append(lines, strings.Join([]string{user.Name, "x", id(user.UID), id(user.GID), "", user.Home, user.Shell}, ":"))
	}
	return lines
}

func rootShell(user agent.User) string {
	if user.UID == 0 && user.Shell != "" {
		return user.Shell
	}
	return "/bin/sh"
}

// groupLines are the system's groups, and those that the user is in, with the
// user as the only member of any.
func groupLines(host string, user agent.User) []string {
	var lines []string
	named := make(map[string]bool)
	add := func(name, gid string) {
		if named[gid] {
			return
		}
		named[gid] = true
		member := ""
		if g, err := strconv.ParseUint(gid, 10, 32); err == nil && slices.Contains(user.Groups, uint32(g)) {
			member = user.Name
		}
		lines = append(lines, name+":x:"+gid+":"+member)
	}
	mine := []string{id(user.GID)}
	for _, gid := range user.Groups {
		mine = append(mine, id(gid))
	}
	for fields := range records(host, 4) {
		if system(fields[2]) || slices.Contains(mine, fields[2]) {
			add(fields[0], fields[2])
		}
	}
	for i, gid := range mine { // what a directory service named, or nobody
		if i == 0 {
			add(user.Name, gid)
		} else {
			add("group"+gid, gid)
		}
	}
	return lines
}

// lockedLines are the shadow entries of accounts: no password opens any.
func lockedLines(accounts []string) []string {
	lines := make([]string, 0, len(accounts))
	for _, account := range accounts {
		name, _, _ := strings.Cut(account, ":")
		lines = append(lines, name+":*:19000:0:99999:7:::")
	}
	return lines
}

// records yields the well-formed lines of a file of colon-separated fields.
func records(text string, fields int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for line := range strings.Lines(text) {
			record := strings.Split(strings.TrimRight(line, "\n"), ":")
			if len(record) != fields || record[0] == "" || strings.HasPrefix(record[0], "#") {
				continue
			}
			if !yield(record) {
				return
			}
		}
	}
}

func system(number string) bool {
	n, err := strconv.ParseUint(number, 10, 32)
	return err == nil && (n <= lastSystemID || n == 65534)
}

func id(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func join(lines []string) string { return strings.Join(lines, "\n") + "\n" }

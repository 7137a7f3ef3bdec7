package cli

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// logindFolders are where systemd-logind looks for its configuration, the first
// going before the others (logind.conf(5)).
var logindFolders = []string{"etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd"}

// checkLogout tells whether sessions outlive the user's last logout, where systemd
// has a say in that: below root, and of a runtime folder that it made. Else it
// finds nothing.
func checkLogout(root, runtime string, uid int, user string) (f finding, found bool) {
	if runtime != fmt.Sprintf("/run/user/%d/snug", uid) {
		return f, false
	}
	if _, err := os.Stat(filepath.Join(root, "run/systemd/system")); err != nil {
		return f, false
	}
	_, err := os.Stat(filepath.Join(root, "var/lib/systemd/linger", user))
	lingers, kills := err == nil, killsAtLogout(root, user)
	switch {
	case lingers && !kills:
		return finding{"logout", findingOK, "sessions go on after it", ""}, true
	case lingers:
		return finding{
			"logout", findingLimited, "it ends sessions: systemd-logind has KillUserProcesses=yes",
			"start them by 'systemd-run --user --scope snug ...', or set KillUserProcesses=no in /etc/systemd/logind.conf",
		}, true
	case kills:
		return finding{
			"logout", findingLimited, "it ends sessions: systemd-logind has KillUserProcesses=yes, and " + user + " does not linger",
			"run 'loginctl enable-linger', and start sessions by 'systemd-run --user --scope snug ...'",
		}, true
	}
	return finding{
		"logout", findingLimited, fmt.Sprintf("the last one ends sessions: it removes /run/user/%d, as %s does not linger", uid, user),
		"run 'loginctl enable-linger'",
	}, true
}

// killsAtLogout tells whether systemd-logind kills what a user has started, once
// he logs out.
func killsAtLogout(root, user string) bool {
	set := map[string]string{"KillExcludeUsers": "root"}
	for _, name := range logindFiles(root) {
		readLogind(name, set)
	}
	if slices.Contains(strings.Fields(set["KillExcludeUsers"]), user) {
		return false
	}
	if only := strings.Fields(set["KillOnlyUsers"]); len(only) > 0 && !slices.Contains(only, user) {
		return false
	}
	kills := cmp.Or(set["KillUserProcesses"], set["#KillUserProcesses"]) // the comment is what it was built with
	return slices.Contains([]string{"yes", "y", "true", "t", "on", "1"}, strings.ToLower(kills))
}

// logindFiles are the files of systemd-logind's configuration, a later one going
// before an earlier.
func logindFiles(root string) (files []string) {
	more := map[string]string{}
	for _, dir := range logindFolders {
		if main := filepath.Join(root, dir, "logind.conf"); len(files) == 0 && exists(main) {
			files = []string{main}
		}
		dropIns, _ := filepath.Glob(filepath.Join(root, dir, "logind.conf.d", "*.conf")) // the pattern is valid
		for _, name := range dropIns {
			if base := filepath.Base(name); more[base] == "" {
				more[base] = name
			}
		}
	}
	for _, base := range slices.Sorted(maps.Keys(more)) {
		files = append(files, more[base])
	}
	return files
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// readLogind takes the settings of a file, also those that it only shows.
func readLogind(name string, set map[string]string) {
	f, err := os.Open(name)
	if err != nil {
		return // what cannot be read sets nothing
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			set[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
}

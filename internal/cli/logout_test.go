package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDoctorSaysWhereALogoutEndsSessions(t *testing.T) {
	const conf, linger = "etc/systemd/logind.conf", "var/lib/systemd/linger/ann"
	for name, c := range map[string]struct {
		files  map[string]string
		state  string
		words  string
		remedy string
	}{
		"nothing is said": {
			nil, findingLimited, "removes /run/user/1000, as ann does not linger", "run 'loginctl enable-linger'",
		},
		"she lingers": {map[string]string{linger: ""}, findingOK, "go on", ""},
		"processes are killed": {
			map[string]string{conf: "[Login]\nKillUserProcesses=yes\n"},
			findingLimited, "KillUserProcesses=yes, and ann does not linger", "loginctl enable-linger",
		},
		"they are killed though she lingers": {
			map[string]string{conf: "[Login]\nKillUserProcesses = True\n", linger: ""},
			findingLimited, "KillUserProcesses=yes", "systemd-run --user --scope",
		},
		"that is how logind was built": {
			map[string]string{"usr/lib/systemd/logind.conf": "[Login]\n#KillUserProcesses=yes\n", linger: ""},
			findingLimited, "KillUserProcesses=yes", "systemd-run --user --scope",
		},
		"a later file says otherwise": {
			map[string]string{
				conf: "KillUserProcesses=yes\n", "usr/lib/systemd/logind.conf.d/50-x.conf": "KillUserProcesses=yes\n",
				"etc/systemd/logind.conf.d/50-x.conf": "KillUserProcesses=no\n", "run/systemd/logind.conf.d/10-x.conf": "KillUserProcesses=yes\n", linger: "",
			},
			findingOK, "go on", "",
		},
		"she is excluded": {
			map[string]string{conf: "KillUserProcesses=yes\nKillExcludeUsers=root ann\n", linger: ""}, findingOK, "go on", "",
		},
		"others are meant": {
			map[string]string{conf: "KillUserProcesses=yes\nKillOnlyUsers=bob\n", linger: ""}, findingOK, "go on", "",
		},
	} {
		root := t.TempDir()
		write := func(name, content string) {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("run/systemd/system/x", "")
		for file, content := range c.files {
			write(file, content)
		}
		f, ok := checkLogout(root, "/run/user/1000/snug", 1000, "ann")
		if !ok || f.State != c.state || !strings.Contains(f.Found, c.words) || !strings.Contains(f.Remedy, c.remedy) || (c.remedy == "") != (f.Remedy == "") {
			t.Errorf("%s: %+v, %v", name, f, ok)
		}
		if _, ok := checkLogout(root, "/tmp/snug-1000", 1000, "ann"); ok {
			t.Errorf("%s: it is said of a folder that systemd does not remove", name)
		}
	}
	if f, ok := checkLogout(t.TempDir(), "/run/user/1000/snug", 1000, "ann"); ok {
		t.Errorf("without systemd: %+v", f)
	}
}

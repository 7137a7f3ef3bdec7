package machine

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snugvm/snug/internal/agent"
)

func put(t *testing.T, dir, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, dir, name, target string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// poisoned is an /etc in which every file with "poison" must stay out.
func poisoned(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "profile", "good", 0o644)
	put(t, dir, "ssl/certs/ca.pem", "good", 0o644)
	put(t, dir, "default/locale", "good", 0o644)
	put(t, dir, "passwd", "root:x:0:0::/root:/bin/bash\ndaemon:x:1:1::/:/bin/false\nhost-user:x:1000:1000::/home/h:/bin/sh\nbroken\n", 0o644)
	put(t, dir, "group", "root:x:0:\nstaff:x:50:host-user\ndocker:x:2000:host-user\nother:x:2001:ada\n", 0o644)

	for _, name := range []string{"shadow", "shadow-", "gshadow", "sudoers", "ssh/ssh_host_ed25519_key", "ssl/private/key.pem",
		"ssh/sshd_config", "environment", "default/grub", "fstab", "krb5.keytab", "wireguard/wg0.conf", "NetworkManager/a", "docker/key.json"} {
		put(t, dir, name, "poison", 0o644)
	}
	put(t, dir, "profile.d/private.sh", "poison", 0o640)
	put(t, dir, "ssl/certs/server.pem", "-----BEGIN RSA PRIVATE KEY-----\npoison", 0o644)
	put(t, dir, "vim/closed/vimrc", "poison", 0o644)
	if err := os.Chmod(filepath.Join(dir, "vim/closed"), 0o750); err != nil {
		t.Fatal(err)
	}
	link(t, dir, "localtime", "/usr/share/zoneinfo/UTC")
	link(t, dir, "gitconfig", "shadow") // stays a link, to nothing
	link(t, dir, "fonts", "ssh")
	link(t, dir, "xml", "../../..")
	outside := t.TempDir()
	put(t, outside, "tls/certs/a.pem", "poison", 0o644)
	link(t, dir, "pki", outside) // an allowed path that leads out
	listener, err := net.Listen("unix", filepath.Join(dir, "skel"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return dir
}

func TestEtcLetsNoSecretIn(t *testing.T) {
	dir := poisoned(t)
	etc, err := CollectEtc(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range etc.entries {
		names = append(names, entry.name)
		if strings.Contains(string(entry.content), "poison") {
			t.Errorf("%s got in", entry.name)
		}
	}
	slices.Sort(names)
	want := []string{"default/locale", "fonts", "gitconfig", "localtime", "profile", "ssl/certs/ca.pem", "xml"}
	if !slices.Equal(names, want) {
		t.Errorf("entries %q, want %q", names, want)
	}
}

func TestGeneratedAccounts(t *testing.T) {
	etc := new(Etc)
	user := agent.User{Name: "ada", UID: 1234, GID: 1235, Groups: []uint32{50, 2000, 3000}, Home: "/home/ada", Shell: "/bin/bash"}
	if err := etc.Generate(poisoned(t), "box", user); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"passwd": "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nada:x:1234:1235::/home/ada:/bin/bash\n",
		"group":  "root:x:0:\nstaff:x:50:ada\ndocker:x:2000:ada\nada:x:1235:\ngroup3000:x:3000:ada\n",
		"shadow": "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\nada:*:19000:0:99999:7:::\n",
		"fstab":  "",
	} {
		at := slices.IndexFunc(etc.entries, func(e etcEntry) bool { return e.name == name })
		if got := string(etc.entries[at].content); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

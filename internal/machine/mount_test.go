package machine

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseMount(t *testing.T) {
	for _, test := range []struct {
		in   string
		want Mount
		err  string
	}{
		{in: "/a", want: Mount{Host: "/a"}},
		{in: "a", want: Mount{Host: "a"}},
		{in: ".", want: Mount{Host: "."}},
		{in: "/a:ro", want: Mount{Host: "/a", ReadOnly: true}},
		{in: "/a:rw", want: Mount{Host: "/a"}},
		{in: "/a:/b", want: Mount{Host: "/a", Guest: "/b"}},
		{in: "/a:/b/../c/:ro", want: Mount{Host: "/a", Guest: "/c", ReadOnly: true}},
		{in: "ro", want: Mount{Host: "ro"}},
		{in: "", err: "empty"},
		{in: ":/b", err: "empty"},
		{in: "/a:", err: "empty"},
		{in: "/a:/b:/c", err: "too many colons"},
		{in: "/", err: "never shared"},
		{in: "//./:/b:ro", err: "never shared"},
		{in: "/a:b", err: "not absolute"},
		{in: "/a:/", err: "cannot be replaced"},
		{in: "/a:/b/..", err: "cannot be replaced"},
		{in: "/a:/proc", err: "kernel's own"},
		{in: "/a:/sys/fs", err: "kernel's own"},
		{in: "/a:/dev/shm", err: "kernel's own"},
		{in: "/a:/etc", err: "its own"},
		{in: "/a\x00", err: "zero byte"},
	} {
		got, err := ParseMount(test.in)
		if test.err == "" && (err != nil || got != test.want) {
			t.Errorf("ParseMount(%q) = %+v, %v; want %+v", test.in, got, err, test.want)
		}
		if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("ParseMount(%q) = %v, want %q", test.in, err, test.err)
		}
	}
}

func FuzzParseMount(f *testing.F) {
	for _, seed := range []string{"/a", "/a:/b:ro", ":", "/:/", "a:ro:ro", "..:/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		m, err := ParseMount(in)
		if err != nil {
			return
		}
		if m.Host == "" || path.Clean(m.Host) == "/" {
			t.Errorf("%q mounts %q", in, m.Host)
		}
		if m.Guest != "" && (m.Guest == "/" || !path.IsAbs(m.Guest) || path.Clean(m.Guest) != m.Guest) {
			t.Errorf("%q mounts at %q", in, m.Guest)
		}
	})
}

func TestMountIsAFolderOfTheHost(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "file", "", 0o644)
	link(t, dir, "root", "/")
	link(t, dir, "here", ".")
	for in, want := range map[string]string{"file": "not a folder", "absent": "no such file", "root": "never shared"} {
		if _, err := (Mount{Host: in}).Share(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mount %s: %v, want %q", in, err, want)
		}
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Mount{Host: "here", ReadOnly: true}.Share(dir)
	if want := (Share{Host: resolved, Guest: filepath.Join(dir, "here"), ReadOnly: true}); err != nil || got != want {
		t.Errorf("Share = %+v, %v; want %+v", got, err, want)
	}
}

func TestProjectIsNoSystemFolder(t *testing.T) {
	top := t.TempDir()
	home := filepath.Join(top, "home", "ada")
	state := filepath.Join(top, "state", "snug")
	project := filepath.Join(home, "src", "x")
	for _, dir := range []string{project, state, filepath.Join(home, ".ssh", "keys"), filepath.Join(home, ".config")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link(t, project, "home", home)
	for _, dir := range []string{"/", "/etc", "/usr/lib", "/usr", "/var", "/tmp", "/root", "/home", "/proc", "/sys", "/dev", "/run", "/boot",
		home, filepath.Dir(home), top, state, filepath.Dir(state), filepath.Join(home, ".ssh", "keys"), filepath.Join(home, ".config"),
		filepath.Join(project, "home")} {
		if _, err := os.Stat(dir); err != nil {
			continue // not on this system
		}
		if _, err := CheckProject(dir, home, state); err == nil || !strings.Contains(err.Error(), "cd into a project folder") {
			t.Errorf("CheckProject(%s) = %v, want it refused", dir, err)
		}
	}
	got, err := CheckProject(project, home, state)
	if err != nil || got.Guest != project || got.ReadOnly {
		t.Errorf("CheckProject(%s) = %+v, %v", project, got, err)
	}
}

func TestVersionsAreOrderedByTheirNumbers(t *testing.T) {
	ordered := []string{"5.10.0-30-amd64", "6.1.0-9-amd64", "6.1.0-56-amd64", "6.10.0-1-amd64", "6.10.0-1-cloud"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := compareVersions(a, b); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("compareVersions(%s, %s) = %d", a, b, got)
			}
		}
	}
}

func TestModinfo(t *testing.T) {
	got := parseModinfo([]byte("license=GPL\x00depends=9pnet,netfs\x00softdep=pre: crc32c  a post: b\x00softdep=post: c pre: d\x00depends=\x00"))
	if strings.Join(got.hard, " ") != "9pnet netfs" || strings.Join(got.soft, " ") != "crc32c a d" {
		t.Errorf("needs = %+v", got)
	}
}

package state

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocateFollowsXDG(t *testing.T) {
	mine := t.TempDir()
	fallback := fmt.Sprintf("/tmp/snug-%d", os.Geteuid())
	for name, c := range map[string]struct {
		env  map[string]string
		want Dirs
	}{
		"everything set": {
			map[string]string{"XDG_RUNTIME_DIR": mine, "XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/c"},
			Dirs{mine + "/snug", "/s/snug", "/c/snug", ""},
		},
		"a folder for the configuration": {
			map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "/x"},
			Dirs{fallback, "/h/.local/state/snug", "/h/.cache/snug", "/x/snug"},
		},
		"only a home": {
			map[string]string{"HOME": "/h"},
			Dirs{fallback, "/h/.local/state/snug", "/h/.cache/snug", "/h/.config/snug"},
		},
		"relative paths count as unset": {
			map[string]string{"HOME": "/h", "XDG_RUNTIME_DIR": "r", "XDG_STATE_HOME": "s", "XDG_CACHE_HOME": "c"},
			Dirs{fallback, "/h/.local/state/snug", "/h/.cache/snug", "/h/.config/snug"},
		},
		"a runtime folder that is gone": {
			map[string]string{"HOME": "/h", "XDG_RUNTIME_DIR": mine + "/gone"},
			Dirs{fallback, "/h/.local/state/snug", "/h/.cache/snug", "/h/.config/snug"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Locate(func(key string) string { return c.env[key] })
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestLocateWithoutAHomeNamesTheRemedy(t *testing.T) {
	_, err := Locate(func(string) string { return "" })
	if err == nil || !strings.Contains(err.Error(), "set HOME or XDG_STATE_HOME") {
		t.Errorf("got %v", err)
	}
}

func TestRuntimeFolderIsRefusedUnlessPrivate(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(dir string) error
		want    string
	}{
		"a link": {
			func(dir string) error { return os.Symlink(os.TempDir(), dir) },
			"is not a folder",
		},
		"a file": {
			func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
			"is not a folder",
		},
		"open to others": {
			func(dir string) error { return os.Mkdir(dir, 0o755) },
			"chmod 700",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := dirs(t)
			if err := c.prepare(d.Runtime); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, d, c.want)
		})
	}
}

func TestRuntimeFolderOfAnotherUserIsRefused(t *testing.T) {
	d := dirs(t)
	if os.Geteuid() == 0 {
		if err := os.Mkdir(d.Runtime, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(d.Runtime, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, d, "belongs to uid 12345")
		return
	}
	d.Runtime = "/usr" // root's on every system, where an ordinary user cannot chown
	wantRefused(t, d, "belongs to uid 0")
}

func TestRuntimeFolderIsMadePrivate(t *testing.T) {
	d := dirs(t)
	_, keeper, err := d.Claim(patience(t), "box")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keeper.Close() }()
	for _, dir := range []string{d.Runtime, d.machines(), filepath.Join(d.machines(), "box")} {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v, want mode 0700", dir, info.Mode(), err)
		}
	}
}

func TestLongSocketPathNamesTheRemedy(t *testing.T) {
	d := Dirs{Runtime: "/" + strings.Repeat("r", 80)}
	_, err := d.Machine("box")
	if err == nil || !strings.Contains(err.Error(), "set XDG_RUNTIME_DIR") {
		t.Errorf("got %v", err)
	}
	d.Runtime = "/run/user/4294967295/snug"
	m, err := d.Machine(strings.Repeat("n", maxName))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m.SSHSocket()); n >= maxSocketPath {
		t.Errorf("socket path of %d bytes", n)
	}
}

func TestTracesArePrivateAndTheLastTwentyStay(t *testing.T) {
	d := dirs(t)
	var last string
	for range keptTraces + 5 {
		f, err := d.OpenTrace("../run")
		if err != nil {
			t.Fatal(err)
		}
		last = f.Name()
		info, err := f.Stat()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("trace has %v, %v, want mode 0600", info.Mode(), err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(filepath.Join(d.State, "trace"))
	if err != nil || len(files) != keptTraces {
		t.Fatalf("%d traces, %v, want %d", len(files), err, keptTraces)
	}
	if newest := files[len(files)-1].Name(); newest != filepath.Base(last) {
		t.Errorf("the newest is %s, want %s", newest, last)
	}
}

func wantRefused(t *testing.T, d Dirs, want string) {
	t.Helper()
	_, _, err := d.Claim(patience(t), "box")
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want a refusal with %q", err, want)
	}
}

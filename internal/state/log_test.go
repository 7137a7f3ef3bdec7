package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSessionLogsAreNamedAndListed(t *testing.T) {
	d := Dirs{Runtime: "/run/x", State: filepath.Join(t.TempDir(), "state", "snug")}
	if all, err := d.SessionLogs(); err != nil || len(all) != 0 {
		t.Errorf("without any: %v, %v", all, err)
	}
	var want []SessionLog
	for _, name := range []string{"docker:web", "web-1"} {
		m, err := d.Machine(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.MakeSessionLogs(); err != nil {
			t.Fatal(err)
		}
		for _, n := range []uint32{2, 10} {
			dir := m.SessionLog(n)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			want = append(want, SessionLog{name, n, dir})
		}
		for _, other := range []string{"02", "x", "-1"} {
			if err := os.Mkdir(filepath.Join(filepath.Dir(m.SessionLog(2)), other), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want[0].Dir != filepath.Join(d.State, "log", "docker:web", "2") {
		t.Errorf("a log is in %s", want[0].Dir)
	}
	all, err := d.SessionLogs()
	if err != nil || len(all) != len(want) {
		t.Fatalf("listed %v, %v", all, err)
	}
	for i := range all {
		if all[i] != want[i] {
			t.Errorf("listed %+v, want %+v", all[i], want[i])
		}
	}
}

func TestSessionLogsAreForTheUserAlone(t *testing.T) {
	d := Dirs{Runtime: "/run/x", State: t.TempDir()}
	m, err := d.Machine("web-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.MakeSessionLogs(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"log", "log/web-1"} {
		path := filepath.Join(d.State, dir)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := m.MakeSessionLogs(); err == nil || !strings.Contains(err.Error(), "chmod 700 "+path) {
			t.Errorf("with %s open to others: %v", dir, err)
		}
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

//go:build linux

package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	user "github.com/snugvm/snug/test/rig"
)

// ordinary is a user without an account and without rights.
var ordinary = syscall.Credential{Uid: 4321, Gid: 4322}

// newOrdinaryRig returns surroundings of a user that is not root: who runs the
// tests, unless that is root.
func newOrdinaryRig(t *testing.T) *rig {
	t.Helper()
	if os.Getuid() != 0 {
		return newRig(t)
	}
	// Root's own cache, and perhaps the built command, are closed to others.
	shared, err := os.MkdirTemp("", "vmcache")
	user.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(shared) })
	caches, err := os.UserCacheDir()
	user.Must(t, err)
	for _, copied := range [][2]string{{filepath.Join(caches, "snug", "kernels"), "snug/kernels"}, {snug, "bin/snug"}} {
		to := filepath.Join(shared, copied[1])
		user.Must(t, os.MkdirAll(filepath.Dir(to), 0o755))
		if out, err := exec.Command("cp", "-a", copied[0], to).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v\n%s", err, out)
		}
	}
	if out, err := exec.Command("chown", "-R", "4321:4322", shared).CombinedOutput(); err != nil {
		t.Fatalf("chown: %v\n%s", err, out)
	}
	r := newRigWith(t, shared, &ordinary)
	r.Snug = filepath.Join(shared, "bin/snug")
	return r
}

const aboutMyself = `id -u; id -g; unshare -U true && echo unshared; cat edited; mkdir folder; umask 027; echo guest >made
	stat -c %u ~ .; head -n 1 >/dev/null; exec cat edited`

func TestTheCallerIsHimselfInTheMachine(t *testing.T) {
	needMachine(t)
	t.Run("an ordinary user", func(t *testing.T) { wantOwnFiles(t, newOrdinaryRig(t)) })
	if os.Getuid() == 0 { // nobody else can test it
		t.Run("root", func(t *testing.T) { wantOwnFiles(t, newRig(t)) })
	}
}

// wantOwnFiles runs a program and fails the test unless what it writes is the
// caller's on the host, and what the host writes is in the machine at once.
func wantOwnFiles(t *testing.T, r *rig) {
	t.Helper()
	uid, gid := os.Getuid(), os.Getgid()
	if r.As != nil {
		uid, gid = int(r.As.Uid), int(r.As.Gid)
	}
	r.Write("edited", "before\n", 0o644)
	run := r.run("--", "sh", "-c", aboutMyself)
	stdin, err := run.StdinPipe()
	user.Must(t, err)
	out := &strings.Builder{}
	run.Stdout, run.Stderr = out, os.Stderr
	user.Must(t, run.Start())
	defer func() { _ = stdin.Close() }()
	r.AwaitFile("made")

	for _, name := range []string{"made", "folder"} {
		info, err := os.Stat(filepath.Join(r.Project, name))
		user.Must(t, err)
		if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != uid || int(st.Gid) != gid {
			t.Errorf("%s belongs to %d:%d on the host, want %d:%d", name, st.Uid, st.Gid, uid, gid)
		}
	}
	if info, err := os.Stat(filepath.Join(r.Project, "made")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode of what the guest made: %v, %v", info.Mode(), err)
	}
	r.Write("edited", "edited while the program runs\n", 0o644)
	_ = stdin.Close()
	if status := r.Reap(run); status != 0 {
		t.Errorf("exit status %d", status)
	}
	want := strings.Join([]string{strconv.Itoa(uid), strconv.Itoa(gid), "unshared", "before", strconv.Itoa(uid), strconv.Itoa(uid), "edited while the program runs", ""}, "\n")
	if out.String() != want {
		t.Errorf("the program said %q, want %q", out.String(), want)
	}
}

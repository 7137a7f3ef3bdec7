//go:build linux

package box

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snugvm/snug/test/rootfs"
)

// Crun returns a container of crun.
func Crun(t testing.TB, o Options) *Box {
	t.Helper()
	// Its folder is elsewhere for a user who has XDG_RUNTIME_DIR.
	return bundle(t, "crun", o, "--root", "/run/crun", "--cgroup-manager", "disabled")
}

// Runc returns a container of runc.
func Runc(t testing.TB, o Options) *Box {
	t.Helper()
	return bundle(t, "runc", o)
}

func bundle(t testing.TB, tool string, o Options, flags ...string) *Box {
	t.Helper()
	c := newCell(t, o.Rootfs, nil, "")
	b := newBox(t, c)
	c.tool(tool, tool, flags...)
	config, err := json.Marshal(specification(b.Rootfs, o, c.cgroup()))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(c.dir, "config.json"), config, 0o600))
	defer c.tellLog()
	ended := c.start(b.Tool(tool, "run", "--bundle", c.dir, Name))
	eventually(t, "the container runs", ended, func() bool {
		out, err := b.Tool(tool, "state", Name).Output()
		return err == nil && strings.Contains(string(out), `"status": "running"`)
	})
	b.prefix = func(tty bool, user string) []string {
		words := []string{tool, "exec"}
		if tty {
			words = append(words, "-t")
		}
		if user != "" {
			words = append(words, "--user", ids(user))
		}
		return append(words, Name)
	}
	b.remove = func() {
		// What runs it deletes it: who did that too would find it gone, now and then.
		b.run(tool, "kill", Name, "KILL")
		<-ended
	}
	return b
}

// ids are a user's uid and gid, for tools that do not read a box's passwd.
func ids(user string) string {
	if user == "root" {
		return "0:0"
	}
	return fmt.Sprintf("%d:%d", rootfs.App, rootfs.App)
}

type object = map[string]any

// specification is the OCI runtime's of a container.
func specification(root string, o Options, cgroup string) object {
	capabilities := strings.Fields(`CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_MKNOD
		CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_CHROOT`)
	mounts := []object{
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755"}},
		{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": []string{"nosuid", "noexec", "nodev", "mode=1777"}},
	}
	if o.Storage == NoExec {
		for _, dir := range tmpfs {
			mounts = append(mounts, object{"destination": dir, "type": "tmpfs", "source": "tmpfs", "options": []string{"noexec", "mode=1777"}})
		}
	}
	return object{
		"ociVersion": "1.0.2",
		"hostname":   Name,
		"root":       object{"path": root, "readonly": o.Storage != Writable},
		"process": object{
			"user": object{"uid": 0, "gid": 0},
			"args": []string{rootfs.Idle},
			"env":  append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}, o.Env...),
			"cwd":  "/",
			"capabilities": object{
				"bounding": capabilities, "effective": capabilities, "permitted": capabilities,
			},
		},
		"mounts": mounts,
		"linux": object{
			"cgroupsPath": cgroup + "/" + Name,
			"namespaces":  []object{{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}},
		},
	}
}

//go:build linux

package guest

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"

	"github.com/snugvm/snug/test/smolvm/internal/frame"
)

// crunFlags come before crun's every subcommand. Cgroups are the machine's matter, not a container's.
func (a *agent) crunFlags() []string {
	return []string{"--root", a.machine.Containers(), "--cgroup-manager", "disabled"}
}

func (a *agent) crun(args ...string) *exec.Cmd {
	return exec.Command("crun", append(a.crunFlags(), args...)...)
}

// container begins a workload of crun's.
func (a *agent) container(id string) *workload {
	return &workload{program: "crun", options: a.crunFlags(), id: id}
}

// writeConfig writes the machine's one config.json as smolvm does: truncate, then write. A rename would spare the
// parse errors, not the wrong commands.
func (a *agent) writeConfig(req frame.Request) error {
	b, err := json.MarshalIndent(a.config(req), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(a.machine.Config(), b, 0o644)
}

type object = map[string]any

// config is the OCI runtime's specification of a container for one command.
func (a *agent) config(req frame.Request) object {
	capabilities := strings.Fields(`CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_MKNOD
		CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_CHROOT`)
	return object{
		"ociVersion": "1.0.2",
		"hostname":   a.machine.Name,
		"root":       object{"path": "rootfs"},
		"process": object{
			"terminal": req.TTY,
			"user":     object{"uid": 0, "gid": 0},
			"args":     req.Argv,
			"env":      environment(req),
			"cwd":      workdir(req),
			"capabilities": object{
				"bounding": capabilities, "effective": capabilities, "permitted": capabilities,
			},
		},
		"mounts": []object{
			{"destination": "/proc", "type": "proc", "source": "proc"},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755"}},
			{"destination": "/dev/pts", "type": "bind", "source": ptsFolder(a.machine), "options": []string{"bind", "rw"}},
			{"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": []string{"nosuid", "noexec", "nodev", "mode=1777"}},
		},
		"linux": object{
			"namespaces": []object{{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}},
		},
	}
}

func environment(req frame.Request) []string {
	return append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm-256color", "HOME=/root",
	}, req.Env...)
}

func workdir(req frame.Request) string {
	if req.Workdir == "" {
		return "/"
	}
	return req.Workdir
}

//go:build linux

package box

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/snugvm/snug/test/rootfs"
)

// image is the name of the images of docker and podman.
const image = "snug-test"

// Docker returns a container of a Docker daemon of its own, which has no network and no storage driver of the kernel's.
func Docker(t testing.TB, o Options) *Box {
	t.Helper()
	docker := need(t, "docker", "docker.io")
	dockerd := need(t, "dockerd", "docker.io")
	// The daemon's process namespace ends with the cell, and with it every container.
	c := newCell(t, o.Rootfs, []string{"--pid", "--fork", "--kill-child", "--mount-proc"}, `
		test ! -d /etc/docker || mount -t tmpfs tmpfs /etc/docker
		"$1" --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs --cgroup-parent="/snug-$(basename "$PWD")" \
			--data-root="$PWD/data" --exec-root=/run/docker --pidfile=/run/docker.pid --host="unix://$PWD/sock" </dev/null >>log 2>&1 &`,
		dockerd)
	b := newBox(t, c, "DOCKER_HOST=unix://"+filepath.Join(c.dir, "sock"), "DOCKER_CONFIG="+filepath.Join(c.dir, "config"), "DOCKER_CONTEXT=")
	c.script("docker", docker)
	defer c.tellLog()
	eventually(t, "the Docker daemon answers", c.ended, func() bool { return b.Tool("docker", "version").Run() == nil })
	b.container("docker", o)
	return b
}

// Podman returns a container of podman and crun, which needs no control groups.
func Podman(t testing.TB, o Options) *Box {
	t.Helper()
	need(t, "crun", "crun")
	need(t, "conmon", "conmon")
	c := newCell(t, o.Rootfs, nil, `
		mkdir -p /run/containers
		printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/storage"\nrunroot = "/run/containers"\n' "$PWD" >storage.conf
		printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\ncgroups = "disabled"\nnetns = "none"\n[engine]\nruntime = "crun"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\ntmp_dir = "/run/libpod"\n' >containers.conf`)
	b := newBox(t, c,
		"CONTAINERS_CONF="+filepath.Join(c.dir, "containers.conf"), "CONTAINERS_STORAGE_CONF="+filepath.Join(c.dir, "storage.conf"))
	c.tool("podman", "podman")
	defer c.tellLog()
	b.container("podman", o)
	return b
}

// container imports the image, and runs a container of it that lasts as long as the cell.
func (b *Box) container(tool string, o Options) {
	b.t.Helper()
	b.Image = image
	archive := filepath.Join(b.cell.dir, "rootfs.tar")
	run(b.t, exec.Command("tar", "-C", b.Rootfs, "-cf", archive, "."))
	b.run(append(append([]string{tool, "import"}, changes(o)...), archive, image)...)

	args := []string{tool, "run", "--interactive", "--name", Name, "--network", "none", "--entrypoint", rootfs.Idle}
	if o.Storage != Writable {
		args = append(args, "--read-only")
		if tool == "podman" {
			args = append(args, "--read-only-tmpfs=false")
		}
	}
	if o.Storage == NoExec {
		for _, dir := range tmpfs {
			args = append(args, "--tmpfs", dir+":rw,noexec,mode=1777")
		}
	}
	ended := b.cell.start(b.Tool(append(args, image)...))
	eventually(b.t, "the container runs", ended, func() bool {
		out, err := b.Tool(tool, "inspect", "--format", "{{.State.Running}}", Name).Output()
		return err == nil && string(out) == "true\n"
	})
	b.prefix = func(tty bool, user string) []string {
		words := []string{tool, "exec", "-i"}
		if tty {
			words[2] = "-it"
		}
		if user != "" {
			words = append(words, "-u", user)
		}
		return append(words, Name)
	}
	rm := []string{tool, "rm", "-f", Name}
	if tool == "podman" {
		rm = []string{tool, "rm", "-f", "-t", "0", Name} // docker's -f kills at once, podman's asks for 10 s
	}
	b.remove = func() { b.run(rm...) }
}

// changes are the image's own settings.
func changes(o Options) (args []string) {
	for instruction, words := range map[string][]string{"ENTRYPOINT": o.Entrypoint, "CMD": o.Cmd} {
		if words != nil {
			list, _ := json.Marshal(words) // strings
			args = append(args, "--change", instruction+" "+string(list))
		}
	}
	for _, variable := range o.Env {
		args = append(args, "--change", "ENV "+variable)
	}
	return args
}

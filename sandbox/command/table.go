package command

import (
	"regexp"
	"strings"
	"sync"
)

// need is what a row's command line must say of the program.
type need int

const (
	programNeeded need = iota
	programShell       // without one, the user's login shell
)

// row is what snug knows of one of a tool's command lines. To add a tool is to
// add a row, and its command lines to parse_test.go.
type row struct {
	tool  string
	verbs []string // the subcommand's words; "" for a tool without
	usage string   // what is understood, for who has typed something else

	globalFlags string // those in front of the subcommand (flags)
	execFlags   string // those behind it
	style       style

	word         string // what the word in front of the program is called; "" for none
	target       string // the machine where the command line names none
	interspersed bool   // flags may follow the word
	dashes       bool   // a "--" behind the word is not the program's
	mustDash     bool   // the program follows a "--"
	program      need
	ttyAsked     bool // a terminal only where a flag asks for it
	stdinAsked   bool // stdin only where a flag asks for it

	carrier   []string // Plan.fill; the launcher follows
	terminal  []string // the same with a terminal; nil where that is the tool's to see
	quoted    bool     // the tool joins its words for a shell
	stale     bool     // for every later size the tool sets the first one again
	modes     bool     // the tool hands the modes of its terminal on to the program's
	expands   bool     // the tool expands ${NAME} in its words, and $$ is a $
	variables []string // of the host's environment, that say where
	says      []meaning
	run       *runner               // makes a machine first
	fix       func(p *parser) error // for what no flag can say

	once   sync.Once
	parsed [2]map[string]*flagSpec
}

func (r *row) global() map[string]*flagSpec { r.parse(); return r.parsed[0] }
func (r *row) flags() map[string]*flagSpec  { r.parse(); return r.parsed[1] }
func (r *row) parse() {
	r.once.Do(func() { r.parsed = [2]map[string]*flagSpec{flags(r.globalFlags), flags(r.execFlags)} })
}

// meaning is what a tool's words mean, and what to do about it.
type meaning struct {
	kind   Kind
	words  *regexp.Regexp
	remedy string // {tool}, {target}
}

func means(kind Kind, words, remedy string) meaning {
	return meaning{kind, regexp.MustCompile(`(?i)` + words), remedy}
}

// noShell are the words of any tool for a machine without a shell.
var noShell = means(NoShell, "(exec: \\\\*\"sh\\\\*\"|executable file .?sh.? not found|\\bsh\\W{0,2}: no such file|failed to execute sh|\\bsh: (command )?not found|stat /bin/sh: no such)", "")

// explain finds what a tool's words mean.
func (r *row) explain(words string, p *Plan, target string) (Kind, string) {
	for _, m := range append([]meaning{noShell}, r.says...) {
		if m.words.MatchString(words) {
			return m.kind, strings.NewReplacer("{tool}", p.argv0, "{target}", target).Replace(m.remedy)
		}
	}
	return Failed, ""
}

// generic is any tool, by --exec.
var generic = &row{
	usage:   "--exec 'TOOL exec -i BOX' -- PROGRAM ARG...",
	carrier: []string{"{tool}", "{flags}"},
}

func fields(s string) []string { return strings.Fields(s) }

// What docker's relatives have in common.
const (
	dockerExec = `
		tty     -t --tty
		stdin   -i --interactive
		env     -e --env =
		dir     -w --workdir =
		user    -u --user =
		key     --privileged
		key     --env-file =
		drop    --detach-keys =
		drop    --sig-proxy
		refuse  -d --detach`
	dockerGlobal = `
		key     --config =
		key     -c --context =
		key     -H --host =
		key     --tls
		key     --tlscacert =
		key     --tlscert =
		key     --tlskey =
		key     --tlsverify
		keep    -D --debug
		keep    -l --log-level =`
	podmanGlobal = `
		key     -c --connection =
		key     --url =
		key     --identity =
		key     -r --remote
		key     --root =
		key     --runroot =
		key     --namespace =
		key     --storage-driver =
		key     --storage-opt =
		key     --imagestore =
		key     --transient-store
		key     --tmpdir =
		key     --config =
		key     --module =
		keep    --ssh =
		keep    --runtime =
		keep    --runtime-flag =
		keep    --cgroup-manager =
		keep    --conmon =
		keep    --events-backend =
		keep    --hooks-dir =
		keep    --network-cmd-path =
		keep    --network-config-dir =
		keep    --volumepath =
		keep    --log-level =
		keep    --syslog`
)

var dockerSays = []meaning{
	means(Missing, `no such container|no container with name or id|no such object`, "see what there is with '{tool} ps -a'"),
	means(Stopped, `is not running|is paused|is restarting|on running containers|container state improper`, "start it with '{tool} start {target}'"),
	means(Denied, `permission denied while trying to connect|got permission denied|unable to find user|no matching entries in passwd`, "try it with the rights that it asks for"),
	means(Unreachable, `cannot connect to|is the docker daemon running|error during connect|connection refused|unable to connect|context .* not found`, "see that its daemon runs and that you reach it: '{tool} info'"),
}

var runtimeSays = []meaning{
	means(Missing, `does not exist|no such file or directory: .*status|error opening file .*/status|container id .* not found|loading (sandbox|container)`, "see what there is with '{tool} list', as the user and with the --root of who has started it"),
	means(Stopped, `is not running|not in running state|has stopped|container not running`, "start it first"),
	means(Denied, `permission denied|operation not permitted`, "run snug as the user who has started the container"),
}

var lxdFlags = `
	tty     -t --force-interactive
	notty   -T --force-noninteractive
	mode    --mode =
	nostdin -n --disable-stdin
	env     --env =
	dir     --cwd =
	user    --user =
	key     --group =
	key     --project =
	keep    --force-local
	keep    --debug
	keep    -v --verbose
	keep    -q --quiet`

var lxdSays = []meaning{
	means(Missing, `instance not found|not found`, "see what there is with '{tool} list'"),
	means(Stopped, `is not running|instance is (stopped|frozen)`, "start it with '{tool} start {target}'"),
	means(Denied, `permission denied|not authorized|forbidden`, "try it as a member of the tool's group, or as root"),
	means(Unreachable, `connection refused|no such file or directory|no such host`, "see that its daemon runs"),
}

// table is every command line that snug can stand in front of.
var table = []*row{
	{
		tool: "smolvm", verbs: []string{"machine exec"},
		usage: "smolvm machine exec [-i] [-t] [--name NAME] [-e K=V] [-w DIR] [--timeout T] -- PROGRAM [ARG...]",
		execFlags: `
			target  -n --name =
			tty     -t --tty
			stdin   -i --interactive
			env     -e --env =
			dir     -w --workdir =
			timeout --timeout =
			key     --secret-env =
			key     --secret-file =
			drop    --stream
			refuse  -d --detach`,
		target: "default", ttyAsked: true, stdinAsked: true,
		carrier:  fields("{tool} {global} machine exec --name {target} -i {flags} --"),
		terminal: fields("{tool} {global} machine exec --name {target} -i -t {flags} --"),
		says:     smolvmSays,
	},
	{
		tool: "smolvm", verbs: []string{"machine shell", "machine sh"},
		usage:     "smolvm machine shell [-n NAME]",
		execFlags: "target -n --name =",
		target:    "default", program: programShell,
		carrier:  fields("{tool} {global} machine exec --name {target} -i {flags} --"),
		terminal: fields("{tool} {global} machine exec --name {target} -i -t {flags} --"),
		says:     smolvmSays,
		fix: func(p *parser) error {
			if len(p.program) > 0 {
				return p.errorf("a shell takes no program")
			}
			p.plan.TTY, p.plan.Program = Yes, []string{"/bin/sh"}
			return nil
		},
	},
	smolvmRun,
	{
		tool: "docker", verbs: []string{"exec", "container exec"},
		usage:       "docker [-H HOST|-c CONTEXT] exec [-i] [-t] [-e K=V] [-w DIR] [-u USER] CONTAINER PROGRAM [ARG...]",
		globalFlags: dockerGlobal, execFlags: dockerExec,
		word: "CONTAINER", ttyAsked: true, stdinAsked: true,
		carrier:   fields("{tool} {global} exec -i {flags} {target}"),
		terminal:  fields("{tool} {global} exec -i -t {flags} {target}"),
		variables: []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"},
		says:      dockerSays,
	},
	dockerRun("docker", dockerGlobal, []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"}),
	{
		tool: "podman", verbs: []string{"exec", "container exec"},
		usage:       "podman [--connection NAME] exec [-i] [-t] [-e K=V] [-w DIR] [-u USER] CONTAINER PROGRAM [ARG...]",
		globalFlags: podmanGlobal,
		execFlags: dockerExec + `
			keep    --preserve-fds =
			refuse  -l --latest
			refuse  --cidfile =`,
		word: "CONTAINER", ttyAsked: true, stdinAsked: true,
		carrier:   fields("{tool} {global} exec -i {flags} {target}"),
		terminal:  fields("{tool} {global} exec -i -t {flags} {target}"),
		variables: []string{"CONTAINER_HOST", "CONTAINER_CONNECTION"},
		says:      dockerSays,
	},
	dockerRun("podman", podmanGlobal, []string{"CONTAINER_HOST", "CONTAINER_CONNECTION"}),
	{
		tool: "nerdctl", verbs: []string{"exec", "container exec"},
		usage: "nerdctl [-n NAMESPACE] exec [-i] [-t] [-e K=V] [-w DIR] [-u USER] CONTAINER PROGRAM [ARG...]",
		globalFlags: `
			key     -a -H --host --address =
			key     -n --namespace =
			key     --data-root =
			key     --storage-driver --snapshotter =
			key     --cgroup-manager =
			keep    --cni-path =
			keep    --cni-netconfpath =
			keep    --hosts-dir =
			keep    --insecure-registry
			keep    --experimental
			keep    --debug
			keep    --debug-full`,
		execFlags: dockerExec,
		word:      "CONTAINER", ttyAsked: true, stdinAsked: true,
		carrier:   fields("{tool} {global} exec -i {flags} {target}"),
		terminal:  fields("{tool} {global} exec -i -t {flags} {target}"),
		variables: []string{"CONTAINERD_ADDRESS", "CONTAINERD_NAMESPACE"},
		says:      dockerSays,
	},
	{
		tool: "sbx", verbs: []string{"exec"},
		usage:       "sbx exec [-i] [-t] [-e K=V] [-w DIR] [-u USER] SANDBOX PROGRAM [ARG...]",
		globalFlags: "keep -D --debug", execFlags: dockerExec + "\n keep -D --debug",
		word: "SANDBOX", ttyAsked: true, stdinAsked: true,
		carrier:  fields("{tool} {global} exec -i {flags} {target}"),
		terminal: fields("{tool} {global} exec -i -t {flags} {target}"),
		says: append([]meaning{
			means(Missing, `sandbox .* not found|no such sandbox`, "see what there is with '{tool} ls'"),
		}, dockerSays...),
	},
	{
		tool: "container", verbs: []string{"exec"},
		usage:       "container exec [-i] [-t] [-e K=V] [-w DIR] [-u USER] CONTAINER PROGRAM [ARG...]",
		globalFlags: "keep --debug",
		execFlags: `
			tty     -t --tty
			stdin   -i --interactive
			env     -e --env =
			dir     -w --cwd --workdir =
			user    -u --user =
			key     --uid =
			key     --gid =
			key     --env-file =
			keep    --debug
			refuse  -d --detach`,
		word: "CONTAINER", ttyAsked: true, stdinAsked: true,
		carrier:  fields("{tool} {global} exec -i {flags} {target}"),
		terminal: fields("{tool} {global} exec -i -t {flags} {target}"),
		says: []meaning{
			means(Missing, `not found|notfound`, "see what there is with '{tool} ls -a'"),
			means(Stopped, `is not running|invalid ?state`, "start it with '{tool} start {target}'"),
			means(Unreachable, `xpc connection error|apiserver|connection (refused|invalid)`, "start its service with '{tool} system start'"),
		},
	},
	{
		tool: "kubectl", verbs: []string{"exec"},
		usage:       "kubectl exec [-i] [-t] [-n NAMESPACE] POD [-c CONTAINER] -- PROGRAM [ARG...]",
		globalFlags: kubectlGlobal,
		execFlags: kubectlGlobal + `
			tty     -t --tty
			stdin   -i --stdin
			key     -c --container =
			keep    --pod-running-timeout =
			drop    -q --quiet
			refuse  -f --filename =`,
		word: "POD", interspersed: true, mustDash: true, ttyAsked: true, stdinAsked: true,
		carrier:   fields("{tool} {global} exec -i {flags} {target} --"),
		terminal:  fields("{tool} {global} exec -i -t {flags} {target} --"),
		variables: []string{"KUBECONFIG"},
		says: []meaning{
			means(Missing, `not found|is not valid for pod|container not found`, "see what there is with '{tool} get pods', in the right namespace and context"),
			means(Stopped, `in a completed pod|current phase is|is not running|waiting to start|ContainerCreating|CrashLoopBackOff`, "wait until it is ready, or look with '{tool} describe pod {target}'"),
			means(Denied, `forbidden|unauthorized|must be logged in`, "you need the right to create pods/exec there"),
			means(Unreachable, `unable to connect|was refused|no such host|i/o timeout|context .* does not exist|error dialing backend|tls handshake`, "see that you reach the cluster: '{tool} cluster-info'"),
		},
		fix: func(p *parser) error {
			for _, k := range p.plan.keys { // the pod's name says too little
				if c, ok := strings.CutPrefix(k, "--container="); ok {
					p.plan.Name = "kubectl:" + p.plan.target + "/" + c
				}
			}
			return nil
		},
	},
	{
		tool: "crun", verbs: []string{"exec"},
		usage: "crun [--root DIR] exec [-t] [-e K=V] [--cwd DIR] [-u UID:GID] CONTAINER PROGRAM [ARG...]",
		globalFlags: `
			key     --root =
			key     --rootless =
			keep    --cgroup-manager =
			keep    --systemd-cgroup
			keep    --log =
			keep    --log-format =
			keep    --debug`,
		execFlags: `
			tty     -t --tty =?
			env     -e --env =
			dir     --cwd =
			user    -u --user =
			key     -c --cap =
			key     --apparmor =
			key     --cgroup =
			key     --no-new-privs
			key     --process-label =
			drop    --console-socket =
			keep    --preserve-fds =
			refuse  -d --detach
			refuse  -p --process =
			refuse  --pid-file =`,
		style: styleGetopt, word: "CONTAINER", ttyAsked: true, stale: true,
		carrier:  fields("{tool} {global} exec {flags} {target}"),
		terminal: fields("{tool} {global} exec -t {flags} {target}"),
		says:     runtimeSays,
	},
	{
		tool: "runc", verbs: []string{"exec"},
		usage: "runc [--root DIR] exec [-t] [-e K=V] [--cwd DIR] [-u UID:GID] CONTAINER PROGRAM [ARG...]",
		globalFlags: `
			key     --root =
			key     --rootless =
			keep    --criu =
			keep    --systemd-cgroup
			keep    --log =
			keep    --log-format =
			keep    --debug`,
		execFlags: `
			tty     -t --tty
			env     -e --env =
			dir     --cwd =
			user    -u --user =
			key     -g --additional-gids =
			key     -c --cap =
			key     --apparmor =
			key     --process-label =
			key     --no-new-privs
			key     --cgroup =
			key     --ignore-paused
			drop    --console-socket =
			keep    --preserve-fds =
			refuse  -d --detach
			refuse  -p --process =
			refuse  --pid-file =`,
		style: styleGoFlag, word: "CONTAINER", ttyAsked: true,
		carrier:  fields("{tool} {global} exec {flags} {target}"),
		terminal: fields("{tool} {global} exec -t {flags} {target}"),
		says:     runtimeSays,
	},
	{
		tool: "runsc", verbs: []string{"exec"},
		usage: "runsc [--root DIR] exec [--env K=V] [--cwd DIR] [--user UID:GID] CONTAINER PROGRAM [ARG...]",
		globalFlags: `
			key     --root =
			key     --rootless
			key     --network =
			key     --platform =
			keep    --debug
			keep    --debug-log =
			keep    --log =
			keep    --log-format =
			keep    --strace
			keep    --alsologtostderr
			keep    --systemd-cgroup
			keep    --host-uds =
			keep    --overlay2 =
			keep    --ignore-cgroups`,
		execFlags: `
			env     --env =
			dir     --cwd =
			user    --user =
			key     --additional-gids =
			key     --cap =
			refuse  --console-socket =
			refuse  --detach
			refuse  --process =
			refuse  --pid-file =
			refuse  --internal-pid-file =
			refuse  --pass-fd =
			refuse  --exec-fd =`,
		style: styleGoFlag, word: "CONTAINER",
		carrier: fields("{tool} {global} exec {flags} {target}"),
		says:    runtimeSays,
	},
	{
		tool: "lxc", verbs: []string{"exec"},
		usage:       "lxc exec [-t|-T] [--env K=V] [--cwd DIR] [--user UID] [REMOTE:]INSTANCE [--] PROGRAM [ARG...]",
		globalFlags: lxdFlags, execFlags: lxdFlags,
		word: "INSTANCE", interspersed: true, dashes: true,
		carrier:   fields("{tool} {global} exec -T {flags} {target} --"),
		terminal:  fields("{tool} {global} exec -t {flags} {target} --"),
		variables: []string{"LXD_DIR", "LXD_CONF", "LXD_SOCKET"},
		says:      lxdSays,
	},
	{
		tool: "incus", verbs: []string{"exec"},
		usage:       "incus exec [-t|-T] [--env K=V] [--cwd DIR] [--user UID] [REMOTE:]INSTANCE [--] PROGRAM [ARG...]",
		globalFlags: lxdFlags, execFlags: lxdFlags,
		word: "INSTANCE", interspersed: true, dashes: true,
		carrier:   fields("{tool} {global} exec -T {flags} {target} --"),
		terminal:  fields("{tool} {global} exec -t {flags} {target} --"),
		variables: []string{"INCUS_DIR", "INCUS_CONF", "INCUS_SOCKET", "INCUS_REMOTE", "INCUS_PROJECT"},
		says:      lxdSays,
	},
	{
		tool: "limactl", verbs: []string{"shell"},
		usage: "limactl shell [--workdir DIR] INSTANCE [PROGRAM [ARG...]]",
		globalFlags: `
			keep    --debug
			keep    --log-level =
			keep    --log-format =
			keep    -y --yes
			keep    --tty =?`,
		execFlags: `
			dir     --workdir =
			key     --shell =
			key     --preserve-env
			keep    --reconnect
			keep    --start
			keep    --debug
			keep    --log-level =
			keep    --log-format =
			keep    -y --yes
			keep    --tty =?`,
		word: "INSTANCE", program: programShell, dashes: true,
		carrier:   fields("{tool} {global} shell {flags} {target}"),
		variables: []string{"LIMA_HOME"},
		says: []meaning{
			means(Missing, `does not exist|no such instance`, "see what there is with '{tool} list'"),
			means(Stopped, `is stopped|is not running`, "start it with '{tool} start {target}'"),
		},
	},
	{
		tool: "machinectl", verbs: []string{"shell"},
		usage:       "machinectl shell [--uid=USER] [-E K=V] [USER@]NAME [PROGRAM [ARG...]]",
		globalFlags: machinectlFlags, execFlags: machinectlFlags,
		style: styleGetopt, word: "NAME", program: programShell, expands: true,
		// Machinectl gives a terminal only, through which no byte is safe. The
		// agent must outlive the unit that has started it.
		carrier:  fields("systemd-run --quiet --collect --pipe --property=KillMode=process {flags} --machine={target} --"),
		terminal: fields("systemd-run --quiet --collect --pty {flags} --machine={target} --"),
		says: []meaning{
			means(Missing, `no machine .* known|could not get path to machine|host is down|no such file or directory`, "see what there is with 'machinectl list'"),
			means(Denied, `access denied|interactive authentication required|permission denied`, "run snug as root"),
		},
		fix: func(p *parser) error {
			if user, name, found := strings.Cut(p.plan.target, "@"); found {
				p.plan.target = name
				p.plan.flags = append(p.plan.flags, "--uid="+user)
				p.plan.keys, p.user = append(p.plan.keys, "--uid="+user), user
			}
			p.plan.TTY = Yes
			return nil
		},
	},
	{
		tool: "ssh", verbs: []string{""},
		usage: "ssh [-t] [-p PORT] [-l USER] [-o OPTION] [...] [USER@]HOST [COMMAND...]",
		execFlags: `
			tty     -t
			notty   -T
			nostdin -n
			user    -l =
			key     -b =
			key     -B =
			key     -c =
			key     -D =
			key     -F =
			key     -I =
			key     -i =
			key     -J =
			key     -L =
			key     -m =
			key     -o =
			key     -P =
			key     -p =
			key     -R =
			key     -w =
			key     -A
			key     -a
			key     -K
			key     -k
			key     -X
			key     -x
			key     -Y
			key     -4
			key     -6
			key     -C
			key     -g
			keep    -S =
			keep    -M
			keep    -E =
			keep    -q
			keep    -v
			keep    -y
			drop    -e =
			refuse  -f
			refuse  -G
			refuse  -N
			refuse  -O =
			refuse  -Q =
			refuse  -s
			refuse  -V
			refuse  -W =`,
		style: styleGetopt, word: "HOST", interspersed: true, program: programShell,
		carrier: fields("{tool} -T {flags} {target}"), quoted: true,
		terminal: fields("{tool} -t {flags} {target}"), modes: true,
		says: []meaning{
			means(Denied, `permission denied|host key verification failed|too many authentication failures|no supported authentication`, "snug cannot ask for a password: log in once with plain ssh, and use a key with an agent"),
			means(Unreachable, `could not resolve hostname|connection refused|no route to host|timed out|network is unreachable`, "see that '{tool} {target}' gets through"),
		},
		fix: func(p *parser) error {
			// The words are the remote shell's, as ssh has it.
			p.plan.Command, p.plan.Program = strings.Join(p.program, " "), nil
			if p.plan.Command != "" && p.plan.TTY == Auto {
				p.plan.TTY = No
			}
			return nil
		},
	},
	{
		tool: "chroot", verbs: []string{""},
		usage: "chroot [--userspec=USER:GROUP] [--groups=LIST] NEWROOT [PROGRAM [ARG...]]",
		execFlags: `
			user    --userspec =
			key     --groups =
			key     --skip-chdir`,
		style: styleGetopt, word: "NEWROOT", program: programShell,
		carrier: fields("{tool} {flags} {target}"),
		says: []meaning{
			means(Missing, `cannot change root directory.*(no such file|not a directory)`, "name a folder that has a system in it"),
			means(Denied, `cannot change root directory.*(not permitted|denied)|invalid (user|group)`, "run snug as root"),
		},
		fix: func(p *parser) error { p.shellCommand(` -i`); return nil },
	},
	{
		tool: "nsenter", verbs: []string{""},
		usage: "nsenter [-t PID] [-a] [-m] [-u] [-i] [-n] [-p] [-C] [-U] [-T] [-S UID] [-G GID] [-r[DIR]] [-w[DIR]] [PROGRAM [ARG...]]",
		execFlags: `
			key     -t --target =
			key     -a --all
			key     -m --mount =?
			key     -u --uts =?
			key     -i --ipc =?
			key     -n --net =?
			key     -p --pid =?
			key     -C --cgroup =?
			key     -U --user =?
			key     -T --time =?
			key     -S --setuid =
			key     -G --setgid =
			key     --preserve-credentials
			key     --keep-caps
			key     -r --root =?
			key     -w --wd =?
			dir     -W --wdns =
			key     -F --no-fork
			key     -Z --follow-context
			key     -e --env
			key     -c --join-cgroup
			key     --user-parent`,
		style: styleGetopt, program: programShell,
		carrier: fields("{tool} {flags} --"),
		says: []meaning{
			means(Missing, `no such process|cannot open /proc/.*no such file`, "see that the process lives"),
			means(Denied, `operation not permitted|permission denied`, "run snug as root"),
		},
		fix: func(p *parser) error {
			if len(p.plan.flags) == 0 {
				return p.errorf("no namespace is named")
			}
			p.shellCommand("")
			p.plan.Name = "nsenter"
			for _, k := range p.plan.keys {
				if pid, ok := strings.CutPrefix(k, "--target="); ok {
					p.plan.Name = "nsenter:" + pid
				}
			}
			return nil
		},
	},
}

// shellCommand is what tools do that run the shell which the environment names.
func (p *parser) shellCommand(flags string) {
	if len(p.program) == 0 {
		p.plan.Command = `exec "${SHELL:-/bin/sh}"` + flags
	}
}

const machinectlFlags = `
	user    --uid =
	env     -E --setenv =
	drop    -q --quiet
	drop    --no-pager
	drop    --no-legend
	drop    --no-ask-password
	refuse  -H --host =
	refuse  -M --machine =`

const kubectlGlobal = `
	key     -n --namespace =
	key     --context =
	key     --cluster =
	key     --kubeconfig =
	key     -s --server =
	key     --user =
	key     --as =
	key     --as-group =
	key     --as-uid =
	key     --token =
	key     --username =
	key     --password =
	key     --certificate-authority =
	key     --client-certificate =
	key     --client-key =
	key     --insecure-skip-tls-verify
	key     --tls-server-name =
	keep    --cache-dir =
	keep    --disable-compression
	keep    --match-server-version
	keep    --request-timeout =
	keep    --log-flush-frequency =
	keep    --profile =
	keep    --profile-output =
	keep    -v --v =
	keep    --vmodule =
	keep    --warnings-as-errors`

var smolvmSays = []meaning{
	means(Missing, `vm not found|machine ['"]?\S+ (was )?not found|no such machine`, "see what there is with '{tool} machine ls'"),
	means(Stopped, `machine '[^']*' is not running`, "start it with '{tool} machine start --name {target}'"),
}

package command

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// runner is how a row makes a machine of its own, and ends it: templates of
// command lines (Plan.fill).
type runner struct {
	// make are ways to make the machine, each of one or more command lines: the
	// next one is for versions of the tool that do not understand the one before.
	make [][][]string
	// image prints an image's entrypoint and command, two lists in JSON; pull
	// gets an image that is not there. Without them the command line must name
	// the program.
	image, pull []string
	stop        [][]string // one after the other
	remove      [][]string // the same; what a version does not understand counts for nothing
}

// created is a machine that Start has made, or that an earlier one has.
type created struct{ remove bool }

// Bounds of the tool's own commands. A pull is bounded by its context alone.
const stopPatience = time.Minute

// keepAlive is process 1 of a container that waits for programs. It reaps what
// they leave behind, which is what its wait is for, and ends at once when it is
// asked to. Where there is no sleep it waits for input that never comes.
const keepAlive = `trap "exit 0" TERM INT; while :; do sleep 86400 & wait $! || read -r x || exit 0; done`

// dockerRun is the row for docker's and podman's run, which becomes a container
// that waits, and an exec in it.
func dockerRun(tool, global string, variables []string) *row {
	return &row{
		tool: tool, verbs: []string{"run", "container run"},
		usage:       tool + " run [-i] [-t] [--rm] [--name NAME] [...] IMAGE [PROGRAM [ARG...]]",
		globalFlags: global, execFlags: dockerRunFlags,
		word: "IMAGE", program: programShell, ttyAsked: true, stdinAsked: true,
		carrier:   fields("{tool} {global} exec -i {target}"),
		terminal:  fields("{tool} {global} exec -i -t {target}"),
		variables: variables,
		says: append([]meaning{
			means(Missing, `unable to find image|pull access denied|manifest unknown|no such image|initializing source|short-name`, "see that the image's name is right, and that you are logged in to its registry"),
			means(Denied, `is already in use`, "remove that container, or take another --name"),
		}, dockerSays...),
		run: &runner{
			make: [][][]string{{append(fields("{tool} {global} run -d -i --name {target} --entrypoint sh {flags} {image}"), "-c", keepAlive)}},
			image: append(fields("{tool} {global} image inspect --format"),
				"{{json .Config.Entrypoint}}\n{{json .Config.Cmd}}", "{image}"),
			pull:   fields("{tool} {global} pull {image}"),
			stop:   [][]string{fields("{tool} {global} stop -t 2 {target}")},
			remove: [][]string{fields("{tool} {global} rm -f -v {target}")},
		},
		fix: nameRun,
	}
}

// nameRun takes what names and ends the container out of the flags.
func nameRun(p *parser) error {
	name := p.plan.target
	if name == "" {
		name = path.Base(p.plan.image)
	}
	p.plan.Name = p.tool + ":" + name
	return nil
}

const dockerRunFlags = `
	tty     -t --tty
	stdin   -i --interactive
	target  --name =
	entry   --entrypoint =
	remove  --rm
	drop    --detach-keys =
	drop    --sig-proxy
	drop    -a --attach =
	refuse  -d --detach
	user    -u --user =
	key     -e --env =
	key     -w --workdir =
	key     --add-host =
	key     --annotation =
	key     --arch =
	key     --blkio-weight =
	key     --blkio-weight-device =
	key     --cap-add =
	key     --cap-drop =
	key     --cgroup-parent =
	key     --cgroupns =
	key     --cgroups =
	key     --cidfile =
	key     --conmon-pidfile =
	key     --cpu-count =
	key     --cpu-percent =
	key     --cpu-period =
	key     --cpu-quota =
	key     --cpu-rt-period =
	key     --cpu-rt-runtime =
	key     -c --cpu-shares =
	key     --cpus =
	key     --cpuset-cpus =
	key     --cpuset-mems =
	key     --device =
	key     --device-cgroup-rule =
	key     --device-read-bps =
	key     --device-read-iops =
	key     --device-write-bps =
	key     --device-write-iops =
	key     --disable-content-trust
	key     --dns =
	key     --dns-option =
	key     --dns-search =
	key     --domainname =
	key     --env-file =
	key     --env-host
	key     --expose =
	key     --gidmap =
	key     --gpus =
	key     --group-add =
	key     --health-cmd =
	key     --health-interval =
	key     --health-retries =
	key     --health-start-interval =
	key     --health-start-period =
	key     --health-timeout =
	key     -h --hostname =
	key     --http-proxy
	key     --image-volume =
	key     --init
	key     --init-path =
	key     --io-maxbandwidth =
	key     --io-maxiops =
	key     --ip =
	key     --ip6 =
	key     --ipc =
	key     --isolation =
	key     --kernel-memory =
	key     -l --label =
	key     --label-file =
	key     --link =
	key     --link-local-ip =
	key     --log-driver =
	key     --log-opt =
	key     --mac-address =
	key     -m --memory =
	key     --memory-reservation =
	key     --memory-swap =
	key     --memory-swappiness =
	key     --mount =
	key     --net --network =
	key     --net-alias --network-alias =
	key     --no-healthcheck
	key     --no-hosts
	key     --oom-kill-disable
	key     --oom-score-adj =
	key     --os =
	key     --passwd
	key     --pid =
	key     --pids-limit =
	key     --platform =
	key     --pod =
	key     --privileged
	key     -p --publish =
	key     -P --publish-all
	key     --pull =
	key     -q --quiet
	key     --read-only
	key     --replace
	key     --restart =
	key     --rmi
	key     --runtime =
	key     --secret =
	key     --security-opt =
	key     --shm-size =
	key     --stop-signal =
	key     --stop-timeout =
	key     --storage-opt =
	key     --subgidname =
	key     --subuidname =
	key     --sysctl =
	key     --systemd =
	key     --timezone --tz =
	key     --tmpfs =
	key     --uidmap =
	key     --ulimit =
	key     --umask =
	key     --use-api-socket
	key     --userns =
	key     --uts =
	key     -v --volume =
	key     --volume-driver =
	key     --volumes-from =`

// smolvmRun is a machine that stays, and an exec in it. What an image would run
// by itself the tool does not say.
var smolvmRun = &row{
	tool: "smolvm", verbs: []string{"machine run"},
	usage: "smolvm machine run [-i] [-t] [-I IMAGE] [-e K=V] [-w DIR] [--timeout T] [-v HOST:GUEST] [...] -- PROGRAM [ARG...]",
	execFlags: `
		drop    -n --name =
		tty     -t --tty
		stdin   -i --interactive
		env     -e --env =
		dir     -w --workdir =
		timeout --timeout =
		refuse  -d --detach
		key     -I --image =
		key     -s --smolfile =
		key     --max-image-size =
		refuse  --from =
		key     --oci-platform =
		key     -v --volume =
		key     -p --port =
		key     --net
		key     --net-backend =
		key     --dns =
		key     --network =
		key     --allow-cidr =
		key     --allow-host =
		key     --outbound-localhost-only
		key     --gpu
		key     --gpu-vram =
		key     --rosetta
		key     --cpus =
		key     --mem =
		key     --storage =
		key     --overlay =
		key     --ssh-agent
		key     --cuda
		key     --auto-graph
		key     --docker-socket
		key     --docker-config
		key     --secret-env =
		key     --secret-file =
		key     --no-init-cache
		key     --rebuild-init-cache
		key     --oci-cache
		key     --unprivileged`,
	ttyAsked: true, stdinAsked: true,
	carrier:  fields("{tool} machine exec --name {target} -i --"),
	terminal: fields("{tool} machine exec --name {target} -i -t --"),
	says:     smolvmSays,
	run: &runner{
		make: [][][]string{
			{fields("{tool} machine run -d --name {target} {flags}")},
			{fields("{tool} machine create {target} {flags}"), fields("{tool} machine start --name {target}")}, // before 1.0
		},
		stop: [][]string{fields("{tool} machine stop --name {target}")},
		remove: [][]string{
			fields("{tool} machine stop --name {target}"),
			fields("{tool} machine delete --name {target} -f"),
			fields("{tool} machine delete {target} -f"), // before 1.0.2
		},
	},
	fix: func(p *parser) error {
		p.plan.remove = true
		for i, f := range p.plan.flags { // the program's part of the plan has them
			if f == "-I" || f == "--image" {
				p.plan.Name = "smolvm:" + path.Base(p.plan.flags[i+1])
			}
		}
		return nil
	},
}

// Resolve completes the plan of a fresh machine with what its image runs. It may
// pull the image. Other plans are complete.
func (p *Plan) Resolve(ctx context.Context) error {
	r := p.row.run
	if r == nil || r.image == nil {
		return nil
	}
	if p.entry != nil { // the image's own command goes with its entrypoint
		if *p.entry != "" {
			p.Program = slices.Concat([]string{*p.entry}, p.Program)
		}
		p.entry = nil
		if len(p.Program) > 0 {
			return nil
		}
	}
	out, err := p.tell(ctx, r.image, "")
	if err != nil {
		if _, err = p.tell(ctx, r.pull, ""); err == nil {
			out, err = p.tell(ctx, r.image, "")
		}
	}
	if err != nil {
		return err
	}
	var entrypoint, command []string
	words := json.NewDecoder(bytes.NewReader(out))
	if err := errors.Join(words.Decode(&entrypoint), words.Decode(&command)); err != nil {
		return &Error{Kind: Failed, Tool: p.Tool, Step: "look at the image " + p.image, Words: oneLine(string(out)), Err: err}
	}
	if len(p.Program) == 0 {
		p.Program = command
	}
	p.Program = slices.Concat(entrypoint, p.Program)
	if len(p.Program) == 0 {
		return &UsageError{p.Tool, "no program, and the image " + p.image + " has none", p.row.usage}
	}
	return nil
}

// tell runs one of the tool's commands to its end and returns what it prints.
func (p *Plan) tell(ctx context.Context, template []string, target string) ([]byte, error) {
	argv := p.fill(template, target)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = partPatience
	stderr := &tail{}
	cmd.Stderr = stderr
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, p.notInstalled(err)
	}
	e := &Error{Tool: p.Tool, Step: subcommand(template), Words: oneLine(stderr.String()), Err: err}
	e.Kind, e.Remedy = p.row.explain(e.Words, p, target)
	return nil, e
}

// subcommand is what a template has between the tool and its flags.
func subcommand(template []string) string {
	var words []string
	for _, w := range template {
		switch {
		case strings.HasPrefix(w, "-") || w == "{image}":
			return strings.Join(words, " ")
		case !strings.HasPrefix(w, "{"):
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

func (p *Plan) notInstalled(err error) *Error {
	return &Error{Kind: NotInstalled, Tool: p.Tool, Words: err.Error(), Remedy: "install " + p.argv0 + ", or see that it is on your PATH"}
}

// make makes a fresh machine.
func (m *Machine) make(ctx context.Context) error {
	r := m.plan.row.run
	if r == nil {
		if m.target == "" {
			m.target = m.plan.target
		}
		return nil
	}
	m.made = &created{remove: m.plan.remove}
	if m.target != "" {
		return nil // an earlier Start has made it
	}
	if m.target = m.plan.target; m.target == "" {
		name := make([]byte, 4)
		_, _ = rand.Read(name) // never fails
		m.target = "snug-" + hex.EncodeToString(name)
	}
	m.cfg.Progress("starting a machine with " + m.plan.Tool)
	var err error
	for _, way := range r.make {
		if err = m.tellAll(ctx, way); !misunderstood(err) {
			break
		}
	}
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) && e.Kind == Denied {
		return err // its name is another's: nothing was made
	}
	m.made.remove = true
	return errors.Join(err, m.unmake())
}

// tellAll runs commands of the tool until one fails.
func (m *Machine) tellAll(ctx context.Context, commands [][]string) error {
	for _, c := range commands {
		if _, err := m.plan.tell(ctx, c, m.target); err != nil {
			return err
		}
	}
	return nil
}

// misunderstood reports whether the tool did nothing, since its version knows no
// such command line.
func misunderstood(err error) bool {
	var e *Error
	return errors.As(err, &e) && notUnderstood.MatchString(e.Words)
}

var notUnderstood = regexp.MustCompile(`(?i)unexpected argument|unrecognized subcommand`)

// unmake ends a machine that was made here. One that is gone already is no error.
func (m *Machine) unmake() error {
	if m.made == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), stopPatience, fmt.Errorf("not within %v", stopPatience))
	defer cancel()
	commands := m.plan.row.run.stop
	if m.made.remove {
		commands = m.plan.row.run.remove
	}
	var err error
	for _, c := range commands {
		if _, told := m.plan.tell(ctx, c, m.target); !misunderstood(told) {
			err = told // the last one counts
		}
	}
	var e *Error
	if errors.As(err, &e) && (e.Kind == Missing || e.Kind == Stopped) {
		return nil
	}
	return err
}

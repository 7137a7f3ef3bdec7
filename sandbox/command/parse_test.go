//go:build linux

package command

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// told is a plan as the tests write it down: the exec without its launcher, and
// what travels in-band.
type told struct {
	carrier string
	name    string
	program string // joined by blanks; "$ " in front of a shell command
	dir     string
	env     string
	tty     TTY
	noStdin bool
	timeout time.Duration
}

func tell(p *Plan) told {
	argv := p.carrier(p.target)
	n := len(launcher)
	if p.row.quoted {
		n = 1
	}
	t := told{
		carrier: strings.Join(argv[:len(argv)-n], " "), name: p.Name, program: strings.Join(p.Program, " "),
		dir: p.Dir, tty: p.TTY, noStdin: !p.Stdin, timeout: p.Timeout,
	}
	if p.Command != "" {
		t.program = "$ " + p.Command
	}
	var env []string
	for _, e := range p.Env {
		kv := e.Name + "=" + e.Value
		if e.FromHost {
			kv = e.Name
		}
		env = append(env, kv)
	}
	t.env = strings.Join(env, " ")
	return t
}

// Command lines as people type them and as the tools' own documents have them.
var lines = map[string]told{
	"smolvm machine exec -it --name dev -- claude":                             {carrier: "smolvm machine exec --name dev -i --", name: "smolvm:dev", program: "claude", tty: Yes},
	"smolvm machine exec -it -n dev -- claude --resume -n":                     {carrier: "smolvm machine exec --name dev -i --", name: "smolvm:dev", program: "claude --resume -n", tty: Yes},
	"smolvm machine exec -- ls -la":                                            {carrier: "smolvm machine exec --name default -i --", name: "smolvm:default", program: "ls -la", tty: No, noStdin: true},
	"smolvm machine exec --name=dev -w /app -e A=1 --env B=2 -i -t -- sh":      {carrier: "smolvm machine exec --name dev -i --", name: "smolvm:dev", program: "sh", dir: "/app", env: "A=1 B=2", tty: Yes},
	"smolvm machine exec --name dev --stream --timeout 30s -- make":            {carrier: "smolvm machine exec --name dev -i --", name: "smolvm:dev", program: "make", tty: No, noStdin: true, timeout: 30 * time.Second},
	"smolvm machine exec --name dev --secret-env K=V -i -- env":                {carrier: "smolvm machine exec --name dev -i --secret-env K=V --", name: "smolvm:dev", program: "env", tty: No},
	"smolvm machine shell -n dev":                                              {carrier: "smolvm machine exec --name dev -i --", name: "smolvm:dev", program: "/bin/sh", tty: Yes},
	"smolvm machine shell":                                                     {carrier: "smolvm machine exec --name default -i --", name: "smolvm:default", program: "/bin/sh", tty: Yes},
	"docker exec -it web bash":                                                 {carrier: "docker exec -i web", name: "docker:web", program: "bash", tty: Yes},
	"docker exec web cat /etc/passwd":                                          {carrier: "docker exec -i web", name: "docker:web", program: "cat /etc/passwd", tty: No, noStdin: true},
	"docker container exec -ti web sh -c id":                                   {carrier: "docker exec -i web", name: "docker:web", program: "sh -c id", tty: Yes},
	"docker exec -itu root -w /srv -e A=1 -eB=2 -e=C=3 -e HOME web sh":         {carrier: "docker exec -i -u root web", name: "docker:root@web", program: "sh", dir: "/srv", env: "A=1 B=2 C=3 HOME", tty: Yes},
	"docker exec -i --tty=false --privileged --user=app:app web cat":           {carrier: "docker exec -i --privileged --user app:app web", name: "docker:app:app@web", program: "cat", tty: No},
	"docker exec --env-file f --detach-keys ctrl-x,x -it -- web top -d 5":      {carrier: "docker exec -i --env-file f web", name: "docker:web", program: "top -d 5", tty: Yes},
	"docker -H ssh://me@far --context=prod exec -it web sh":                    {carrier: "docker -H ssh://me@far --context prod exec -i web", name: "docker:web", program: "sh", tty: Yes},
	"/usr/bin/docker exec -it web sh":                                          {carrier: "/usr/bin/docker exec -i web", name: "docker:web", program: "sh", tty: Yes},
	"podman exec -it --user 1000 box fish":                                     {carrier: "podman exec -i --user 1000 box", name: "podman:1000@box", program: "fish", tty: Yes},
	"podman --remote -c vm exec -ti box top":                                   {carrier: "podman --remote -c vm exec -i box", name: "podman:box", program: "top", tty: Yes},
	"nerdctl -n k8s.io exec -it box sh":                                        {carrier: "nerdctl -n k8s.io exec -i box", name: "nerdctl:box", program: "sh", tty: Yes},
	"sbx exec -it my-sandbox bash":                                             {carrier: "sbx exec -i my-sandbox", name: "sbx:my-sandbox", program: "bash", tty: Yes},
	"sbx exec -u root my-sandbox apt-get update":                               {carrier: "sbx exec -i -u root my-sandbox", name: "sbx:root@my-sandbox", program: "apt-get update", tty: No, noStdin: true},
	"container exec -it --uid 501 --workdir /w web /bin/bash":                  {carrier: "container exec -i --uid 501 web", name: "container:web", program: "/bin/bash", dir: "/w", tty: Yes},
	"kubectl exec -it pod -- sh":                                               {carrier: "kubectl exec -i pod --", name: "kubectl:pod", program: "sh", tty: Yes},
	"kubectl exec -it -n prod pod -c app -- sh -c ls":                          {carrier: "kubectl exec -i -n prod -c app pod --", name: "kubectl:pod/app", program: "sh -c ls", tty: Yes},
	"kubectl --context=c --kubeconfig k exec deploy/web --stdin --tty -- bash": {carrier: "kubectl --context c --kubeconfig k exec -i deploy/web --", name: "kubectl:deploy/web", program: "bash", tty: Yes},
	"kubectl exec mypod -i -t -- ls -t /usr":                                   {carrier: "kubectl exec -i mypod --", name: "kubectl:mypod", program: "ls -t /usr", tty: Yes},
	"crun exec -t box sh":                                                      {carrier: "crun exec box", name: "crun:box", program: "sh", tty: Yes},
	"crun --root /run/x exec --cwd=/ -e A=1 -u 1:2 box sh -c id":               {carrier: "crun --root /run/x exec -u 1:2 box", name: "crun:1:2@box", program: "sh -c id", dir: "/", env: "A=1", tty: No},
	"runc --root=/run/x exec -t --env A=1 box sh":                              {carrier: "runc --root /run/x exec box", name: "runc:box", program: "sh", env: "A=1", tty: Yes},
	"runc exec --tty --user 1000 box id":                                       {carrier: "runc exec --user 1000 box", name: "runc:1000@box", program: "id", tty: Yes},
	"runsc -root /run/x exec -user 1000:1000 -cwd /tmp -env A=1 box sh -c id":  {carrier: "runsc --root /run/x exec --user 1000:1000 box", name: "runsc:1000:1000@box", program: "sh -c id", dir: "/tmp", env: "A=1"},
	"lxc exec c1 -- bash -l":                                                   {carrier: "lxc exec -T c1 --", name: "lxc:c1", program: "bash -l"},
	"lxc exec far:c1 -t --user 1000 --cwd /srv --env A=1 -- bash":              {carrier: "lxc exec -T --user 1000 far:c1 --", name: "lxc:1000@far:c1", program: "bash", dir: "/srv", env: "A=1", tty: Yes},
	"incus --project p exec c1 bash":                                           {carrier: "incus --project p exec -T c1 --", name: "incus:c1", program: "bash"},
	"incus exec c1 --mode=non-interactive -n -- cat":                           {carrier: "incus exec -T c1 --", name: "incus:c1", program: "cat", tty: No, noStdin: true},
	"limactl shell default":                                                    {carrier: "limactl shell default", name: "limactl:default"},
	"limactl shell --workdir /tmp default uname -a":                            {carrier: "limactl shell default", name: "limactl:default", program: "uname -a", dir: "/tmp"},
	"machinectl shell web":                                                     {carrier: "systemd-run --quiet --collect --pipe --property=KillMode=process --machine=web --", name: "machinectl:web", tty: Yes},
	"machinectl -q shell --uid=app -E A=1 web /bin/ls -l":                      {carrier: "systemd-run --quiet --collect --pipe --property=KillMode=process --uid app --machine=web --", name: "machinectl:app@web", program: "/bin/ls -l", env: "A=1", tty: Yes},
	"machinectl shell lennart@.host":                                           {carrier: "systemd-run --quiet --collect --pipe --property=KillMode=process --uid=lennart --machine=.host --", name: "machinectl:lennart@.host", tty: Yes},
	"ssh -t host":                                                              {carrier: "ssh -T host", name: "ssh:host", tty: Yes},
	"ssh host":                                                                 {carrier: "ssh -T host", name: "ssh:host"},
	"ssh -tt -p 2222 -o BatchMode=yes me@host cd /srv && ls":                   {carrier: "ssh -T -p 2222 -o BatchMode=yes me@host", name: "ssh:me@host", program: "$ cd /srv && ls", tty: Yes},
	"ssh -ACvp22 host -l me uptime":                                            {carrier: "ssh -T -A -C -v -p 22 -l me host", name: "ssh:me@host", program: "$ uptime", tty: No},
	"chroot /srv/root":                                                         {carrier: "chroot /srv/root", name: "chroot:/srv/root", program: `$ exec "${SHELL:-/bin/sh}" -i`},
	"chroot --userspec=app:app /srv/root id -u":                                {carrier: "chroot --userspec app:app /srv/root", name: "chroot:app:app@/srv/root", program: "id -u"},
	"nsenter -t 1234 -a":                                                       {carrier: "nsenter -t 1234 -a --", name: "nsenter:1234", program: `$ exec "${SHELL:-/bin/sh}"`},
	"nsenter -at 1234 -m/proc/1/ns/mnt --net=/x -S0 -W /tmp ip a":              {carrier: "nsenter -a -t 1234 -m/proc/1/ns/mnt --net=/x -S 0 --", name: "nsenter:1234", program: "ip a", dir: "/tmp"},
	"nsenter --target 1 --mount --uts -- sh -c id":                             {carrier: "nsenter --target 1 --mount --uts --", name: "nsenter:1", program: "sh -c id"},
}

func TestCommandLines(t *testing.T) {
	covered := map[*row]bool{}
	for line, want := range lines {
		p, err := Parse(strings.Fields(line))
		if err != nil {
			t.Errorf("%s:\n%v", line, err)
			continue
		}
		covered[p.row] = true
		if got := tell(p); got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", line, got, want)
		}
	}
	for _, r := range table {
		if !covered[r] && r.run == nil {
			t.Errorf("no command line for %s %q", r.tool, r.verbs)
		}
	}
}

// What is not understood is said, with what would be. It is never guessed at.
func TestCommandLinesThatAreNotUnderstood(t *testing.T) {
	for line, problem := range map[string]string{
		"":                                     "no command line",
		"bochs exec box sh":                    "unknown tool",
		"docker":                               "no subcommand",
		"docker ps":                            `unknown subcommand "ps"`,
		"docker exec":                          "no CONTAINER",
		"docker exec -it web":                  "no program",
		"docker exec -it":                      "no CONTAINER",
		"docker exec --frobnicate web sh":      "unknown flag --frobnicate",
		"docker exec -itz web sh":              "unknown flag -z",
		"docker exec -d web sh":                "-d leaves nothing that snug could show",
		"docker exec -it=maybe web sh":         "-t is true or false",
		"docker exec -e =x web sh":             "names no variable",
		"docker exec -u":                       "-u has no value",
		"docker -x exec web sh":                "unknown flag -x",
		"docker exec -- -x sh":                 `"-x" is no CONTAINER`,
		"podman exec -l sh":                    "-l leaves nothing",
		"kubectl exec pod sh":                  "no -- before the program",
		"kubectl exec -it pod":                 "no program",
		"kubectl get pods":                     "unknown subcommand",
		"smolvm machine ls":                    "unknown subcommand",
		"smolvm exec -it dev":                  "unknown subcommand",
		"smolvm machine exec --name dev":       "no program",
		"smolvm machine exec --timeout x -- a": "is no duration",
		"smolvm machine shell -n dev bash":     "a shell takes no program",
		"smolvm machine run -it -I alpine":     "no program",
		"runc exec -it box sh":                 "unknown flag -it",
		"runsc exec -t box sh":                 "unknown flag -t",
		"lxc exec --mode=odd c1 sh":            "is auto, interactive or non-interactive",
		"ssh":                                  "no HOST",
		"ssh -N host":                          "-N leaves nothing",
		"ssh -oProxyCommand=x -- -evil":        "is no HOST",
		"nsenter sh":                           "no namespace is named",
		"machinectl login web":                 "unknown subcommand",
		"machinectl -H far shell web":          "-H leaves nothing",
	} {
		_, err := Parse(strings.Fields(line))
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.Contains(usage.Problem, problem) || usage.Usage == "" {
			t.Errorf("%s:\n got %v\nwant %q and a usage", line, err, problem)
		}
	}
}

// All that says where and as whom belongs to the key, and nothing else.
func TestKeys(t *testing.T) {
	noEnv := func(string) string { return "" }
	key := func(line string) string {
		p, err := Parse(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		return p.Key(noEnv)
	}
	for _, same := range [][]string{
		{"smolvm machine exec -it --name dev -- claude", "smolvm machine exec -n dev -e A=1 -w / --timeout 5 -- sh", "smolvm machine shell -n dev"},
		{"smolvm machine exec -- a", "smolvm machine shell", "smolvm machine exec --name default -- b"},
		{"docker exec -it web bash", "docker container exec web sh", "docker exec -e A=1 -w / -- web sh", "docker -D exec web sh"},
		{"docker exec -u root --privileged web a", "docker exec --privileged --user=root web b"},
		{"kubectl exec -n p pod -c a -- sh", "kubectl -n p exec --container=a pod -i -- sh"},
		{"ssh -p 22 host", "ssh host -tp22 ls"},
	} {
		for _, line := range same {
			if key(line) != key(same[0]) {
				t.Errorf("keys differ:\n%s: %s\n%s: %s", same[0], key(same[0]), line, key(line))
			}
		}
	}
	seen := map[string]string{}
	for _, line := range []string{
		"docker exec web sh", "docker exec web2 sh", "docker exec -u root web sh", "docker exec -u app web sh", "podman exec web sh",
		"docker exec --privileged web sh", "docker -H a exec web sh", "docker --context a exec web sh", "docker exec --env-file a web sh",
		"kubectl exec p -- sh", "kubectl exec p -n a -- sh", "kubectl exec p -c a -- sh", "kubectl --context a exec p -- sh", "kubectl --as a exec p -- sh",
		"crun exec a sh", "crun --root b exec a sh", "ssh a", "ssh b@a", "ssh -l b a", "ssh -J b a", "chroot a", "chroot --userspec=b a",
		"nsenter -t 1 -m", "nsenter -t 1 -n", "nsenter -t 2 -m", "nsenter -t 1 -m -S 5",
	} {
		if other, found := seen[key(line)]; found {
			t.Errorf("one key for both:\n%s\n%s", other, line)
		}
		seen[key(line)] = line
	}
	p, err := Parse(strings.Fields("docker exec web sh"))
	must(t, err)
	far := func(name string) string { return map[string]string{"DOCKER_HOST": "tcp://far"}[name] }
	if p.Key(noEnv) == p.Key(far) {
		t.Error("DOCKER_HOST does not belong to the key")
	}
}

func TestRunBecomesAMachineAndAnExec(t *testing.T) {
	p, err := Parse(strings.Fields("docker -H h run --rm -it --name w -u app -v /a:/b -e A=1 --entrypoint /e alpine:3 x -y"))
	must(t, err)
	if !p.Fresh || p.Name != "docker:app@w" && p.Name != "docker:w" || p.TTY != Yes || !p.remove {
		t.Errorf("plan %+v", p)
	}
	must(t, p.Resolve(t.Context())) // an entrypoint of one's own needs no look at the image
	if got := strings.Join(p.Program, " "); got != "/e x -y" {
		t.Errorf("program %q", got)
	}
	want := "docker -H h run -d -i --name w --entrypoint sh -u app -v /a:/b -e A=1 alpine:3 -c " + keepAlive
	if got := strings.Join(p.fill(p.row.run.make[0][0], p.target), " "); got != want {
		t.Errorf("made by\n%s\nwant\n%s", got, want)
	}
	if got := strings.Join(p.carrier("w"), " "); got != "docker -H h exec -i w "+strings.Join(launcher, " ") {
		t.Errorf("carrier %s", got)
	}

	p, err = Parse(strings.Fields("smolvm machine run -I alpine --net -v /a:/b -e A=1 -it -- sh -l"))
	must(t, err)
	want = "smolvm machine run -d --name n -I alpine --net -v /a:/b"
	if got := strings.Join(p.fill(p.row.run.make[0][0], "n"), " "); got != want || p.Name != "smolvm:alpine" || tell(p).env != "A=1" {
		t.Errorf("made by\n%s\nwant\n%s\nplan %+v", got, want, p)
	}
	want = "smolvm machine create n -I alpine --net -v /a:/b"
	if got := strings.Join(p.fill(p.row.run.make[1][0], "n"), " "); got != want {
		t.Errorf("made before 1.0 by\n%s\nwant\n%s", got, want)
	}
}

func TestWrapServesAnyTool(t *testing.T) {
	words, err := Split(`mytool exec -i 'my box' "a\"b"`)
	must(t, err)
	p, err := Wrap(words, []string{"sh", "-l"})
	must(t, err)
	if got := p.carrier(p.target); !reflect.DeepEqual(got, append([]string{"mytool", "exec", "-i", "my box", `a"b`}, launcher...)) {
		t.Errorf("carrier %q", got)
	}
	if p.Name != `mytool:a"b` || !reflect.DeepEqual(p.Program, []string{"sh", "-l"}) {
		t.Errorf("plan %+v", p)
	}
	if _, err := Split("a 'b"); err == nil {
		t.Error("half a quote was taken")
	}
	if _, err := Wrap(nil, nil); err == nil {
		t.Error("no command line was taken")
	}
}

// The tools' own words, as they print them.
func TestToolsWordsAreUnderstood(t *testing.T) {
	for _, c := range []struct {
		line, words string
		kind        Kind
		remedy      string
	}{
		{"smolvm machine exec --name X -- a", "Error: machine 'X' is not running. Use 'smolvm machine start --name X' first.", Stopped, "smolvm machine start --name X"},
		{"smolvm machine exec --name X -- a", "Error: vm not found: X", Missing, "machine ls"},
		{"smolvm machine exec --name X -- a", "parse error: trailing garbage", Failed, ""},
		{"smolvm machine exec --name X -- a", "the container `x` is not running", Failed, ""},
		{"docker exec w a", "Error response from daemon: No such container: w", Missing, "docker ps -a"},
		{"docker exec w a", "Error response from daemon: container 4f is not running", Stopped, "docker start w"},
		{"docker exec w a", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", Unreachable, "docker info"},
		{"docker exec w a", "permission denied while trying to connect to the Docker daemon socket", Denied, ""},
		{"docker exec w a", "OCI runtime exec failed: exec failed: unable to start container process: exec: \"sh\": executable file not found in $PATH: unknown", NoShell, ""},
		{"podman exec w a", "Error: no container with name or ID \"w\" found: no such container", Missing, "podman ps -a"},
		{"podman exec w a", "Error: can only create exec sessions on running containers: container state improper", Stopped, "podman start w"},
		{"kubectl exec p -- a", "Error from server (NotFound): pods \"p\" not found", Missing, "kubectl get pods"},
		{"kubectl exec p -- a", "error: cannot exec into a container in a completed pod; current phase is Succeeded", Stopped, ""},
		{"kubectl exec p -- a", "The connection to the server localhost:8080 was refused - did you specify the right host or port?", Unreachable, ""},
		{"kubectl exec p -- a", "Error from server (Forbidden): pods \"p\" is forbidden: User \"u\" cannot create resource \"pods/exec\"", Denied, ""},
		{"crun exec c a", "error opening file '/run/crun/c/status': No such file or directory", Missing, "crun list"},
		{"crun exec c a", "executable file `sh` not found in $PATH: No such file or directory", NoShell, ""},
		{"runc exec c a", "container \"c\" does not exist", Missing, "runc list"},
		{"lxc exec c a", "Error: Instance not found", Missing, "lxc list"},
		{"lxc exec c a", "Error: Instance is not running", Stopped, "lxc start c"},
		{"limactl shell d", "instance \"d\" does not exist, run `limactl create d` to create a new instance", Missing, ""},
		{"limactl shell d", "instance \"d\" is stopped, run `limactl start d` to start the instance", Stopped, "limactl start d"},
		{"machinectl shell m", "Failed to start transient service unit: Access denied", Denied, ""},
		{"ssh h", "ssh: Could not resolve hostname h: Name or service not known", Unreachable, ""},
		{"ssh h", "me@h: Permission denied (publickey,password).", Denied, "plain ssh"},
		{"chroot /x", "chroot: cannot change root directory to '/x': No such file or directory", Missing, ""},
		{"chroot /x", "chroot: failed to run command 'sh': No such file or directory", NoShell, ""},
		{"chroot /x", "chroot: failed to run command ‘sh’: No such file or directory", NoShell, ""},
		{"nsenter -t 9 -m", "nsenter: cannot open /proc/9/ns/mnt: No such file or directory", Missing, ""},
		{"nsenter -t 9 -m", "nsenter: failed to execute sh: No such file or directory", NoShell, ""},
	} {
		p, err := Parse(strings.Fields(c.line))
		must(t, err)
		kind, remedy := p.row.explain(c.words, p, p.target)
		if kind != c.kind || !strings.Contains(remedy, c.remedy) {
			t.Errorf("%s: %s:\n got %v, %q\nwant %v, %q", c.line, c.words, kind, remedy, c.kind, c.remedy)
		}
	}
}

// Whatever is typed: no panic; what is understood has an exec that is the tool's
// and ends with the launcher; and no word of the program is lost.
func FuzzParse(f *testing.F) {
	for line := range lines {
		f.Add(strings.ReplaceAll(line, " ", "\x00"))
	}
	f.Fuzz(func(t *testing.T, joined string) {
		argv := strings.Split(joined, "\x00")
		p, err := Parse(argv)
		if err != nil {
			if _, ok := errors.AsType[*UsageError](err); !ok {
				t.Fatalf("%q: %v", argv, err)
			}
			return
		}
		carrier := p.carrier(p.target)
		if len(carrier) < 2 || carrier[0] != argv[0] && p.Tool != "machinectl" {
			t.Fatalf("%q: carrier %q", argv, carrier)
		}
		for _, w := range p.carrier("TARGET") {
			if strings.Contains(w, "{") && !strings.Contains(joined, "{") {
				t.Fatalf("%q: carrier %q", argv, carrier)
			}
		}
		tail := argv[len(argv)-min(len(argv), len(p.Program)):]
		if p.row.fix == nil && !reflect.DeepEqual(tail, p.Program) && len(p.Program) > 0 {
			t.Fatalf("%q: program %q", argv, p.Program)
		}
		if p.Key(func(string) string { return "" }) == "" || p.Name == "" {
			t.Fatalf("%q: %+v", argv, p)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add(`a 'b c' "d\"e" f\ g`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Split(line)
		if err != nil {
			return
		}
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, quote(w))
		}
		again, err := Split(strings.Join(quoted, " "))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(words) {
			t.Fatalf("%q became %q, then %q (%v)", line, words, again, err)
		}
	})
}

package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snugvm/snug/internal/machine"
	"github.com/snugvm/snug/internal/wire"
)

func TestMemorySizes(t *testing.T) {
	for in, want := range map[string]int{
		"512M": 512, "512m": 512, "4G": 4096, "4g": 4096, "1": 1, "256": 256, "007": 7,
		"": 0, "G": 0, "0": 0, "0G": 0, "-1G": 0, "+1G": 0, "1.5G": 0, "1 G": 0, "1GB": 0, "1K": 0, "1T": 0, "1GG": 0,
		"0x10": 0, "1_000": 0, "99999999999999999999": 0, "2147483648G": 0, "ü": 0,
	} {
		got, err := parseMemory(in)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("--mem %s is %d MiB, %v; want %d", in, got, err, want)
		}
		if err != nil && (!strings.Contains(err.Error(), "--mem "+in) || !strings.Contains(err.Error(), "512M or 4G")) {
			t.Errorf("--mem %s: %v", in, err)
		}
	}
}

func FuzzParseMemory(f *testing.F) {
	for _, seed := range []string{"512M", "4g", "", "G", "99999999999G", "-1", "1e3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		mib, err := parseMemory(in)
		switch {
		case err != nil && mib != 0:
			t.Errorf("%q is refused, and %d", in, mib)
		case err == nil && mib <= 0:
			t.Errorf("%q is %d MiB", in, mib)
		case err == nil:
			if again, err := parseMemory(strconv.Itoa(mib) + "M"); mib <= 1<<24 && (err != nil || again != mib) {
				t.Errorf("%q is %d MiB, which is said as %d, %v", in, mib, again, err)
			}
		}
	})
}

// in changes to a project folder, whose home is another.
func in(t *testing.T) (project string) {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	project = filepath.Join(top, "project")
	for _, dir := range []string{project, filepath.Join(project, "sub"), filepath.Join(top, "home"), filepath.Join(top, "data")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", filepath.Join(top, "home"))
	t.Chdir(project)
	return project
}

// options are flags that are right.
func options() runOptions { return runOptions{memory: "1G", cpus: 2, accel: "auto"} }

func TestContradictoryAndImpossibleFlagsAreRefusedWithTheRemedy(t *testing.T) {
	in(t)
	for name, tt := range map[string]struct {
		spoil func(o *runOptions)
		want  string
	}{
		"no memory":             {func(o *runOptions) { o.memory = "0" }, "512M or 4G"},
		"no processor":          {func(o *runOptions) { o.cpus = 0 }, "use 1 or more"},
		"unknown acceleration":  {func(o *runOptions) { o.accel = "xen" }, "use auto, kvm, hvf or tcg"},
		"relative folder":       {func(o *runOptions) { o.dir = "sub" }, "absolute path"},
		"variable without name": {func(o *runOptions) { o.env = []string{"=x"} }, "write NAME=VALUE"},
		"malformed volume":      {func(o *runOptions) { o.mounts = []string{"a:b:c:d"} }, "HOST[:GUEST][:ro]"},
		"absent volume":         {func(o *runOptions) { o.mounts = []string{"absent"} }, "name a folder that exists"},
		"one place for two":     {func(o *runOptions) { o.mounts = []string{"sub:/x", "../data:/x"} }, "taken by another -v"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			tt.spoil(&o)
			if spec, err := new(app).spec(o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, %v; want %q", spec, err, tt.want)
			}
		})
	}
}

func TestProjectFolderIsSharedAtItsOwnPath(t *testing.T) {
	project := in(t)
	data := filepath.Join(filepath.Dir(project), "data")
	own := machine.Share{Host: project, Guest: project}
	for name, tt := range map[string]struct {
		mounts []string
		dir    string
		shares []machine.Share
		want   string
	}{
		"by itself":                {nil, "", []machine.Share{own}, project},
		"beside a volume":          {[]string{"../data:/data:ro"}, "", []machine.Share{{Host: data, Guest: "/data", ReadOnly: true}, own}, project},
		"or as a volume read-only": {[]string{".:ro"}, "", []machine.Share{{Host: project, Guest: project, ReadOnly: true}}, project},
		"with another start":       {nil, "/tmp", []machine.Share{own}, "/tmp"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.mounts, o.dir = tt.mounts, tt.dir
			spec, err := new(app).spec(o)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(spec.Shares, tt.shares) || spec.Dir != tt.want {
				t.Errorf("shares %+v, starts in %s; want %+v and %s", spec.Shares, spec.Dir, tt.shares, tt.want)
			}
			if spec.Mark == (wire.Mark{}) || len(spec.AgentKey) == 0 || slices.Equal(spec.AgentKey, spec.KeeperKey) {
				t.Error("the machine's secrets are not secret")
			}
		})
	}
}

func TestHomeIsSharedOnlyWhenItIsNamed(t *testing.T) {
	in(t)
	home, _ := os.UserHomeDir()
	t.Chdir(home)
	if _, err := new(app).spec(options()); err == nil || !strings.Contains(err.Error(), "your home folder") {
		t.Errorf("in the home folder: %v", err)
	}
	o := options()
	o.mounts = []string{"../data:/data"}
	spec, err := new(app).spec(o)
	if err != nil || len(spec.Shares) != 1 || spec.Dir != "/data" {
		t.Errorf("with a volume: %+v, %v", spec, err)
	}
	o.mounts = []string{"."}
	if spec, err = new(app).spec(o); err != nil || len(spec.Shares) != 1 || spec.Dir != home {
		t.Errorf("named: %+v, %v", spec, err)
	}
}

func TestOnlyKnownAndNamedVariablesEnterTheGuest(t *testing.T) {
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value) // puts it back after the test
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, kv := range []string{"LANG=C", "LC_TIME=de_DE", "COLORTERM=truecolor", "TERM_PROGRAM=x", "TERM=xterm", "TOKEN=secret", "PATH=/bin", "NAMED=2=3"} {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	always := []string{"LANG=C", "LC_TIME=de_DE", "COLORTERM=truecolor", "TERM_PROGRAM=x"}
	for name, tt := range map[string]struct {
		named []string
		pty   bool
		want  []string
	}{
		"on a terminal, whose own TERM it is": {nil, true, nil},
		"on pipes":                            {nil, false, []string{"TERM=xterm"}},
		"named":                               {[]string{"NAMED", "GIVEN=a=b", "EMPTY=", "ABSENT"}, true, []string{"NAMED=2=3", "GIVEN=a=b", "EMPTY="}},
		"named against the host's":            {[]string{"LANG=other"}, true, []string{"LANG=other"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range append(environment(tt.pty), named(tt.named)...) {
				got = append(got, e.Name+"="+e.Value)
			}
			if want := slices.Concat(always, tt.want); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestTerminfoIsOfOneEntryOnly(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TERMINFO", dir)
	t.Setenv("TERMINFO_DIRS", "")
	for name, content := range map[string]string{"s/snug-a": "entry a", "73/snug-b": "entry b", "secret": "secret"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for term, want := range map[string]string{
		"snug-a": "entry a", "snug-b": "entry b",
		"": "", "snug-c": "", "../secret": "", "x/../../secret": "", ".": "", "..": "", "a\x00b": "",
	} {
		if got := terminfo(term); string(got) != want {
			t.Errorf("TERM=%q has the entry %q, want %q", term, got, want)
		}
	}
}

// run runs a command line and returns its status and what it printed.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	before := []*os.File{os.Stdin, os.Stdout, os.Stderr}
	defer func() { os.Stdin, os.Stdout, os.Stderr = before[0], before[1], before[2] }()
	dir := t.TempDir()
	var files []*os.File
	for _, name := range []string{"in", "out", "err"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		files = append(files, f)
	}
	os.Stdin, os.Stdout, os.Stderr = files[0], files[1], files[2]
	status = Run(args)
	out, _ := os.ReadFile(files[1].Name())
	errs, _ := os.ReadFile(files[2].Name())
	return status, string(out), string(errs)
}

func TestMistakesExitWith125AndSayWhatToDo(t *testing.T) {
	in(t)
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"bash"}, "snug run -- bash"},
		{[]string{"run", "--no-such-flag"}, "snug run --help"},
		{[]string{"run", "--cpus", "many"}, "snug run --help"},
		{[]string{"run", "--escape", "ab"}, "snug run --help"},
		{[]string{"run", "-t", "-T"}, "use one of them"},
		{[]string{"run", "--mem", "lots", "--", "true"}, "512M or 4G"},
		{[]string{"version", "x"}, "version"},
		{[]string{"keeper", "../x"}, "name"},
	} {
		status, stdout, stderr := run(t, tt.args...)
		if status != 125 || stdout != "" || !strings.HasPrefix(stderr, "snug: ") || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("snug %q: status %d, stdout %q, stderr %q; want 125 and one line with %q", tt.args, status, stdout, stderr, tt.want)
		}
	}
}

func TestHelpAndVersionSucceed(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"help", "run"}, {"version"}} {
		if status, stdout, stderr := run(t, args...); status != 0 || !strings.Contains(stdout, "snug") || stderr != "" {
			t.Errorf("snug %q: status %d, stdout %.60q, stderr %q", args, status, stdout, stderr)
		}
	}
}

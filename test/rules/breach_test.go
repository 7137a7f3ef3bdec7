package rules

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// Each rule, on a source that keeps it but for one breach. Files are given as
// "NAME: SOURCE"; a package's name is x unless the source says otherwise.
func TestRulesFindTheirBreach(t *testing.T) {
	const us = `"github.com/snugvm/snug/`
	for _, c := range []struct {
		rule  func(tree) []string
		files []string
		want  string // "" where nothing is broken
	}{
		{vocabularyIsStandard, []string{`sandbox/a.go: import ("io"; "golang.org/x/sys/unix")`}, "sandbox/a.go imports golang.org/x/sys/unix"},
		{vocabularyIsStandard, []string{`sandbox/a.go: import ` + us + `screen"`, `screen/a.go:`}, "sandbox/a.go imports screen"},
		{vocabularyIsStandard, []string{`sandbox/a.go: import "io"`, `sandbox/a_test.go: import "golang.org/x/sys/unix"`}, ""},
		{vocabularyIsStandard, []string{`screen/a.go: import "github.com/rivo/uniseg"`, `screen/picture/a.go: import "golang.org/x/image/font"`},
			"screen/a.go imports github.com/rivo/uniseg"},

		{firewallIsStandard, []string{`internal/firewall/a.go: import ` + us + `terminal"`, `terminal/a.go:`}, "internal/firewall/a.go imports terminal"},
		{firewallIsStandard, []string{`internal/firewall/a.go: import "bytes"`, `internal/firewall/a_test.go: import "golang.org/x/sys/unix"`}, ""},

		{bridgeIsIndependent, []string{`bridge/a.go: import ` + us + `internal/firewall"`, `internal/firewall/a.go:`}, "bridge/a.go imports internal/firewall"},
		{bridgeIsIndependent, []string{`bridge/a.go: import (` + us + `terminal"; "golang.org/x/sys/unix")`, `terminal/a.go:`}, ""},

		{leavesStandAlone, []string{`terminal/a.go: import ` + us + `screen"`, `screen/a.go:`}, "terminal/a.go imports screen"},
		{leavesStandAlone, []string{`screen/a.go: import ` + us + `screen/vt"`, `screen/vt/a.go: import "github.com/rivo/uniseg"`}, ""},

		{sandboxesAreStrangers, []string{`sandbox/qemu/a.go: import ` + us + `sandbox/command"`}, "sandbox/qemu/a.go imports sandbox/command"},
		{sandboxesAreStrangers, []string{`sandbox/qemu/a.go: import (` + us + `sandbox/qemu/qmp"; ` + us + `sandbox")`}, ""},

		{agentIsLean, []string{`internal/agent/a.go: import ` + us + `internal/wire"`, `internal/wire/a.go: import "github.com/spf13/cobra"`},
			"internal/agent: internal/wire/a.go imports github.com/spf13/cobra"},
		{agentIsLean, []string{`cmd/snug-agent/a.go: import ` + us + `internal/wire"`, `internal/wire/a.go: import ` + us + `sandbox"`, `sandbox/a.go:`},
			"cmd/snug-agent: internal/wire/a.go imports sandbox"},

		{onlyTheCLIKnowsSandboxes, []string{`internal/keeper/a.go: import ` + us + `sandbox/qemu"`}, "internal/keeper/a.go imports sandbox/qemu"},
		{onlyTheCLIKnowsSandboxes, []string{`internal/cli/a.go: import ` + us + `sandbox/qemu"`, `internal/keeper/a.go: import ` + us + `sandbox"`}, ""},

		{packagesAreDocumented, []string{`a/a.go:`, `a/b.go:`}, "a has no package doc"},
		{packagesAreDocumented, []string{"a/doc.go: // Package x is.\npackage x", `a/b.go:`}, ""},
		{packagesAreDocumented, []string{"cmd/snug/main.go: // Command snug is.\npackage main"}, ""},
		{packagesAreDocumented, []string{"cmd/snug-agent/main.go: // Snug-agent is.\npackage main"}, ""},
		{packagesAreDocumented, []string{"cmd/snug-agent/main.go: // Package main is.\npackage main"}, "cmd/snug-agent has no package doc"},

		{onlyTheCLIPrints, []string{"bridge/a.go: import \"fmt\"\nfunc f() { fmt.Println() }"}, "bridge/a.go:3: fmt.Println"},
		{onlyTheCLIPrints, []string{"bridge/a.go: func f() { println() }"}, "bridge/a.go:2: println"},
		{onlyTheCLIPrints, []string{"internal/cli/a.go: func f() { fmt.Println() }", "bridge/a.go: func f() { fmt.Fprintln(w) }"}, ""},

		{onlyMainExits, []string{"internal/cli/a.go: func f() { os.Exit(1) }"}, "internal/cli/a.go:2: os.Exit"},
		{onlyMainExits, []string{"internal/cli/a.go: func f() { log.Fatalf(``) }"}, "internal/cli/a.go:2: log.Fatalf"},
		{onlyMainExits, []string{"cmd/snug/a.go: package main\nfunc main() { os.Exit(1) }"}, ""},

		{mainIsSmall, []string{"cmd/snug/a.go: package main\nfunc main() {" + strings.Repeat("\n", 20) + "}"}, "cmd/snug/a.go:2: main has 21 lines"},
		{mainIsSmall, []string{"cmd/snug/a.go: package main\nfunc main() {" + strings.Repeat("\n", 19) + "}"}, ""},

		{testsNeverSkipSilently, []string{"a/a_test.go: func f(t T) { if noQEMU { t.Skip() } }"}, "a/a_test.go:2 skips"},
		{testsNeverSkipSilently, []string{"a/a_test.go: func f(t T) { if testing.Short() { g() } else { t.Skipf(``) } }"}, "a/a_test.go:2 skips"},
		{testsNeverSkipSilently, []string{"a/a_test.go: func f(t T) { if testing.Short() || noQEMU { t.SkipNow() } }"}, "a/a_test.go:2 skips"},
		{testsNeverSkipSilently, []string{"a/a_test.go: func f(t T) { if slow && testing.Short() { t.Skip() } }"}, ""},

		{testingStaysInTests, []string{`bridge/a.go: import "testing"`}, "bridge/a.go imports testing"},
		{testingStaysInTests, []string{`sandbox/sandboxtest/a.go: import "testing"`, `bridge/a_test.go: import "testing"`}, ""},

		{pointersStayPointers, []string{"a/a.go: func f() { ioctl(1, uintptr(unsafe.Pointer(&x))) }"}, "a/a.go:2: ioctl"},
		{pointersStayPointers, []string{"a/a_test.go: func f() { a.Ioctl(uintptr(unsafe.Pointer(&x))) }"}, "a/a_test.go:2: a.Ioctl"},
		{pointersStayPointers, []string{"a/a.go: func f() { unix.Syscall(1, uintptr(unsafe.Pointer(&x)), uintptr(fd)) }"}, ""},
	} {
		files := fstest.MapFS{}
		for _, f := range c.files {
			name, src, _ := strings.Cut(f, ":")
			if !strings.Contains(src, "package ") {
				src = "package x\n" + strings.TrimSpace(src)
			}
			files[name] = &fstest.MapFile{Data: []byte(strings.TrimSpace(src))}
		}
		source, err := parse(files)
		if err != nil {
			t.Fatal(err)
		}
		got := c.rule(source)
		if c.want == "" && len(got) == 0 || slices.Equal(got, []string{c.want}) {
			continue
		}
		t.Errorf("%q: got %q, want %q", c.files, got, c.want)
	}
}

// Package rules holds the rules of this project that a compiler does not know,
// as tests: who may import whom, and what no package may do. Each rule is a
// function from the source to its breaches; each is also tried on a breach.
package rules

import (
	"fmt"
	"go/ast"
	"go/types"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// rules by the sentence that they stand for.
var rules = map[string]func(tree) []string{
	"sandbox and screen import only the standard library":             vocabularyIsStandard,
	"screen, asciicast and terminal import nothing of ours":           leavesStandAlone,
	"sandboxes never import each other":                               sandboxesAreStrangers,
	"the firewall imports only the standard library":                  firewallIsStandard,
	"the bridge imports nothing of ours but terminal":                 bridgeIsIndependent,
	"the agent imports no sandbox, screen, user interface or cobra":   agentIsLean,
	"only internal/cli knows concrete sandboxes":                      onlyTheCLIKnowsSandboxes,
	"every package has a package doc":                                 packagesAreDocumented,
	"only the command line prints":                                    onlyTheCLIPrints,
	"only a command's main package exits":                             onlyMainExits,
	"a main function has at most 20 lines":                            mainIsSmall,
	"a test skips only under testing.Short":                           testsNeverSkipSilently,
	"testing is imported by tests and the suites made for them alone": testingStaysInTests,
	"a pointer becomes a number in the system call itself":            pointersStayPointers,
}

func TestRules(t *testing.T) {
	source, err := parse(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for sentence, rule := range rules {
		t.Run(sentence, func(t *testing.T) {
			for _, breach := range rule(source) {
				t.Error(breach)
			}
		})
	}
}

func vocabularyIsStandard(t tree) (breaches []string) {
	for _, folder := range []string{"sandbox", "screen"} {
		for imported, by := range t.needs(folder) {
			if !t.standard(imported) {
				breaches = append(breaches, by+" imports "+imported)
			}
		}
	}
	return breaches
}

// What judges hostile input is small enough to be read whole.
func firewallIsStandard(t tree) (breaches []string) {
	for imported, by := range t.needs("internal/firewall") {
		if !t.standard(imported) {
			breaches = append(breaches, by+" imports "+imported)
		}
	}
	return breaches
}

// The bridge declares what it needs of a program and of a filter; whoever puts it together chooses them.
func bridgeIsIndependent(t tree) (breaches []string) {
	for imported, by := range t.needs("bridge") {
		if t.ours(imported) && !within(imported, "bridge") && !within(imported, "terminal") {
			breaches = append(breaches, by+" imports "+imported)
		}
	}
	return breaches
}

func leavesStandAlone(t tree) (breaches []string) {
	for _, leaf := range []string{"screen", "asciicast", "terminal"} {
		for imported, by := range t.needs(leaf) {
			if t.ours(imported) && !within(imported, leaf) {
				breaches = append(breaches, by+" imports "+imported)
			}
		}
	}
	return breaches
}

// concrete reports whether an import or folder is an implementation of a sandbox.
func concrete(name string) bool {
	return strings.HasPrefix(name, "sandbox/") && !within(name, "sandbox/sandboxtest")
}

// family is the sandbox that a folder belongs to, sandbox/qemu of
// sandbox/qemu/qmp.
func family(folder string) string {
	parts := strings.SplitN(folder, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

func sandboxesAreStrangers(t tree) (breaches []string) {
	for _, f := range t.files {
		if !concrete(f.folder()) {
			continue
		}
		for _, imported := range f.imports() {
			if concrete(imported) && family(imported) != family(f.folder()) {
				breaches = append(breaches, f.name+" imports "+imported)
			}
		}
	}
	return breaches
}

func agentIsLean(t tree) (breaches []string) {
	heavy := []string{
		"sandbox", "screen", "asciicast", "terminal", "bridge", "internal/cli", "internal/keeper", "internal/machine",
		"github.com/spf13", "github.com/charmbracelet", "charm.land", "github.com/rivo",
	}
	for _, agent := range []string{"internal/agent", "internal/guestinit", "cmd/snug-agent"} {
		for imported, by := range t.needs(agent) {
			if slices.ContainsFunc(heavy, func(h string) bool { return within(imported, h) }) {
				breaches = append(breaches, fmt.Sprintf("%s: %s imports %s", agent, by, imported))
			}
		}
	}
	return breaches
}

func onlyTheCLIKnowsSandboxes(t tree) (breaches []string) {
	for _, f := range t.files {
		if f.test || f.in("internal/cli") || f.in("test") || f.in("bench") || concrete(f.folder()) {
			continue
		}
		for _, imported := range f.imports() {
			if concrete(imported) {
				breaches = append(breaches, f.name+" imports "+imported)
			}
		}
	}
	return breaches
}

func packagesAreDocumented(t tree) (breaches []string) {
	documented := map[string]bool{}
	for _, f := range t.files {
		documented[f.folder()] = documented[f.folder()] || documents(f)
	}
	for folder, ok := range documented {
		if !ok {
			breaches = append(breaches, folder+" has no package doc")
		}
	}
	return breaches
}

// documents reports whether the file has its package's doc: "Package x …", or for
// a command "Command x …" or "X …", after the binary.
func documents(f file) bool {
	doc, binary := f.Doc.Text(), path.Base(f.folder())
	if f.main() {
		doc = strings.ToLower(doc)
		return strings.HasPrefix(doc, binary+" ") || strings.HasPrefix(doc, "command "+binary+" ")
	}
	return strings.HasPrefix(doc, "Package "+strings.TrimSuffix(f.Name.Name, "_test")+" ")
}

// calls finds the calls outside tests that bad says are, in the files that where
// wants looked at.
func (t tree) calls(where func(file) bool, bad func(pkg, name string) bool) (breaches []string) {
	for _, f := range t.files {
		if f.test || !where(f) {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if pkg, name := called(call); bad(pkg, name) {
					breaches = append(breaches, t.at(call)+": "+strings.TrimPrefix(pkg+"."+name, "."))
				}
			}
			return true
		})
	}
	return breaches
}

// A stray print corrupts a terminal in raw mode.
func onlyTheCLIPrints(t tree) []string {
	silent := func(f file) bool { return !f.in("internal/cli") && !f.in("cmd") && !f.in("test") && !f.in("bench") }
	return t.calls(silent, func(pkg, name string) bool {
		return pkg == "fmt" && strings.HasPrefix(name, "Print") || pkg == "" && (name == "print" || name == "println")
	})
}

// exits are the files whose process ends where no caller could end it better.
var exits = map[string]string{
	"internal/guestinit/init_linux.go": "process 1 of a guest that would not halt: its exit is the kernel's panic",
	"terminal/ward.go":                 "the guardian was killed: whatever went on would draw over the restored terminal",
}

// An exit runs no deferred call: the terminal stays raw, the machine stays up.
func onlyMainExits(t tree) []string {
	library := func(f file) bool { return !f.main() && exits[f.name] == "" }
	return t.calls(library, func(pkg, name string) bool {
		return pkg == "os" && name == "Exit" || pkg == "log" && strings.HasPrefix(name, "Fatal")
	})
}

func mainIsSmall(t tree) (breaches []string) {
	for _, f := range t.files {
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || !f.main() || fn.Name.Name != "main" || fn.Recv != nil {
				continue
			}
			if lines := t.fset.Position(fn.End()).Line - t.fset.Position(fn.Pos()).Line + 1; lines > 20 {
				breaches = append(breaches, fmt.Sprintf("%s: main has %d lines", t.at(fn), lines))
			}
		}
	}
	return breaches
}

// A test that lacks a tool fails with the line that installs it.
func testsNeverSkipSilently(t tree) (breaches []string) {
	for _, f := range t.files {
		short := map[ast.Node]bool{} // the bodies of if testing.Short()
		var inside []ast.Node
		ast.Inspect(f.File, func(n ast.Node) bool {
			if n == nil {
				inside = inside[:len(inside)-1]
				return true
			}
			if branch, ok := n.(*ast.IfStmt); ok && asksShort(branch.Cond) {
				short[branch.Body] = true
			}
			if call, ok := n.(*ast.CallExpr); ok && isSkip(call) && !slices.ContainsFunc(inside, func(n ast.Node) bool { return short[n] }) {
				breaches = append(breaches, t.at(call)+" skips")
			}
			inside = append(inside, n)
			return true
		})
	}
	return breaches
}

func isSkip(call *ast.CallExpr) bool {
	receiver, name := called(call)
	return slices.Contains([]string{"t", "b", "f", "tb"}, receiver) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, name)
}

// asksShort reports whether cond is testing.Short(), or that and more.
func asksShort(cond ast.Expr) bool {
	switch cond := cond.(type) {
	case *ast.CallExpr:
		pkg, name := called(cond)
		return pkg == "testing" && name == "Short"
	case *ast.BinaryExpr:
		return cond.Op.String() == "&&" && (asksShort(cond.X) || asksShort(cond.Y))
	case *ast.ParenExpr:
		return asksShort(cond.X)
	}
	return false
}

func testingStaysInTests(t tree) (breaches []string) {
	for _, f := range t.files {
		if f.test || f.in("sandbox/sandboxtest") || f.in("test") || f.in("bench") {
			continue
		}
		if slices.Contains(f.imports(), "testing") {
			breaches = append(breaches, f.name+" imports testing")
		}
	}
	return breaches
}

// The stack that a pointer points into can move in any other call, or at its start:
// the kernel then writes to where something else is.
func pointersStayPointers(t tree) (breaches []string) {
	for _, f := range t.files {
		ast.Inspect(f.File, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !slices.ContainsFunc(call.Args, numbersPointer) {
				return true
			}
			switch pkg, name := called(call); {
			case name == "uint64": // a conversion, of what is no pointer into the stack
			case strings.HasPrefix(name, "Syscall"), strings.HasPrefix(name, "RawSyscall"):
			default:
				breaches = append(breaches, t.at(call)+": "+strings.TrimPrefix(pkg+"."+name, "."))
			}
			return true
		})
	}
	return breaches
}

// numbersPointer reports whether an expression is uintptr(unsafe.Pointer(…)).
func numbersPointer(e ast.Expr) bool {
	return strings.HasPrefix(types.ExprString(e), "uintptr(unsafe.Pointer(")
}

package wire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// docs/wire.md is the specification of what message.go says.
func TestEveryRequestIsSpecified(t *testing.T) {
	spec, err := os.ReadFile("../../docs/wire.md")
	must(t, err)
	parsed, err := parser.ParseFile(token.NewFileSet(), "message.go", nil, 0)
	must(t, err)
	requests := 0
	ast.Inspect(parsed, func(n ast.Node) bool {
		c, ok := n.(*ast.ValueSpec)
		if !ok || len(c.Values) != 1 || !named(c.Names[0].Name, "request", "channel") {
			return true
		}
		if lit, ok := c.Values[0].(*ast.BasicLit); ok {
			name, err := strconv.Unquote(lit.Value)
			must(t, err)
			requests++
			if !strings.Contains(string(spec), "`"+name+"`") {
				t.Errorf("docs/wire.md says nothing of %s", name)
			}
		}
		return true
	})
	if requests < 30 {
		t.Errorf("found %d requests and channels only", requests)
	}
}

func named(name string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(strings.ToLower(name), p) })
}

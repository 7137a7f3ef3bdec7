package wire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
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
		if !ok || len(c.Values) != 1 || !strings.HasPrefix(strings.ToLower(c.Names[0].Name), "request") && c.Names[0].Name != "channelScreen" {
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
	if requests < 17 {
		t.Errorf("found %d requests only", requests)
	}
}

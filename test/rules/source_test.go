package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is what the import paths of this project begin with.
const module = "github.com/snugvm/snug"

// file is one Go file of the project.
type file struct {
	*ast.File
	name string // relative to the root, with slashes
	test bool   // seen by go test only
}

// tree is every Go file of the project, for any system and with any build tag.
type tree struct {
	fset  *token.FileSet
	files []file
}

// parse reads the Go files below root, without their types: that is fast, needs
// nothing built, and sees the files of other systems too.
func parse(root fs.FS) (tree, error) {
	t := tree{fset: token.NewFileSet()}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && foreign(entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(t.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		t.files = append(t.files, file{parsed, name, strings.HasSuffix(name, "_test.go")})
		return nil
	})
	return t, err
}

// foreign reports whether a folder holds no packages of the module.
func foreign(folder string) bool {
	return folder == "tools" || folder == "testdata" || folder == "node_modules" || strings.HasPrefix(folder, ".") || strings.HasPrefix(folder, "_")
}

// folder is the package's folder, relative to the root.
func (f file) folder() string { return path.Dir(f.name) }

// in reports whether the file belongs to the package in folder or one below it.
func (f file) in(folder string) bool { return within(f.folder(), folder) }

// within reports whether an import path, or a folder, is parent or below it.
func within(name, parent string) bool {
	return name == parent || strings.HasPrefix(name, parent+"/")
}

// main reports whether the file belongs to a command.
func (f file) main() bool { return f.Name.Name == "main" }

// imports are the import paths of the file, ours without the module's name.
func (f file) imports() (paths []string) {
	for _, spec := range f.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, strings.TrimPrefix(p, module+"/"))
		}
	}
	return paths
}

// ours reports whether an import, as imports returns it, is of this project.
func (t tree) ours(imported string) bool {
	return slices.ContainsFunc(t.files, func(f file) bool { return f.folder() == imported })
}

// standard reports whether an import is of the standard library.
func (t tree) standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") && !t.ours(imported)
}

// needs is every import of the package in folder, and of those of ours among
// them, and so on, each with the file that imports it. Tests do not count.
func (t tree) needs(folder string) map[string]string {
	found := map[string]string{}
	queue := []string{folder}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, f := range t.files {
			if f.test || f.folder() != at {
				continue
			}
			for _, imported := range f.imports() {
				if _, seen := found[imported]; seen {
					continue
				}
				found[imported] = f.name
				if t.ours(imported) {
					queue = append(queue, imported)
				}
			}
		}
	}
	return found
}

// at is where a node stands, for a message.
func (t tree) at(node ast.Node) string {
	p := t.fset.Position(node.Pos())
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// called is the name of the package and function that is called, as written, or
// the function alone for a builtin.
func called(call *ast.CallExpr) (pkg, name string) {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return "", fun.Name
	case *ast.SelectorExpr:
		if x, ok := fun.X.(*ast.Ident); ok {
			return x.Name, fun.Sel.Name
		}
	}
	return "", ""
}

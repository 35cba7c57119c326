package doctest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sources parses a package's files without its tests.
func sources(t *testing.T, folder string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

func text(node ast.Expr) (string, bool) {
	literal, ok := node.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(literal.Value)
	return value, err == nil
}

// callCodes lists the codes a package gives to fail and warn, and those of the errors it makes.
func callCodes(t *testing.T, folder string) []string {
	t.Helper()
	var codes []string
	for _, file := range sources(t, folder) {
		ast.Inspect(file, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.CallExpr:
				method, ok := n.Fun.(*ast.SelectorExpr)
				if ok && (method.Sel.Name == "fail" || method.Sel.Name == "warn") && len(n.Args) > 1 {
					if code, ok := text(n.Args[1]); ok {
						codes = append(codes, code)
					}
				}
			case *ast.KeyValueExpr:
				if name, ok := n.Key.(*ast.Ident); ok && name.Name == "Code" {
					if code, ok := text(n.Value); ok {
						codes = append(codes, code)
					}
				}
			}
			return true
		})
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// mapKeys lists the string keys of a package-level map.
func mapKeys(t *testing.T, folder, name string) []string {
	t.Helper()
	var keys []string
	for _, value := range declared(t, folder, func(n string) bool { return n == name }) {
		if literal, ok := value.(*ast.CompositeLit); ok {
			for _, element := range literal.Elts {
				if pair, ok := element.(*ast.KeyValueExpr); ok {
					if key, ok := text(pair.Key); ok {
						keys = append(keys, key)
					}
				}
			}
		}
	}
	if len(keys) == 0 {
		t.Fatalf("%s has no map %s with text keys", folder, name)
	}
	return keys
}

// declared returns the values of package-level names.
func declared(t *testing.T, folder string, wanted func(name string) bool) map[string]ast.Expr {
	t.Helper()
	found := map[string]ast.Expr{}
	for _, file := range sources(t, folder) {
		for _, declaration := range file.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				values, ok := spec.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for i, name := range values.Names {
					if wanted(name.Name) && i < len(values.Values) {
						found[name.Name] = values.Values[i]
					}
				}
			}
		}
	}
	return found
}

package openmiosa

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/api.txt anew")

// sources parses the files of this module that are no tests.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	must(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(places, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		files[path] = file
		return err
	}))
	return files
}

var places = token.NewFileSet()

func TestThePublicSurfaceIsTheOneThatIsWrittenDown(t *testing.T) {
	var lines []string
	for path, file := range sources(t) {
		if filepath.Dir(path) != "." {
			continue
		}
		for _, declared := range file.Decls {
			lines = append(lines, surface(t, declared)...)
		}
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		must(t, os.WriteFile("testdata/api.txt", []byte(got), 0o644))
	}
	want, err := os.ReadFile("testdata/api.txt")
	must(t, err)
	if got != string(want) {
		written := strings.Split(string(want), "\n")
		for _, line := range lines {
			if !slices.Contains(written, line) {
				t.Log("new:  " + line)
			}
		}
		for _, line := range written {
			if line != "" && !slices.Contains(lines, line) {
				t.Log("gone: " + line)
			}
		}
		t.Fatal("the public surface has changed; if that is meant: go test -run TestThePublicSurface -update .")
	}
}

// surface spells what a declaration shows to users, one line for each thing.
func surface(t *testing.T, declared ast.Decl) []string {
	switch one := declared.(type) {
	case *ast.FuncDecl:
		if !one.Name.IsExported() || (one.Recv != nil && !ast.IsExported(strings.Trim(spelled(t, one.Recv.List[0].Type), "*"))) {
			return nil
		}
		bare := *one
		bare.Doc, bare.Body = nil, nil
		return []string{spelled(t, &bare)}
	case *ast.GenDecl:
		var lines []string
		for _, spec := range one.Specs {
			lines = append(lines, surfaceOf(t, spec)...)
		}
		return lines
	}
	return nil
}

func surfaceOf(t *testing.T, spec ast.Spec) []string {
	var lines []string
	switch one := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range one.Names {
			if name.IsExported() {
				lines = append(lines, "value "+name.Name)
			}
		}
	case *ast.TypeSpec:
		structure, isStruct := one.Type.(*ast.StructType)
		if one.Name.IsExported() && !isStruct {
			lines = append(lines, "type "+one.Name.Name+" "+spelled(t, one.Type))
		}
		if !one.Name.IsExported() || !isStruct {
			return lines
		}
		lines = append(lines, "type "+one.Name.Name+" struct")
		for _, field := range structure.Fields.List {
			for _, name := range field.Names {
				if name.IsExported() {
					lines = append(lines, "type "+one.Name.Name+" struct, "+name.Name+" "+spelled(t, field.Type))
				}
			}
		}
	}
	return lines
}

func spelled(t *testing.T, node any) string {
	t.Helper()
	var text bytes.Buffer
	must(t, printer.Fprint(&text, places, node))
	return strings.Join(strings.Fields(text.String()), " ")
}

func TestEveryPublicThingSaysWhatItIs(t *testing.T) {
	for path, file := range sources(t) {
		for _, declared := range file.Decls {
			switch one := declared.(type) {
			case *ast.FuncDecl:
				if one.Name.IsExported() && one.Doc == nil && !ofOneLine(one) {
					t.Errorf("%s: %s has no comment", path, one.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range one.Specs {
					if kind, isType := spec.(*ast.TypeSpec); isType && kind.Name.IsExported() && one.Doc == nil && kind.Doc == nil {
						t.Errorf("%s: %s has no comment", path, kind.Name.Name)
					}
				}
			}
		}
	}
}

// ofOneLine says whether a method of a private type only answers an interface of the standard library.
func ofOneLine(function *ast.FuncDecl) bool {
	if function.Recv == nil {
		return false
	}
	pointer, isPointer := function.Recv.List[0].Type.(*ast.StarExpr)
	if !isPointer {
		return false
	}
	name, isName := pointer.X.(*ast.Ident)
	return isName && !name.IsExported()
}

func TestFunctionsAndFilesKeepToTheirBudgets(t *testing.T) {
	for path, file := range sources(t) {
		if lines := places.Position(file.End()).Line; lines > 700 {
			t.Errorf("%s has %d lines", path, lines)
		}
		for _, declared := range file.Decls {
			if function, isFunction := declared.(*ast.FuncDecl); isFunction {
				if lines := places.Position(function.End()).Line - places.Position(function.Pos()).Line + 1; lines > 70 {
					t.Errorf("%s: %s has %d lines", path, function.Name.Name, lines)
				}
			}
		}
	}
}

func TestTheCoreNeedsTheStandardLibraryAlone(t *testing.T) {
	module, err := os.ReadFile("go.mod")
	must(t, err)
	same(t, strings.Contains(string(module), "require"), false)
	_, err = os.Stat("go.sum")
	isKind(t, err, fs.ErrNotExist)
}

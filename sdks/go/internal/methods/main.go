// Command methods prints the name of every public method of this SDK, one a line, as all languages spell it
// (`client.api_keys.create`, `sandbox.secrets.set`), for the check that each operation of the API has one.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"

	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
)

// printing is what every value may have, and is no method of the API.
var printing = []string{"String", "GoString", "Close"}

func main() {
	names, err := all()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, name := range names {
		fmt.Println(name)
	}
}

// all lists the names of all methods.
func all() ([]string, error) {
	// Go cannot call a value: Exec.Run is also what other languages call as sandbox.exec(…).
	names := []string{"sandbox.exec"}
	names = append(names, methodsOf("client", reflect.TypeOf(&openmiosa.Client{}))...)
	names = append(names, methodsOf("sandbox", reflect.TypeOf(&openmiosa.Sandbox{}))...)
	names = append(names, methodsOf("connection", reflect.TypeOf(&openmiosa.Connection{}))...)
	terminal, err := functionsOnSandboxes(beside("ws"))
	names = append(names, terminal...)
	slices.Sort(names)
	return slices.Compact(names), err
}

// methodsOf lists the methods of a handle and those of the services that are its fields.
func methodsOf(prefix string, handle reflect.Type) []string {
	var names []string
	for index := range handle.NumMethod() {
		method := handle.Method(index).Name
		// Closing a preview is a call of the API, closing a client is not.
		if !slices.Contains(printing, method) || (method == "Close" && strings.Contains(prefix, ".")) {
			names = append(names, prefix+"."+snake(method))
		}
	}
	for index := range handle.Elem().NumField() {
		field := handle.Elem().Field(index)
		if field.IsExported() && field.Type.Kind() == reflect.Pointer && field.Type.Elem().Kind() == reflect.Struct {
			names = append(names, methodsOf(prefix+"."+snake(field.Name), field.Type)...)
		}
	}
	return names
}

// functionsOnSandboxes lists the functions of a package whose second parameter is a sandbox: methods in all but their place,
// which is a module of its own so that this one needs no other.
func functionsOnSandboxes(folder string) ([]string, error) {
	sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declared := range file.Decls {
			function, isFunction := declared.(*ast.FuncDecl)
			if isFunction && function.Recv == nil && function.Name.IsExported() && takesSandbox(function.Type) {
				names = append(names, "sandbox."+snake(function.Name.Name))
			}
		}
	}
	return names, nil
}

func takesSandbox(function *ast.FuncType) bool {
	if len(function.Params.List) < 2 {
		return false
	}
	pointer, isPointer := function.Params.List[1].Type.(*ast.StarExpr)
	if !isPointer {
		return false
	}
	selected, isSelected := pointer.X.(*ast.SelectorExpr)
	return isSelected && selected.Sel.Name == "Sandbox"
}

// beside is a folder of this module, wherever the program is started.
func beside(folder string) string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", folder)
}

var (
	plural   = regexp.MustCompile(`([A-Z])s\b`)
	hump     = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	acronyms = regexp.MustCompile(`([A-Z]+)([A-Z][a-z])`)
)

// snake spells a Go name in lower case with underscores: APIKeys is api_keys, SSETicket is sse_ticket.
func snake(name string) string {
	name = plural.ReplaceAllString(name, "${1}S")
	name = acronyms.ReplaceAllString(name, "${1}_${2}")
	return strings.ToLower(hump.ReplaceAllString(name, "${1}_${2}"))
}

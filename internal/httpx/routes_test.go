package httpx

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"net/http"
	"os"
	"strings"
	"testing"

	"onemap/internal/core"
)

// A route that states no requirement, or one that no domain declares, is refused at the start.
func TestRoutesDeclareWhatTheyNeed(t *testing.T) {
	nothing := func(http.ResponseWriter, *http.Request) {}
	for need, passes := range map[Need]bool{"": false, "views": false, "view": false, "edit-data: anybody": false, View: true, NeedNothing: true, NeedSession: true, NeedMetrics: true} {
		s, err := New(Options{Permissions: []core.Permission{core.PermView, core.PermEditData}})
		if err != nil {
			t.Fatal(err)
		}
		s.Handle(Route{Method: http.MethodGet, Path: "/x", Need: need}, nothing)
		if err := s.Seal(); (err == nil) != passes {
			t.Errorf("a route with the need %q: %v", need, err)
		}
	}
}

// Every route is mounted on the mux through Handle, which writes the table and sets the guard.
func TestOneWayOntoTheMux(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var mounts []string
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		fset := gotoken.NewFileSet()
		tree, err := parser.ParseFile(fset, f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || !strings.HasPrefix(sel.Sel.Name, "Handle") {
				return true
			}
			if x, ok := sel.X.(*ast.SelectorExpr); ok && x.Sel.Name == "mux" && sel.Sel.Name != "Handler" {
				mounts = append(mounts, fset.Position(n.Pos()).String())
			}
			return true
		})
	}
	if len(mounts) != 1 || !strings.HasPrefix(mounts[0], "routes.go:") {
		t.Errorf("handlers are mounted at %v, want once, in routes.go", mounts)
	}
}

package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// house is docs/ARCHITECTURE.md's two tables: the floor of each room, and the rooms that may import
// each library.
type house struct {
	floors    map[string]int
	libraries map[string][]string
}

var quoted = regexp.MustCompile("`([^`]+)`")

func readHouse(t *testing.T, file string) house {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h := house{floors: map[string]int{}, libraries: map[string][]string{}}
	table := ""
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			table = ""
		case table == "":
			table = strings.TrimSpace(cells[0])
		case table == "floor" && len(cells) >= 2:
			floor, err := strconv.Atoi(strings.TrimSpace(cells[0]))
			if err != nil {
				continue // the line under the heading
			}
			for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
				h.floors[m[1]] = floor
			}
		case table == "library" && len(cells) >= 2:
			var rooms []string
			for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
				rooms = append(rooms, m[1])
			}
			for _, m := range quoted.FindAllStringSubmatch(cells[0], -1) {
				h.libraries[m[1]] = rooms
			}
		}
	}
	if len(h.floors) < 10 || len(h.libraries) < 5 {
		t.Fatalf("%s: read %d rooms and %d libraries; the tables are gone or changed their form", file, len(h.floors), len(h.libraries))
	}
	return h
}

// room is the longest entry of the table that the package lies in.
func (h house) room(pkg string) (string, bool) {
	for p := pkg; p != "." && p != "/"; p = path.Dir(p) {
		if _, ok := h.floors[p]; ok {
			return p, true
		}
	}
	return "", false
}

// violations holds one file's imports against the tables. Test files may import any room: a real
// database under a handler's test is no sideways step of the program.
func (h house) violations(file, pkg string, imports []string) []string {
	here, ok := h.room(pkg)
	if !ok {
		return []string{file + ": package " + pkg + " has no floor in docs/ARCHITECTURE.md"}
	}
	if strings.HasSuffix(file, "_test.go") {
		return nil
	}
	var bad []string
	for _, imp := range imports {
		if own, inside := strings.CutPrefix(imp, "onemap/"); inside {
			there, ok := h.room(own)
			switch {
			case !ok:
				bad = append(bad, file+": imports "+imp+", which has no floor")
			case there != here && h.floors[there] >= h.floors[here]:
				bad = append(bad, file+": "+here+" (floor "+strconv.Itoa(h.floors[here])+") imports "+imp+" (floor "+strconv.Itoa(h.floors[there])+")")
			}
			continue
		}
		for lib, rooms := range h.libraries {
			within := func(r string) bool { return pkg == r || strings.HasPrefix(pkg, r+"/") }
			if (imp == lib || strings.HasPrefix(imp, lib+"/")) && !slices.ContainsFunc(rooms, within) {
				bad = append(bad, file+": imports "+imp+", which belongs to "+strings.Join(rooms, ", ")+" alone")
			}
		}
	}
	return bad
}

func imports(t *testing.T, file string, src any) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, s := range f.Imports {
		list = append(list, importPath(t, s))
	}
	return list
}

func importPath(t *testing.T, s *ast.ImportSpec) string {
	t.Helper()
	p, err := strconv.Unquote(s.Path.Value)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestImportsGoDownstairsOnly(t *testing.T) {
	root := filepath.Join("..", "..")
	h := readHouse(t, filepath.Join(root, "docs", "ARCHITECTURE.md"))
	seen := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "node_modules" || name == "testdata" || name == "tools" || name == "var" || (strings.HasPrefix(name, ".") && file != root)) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		seen++
		for _, v := range h.violations(rel, path.Dir(rel), imports(t, file, nil)) {
			t.Error(v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Fatalf("walked %d Go files only", seen)
	}
}

// The check itself must be able to fail: a planted violation of each kind is found.
func TestHouseFindsPlantedViolations(t *testing.T) {
	h := readHouse(t, filepath.Join("..", "..", "docs", "ARCHITECTURE.md"))
	for name, c := range map[string]struct{ file, src string }{
		"upstairs":     {"geo/x.go", `package geo; import "onemap/store"`},
		"sideways":     {"web/api/x.go", `package api; import "onemap/store"`},
		"library":      {"alerts/x.go", `package alerts; import "github.com/jackc/pgx/v5"`},
		"net/http":     {"sensors/x.go", `package sensors; import "net/http"`},
		"new room":     {"util/x.go", `package util`},
		"floor two":    {"catalogue/x.go", `package catalogue; import "onemap/auth"`},
		"unknown room": {"store/x.go", `package store; import "onemap/helpers"`},
	} {
		if v := h.violations(c.file, path.Dir(c.file), imports(t, c.file, c.src)); len(v) == 0 {
			t.Errorf("%s: %s in %s passes", name, c.src, c.file)
		}
	}
	ok := `package api; import ("onemap/web/push"; "onemap/alerts/cap"; "onemap/internal/fault"; "net/http")`
	if v := h.violations("web/api/x.go", "web/api", imports(t, "x.go", ok)); len(v) != 0 {
		t.Errorf("an allowed file is refused: %v", v)
	}
}

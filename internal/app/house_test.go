package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// house holds the tables of docs/ARCHITECTURE.md: the floor of each room, the edges between rooms of one floor, and the
// packages that may import each library.
type house struct {
	floors    map[string]int
	edges     map[edge]string // with its reason
	libraries map[string][]string
}

// edge allows one room to import another room of its floor. A door of a room, such as alerts/pg, counts as a room here.
type edge struct{ from, to string }

var quoted = regexp.MustCompile("`([^`]+)`")

func readHouse(t *testing.T, file string) house {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h := house{floors: map[string]int{}, edges: map[edge]string{}, libraries: map[string][]string{}}
	table := ""
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			table = ""
		case table == "":
			table = strings.TrimSpace(cells[0])
		default:
			h.readRow(t, table, cells)
		}
	}
	if len(h.floors) < 10 || len(h.libraries) < 5 || len(h.edges) < 3 {
		t.Fatalf("%s: read %d rooms, %d edges and %d libraries; the tables are gone or changed their form", file, len(h.floors), len(h.edges), len(h.libraries))
	}
	return h
}

func (h house) readRow(t *testing.T, table string, cells []string) {
	t.Helper()
	names := func(i int) (all []string) {
		if i < len(cells) {
			for _, m := range quoted.FindAllStringSubmatch(cells[i], -1) {
				all = append(all, m[1])
			}
		}
		return all
	}
	switch table {
	case "floor":
		floor, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil {
			return // the line under the heading
		}
		for _, room := range names(1) {
			h.floors[room] = floor
		}
	case "from":
		if from, to := names(0), names(1); len(from) == 1 && len(to) == 1 && len(cells) == 3 {
			h.edges[edge{from[0], to[0]}] = strings.TrimSpace(cells[2])
		} else if !strings.Contains(cells[0], "---") {
			t.Errorf("the edge %q has not one room on each side and a reason", cells)
		}
	case "library":
		for _, library := range names(0) {
			h.libraries[library] = names(1)
		}
	}
}

// room returns the longest entry of the table of floors that contains the package.
func (h house) room(pkg string) (string, bool) {
	for p := pkg; p != "." && p != "/"; p = path.Dir(p) {
		if _, ok := h.floors[p]; ok {
			return p, true
		}
	}
	return "", false
}

// isDoor reports whether the package is the SQL or the HTTP package of a room.
func isDoor(pkg string) bool { return path.Base(pkg) == "pg" || path.Base(pkg) == "api" }

// violations checks one file's imports against the tables. A test file may import any room: the program does not contain it,
// and a handler's test may need a real database.
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
			if complaint := h.between(here, pkg, own); complaint != "" {
				bad = append(bad, file+": "+complaint)
			}
		}
		for library, rooms := range h.libraries {
			if (imp == library || strings.HasPrefix(imp, library+"/")) && !slices.ContainsFunc(rooms, func(r string) bool { return within(pkg, r) }) {
				bad = append(bad, file+": imports "+imp+", which belongs to "+strings.Join(rooms, ", ")+" alone")
			}
		}
	}
	return bad
}

// between describes what is wrong with an import within the module: from a higher floor, from the same floor without an edge,
// through another room's door, or from a room of its own door.
func (h house) between(here, pkg, own string) string {
	there, ok := h.room(own)
	switch {
	case !ok:
		return "imports " + own + ", which has no floor"
	case there == here && isDoor(own) && !isDoor(pkg):
		return here + " imports its own door " + own
	case there == here || h.floors[there] < h.floors[here]:
		return ""
	case h.floors[there] > h.floors[here]:
		return here + " (floor " + strconv.Itoa(h.floors[here]) + ") imports " + own + " (floor " + strconv.Itoa(h.floors[there]) + ")"
	}
	// An edge between two rooms also holds for the doors of the first. An import of a door needs an edge that names the door.
	for _, from := range []string{pkg, here} {
		for _, to := range []string{own, there} {
			if _, ok := h.edges[edge{from, to}]; ok && (to == own || !isDoor(own)) {
				return ""
			}
		}
	}
	return pkg + " imports " + own + " of its floor, and no edge in docs/ARCHITECTURE.md says why"
}

// within reports whether a package belongs to a room; */pg is the SQL package of any room.
func within(pkg, room string) bool {
	if door, anywhere := strings.CutPrefix(room, "*/"); anywhere {
		return path.Base(pkg) == door
	}
	return pkg == room || strings.HasPrefix(pkg, room+"/")
}

// circles describes the faults of the edges: cycles, edges without a reason, and, if used is not nil, edges that nothing
// uses.
func (h house) circles(used map[edge]bool) (bad []string) {
	var walk func(at string, way []string) bool
	walk = func(at string, way []string) bool {
		if slices.Contains(way, at) {
			bad = append(bad, "the edges go round: "+strings.Join(append(way, at), " → "))
			return true
		}
		for e := range h.edges {
			from, _ := h.room(e.from)
			to, _ := h.room(e.to)
			if from == at && walk(to, append(slices.Clone(way), at)) {
				return true
			}
		}
		return false
	}
	for _, e := range slices.SortedFunc(maps.Keys(h.edges), func(a, b edge) int { return strings.Compare(a.from+a.to, b.from+b.to) }) {
		from, known := h.room(e.from)
		if known {
			walk(from, nil)
		}
		switch {
		case h.edges[e] == "":
			bad = append(bad, "the edge from "+e.from+" to "+e.to+" has no reason")
		case !known:
			bad = append(bad, "the edge begins at "+e.from+", which has no floor")
		case used != nil && !used[e]:
			bad = append(bad, "nothing uses the edge from "+e.from+" to "+e.to)
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

// uses returns the edges that the imports need; if several allow an import, it is the narrowest.
func (h house) uses(pkg string, imports []string) (all []edge) {
	here, _ := h.room(pkg)
	for _, imp := range imports {
		own, inside := strings.CutPrefix(imp, "onemap/")
		there, ok := h.room(own)
		if !inside || !ok || there == here || h.floors[there] != h.floors[here] {
			continue
		}
		for _, e := range []edge{{pkg, own}, {here, own}, {pkg, there}, {here, there}} {
			if _, ok := h.edges[e]; ok {
				all = append(all, e)
				break
			}
		}
	}
	return all
}

func TestImportsKeepToTheHouse(t *testing.T) {
	root := filepath.Join("..", "..")
	h := readHouse(t, filepath.Join(root, "docs", "ARCHITECTURE.md"))
	seen, used := 0, map[edge]bool{}
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
		list := imports(t, file, nil)
		for _, v := range h.violations(rel, path.Dir(rel), list) {
			t.Error(v)
		}
		if !strings.HasSuffix(rel, "_test.go") {
			for _, e := range h.uses(path.Dir(rel), list) {
				used[e] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Fatalf("walked %d Go files only", seen)
	}
	for _, v := range h.circles(used) {
		t.Error(v)
	}
}

// The check itself must be able to fail: it finds a planted violation of each kind.
func TestHouseFindsPlantedViolations(t *testing.T) {
	h := readHouse(t, filepath.Join("..", "..", "docs", "ARCHITECTURE.md"))
	for name, c := range map[string]struct{ file, src string }{
		"upstairs":                        {"geo/x.go", `package geo; import "onemap/catalogue"`},
		"a domain upstairs":               {"alerts/x.go", `package alerts; import "onemap/web/server"`},
		"sideways without an edge":        {"catalogue/x.go", `package catalogue; import "onemap/auth"`},
		"against an edge":                 {"sensors/x.go", `package sensors; import "onemap/alerts"`},
		"SQL against an edge":             {"sensors/pg/x.go", `package sensorspg; import "onemap/alerts"`},
		"through a foreign door":          {"alerts/pg/x.go", `package alertspg; import sensorspg "onemap/sensors/pg"`},
		"through its own door":            {"alerts/x.go", `package alerts; import alertspg "onemap/alerts/pg"`},
		"HTTP through its own SQL's room": {"alerts/api/x.go", `package alertsapi; import "onemap/internal/pg"`},
		"a library":                       {"alerts/x.go", `package alerts; import "github.com/jackc/pgx/v5"`},
		"a library at the wrong door":     {"alerts/api/x.go", `package alertsapi; import "github.com/jackc/pgx/v5"`},
		"net/http":                        {"sensors/x.go", `package sensors; import "net/http"`},
		"net/http in SQL's room":          {"sensors/pg/x.go", `package sensorspg; import "net/http"`},
		"huma":                            {"auth/x.go", `package auth; import "github.com/danielgtaylor/huma/v2"`},
		"a domain's word in the frame":    {"internal/httpx/x.go", `package httpx; import "onemap/alerts"`},
		"a room without a floor":          {"util/x.go", `package util`},
		"an unknown room":                 {"tiles/x.go", `package tiles; import "onemap/helpers"`},
	} {
		if v := h.violations(c.file, path.Dir(c.file), imports(t, c.file, c.src)); len(v) == 0 {
			t.Errorf("%s: %s in %s passes", name, c.src, c.file)
		}
	}
	for name, plant := range map[string]edge{"round": {"sensors", "alerts"}, "round by a door": {"alerts/pg", "catalogue/pg"}, "unused": {"auth", "sensors"}, "from nowhere": {"util", "alerts"}} {
		more := house{floors: h.floors, edges: maps.Clone(h.edges)}
		used := map[edge]bool{}
		for e := range more.edges {
			used[e] = true
		}
		more.edges[plant] = "planted"
		used[plant] = name != "unused"
		if len(more.circles(used)) == 0 {
			t.Errorf("an edge that is %s passes: %v", name, plant)
		}
	}
	for file, src := range map[string]string{
		"alerts/api/x.go":   `package alertsapi; import ("onemap/alerts"; "onemap/alerts/cap"; "onemap/sensors"; "onemap/internal/httpx"; "net/http")`,
		"catalogue/pg/x.go": `package cataloguepg; import (alertspg "onemap/alerts/pg"; "onemap/internal/pg"; "github.com/jackc/pgx/v5")`,
	} {
		if v := h.violations(file, path.Dir(file), imports(t, file, src)); len(v) != 0 {
			t.Errorf("an allowed file is refused: %v", v)
		}
	}
}

package stores_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A comparison of a statement's parameter with a whole number, on either side.
var (
	parameter = regexp.MustCompile(`\$(\d+)(::\w+)?`)
	beside    = regexp.MustCompile(`^\s*((=|<|<=|>|>=|<>|!=|\+|-|\*|/)\s*\d|(in|between)\s*\(?\d)`)
	behind    = regexp.MustCompile(`(^|[^\w.])\d+\s*(=|<|<=|>|>=|<>|!=|\+|-|\*|/)\s*$`)
	chosen    = regexp.MustCompile(`(coalesce|nullif|greatest|least)\($`) // and a number as the other argument
	other     = regexp.MustCompile(`^\s*,\s*\d+\s*\)`)
)

// untyped returns the first parameter of a statement whose type PostgreSQL would take from a whole number beside it: int4,
// which refuses a larger id.
func untyped(sql string) string {
	seen := map[string]bool{}
	for _, at := range parameter.FindAllStringSubmatchIndex(sql, -1) {
		number, cast := sql[at[2]:at[3]], at[4] >= 0
		if seen[number] {
			continue // PostgreSQL takes the type from where it first meets the parameter
		}
		seen[number] = true
		before, after := sql[:at[0]], sql[at[1]:]
		if !cast && (beside.MatchString(after) || behind.MatchString(before) || chosen.MatchString(before) && other.MatchString(after)) {
			return "$" + number
		}
	}
	return ""
}

func TestUntyped(t *testing.T) {
	for sql, want := range map[string]string{
		"select 1 where $1 = 0 or id = $1":         "$1",
		"select 1 where id = $1 or $1 = 0":         "",
		"select 1 where $1::bigint = 0 or id = $1": "",
		"select 1 where a = $1 and 0 < $2":         "$2",
		"select $1 + 1":                            "$1",
		"select coalesce($1, 0)":                   "$1",
		"select id - $1, nullif($2::bigint, 0)":    "",
		"limit $1":                                 "",
		"secret_sha256 = $1":                       "",
		"st_setsrid(st_makepoint($1, $2), 4326)":   "",
	} {
		if got := untyped(sql); got != want {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
}

// No statement leaves the type of a parameter to a number beside it.
func TestParametersHaveTypes(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	statements := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "node_modules":
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		if room := filepath.Base(filepath.Dir(file)); room == "pg" || room == "eventlog" {
			statements += checkParameters(t, file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if statements < 100 {
		t.Errorf("only %d statements were found", statements)
	}
}

// checkParameters checks the statements of a file and returns their number.
func checkParameters(t *testing.T, file string) (statements int) {
	t.Helper()
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		sql, err := strconv.Unquote(lit.Value)
		if err != nil || !parameter.MatchString(sql) {
			return true
		}
		statements++
		if name := untyped(sql); name != "" {
			t.Errorf("%s: %s has no type of its own", fset.Position(lit.Pos()), name)
		}
		return true
	})
	return statements
}

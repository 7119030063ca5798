package app_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"onemap/internal/fault"
)

// codes reads every code that the source declares, with the place of the declaration.
func codes(t *testing.T) map[fault.Code]string {
	t.Helper()
	all := map[fault.Code]string{}
	files := token.NewFileSet()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !isCode(spec.Type) {
				return true
			}
			for _, value := range spec.Values {
				literal, ok := value.(*ast.BasicLit)
				if !ok {
					continue
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				if other, twice := all[fault.Code(text)]; twice {
					t.Errorf("%s declares again what %s does", files.Position(spec.Pos()), other)
				}
				all[fault.Code(text)] = files.Position(spec.Pos()).String()
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("read %d codes; their declarations have changed their form", len(all))
	}
	return all
}

// isCode reports whether a type is fault.Code, or Code in package fault.
func isCode(of ast.Expr) bool {
	switch of := of.(type) {
	case *ast.SelectorExpr:
		room, ok := of.X.(*ast.Ident)
		return ok && room.Name == "fault" && of.Sel.Name == "Code"
	case *ast.Ident:
		return of.Name == "Code"
	}
	return false
}

// TestEveryCodeHasItsWords: names of codes are unique and well formed, the page's English equals the server's, the Chinese
// sentence has the same placeholders, and the page has no sentence without a code.
func TestEveryCodeHasItsWords(t *testing.T) {
	english, chinese := wordsOf(t, "en"), wordsOf(t, "zh")
	form := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	names := regexp.MustCompile(`\{\w+\}`)
	said := map[string]string{}
	for c, at := range codes(t) {
		if !form.MatchString(c.Name()) || c.English() == "" {
			t.Errorf("%s: %q is no code", at, c)
		}
		if other, twice := said[c.Name()]; twice {
			t.Errorf("%s: %s is the name of a code at %s", at, c.Name(), other)
		}
		said[c.Name()] = at
		if got := english[c.Name()]; got != c.English() {
			t.Errorf("%s: the page says %q in English, the server %q", at, got, c.English())
		}
		in := func(sentence string) []string {
			return slices.Compact(slices.Sorted(slices.Values(names.FindAllString(sentence, -1))))
		}
		if got, want := in(chinese[c.Name()]), in(c.English()); chinese[c.Name()] == "" || !slices.Equal(got, want) {
			t.Errorf("%s: %q in Chinese has %v, not %v", at, chinese[c.Name()], got, want)
		}
	}
	for _, word := range fault.Tokens() {
		said[string(word)] = "a token"
		if got := english[string(word)]; got != word.English() {
			t.Errorf("the token %s is %q in English, %q at the server", word, got, word.English())
		}
		if chinese[string(word)] == "" {
			t.Errorf("the token %s has no words in Chinese", word)
		}
	}
	for _, words := range []map[string]string{english, chinese} {
		for name := range maps.Keys(words) {
			if said[name] == "" {
				t.Errorf("the page has words for %s, which nobody says", name)
			}
		}
	}
}

// wordsOf reads the page's sentences of a language, one in a line: key: 'sentence'.
func wordsOf(t *testing.T, language string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../web/ui/src/shared/i18n/faults/" + language + ".ts")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ {4}'?([a-z0-9-]+)'?: (?:'([^']*)'|"([^"]*)"),$`).FindAllStringSubmatch(string(text), -1) {
		all[m[1]] = m[2] + m[3]
	}
	return all
}

package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// eventKinds reads the kinds of events that the domains declare, with the package of each.
func eventKinds(t *testing.T) map[string]string {
	t.Helper()
	kinds := map[string]string{}
	for _, room := range []string{"auth", "sensors", "alerts", "catalogue"} {
		tree, err := parser.ParseFile(token.NewFileSet(), "../../"+room+"/events.go", nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Event") {
				return true
			}
			kind, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			if other, twice := kinds[kind]; twice {
				t.Errorf("%s and %s declare the event %s", other, room, kind)
			}
			kinds[kind] = room
			return true
		})
	}
	if len(kinds) < 12 {
		t.Fatalf("read %d kinds of events; their declarations have changed their form", len(kinds))
	}
	return kinds
}

// Every kind of event is declared once, in the domain that writes it. docs/push-protocol.md lists it, and the description of
// the API names no other kind.
func TestEveryEventIsDeclaredOnce(t *testing.T) {
	kinds := eventKinds(t)
	protocol, err := os.ReadFile("../../docs/push-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	for kind, room := range kinds {
		if !strings.Contains(string(protocol), kind) {
			t.Errorf("docs/push-protocol.md does not have %s (%s)", kind, room)
		}
	}
	openapi, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`"((?:alert|layer|device|presence|rule|silence|account|session|registry)\.[a-z]+)"`).FindAllSubmatch(openapi, -1)
	if len(named) == 0 {
		t.Error("the description of the API names no kind of event")
	}
	for _, m := range named {
		if _, declared := kinds[string(m[1])]; !declared {
			t.Errorf("the description of the API has the event %s, which nobody declares", m[1])
		}
	}
}

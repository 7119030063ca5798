package catalogue_test

import (
	"os"
	"strings"
	"testing"

	"onemap/catalogue"
)

// The example of docs/data.md is a fragment that is taken.
func TestStyleOfTheDocuments(t *testing.T) {
	text, err := os.ReadFile("../docs/data.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## The style of a layer\n")
	_, block, fenced := strings.Cut(section, "\n```json\n")
	example, _, closed := strings.Cut(block, "\n```\n")
	if !found || !fenced || !closed {
		t.Fatal("docs/data.md has no example of a style")
	}
	if _, err := catalogue.ParseStyle([]byte(example)); err != nil {
		t.Error(err)
	}
}

package ui_test

import (
	"os"
	"regexp"
	"testing"

	"onemap/internal/errs"
)

// TestThePageWordsEveryCode holds the page's words against the server's codes: English is the server's own, and
// Chinese has the same names in it.
func TestThePageWordsEveryCode(t *testing.T) {
	english, chinese := wordsOf(t, "en"), wordsOf(t, "zh")
	names := regexp.MustCompile(`\{\w+\}`)
	for _, c := range errs.Codes() {
		if got := english[c.String()]; got != c.English() {
			t.Errorf("%s: the page says %q in English, the server %q", c, got, c.English())
		}
		said, ok := chinese[c.String()]
		if !ok {
			t.Errorf("%s has no words in Chinese", c)
		}
		want := map[string]bool{}
		for _, name := range names.FindAllString(c.English(), -1) {
			want[name] = true
		}
		for _, name := range names.FindAllString(said, -1) {
			delete(want, name)
		}
		if len(want) > 0 {
			t.Errorf("%s: Chinese does without %v: %q", c, want, said)
		}
	}
	for _, term := range errs.Terms() {
		if got := english[string(term)]; got != term.English() {
			t.Errorf("the term %s is %q in English, %q at the server", term, got, term.English())
		}
		if chinese[string(term)] == "" {
			t.Errorf("the term %s has no words in Chinese", term)
		}
	}
}

// wordsOf reads the page's sentences, one a line: key: 'sentence'.
func wordsOf(t *testing.T, language string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("src/i18n/" + language + "/faults.ts")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ {4}'?([a-z0-9-]+)'?: (?:'([^']*)'|"([^"]*)"),$`).FindAllStringSubmatch(string(text), -1) {
		all[m[1]] = m[2] + m[3]
	}
	return all
}

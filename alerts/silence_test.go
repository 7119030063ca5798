package alerts

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// TestSilenceCovers holds Covers against the cases that the page's function is held against, too.
func TestSilenceCovers(t *testing.T) {
	raw, err := os.ReadFile("testdata/silences.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name    string
			Silence Silence
			Alert   Alert
			Now     time.Time
			Covers  bool
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 40 {
		t.Fatalf("%d cases: the file was read wrongly", len(file.Cases))
	}
	seen := map[string]bool{}
	for _, c := range file.Cases {
		if seen[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		seen[c.Name] = true
		if got := c.Silence.Covers(c.Alert, c.Now); got != c.Covers {
			t.Errorf("%s: %v, want %v", c.Name, got, c.Covers)
		}
	}
}

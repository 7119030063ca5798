package searchtext

import (
	"strings"
	"testing"

	"onemap/internal/core"
)

func TestSearchText(t *testing.T) {
	for zh, want := range map[string]string{
		"芝罘区":       "\n芝罘区\nk 1\nzhifuqu\nzfq\n",
		"演示-3号Tank": "\n演示-3号tank\nk 1\nyanshi3haotank\nys3htank\n",
		"Plain":     "\nplain\nk 1\n",
		"":          "\nk 1\n",
	} {
		got := Lines(core.Text{ZH: zh}, " K\n1 ")
		if zh == "演示-3号Tank" || zh == "芝罘区" { // other readings may follow
			if !strings.HasPrefix(got, want) {
				t.Errorf("%q: %q", zh, got)
			}
		} else if got != want {
			t.Errorf("%q: %q, want %q", zh, got, want)
		}
	}
	if got := Lines(core.Text{ZH: strings.Repeat("长", 40)}); strings.Count(got, "\n") > 30 {
		t.Errorf("readings without end: %d lines", strings.Count(got, "\n"))
	}
}

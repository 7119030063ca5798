package kit

import (
	"math"
	"strings"
	"testing"
)

func TestPercentileAndMedian(t *testing.T) {
	var none []float64
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	for _, c := range []struct {
		got, want float64
	}{
		{Percentile(none, 99), 0}, {Percentile(hundred, 99), 99}, {Percentile(hundred, 50), 50}, {Percentile(hundred, 100), 100},
		{Percentile(hundred, 0), 1}, {Percentile([]float64{7}, 99), 7},
		{Median([]float64{3, 1, 2}), 2}, {Median([]float64{4, 1, 2, 3}), 2.5},
	} {
		if c.got != c.want {
			t.Errorf("got %g, want %g", c.got, c.want)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestSlopeIsThatOfALineInNoise(t *testing.T) {
	x, y := []float64{0, 1, 2, 3, 4, 5}, []float64{10.5, 11.5, 14.5, 15.5, 18.5, 19.5} // 10 + 2x, ± 0.5
	if s := Slope(x, y); math.Abs(s-2) > 0.1 {
		t.Errorf("got %g", s)
	}
	if s := Slope([]float64{1}, []float64{5}); s != 0 {
		t.Errorf("one point rises by %g", s)
	}
}

func TestAReportMissesWhatIsBelowItsBar(t *testing.T) {
	r := &Report{Head: []string{"", "rate"}}
	r.Ratio("enough", []float64{14, 15, 16}, 15)
	if r.Missed() {
		t.Error("the bar itself does not pass")
	}
	r.Ratio("too little", []float64{14, 14.9, 16}, 15)
	r.Ratio("nothing", nil, 15)
	if got := strings.Join(r.MissedBars(), ", "); got != "too little, nothing" {
		t.Errorf("missed %s", got)
	}
	r.Note("%d notes", 1)
	r.Row("a row", Number(1234))
	var b strings.Builder
	r.Print(&b)
	want := `- 1 notes

|  | rate |
|---|---|
| a row | 1234 |

| what must hold | bar | measured | |
|---|---|---|---|
| enough | median ≥ 15 | 14.0, 15.0, 16.0; median 15.0 | pass |
| too little | median ≥ 15 | 14.0, 14.9, 16.0; median 14.9 | **miss** |
| nothing | median ≥ 15 | ; median NaN | **miss** |
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

package alertspg_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/alerts"
	"onemap/internal/app/stores/storetest"
)

// TestFlappingOnTheDatabase checks, with the real store, that values that oscillate around a threshold make one alert.
// Its hold, flap count and peak survive a stop of the engine after any value.
func TestFlappingOnTheDatabase(t *testing.T) {
	db := storetest.NewCity(t, 1)
	ds, rule := storetest.StreamsOf(t, db)[0], storetest.NewRule(t, db) // yellow 3, left at 2.5; the hold is 30 s
	rule.ForSeconds = 0
	if _, err := db.Alerts.UpdateRule(t.Context(), rule, rule.Version, "steward"); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	for i := range 10 {
		stop := evaluating(t, db)
		read(t, db, ds, at.Add(time.Duration(i)*300*time.Millisecond), []float64{3.2, 2.4}[i%2]+float64(i%4)/100)
		waitForCursor(t, db)
		stop()
	}
	safe := at.Add(2700 * time.Millisecond) // the tenth
	defer evaluating(t, db)()
	read(t, db, ds, safe.Add(29*time.Second), 2)
	waitForCursor(t, db)
	read(t, db, ds, safe.Add(30*time.Second), 2)
	want := []string{alerts.EventIssued, alerts.EventUpdated, alerts.EventCleared}
	if d := cmp.Diff(want, steps(t, db, len(want))); d != "" {
		t.Fatalf("events (-want +got):\n%s", d)
	}
	snap, err := db.Alerts.Alerts(t.Context(), storetest.CityScope(), alerts.Filter{})
	if err != nil || len(snap.Alerts) != 1 {
		t.Fatalf("alerts: %+v, %v", snap.Alerts, err)
	}
	a := snap.Alerts[0]
	if a.Flaps != 4 || a.PeakValue != 3.22 || !a.PeakAt.Equal(at.Add(600*time.Millisecond)) || a.Value != 2 || a.Detection != alerts.Cleared {
		t.Errorf("the alert in the end: %+v", a)
	}
	if !strings.Contains(a.Headline.EN, "peak yellow") || !strings.Contains(a.Headline.ZH, "最高黄色") || strings.Contains(a.Headline.ZH, "预警") {
		t.Errorf("headline: %+v", a.Headline)
	}
	checkPapers(t, db, a.ID, 2)
	history, err := db.Alerts.History(t.Context(), a.ID)
	if err != nil || len(history) != 3 || !strings.Contains(history[1].Note, fmt.Sprintf("%d times", alerts.FlapsTold)) {
		t.Errorf("history: %+v, %v", history, err)
	}
}

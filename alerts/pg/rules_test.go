package alertspg_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/alerts"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
)

func TestRulesAreEditedByVersion(t *testing.T) {
	db := storetest.NewCity(t, 1)
	ids, r := storetest.StreamsOf(t, db), storetest.NewRule(t, db)
	if r.ID == 0 || r.Version != 1 || r.UpdatedBy != "steward" || len(r.Thresholds) != 2 || r.Thresholds[0].Clear != 4.5 || r.HoldSeconds != 30 {
		t.Errorf("created: %+v", r)
	}
	edited := r
	edited.DatastreamID, edited.ForSeconds, edited.HoldSeconds, edited.Enabled = ids[0], 0, 0, false
	got, err := db.Alerts.UpdateRule(t.Context(), edited, 1, "other")
	if err != nil || got.Version != 2 || got.UpdatedBy != "other" || got.DatastreamID != ids[0] || got.HoldSeconds != 0 || got.Enabled {
		t.Errorf("edited: %+v, %v", got, err)
	}
	if _, err := db.Alerts.UpdateRule(t.Context(), edited, 1, "slow"); !fault.Is(err, fault.Precondition) {
		t.Errorf("by an old version: %v", err)
	}
	if err := db.Alerts.DeleteRule(t.Context(), r.ID, 1, "slow"); !fault.Is(err, fault.Precondition) {
		t.Errorf("deletion by an old version: %v", err)
	}
	if read, err := db.Alerts.Rule(t.Context(), r.ID); err != nil || !cmp.Equal(read, got) {
		t.Errorf("read: %+v, %v", read, err)
	}
	if err := db.Alerts.DeleteRule(t.Context(), r.ID, 2, "steward"); err != nil {
		t.Error(err)
	}
	if all, err := db.Alerts.Rules(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("rules: %+v, %v", all, err)
	}
	if _, err := db.Alerts.Rule(t.Context(), r.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("deleted: %v", err)
	}
	if err := db.Alerts.DeleteRule(t.Context(), r.ID, 3, "steward"); !fault.Is(err, fault.NotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	n := storetest.Count(t, db, `select count(*) from event_log where kind = 'rule.changed' and divisions = '{3706}'`)
	if n != 3 {
		t.Errorf("%d events, want 3, for everybody in the city", n)
	}
}

func TestBadRulesNameTheField(t *testing.T) {
	db := storetest.NewCity(t, 1)
	good := alerts.Rule{Name: core.Text{ZH: "x"}, Type: "level", Direction: alerts.Above, Thresholds: []alerts.Threshold{}}
	for field, change := range map[string]func(*alerts.Rule){
		"datastream_type": func(r *alerts.Rule) { r.Type = "no" },
		"datastream_id":   func(r *alerts.Rule) { r.DatastreamID = 999_999 },
		"direction":       func(r *alerts.Rule) { r.Direction = "sideways" },
		"for_seconds":     func(r *alerts.Rule) { r.ForSeconds = -1 },
		"hold_seconds":    func(r *alerts.Rule) { r.HoldSeconds = -1 },
	} {
		bad := good
		change(&bad)
		if _, err := db.Alerts.CreateRule(t.Context(), bad, "s"); !fault.Is(err, fault.Invalid) || storetest.FieldOf(err) != field {
			t.Errorf("bad %s: %v of field %q", field, err, storetest.FieldOf(err))
		}
	}
}

func TestPutRulesAddsWhatIsMissing(t *testing.T) {
	db := storetest.NewCity(t, 1)
	r := storetest.NewRule(t, db)
	other := r
	other.Name.ZH = "别的"
	for _, want := range []int{1, 0} {
		if n, err := db.Alerts.PutRules(t.Context(), []alerts.Rule{r, other}); err != nil || n != want {
			t.Errorf("added %d, %v; want %d", n, err, want)
		}
	}
	if err := db.Alerts.DeleteRule(t.Context(), r.ID, 1, "s"); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Alerts.PutRules(t.Context(), []alerts.Rule{r}); err != nil || n != 0 {
		t.Errorf("a deleted one came back: %d, %v", n, err)
	}
}

package alertspg_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/web/push"
)

func TestHandlingIsIdempotentAndAudited(t *testing.T) {
	db := storetest.NewCity(t, 2)
	change := storetest.Issued(storetest.NewRule(t, db), storetest.StreamsOf(t, db), 0, core.Red)
	change.Alert.Divisions = []string{"370602", "370614"}
	a := storetest.Apply(t, db, change)[0]
	first := storetest.Ack(t, db, a.ID, "r370602", "370602")
	if first.Handling != alerts.Acknowledged || first.Version != a.Version+1 {
		t.Errorf("acknowledged: %+v", first)
	}
	mark := func(actor string) alerts.Confirmation {
		return alerts.Confirmation{Division: actor[1:7], User: actor, Name: "演示-" + actor, Level: core.Red, At: storetest.Noon().Add(time.Minute), Current: true}
	}
	// the same person again, another of the county twice, then the other county, twice
	both := first
	both.Version, both.Confirmations = first.Version+1, []alerts.Confirmation{mark("r370602"), mark("r370614")}
	for _, step := range []struct {
		actor string
		want  alerts.Alert
	}{{"r370602", first}, {"r370602b", first}, {"r370602b", first}, {"r370614", both}, {"r370614", both}} {
		got := storetest.Ack(t, db, a.ID, step.actor, step.actor[1:7])
		if d := cmp.Diff(step.want, got); d != "" {
			t.Errorf("acknowledged again by %s (-want +got):\n%s", step.actor, d)
		}
	}
	history, err := db.Alerts.History(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, h := range history {
		lines = append(lines, fmt.Sprint(h.Step, " ", h.Actor, " ", h.Before, "-", h.After))
	}
	want := []string{"issued  -firing red", "acknowledge r370602 new-acknowledged",
		"acknowledge r370602b acknowledged-acknowledged", "acknowledge r370614 acknowledged-acknowledged"}
	if !slices.Equal(lines, want) {
		t.Errorf("history: %q, want %q", lines, want)
	}
	var kinds []string
	for _, e := range storetest.AlertEvents(t, db) {
		kinds = append(kinds, e.Kind+" "+e.Actor)
	}
	if want := []string{"alert.issued ", "alert.acknowledged r370602", "alert.acknowledged r370602b", "alert.acknowledged r370614"}; !slices.Equal(kinds, want) {
		t.Errorf("events: %q, want %q", kinds, want)
	}
}

func TestAssignKeepsWhoAndRefusalLeavesNothing(t *testing.T) {
	db := storetest.NewCity(t, 1)
	a := storetest.Apply(t, db, storetest.Issued(storetest.NewRule(t, db), storetest.StreamsOf(t, db), 0, core.Red))[0]
	assign := alerts.Command{AlertID: a.ID, Action: alerts.ActAssign, Actor: "commander", Division: "3706", Note: "请处置", Assignee: "r370602", At: storetest.Noon()}
	got, err := db.Alerts.Handle(t.Context(), storetest.CityScope(), assign, func(a alerts.Alert) (alerts.Alert, bool, error) {
		a.Handling, a.Assignee = alerts.Assigned, assign.Assignee
		return a, true, nil
	})
	if err != nil || got.Assignee != "r370602" || got.Handling != alerts.Assigned {
		t.Fatalf("assigned: %+v, %v", got, err)
	}
	refusal := fault.New(fault.Conflict, "not now")
	_, err = db.Alerts.Handle(t.Context(), storetest.CityScope(), alerts.Command{AlertID: a.ID, Action: alerts.ActClose, Actor: "commander", At: storetest.Noon()},
		func(a alerts.Alert) (alerts.Alert, bool, error) { return a, false, refusal })
	if !errors.Is(err, refusal) {
		t.Errorf("refused: %v", err)
	}
	if _, err := db.Alerts.Handle(t.Context(), storetest.CityScope(), alerts.Command{AlertID: a.ID, Action: "explode"}, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("an unknown step: %v", err)
	}
	history, err := db.Alerts.History(t.Context(), a.ID)
	if err != nil || len(history) != 2 || history[1].Note != "→ r370602: 请处置" {
		t.Errorf("history: %+v, %v", history, err)
	}
	if stored, err := db.Alerts.Alert(t.Context(), storetest.CityScope(), a.ID); err != nil || !cmp.Equal(stored, got) {
		t.Errorf("stored: %+v, %v", stored, err)
	}
}

func TestAlertFilters(t *testing.T) {
	db := storetest.NewCity(t, 4)
	ids, rule := storetest.StreamsOf(t, db), storetest.NewRule(t, db)
	var all []alerts.Alert
	for n, level := range []core.Level{core.Red, core.Orange, core.Yellow, core.Blue} {
		all = append(all, storetest.Apply(t, db, storetest.Issued(rule, ids, n, level))...)
	}
	all[3] = storetest.Apply(t, db, storetest.Cleared(all[3], storetest.Noon().Add(time.Hour)))[0]
	all[1] = storetest.Ack(t, db, all[1].ID, "r370614", "370614")
	tests := map[string]struct {
		f    alerts.Filter
		want []int
	}{
		"all":      {alerts.Filter{}, []int{3, 2, 1, 0}},
		"open":     {alerts.Filter{Open: true}, []int{3, 2, 1, 0}}, // cleared, but nobody has closed it
		"levels":   {alerts.Filter{Levels: []core.Level{core.Red, core.Yellow}}, []int{2, 0}},
		"handling": {alerts.Filter{Handling: []alerts.Handling{alerts.Acknowledged}}, []int{1}},
		"device":   {alerts.Filter{DeviceID: "dev-02"}, []int{2}},
		"text":     {alerts.Filter{Query: "FLOOD"}, []int{3, 2, 1, 0}},
		"percent":  {alerts.Filter{Query: "%"}, nil},
		"quote":    {alerts.Filter{Query: `'; drop table alert; --\`}, nil},
		"page":     {alerts.Filter{Limit: 2, Before: all[3].ID}, []int{2, 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			snap, err := db.Alerts.Alerts(t.Context(), storetest.CityScope(), tt.f)
			if err != nil {
				t.Fatal(err)
			}
			var want, got []int64
			for _, i := range tt.want {
				want = append(want, all[i].ID)
			}
			for _, a := range snap.Alerts {
				got = append(got, a.ID)
			}
			if !slices.Equal(got, want) || snap.Epoch == "" || snap.Head.Seq == 0 {
				t.Errorf("alerts %v of epoch %q at %d, want %v", got, snap.Epoch, snap.Head.Seq, want)
			}
		})
	}
}

func TestCurrentMessages(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids, rule := storetest.StreamsOf(t, db), storetest.NewRule(t, db)
	a := storetest.Apply(t, db, storetest.Issued(rule, ids, 0, core.Red))[0]
	storetest.Apply(t, db, storetest.Issued(rule, ids, 1, core.Red))
	storetest.Apply(t, db, storetest.Cleared(a, storetest.Noon().Add(time.Minute)))
	current := func(s core.Scope, after time.Duration) (ids []string) {
		msgs, err := db.Alerts.CurrentMessages(t.Context(), s, storetest.Noon().Add(after), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			ids = append(ids, m.Identifier)
		}
		return ids
	}
	allClear, other := fmt.Sprintf("clear-%d", a.ID), fmt.Sprintf("id-%d-1", rule.ID)
	if got := current(storetest.CityScope(), 2*time.Minute); !slices.Equal(got, []string{allClear, other}) {
		t.Errorf("just cleared: %v", got)
	}
	if got := current(storetest.CityScope(), 20*time.Minute); !slices.Equal(got, []string{other}) {
		t.Errorf("when the all-clear has expired: %v", got)
	}
	if got := current(core.Scope{Division: "370602"}, 2*time.Minute); !slices.Equal(got, []string{allClear}) {
		t.Errorf("of one county: %v", got)
	}
	if _, err := db.Alerts.MessageByIdentifier(t.Context(), core.Scope{Division: "370602"}, other); !fault.Is(err, fault.NotFound) {
		t.Errorf("another county's message: %v", err)
	}
	if m, err := db.Alerts.MessageByIdentifier(t.Context(), storetest.CityScope(), other); err != nil || string(m.XML) != "<alert/>" {
		t.Errorf("message: %+v, %v", m, err)
	}
}

func TestDeliveries(t *testing.T) {
	db := storetest.NewCity(t, 2)
	one := storetest.NewAccount(t, db, "r370602", core.RoleResponder, "370602")
	storetest.NewAccount(t, db, "r370614", core.RoleResponder, "370614")
	observer := storetest.NewAccount(t, db, "o370614", core.RoleObserver, "370614")
	change := storetest.Issued(storetest.NewRule(t, db), storetest.StreamsOf(t, db), 0, core.Red)
	change.Alert.Divisions = []string{"3706", "370614003"} // lies in 370602
	a := storetest.Apply(t, db, change)[0]
	now := time.Now()
	for _, acc := range []auth.Account{one, observer} {
		c := push.Client{ID: "client-" + acc.Login, Node: "n1", AccountID: acc.ID, Division: acc.Division, ConnectedAt: now}
		if err := db.Push.ClientConnected(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := db.Push.SaveReceipt(t.Context(), c, core.Scope{Division: acc.Division, Role: acc.Role}, 1_000_000, now); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Ack(t, db, a.ID, "r370602", "370602")
	got, err := db.Alerts.Deliveries(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	person := func(at time.Time) []alerts.Person {
		return []alerts.Person{{User: "r370602", Name: "演示-r370602", At: at.UTC().Truncate(time.Microsecond)}}
	}
	confirmed := person(storetest.Noon().Add(time.Minute))
	confirmed[0].Level, confirmed[0].Current = core.Red, true
	want := []alerts.Delivery{
		{
			Division: "370602", Name: core.Text{ZH: "芝罘区", EN: "Zhifu"},
			Connected: person(now), Received: person(now), Confirmed: confirmed,
		},
		{ // nobody connected: an observer is no responder
			Division: "370614", Name: core.Text{ZH: "蓬莱区", EN: "Penglai"},
			Connected: []alerts.Person{}, Received: []alerts.Person{}, Confirmed: []alerts.Person{},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("deliveries (-want +got):\n%s", d)
	}
	if err := db.Push.ClientsSeen(t.Context(), "n1", nil, now); err != nil {
		t.Fatal(err)
	}
	if got, err = db.Alerts.Deliveries(t.Context(), a.ID); err != nil || len(got[0].Connected) != 0 || len(got[0].Received) != 1 {
		t.Errorf("after the node forgot its clients: %+v, %v", got, err)
	}
	if _, err := db.Alerts.Deliveries(t.Context(), 999); !fault.Is(err, fault.NotFound) {
		t.Errorf("of no alert: %v", err)
	}
}

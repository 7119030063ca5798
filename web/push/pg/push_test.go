package pushpg_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/web/push"
)

// receipts returns the alerts that a client has received, with the events that brought them.
func receipts(t testing.TB, db *stores.Stores, client string) (ids, seqs []int64) {
	t.Helper()
	err := db.Pool().QueryRow(t.Context(), `
		select coalesce(array_agg(alert_id order by alert_id), '{}'), coalesce(array_agg(seq order by alert_id), '{}')
		from alert_receipt where client_id = $1`, client).Scan(&ids, &seqs)
	if err != nil {
		t.Fatal(err)
	}
	return ids, seqs
}

func TestReceiptsAreCumulativeAndScoped(t *testing.T) {
	db := storetest.NewCity(t, 4)
	ids, rule := storetest.StreamsOf(t, db), storetest.NewRule(t, db)
	acc := storetest.NewAccount(t, db, "r370602", core.RoleResponder, "370602")
	c := push.Client{ID: "client-1", Node: "n", AccountID: acc.ID, Division: "370602", ConnectedAt: storetest.Noon()}
	scope := core.Scope{Division: "370602", Role: core.RoleResponder}
	save := func(seq int64) {
		t.Helper()
		if err := db.Push.SaveReceipt(t.Context(), c, scope, seq, storetest.Noon()); err != nil {
			t.Fatal(err)
		}
	}
	finished := storetest.Apply(t, db, storetest.Issued(rule, ids, 0, core.Red))[0]
	finished = storetest.Apply(t, db, storetest.Cleared(finished, storetest.Noon()))[0]
	if _, err := db.Pool().Exec(t.Context(), `update alert set handling = 'closed' where id = $1`, finished.ID); err != nil {
		t.Fatal(err)
	}
	mine := storetest.Apply(t, db, storetest.Issued(rule, ids, 2, core.Red))[0]
	theirs := storetest.Apply(t, db, storetest.Issued(rule, ids, 1, core.Red))[0]
	first := seqOf(t, db, mine.ID)

	save(first - 1) // before the event that brings it
	if got, _ := receipts(t, db, c.ID); len(got) != 0 {
		t.Errorf("received before its event: %v", got)
	}
	save(first)
	save(0) // goes back: nothing
	got, seqs := receipts(t, db, c.ID)
	if !slices.Equal(got, []int64{mine.ID}) || !slices.Equal(seqs, []int64{first}) {
		t.Errorf("received %v with %v, want %d alone with %d; another county's is %d", got, seqs, mine.ID, first, theirs.ID)
	}
	save(1 << 60) // beyond the log's head: as far as the head
	if n := storetest.Count(t, db, `select seq from push_receipt`); n != storetest.Count(t, db, `select max(seq) from event_log`) {
		t.Errorf("the receipt is at %d", n)
	}
	again := storetest.Issued(rule, ids, 0, core.Red)
	again.Message.Identifier = "again"
	later := storetest.Apply(t, db, again)[0]
	save(seqOf(t, db, later.ID))
	if got, _ := receipts(t, db, c.ID); !slices.Equal(got, []int64{mine.ID, later.ID}) {
		t.Errorf("received %v, want %v", got, []int64{mine.ID, later.ID})
	}
}

// TestReceiptsDoNotHoldUpTheRules: the rules and a person's step change an alert while a receipt of it, which refers
// to its row, is still being written. Locks that exclude each other would end in a deadlock when there are several.
func TestReceiptsDoNotHoldUpTheRules(t *testing.T) {
	db := storetest.NewCity(t, 2)
	a := storetest.Apply(t, db, storetest.Issued(storetest.NewRule(t, db), storetest.StreamsOf(t, db), 0, core.Red))[0]
	acc := storetest.NewAccount(t, db, "r370602", core.RoleResponder, "370602")
	tx, err := db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `
		insert into alert_receipt (alert_id, account_id, client_id, division_code, seq, received_at) values ($1, $2, 'client-1', '370602', 1, $3)`,
		a.ID, acc.ID, storetest.Noon()); err != nil {
		t.Fatal(err)
	}
	if got := storetest.Ack(t, db, a.ID, "r370602", "370602"); got.Handling != alerts.Acknowledged {
		t.Errorf("acknowledged: %+v", got)
	}
	if got := storetest.Apply(t, db, storetest.Cleared(a, storetest.Noon().Add(time.Minute)))[0]; got.Detection != alerts.Cleared {
		t.Errorf("cleared: %+v", got)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// seqOf is the first event of an alert.
func seqOf(t testing.TB, db *stores.Stores, alert int64) int64 {
	t.Helper()
	return storetest.Count(t, db, `select min(seq) from event_log where subject = $1::bigint::text and kind like 'alert.%'`, alert)
}

func TestWhoIsConnected(t *testing.T) {
	db := storetest.NewCity(t, 0)
	acc := storetest.NewAccount(t, db, "r370602", core.RoleResponder, "370602")
	connect := func(node, id string, s int) {
		t.Helper()
		c := push.Client{ID: id, Node: node, AccountID: acc.ID, Division: "370602", ConnectedAt: storetest.Noon().Add(time.Duration(s) * time.Second)}
		if err := db.Push.ClientConnected(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	check := func(step string, want ...string) {
		t.Helper()
		var got []string
		err := db.Pool().QueryRow(t.Context(), `
			select coalesce(array_agg(client_id || '@' || node order by client_id), '{}') from push_client where connected`).Scan(&got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: connected %v, %v; want %v", step, got, err, want)
		}
	}
	connect("n1", "a", 0)
	connect("n1", "b", 0)
	connect("n2", "c", 0)
	check("three", "a@n1", "b@n1", "c@n2")
	connect("n2", "a", 5)
	if err := db.Push.ClientGone(t.Context(), "n1", "a"); err != nil { // the old node notices late
		t.Fatal(err)
	}
	check("one has moved", "a@n2", "b@n1", "c@n2")
	if err := db.Push.ClientsSeen(t.Context(), "n2", []string{"c"}, storetest.Noon().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	check("one is not listed", "b@n1", "c@n2")
	if err := db.Push.ClientsSeen(t.Context(), "n2", []string{"a", "c"}, storetest.Noon().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	check("listed again", "a@n2", "b@n1", "c@n2")
	if err := db.Push.ClientsSeen(t.Context(), "n1", nil, storetest.Noon()); err != nil {
		t.Fatal(err)
	}
	check("a node that has just started", "a@n2", "c@n2")
}

// TestPresentIsWhoIsConnectedToAnyNode: with what their clients say, and where the alert lies that is open on them.
func TestPresentIsWhoIsConnectedToAnyNode(t *testing.T) {
	db := storetest.NewCity(t, 2)
	now := time.Now()
	connect := func(client, node string, acc auth.Account) {
		t.Helper()
		c := push.Client{ID: client, Node: node, AccountID: acc.ID, Division: acc.Division, ConnectedAt: now}
		if err := db.Push.ClientConnected(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	here := storetest.NewAccount(t, db, "r370602", core.RoleResponder, "370602")
	connect("a-phone", "one", here)
	connect("a-tablet", "two", here) // the same person twice
	connect("b-phone", "one", storetest.NewAccount(t, db, "r370614", core.RoleResponder, "370614"))
	connect("the-wall", "one", storetest.NewAccount(t, db, "boss", core.RoleCommander, "3706")) // no responder
	if err := db.Push.ClientGone(t.Context(), "one", "b-phone"); err != nil {
		t.Fatal(err)
	}
	got, err := db.Push.Present(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, p := range got {
		who = append(who, fmt.Sprintf("%s@%s %s %s %q", p.ID, p.Node, p.Login, p.Role, p.Status.Sound))
	}
	want := []string{`a-phone@one r370602 county_responder ""`, `a-tablet@two r370602 county_responder ""`, `the-wall@one boss city_commander ""`}
	if diff := cmp.Diff(want, who); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestStatusOfAClientIsKept(t *testing.T) {
	db := storetest.NewCity(t, 2)
	a := storetest.Apply(t, db, storetest.Issued(storetest.NewRule(t, db), storetest.StreamsOf(t, db), 0, core.Red))[0]
	acc := storetest.NewAccount(t, db, "r370602", core.RoleResponder, "370602")
	c := push.Client{ID: "a-phone", Node: "one", AccountID: acc.ID, Division: acc.Division, ConnectedAt: time.Now(),
		Status: push.ClientStatus{Sound: push.SoundArmed, Visible: true, Alert: a.ID, Acting: true}}
	if err := db.Push.ClientConnected(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	got, err := db.Push.Present(t.Context())
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if got[0].Status != c.Status || got[0].AlertDivision != a.Division {
		t.Errorf("%+v", got[0])
	}
	division, _, err := db.Alerts.AlertPlace(t.Context(), core.Scope{Division: "370602", Role: core.RoleResponder}, a.ID)
	if err != nil || division != a.Division {
		t.Errorf("%q, %v", division, err)
	}
	if _, _, err := db.Alerts.AlertPlace(t.Context(), core.Scope{Division: "370614", Role: core.RoleResponder}, a.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("another county's: %v", err)
	}
}

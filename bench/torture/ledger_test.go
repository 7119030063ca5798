package torture_test

import (
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/alerts"
	"onemap/sensors"
)

// ledger knows which readings must be stored and compares them with the database.
type ledger struct {
	*stage
	plans      [][]row // of each device; a case may still write to them while it publishes
	complaints int
}

// rows iterates over the readings of every device in the order of their messages.
func (l *ledger) rows(yield func(*row) bool) {
	for _, plan := range l.plans {
		for i := range plan {
			if !yield(&plan[i]) {
				return
			}
		}
	}
}

// loss is one line of the loss table.
type loss struct {
	name                                                  string
	devices, acknowledged, stored, missing, twice, others int
	crossed, alerts, resent, lost                         int
	took                                                  time.Duration
}

// key identifies a reading: every value of a datastream is different.
type key struct {
	datastream int64
	value      float64
}

// stored is a reading as it is in the table.
type stored struct {
	at, received time.Time
	source       sensors.TimeSource
	times        int // how many rows it has
	batches      int // in how many batches it is new
}

// check waits until the rules have evaluated everything and compares. It fails the test if a reading is missing, stored twice
// or unexpected, and returns the line of the table.
func (l *ledger) check(name string) loss {
	l.t.Helper()
	took := time.Since(l.began)
	conn := l.pg.connect(database)
	l.settle(conn)
	out := loss{name: name, devices: len(l.devices), took: took}
	for _, d := range l.devices {
		out.resent += d.resent
		out.lost += d.lost
		for n := range d.acked {
			if d.acked[n] {
				out.acknowledged++
			}
		}
	}
	l.inOrder(conn)
	table := l.read(conn)
	l.compare(&out, table)
	l.compareAlerts(conn, &out, table)
	l.compareLatest(table)
	l.follower.check()
	eventually(l.t, "the server is ready again", func() bool { return l.server.readiness() == http.StatusOK })
	if out.missing+out.twice+out.others > 0 {
		l.t.Errorf("%s: %d readings are missing, %d are there twice, %d were never sent", name, out.missing, out.twice, out.others)
	}
	if out.crossed == 0 || out.crossed != out.alerts {
		l.t.Errorf("%s: thresholds were crossed %d times, and there are %d alerts", name, out.crossed, out.alerts)
	}
	l.t.Logf("%+v", out)
	note(out)
	return out
}

// settle waits until the rules have read every batch: their alerts are stored in the same transaction as their cursor.
func (l *ledger) settle(conn *pgx.Conn) {
	l.t.Helper()
	var state string
	eventually(l.t, "the rules have read every batch", func() bool {
		var done bool
		err := conn.QueryRow(l.t.Context(), `
			select (select seq from rule_cursor) = (select coalesce(max(seq), 0) from ingest_batch),
				format('cursor %s, head %s', (select seq from rule_cursor), (select max(seq) from ingest_batch))`).Scan(&done, &state)
		if err != nil {
			l.t.Fatal(err)
		}
		return done
	})
}

// read returns the stored readings.
func (l *ledger) read(conn *pgx.Conn) map[key]*stored {
	l.t.Helper()
	table := map[key]*stored{}
	rows, err := conn.Query(l.t.Context(), `select datastream_id, value, ts, received_at, time_source from observation where datastream_id > 0`)
	if err != nil {
		l.t.Fatal(err)
	}
	var k key
	var s stored
	var source int16
	if _, err := pgx.ForEachRow(rows, []any{&k.datastream, &k.value, &s.at, &s.received, &source}, func() error {
		if old := table[k]; old != nil {
			old.times++
			return nil
		}
		table[k] = &stored{at: s.at.UTC(), received: s.received.UTC(), source: sensors.TimeSource(source), times: 1}
		return nil
	}); err != nil {
		l.t.Fatal(err)
	}
	rows, err = conn.Query(l.t.Context(), `select u.id, value from ingest_batch, unnest(datastream_ids, "values") as u (id, value)`)
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := pgx.ForEachRow(rows, []any{&k.datastream, &k.value}, func() error {
		if table[k] == nil {
			table[k] = &stored{}
		}
		table[k].batches++
		return nil
	}); err != nil {
		l.t.Fatal(err)
	}
	return table
}

// inOrder checks that each device's readings were stored in the order in which it sent them. A reading that overtakes another
// makes that one late, and the rules do not evaluate late readings.
func (l *ledger) inOrder(conn *pgx.Conn) {
	l.t.Helper()
	want := 0
	for r := range l.rows {
		if r.late {
			want++
		}
	}
	var late int
	err := conn.QueryRow(l.t.Context(), `
		select count(*) filter (where now < newest) from (
			select now, max(now) over (partition by datastream_id order by seq rows between unbounded preceding and 1 preceding) as newest
			from (select datastream_id, seq, case time_source when $1 then received_at else ts end as now from observation where datastream_id > 0) as o
		) as o`, int16(sensors.TimeWrong)).Scan(&late)
	if err != nil {
		l.t.Fatal(err)
	}
	if late != want {
		l.t.Errorf("%d readings were overtaken by later ones, want %d", late, want)
	}
}

// compare compares the table with the rows whose messages were acknowledged. A reading that is in no batch is missing, too:
// the rules, which follow the batches, have not seen it.
func (l *ledger) compare(out *loss, table map[key]*stored) {
	l.t.Helper()
	expected := map[key]bool{}
	for r := range l.rows {
		if r.never {
			continue
		}
		k := key{r.device.datastream, r.value}
		expected[k] = true
		got := table[k]
		switch {
		case got == nil || got.times == 0 || got.batches == 0:
			if r.device.acked[r.n] {
				out.missing++
				l.complain("%s's reading %d of %s is missing: %+v", r.device.id, r.n, r.at, got)
			}
			continue
		case got.times > 1 || got.batches > 1:
			out.twice++
			l.complain("%s's reading %d of %s is stored %d times and new in %d batches", r.device.id, r.n, r.at, got.times, got.batches)
		case !got.at.Equal(r.at):
			out.others++
			l.complain("%s's reading %d of %s is stored at %s", r.device.id, r.n, r.at, got.at)
		case (got.source == sensors.TimeWrong) != r.wrong:
			l.t.Errorf("%s's reading %d of %s: its time's source is %d", r.device.id, r.n, r.at, got.source)
		}
		out.stored++
	}
	for k := range table {
		if !expected[k] {
			out.others++
			l.complain("datastream %d has %v, which nobody sent to be stored", k.datastream, k.value)
		}
	}
}

// complain logs the first 20 differences; there may be thousands.
func (l *ledger) complain(format string, args ...any) {
	l.t.Helper()
	if l.complaints++; l.complaints <= 20 {
		l.t.Logf(format, args...)
	}
}

// episode is one crossing of the threshold.
type episode struct {
	datastream int64
	onset      time.Time
}

// compareAlerts checks that each crossing has raised one alert, that is cleared by now and has its event and its CAP
// messages.
func (l *ledger) compareAlerts(conn *pgx.Conn, out *loss, table map[key]*stored) {
	l.t.Helper()
	want := map[episode]int{}
	for r := range l.rows {
		if !r.onset {
			continue
		}
		out.crossed++
		at := r.at
		if got := table[key{r.device.datastream, r.value}]; r.wrong && got != nil {
			at = got.received
		}
		want[episode{r.device.datastream, at}] = 0
	}
	rows, err := conn.Query(l.t.Context(), `
		select a.datastream_id, a.onset, a.detection,
			(select count(*) from event_log e where e.kind = $1 and e.subject = a.id::text),
			(select count(*) from event_log e where e.kind = $2 and e.subject = a.id::text),
			(select string_agg(msg_type, ' ' order by sent, msg_type) from cap_message m where m.alert_id = a.id)
		from alert a`, alerts.EventIssued, alerts.EventCleared)
	if err != nil {
		l.t.Fatal(err)
	}
	var e episode
	var detection, messages string
	var issued, cleared int
	if _, err := pgx.ForEachRow(rows, []any{&e.datastream, &e.onset, &detection, &issued, &cleared, &messages}, func() error {
		e.onset = e.onset.UTC()
		out.alerts++
		if _, ok := want[e]; !ok {
			l.t.Errorf("datastream %d has an alert of %s, and nothing was crossed then", e.datastream, e.onset)
		}
		want[e]++
		if detection != "cleared" || issued != 1 || cleared != 1 || messages != "Alert Update" {
			l.t.Errorf("the alert of datastream %d and %s is %s; %d events issued it, %d cleared it; its messages are %s",
				e.datastream, e.onset, detection, issued, cleared, messages)
		}
		return nil
	}); err != nil {
		l.t.Fatal(err)
	}
	for e, n := range want {
		if n != 1 {
			l.t.Errorf("the crossing of datastream %d at %s has %d alerts", e.datastream, e.onset, n)
		}
	}
}

// compareLatest holds what the API says of each datastream's newest reading against the ledger.
func (l *ledger) compareLatest(table map[key]*stored) {
	l.t.Helper()
	want := map[int64]*row{}
	for r := range l.rows {
		if r.device.acked[r.n] && !r.late && !r.never { // rows are in the order of their messages
			want[r.device.datastream] = r
		}
	}
	var got struct{ Items []sensors.Device }
	l.get("/api/v1/devices", &got)
	if len(got.Items) != len(l.devices) {
		l.t.Errorf("the API lists %d devices of %d", len(got.Items), len(l.devices))
	}
	for _, d := range got.Items {
		r := want[d.Streams[0].ID]
		if r == nil {
			l.t.Errorf("nothing of %s was acknowledged", d.ID)
			continue
		}
		at := r.at
		if s := table[key{d.Streams[0].ID, r.value}]; r.wrong && s != nil {
			at = s.received
		}
		if o := d.Streams[0].Latest; o == nil || o.Value != r.value || !o.Time.Equal(at) {
			l.t.Errorf("%s's newest reading is %+v, not %v of %s", d.ID, o, r.value, at)
		}
	}
}

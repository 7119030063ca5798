package sensorspg

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/pg"
	"onemap/internal/text"
	"onemap/sensors"
)

// The budget of the quarantine, by node and minute of receipt: the number of rows of one device, and of all devices together.
// A device without a row in this minute may always have one. Payloads beyond the budget are counted in one row. All
// unregistered senders count as one device.
const (
	quarantineRowsEach = 60
	quarantineRowsAll  = 20_000
)

// quarantineBudget counts the rows of the newest minute. Its zero value is empty and ready for use.
type quarantineBudget struct {
	mu     sync.Mutex
	minute time.Time // the newest minute
	all    int
	each   map[string]int // rows by owner in that minute
}

// quarantineMore is the sum of a device's payloads beyond its budget in one minute.
type quarantineMore struct {
	first sensors.Quarantined
	n     int64
	bytes int64
}

// unregistered is the owner of the rows that no registered device has sent.
const unregistered = ""

// owner returns the device whose budget a row uses.
func owner(q *sensors.Quarantined) string {
	if q.Reason == sensors.ReasonUnknownDevice {
		return unregistered
	}
	return q.DeviceID
}

// split returns the rows within the budget, and the sums of the others by device and minute. Rows of an earlier minute use
// the budget of the newest one. It does not change the budget: spend does, after the commit.
func (b *quarantineBudget) split(rows []sensors.Quarantined) (within []sensors.Quarantined, beyond []quarantineMore) {
	if len(rows) == 0 {
		return rows, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	type key struct {
		device string
		minute time.Time
	}
	all, each, sums := b.all, map[string]int{}, map[key]int{}
	minute := b.minute
	for i := range rows {
		if at := rows[i].At.Truncate(time.Minute); at.After(minute) {
			minute, all = at, 0
		}
	}
	for i := range rows {
		q, who := &rows[i], owner(&rows[i])
		n, known := each[who]
		if !known && minute.Equal(b.minute) {
			n = b.each[who]
		}
		if n < quarantineRowsEach && (all < quarantineRowsAll || n == 0) {
			each[who], all = n+1, all+1
			within = append(within, *q)
			continue
		}
		k := key{who, q.At.UTC().Truncate(time.Minute)}
		at, ok := sums[k]
		if !ok {
			at = len(beyond)
			sums[k] = at
			first := *q
			first.DeviceID, first.At = who, k.minute
			beyond = append(beyond, quarantineMore{first: first})
		}
		beyond[at].n++
		beyond[at].bytes += int64(q.Size)
	}
	slices.SortFunc(beyond, func(a, b quarantineMore) int { // rows are locked in this order
		return cmp.Or(cmp.Compare(a.first.DeviceID, b.first.DeviceID), a.first.At.Compare(b.first.At))
	})
	return within, beyond
}

// spend counts the rows that a commit has stored.
func (b *quarantineBudget) spend(rows []sensors.Quarantined) {
	if len(rows) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range rows {
		if at := rows[i].At.Truncate(time.Minute); at.After(b.minute) {
			b.minute, b.all, b.each = at, 0, nil
		}
	}
	if b.each == nil {
		b.each = map[string]int{}
	}
	for i := range rows {
		b.each[owner(&rows[i])]++
	}
	b.all += len(rows)
}

// quarantineSQL stores payloads that could not be decoded. quarantineArgs returns its arguments.
const quarantineSQL = `
	insert into quarantine (at, device_id, topic, reason, detail, payload, size, faults)
	select at, device_id, topic, reason, detail, payload, size, $8::jsonb -> (n::int - 1) from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::int[])
		with ordinality as u (at, device_id, topic, reason, detail, payload, size, n)`

// moreSQL counts payloads beyond the budget. moreArgs returns its arguments. The row keeps the first payload of its minute.
const moreSQL = `
	insert into quarantine (at, device_id, topic, reason, detail, payload, size, faults, more, more_bytes)
	select at, device_id, topic, reason, detail, payload, size, $8::jsonb -> (n::int - 1), more, more_bytes
	from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::int[], $9::bigint[], $10::bigint[])
		with ordinality as u (at, device_id, topic, reason, detail, payload, size, more, more_bytes, n) order by n
	on conflict (device_id, at) where more > 0 do update
	set more = quarantine.more + excluded.more, more_bytes = quarantine.more_bytes + excluded.more_bytes`

// moreArgs returns the arguments of moreSQL.
func moreArgs(beyond []quarantineMore) []any {
	rows, more, bytes := make([]sensors.Quarantined, len(beyond)), make([]int64, len(beyond)), make([]int64, len(beyond))
	for i, b := range beyond {
		rows[i], more[i], bytes[i] = b.first, b.n, b.bytes
	}
	return append(quarantineArgs(rows), more, bytes)
}

// quarantineArgs returns the arguments of quarantineSQL. It removes what PostgreSQL cannot store, such as NUL in text.
func quarantineArgs(qs []sensors.Quarantined) []any {
	n := len(qs)
	at, sizes, payloads := make([]time.Time, n), make([]int32, n), make([][]byte, n)
	devices, topics, reasons, details := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	faults := make([][]sensors.Fault, n)
	for i, q := range qs {
		at[i], sizes[i], payloads[i] = q.At, int32(min(q.Size, 1<<31-1)), append([]byte{}, q.Payload...)
		devices[i], topics[i] = text.MakeStorable(q.DeviceID), text.MakeStorable(q.Topic)
		reasons[i], details[i], faults[i] = text.MakeStorable(q.Reason), text.MakeStorable(q.Detail), cleanFaults(q.Faults)
	}
	return []any{at, devices, topics, reasons, details, payloads, sizes, faults}
}

// cleanFaults returns the faults with text that PostgreSQL can store: jsonb allows no NUL either.
func cleanFaults(faults []sensors.Fault) []sensors.Fault {
	out := make([]sensors.Fault, len(faults))
	for i, f := range faults {
		f.Field, f.Code, f.Params = text.MakeStorable(f.Field), text.MakeStorable(f.Code), maps.Clone(f.Params)
		for name, value := range f.Params {
			f.Params[name] = text.MakeStorable(value)
		}
		out[i] = f
	}
	return out
}

// The rows with their owners and times, of the tables that all devices share.
const (
	quarantineOwners = `select q.id, q.at, coalesce(d.id, '') as owner from quarantine q left join device d on d.id = q.device_id`
	conflictOwners   = `select c.id, c.received_at as at, coalesce(s.device_id, '') as owner from observation_conflict c left join datastream s on s.id = c.datastream_id`
)

// PruneQuarantine deletes the rows that the policy does not keep: those that are too old, and those above the number of rows.
// Above the number, the devices with most rows lose their oldest rows, so that one device cannot displace the rows of others.
// It also updates the metrics of the quarantine.
func (db *DB) PruneQuarantine(ctx context.Context, policy ReadingsPolicy) (int64, error) {
	p := policy.withDefaults()
	old, err := db.pool.DeleteChunks(ctx, `
		delete from quarantine where id in (select id from quarantine where at < $2 order by at limit $1)`, db.now().Add(-p.Quarantine))
	if err != nil {
		return old, pg.MapErr(err, "prune the quarantine")
	}
	more, err := db.pruneShares(ctx, "quarantine", quarantineOwners, p.QuarantineRows)
	if err != nil {
		return old + more, pg.MapErr(err, "prune the quarantine")
	}
	var rows, bytes int64
	err = db.pool.QueryRow(ctx, `select count(*), coalesce(sum(length(payload)), 0) from quarantine`).Scan(&rows, &bytes)
	if err == nil {
		db.quarantined.rows.Store(rows)
		db.quarantined.bytes.Store(bytes)
	}
	return old + more, pg.MapErr(err, "measure the quarantine")
}

// pruneShares deletes rows until a table has at most most. It reduces the owners with most rows to the same number, and
// deletes their oldest rows.
func (db *DB) pruneShares(ctx context.Context, table, owners string, most int) (int64, error) {
	var total int
	if err := db.pool.QueryRow(ctx, `select count(*) from `+table).Scan(&total); err != nil || total <= most {
		return 0, err
	}
	rows, err := db.pool.Query(ctx, `select count(*) from (`+owners+`) o group by owner`)
	if err != nil {
		return 0, err
	}
	var counts []int
	var n int
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			rows.Close()
			return 0, err
		}
		counts = append(counts, n)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	return db.pool.DeleteChunks(ctx, `
		delete from `+table+` where id in (
			select id from (select id, row_number() over (partition by owner order by at desc, id desc) as place from (`+owners+`) o) p
			where place > $2 limit $1)`, shareOf(counts, most))
}

// shareOf returns the largest number of rows that each owner may keep, so that all together keep at most most. counts are the
// rows of each owner. Owners with few rows keep them all, and the others share the rest equally.
func shareOf(counts []int, most int) int {
	slices.Sort(counts)
	for i, n := range counts {
		if left := len(counts) - i; n > most/left {
			return most / left
		}
		most -= n
	}
	return most
}

// quarantineSize is the size that PruneQuarantine measured last.
type quarantineSize struct{ rows, bytes atomic.Int64 }

// registerMetrics exports the size of the quarantine.
func registerMetrics(reg prometheus.Registerer, db *DB) error {
	if reg == nil {
		return nil
	}
	size := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "onemap", Subsystem: "quarantine", Name: name, Help: help},
			func() float64 { return float64(value()) })
	}
	for _, c := range []prometheus.Collector{
		size("rows", "Rows of the quarantine, as they were counted last, within a minute.", db.quarantined.rows.Load),
		size("bytes", "Bytes of the payloads that it keeps.", db.quarantined.bytes.Load),
	} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register the store's metrics: %w", err)
		}
	}
	return nil
}

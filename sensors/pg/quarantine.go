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

// The budget of the quarantine, by node and minute of receipt: a device has so many rows, and all of them together so
// many; then a device that has none yet still has one. What comes beyond that is counted in one row. All who are not
// registered are one device.
const (
	quarantineRowsEach = 60
	quarantineRowsAll  = 20_000
)

// quarantineBudget is what each device has put to quarantine in its newest minute. Its zero value is empty and ready.
type quarantineBudget struct {
	mu     sync.Mutex
	minute time.Time // of all
	all    int
	each   map[string]int // in that minute
}

// quarantineMore is what a device sent in a minute beyond its budget.
type quarantineMore struct {
	first sensors.Quarantined
	n     int64
	bytes int64
}

// stranger is the owner of what no registered device has sent.
const stranger = ""

// owner is whose budget a row is of.
func owner(q *sensors.Quarantined) string {
	if q.Reason == sensors.ReasonUnknownDevice {
		return stranger
	}
	return q.DeviceID
}

// split returns the rows that are within the budget, and sums of the others by device and minute. Rows of a minute before
// the newest count to that.
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
	slices.SortFunc(beyond, func(a, b quarantineMore) int { // the order in which their rows are locked
		return cmp.Or(cmp.Compare(a.first.DeviceID, b.first.DeviceID), a.first.At.Compare(b.first.At))
	})
	return within, beyond
}

// spend takes over the rows that a commit has stored.
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

// quarantineSQL stores what could not be decoded; its arguments are quarantineArgs'.
const quarantineSQL = `
	insert into quarantine (at, device_id, topic, reason, detail, payload, size, faults)
	select at, device_id, topic, reason, detail, payload, size, $8::jsonb -> (n::int - 1) from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::int[])
		with ordinality as u (at, device_id, topic, reason, detail, payload, size, n)`

// moreSQL counts what came beyond the budget; its arguments are moreArgs'. The row keeps the first of its minute.
const moreSQL = `
	insert into quarantine (at, device_id, topic, reason, detail, payload, size, faults, more, more_bytes)
	select at, device_id, topic, reason, detail, payload, size, $8::jsonb -> (n::int - 1), more, more_bytes
	from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::int[], $9::bigint[], $10::bigint[])
		with ordinality as u (at, device_id, topic, reason, detail, payload, size, more, more_bytes, n) order by n
	on conflict (device_id, at) where more > 0 do update
	set more = quarantine.more + excluded.more, more_bytes = quarantine.more_bytes + excluded.more_bytes`

func moreArgs(beyond []quarantineMore) []any {
	rows, more, bytes := make([]sensors.Quarantined, len(beyond)), make([]int64, len(beyond)), make([]int64, len(beyond))
	for i, b := range beyond {
		rows[i], more[i], bytes[i] = b.first, b.n, b.bytes
	}
	return append(quarantineArgs(rows), more, bytes)
}

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

// cleanFaults is text.MakeStorable of all that faults say: a NUL fits no jsonb column either.
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

// The owners of rows, and the order in which they came, of the tables that devices share.
const (
	quarantineOwners = `select q.id, q.at, coalesce(d.id, '') as owner from quarantine q left join device d on d.id = q.device_id`
	conflictOwners   = `select c.id, c.received_at as at, coalesce(s.device_id, '') as owner from observation_conflict c left join datastream s on s.id = c.datastream_id`
)

// PruneQuarantine keeps the quarantine within its policy: no row is older, and there are no more than the policy's. Of
// those that are too many the oldest of the devices with most go first, so that no device pushes out another's.
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

// pruneShares deletes rows until a table has no more than most: of each owner the oldest, down to the same number for
// all that have more.
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

// shareOf is how many each may keep at most, so that all together keep no more than most.
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

// quarantineSize is what PruneQuarantine found last.
type quarantineSize struct{ rows, bytes atomic.Int64 }

// registerMetrics shows the size of the quarantine.
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

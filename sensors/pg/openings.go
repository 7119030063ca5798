package sensorspg

import (
	"context"
	"slices"
	"sync"
	"time"

	"onemap/sensors"
)

// monthsPerDay is the number of month partitions that one device may cause in a day. A month counts if it has no partition yet
// and is more than one month from the receipt. Twelve are enough for a device that sends the stored readings of a year, and
// bound the damage of a wrong clock. Imports of history are not limited.
const monthsPerDay = 12

// openings counts the partitions that each device has caused today. Its zero value is empty and ready for use.
type openings struct {
	mu sync.Mutex
	// day is the current day in UTC; each counts the months by device.
	day  time.Time
	each map[string]int
}

// take counts a month for the device. It returns false if the device has reached the limit of the day.
func (o *openings) take(device string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if day := now.UTC().Truncate(24 * time.Hour); !day.Equal(o.day) {
		o.day, o.each = day, map[string]int{}
	}
	if o.each[device] >= monthsPerDay {
		return false
	}
	o.each[device]++
	return true
}

// isNear reports whether a month is that of the receipt, the one before or the one after.
func (k partitionKey) isNear(received time.Time) bool {
	r := received.UTC()
	apart := 12*(k.year-r.Year()) + int(k.month-r.Month())
	return -1 <= apart && apart <= 1
}

// boundMonths removes the readings whose month has no partition and whose device may not cause one; they go to quarantine.
// The months that are left must be created.
func (db *DB) boundMonths(ctx context.Context, p *batchPlan, months map[partitionKey]struct{}) error {
	missing := db.partitions.missing(months)
	if len(missing) == 0 {
		return nil
	}
	there, err := db.existing(ctx, missing)
	if err != nil {
		return err
	}
	db.partitions.add(there)
	begun, refused := map[partitionKey]bool{}, map[partitionKey]bool{}
	for _, k := range there {
		begun[k] = true
	}
	for _, k := range missing {
		refused[k] = !begun[k]
	}
	now := db.now()
	for i := range p.fresh { // one reading that may cause a month is enough for all readings of that month
		r := &p.fresh[i]
		k := partitionOf(r.retention, r.Time)
		if refused[k] && (k.isNear(r.ReceivedAt) || db.openings.take(r.device, now)) {
			refused[k] = false
		}
		if !r.Now.IsZero() { // the month of the receipt is always allowed
			delete(refused, partitionOf(r.retention, r.Now))
		}
	}
	p.fresh = slices.DeleteFunc(p.fresh, func(r reading) bool {
		k := partitionOf(r.retention, r.Time)
		if refused[k] {
			p.quarantineReading(r.Observation, r.device, sensors.OneFault(sensors.ReasonBadTime, "t", sensors.CodeMonthNotOpened, r.Time.Format(time.RFC3339Nano), monthsPerDay))
		}
		return refused[k]
	})
	for k, is := range refused {
		if is {
			delete(months, k)
		}
	}
	return nil
}

// existing returns those of the partitions that exist in the database.
func (db *DB) existing(ctx context.Context, keys []partitionKey) (there []partitionKey, err error) {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.table()
	}
	rows, err := db.pool.Query(ctx, `
		select n from unnest($1::text[]) with ordinality as u (name, n)
		where exists (select from pg_class where relname = name and relnamespace = current_schema()::regnamespace and relispartition)`, names)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		there = append(there, keys[n-1])
	}
	return there, rows.Err()
}

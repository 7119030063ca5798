package sensorspg

import (
	"context"
	"slices"
	"sync"
	"time"

	"onemap/sensors"
)

// monthsADay is how many months a device may begin on a day that are further than one from the receipt and have no
// partition yet: a year, for a device that sends what it has kept, and not ten for one whose clock is mad. Imports of
// history are not bounded.
const monthsADay = 12

// openings are the months that devices have begun today. Its zero value is empty and ready.
type openings struct {
	mu   sync.Mutex
	day  time.Time
	each map[string]int
}

// take counts a month for the device; false when it has had its share of the day.
func (o *openings) take(device string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if day := now.UTC().Truncate(24 * time.Hour); !day.Equal(o.day) {
		o.day, o.each = day, map[string]int{}
	}
	if o.each[device] >= monthsADay {
		return false
	}
	o.each[device]++
	return true
}

// isNear reports whether a month is that of the receipt or one beside it.
func (k partitionKey) isNear(received time.Time) bool {
	r := received.UTC()
	apart := 12*(k.year-r.Year()) + int(k.month-r.Month())
	return -1 <= apart && apart <= 1
}

// boundMonths takes the readings out of the plan whose month is not there and that their device may not begin; they go
// to quarantine. What is left of the months is to be made.
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
	for i := range p.fresh { // the first that may begin a month does so for all
		r := &p.fresh[i]
		k := partitionOf(r.retention, r.Time)
		if refused[k] && (k.isNear(r.ReceivedAt) || db.openings.take(r.device, now)) {
			refused[k] = false
		}
		if !r.Now.IsZero() {
			delete(refused, partitionOf(r.retention, r.Now))
		}
	}
	p.fresh = slices.DeleteFunc(p.fresh, func(r reading) bool {
		k := partitionOf(r.retention, r.Time)
		if refused[k] {
			p.setAside(r.Observation, r.device, sensors.OneFault(sensors.ReasonBadTime, "t", sensors.CodeMonthNotOpened, r.Time.Format(time.RFC3339Nano), monthsADay))
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

// existing returns those of the months that are there.
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

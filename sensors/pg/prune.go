package sensorspg

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/pg"
)

// ReadingsPolicy defines how long and how much is kept. A zero field stands for the default that its comment names.
type ReadingsPolicy struct {
	Quarantine     time.Duration // 30 days
	QuarantineRows int           // largest number of rows; the devices with most rows lose their oldest ones; 100,000
	Conflicts      time.Duration // 365 days
	ConflictRows   int           // the same for conflicts; 1,000,000
	Batches        time.Duration // age of ingest_batch rows that the rules have evaluated; 24 hours
}

// day is the unit of the defaults.
const day = 24 * time.Hour

// withDefaults returns the policy with the default in each field that is zero or negative.
func (p ReadingsPolicy) withDefaults() ReadingsPolicy {
	return ReadingsPolicy{
		Quarantine: cmp.Or(max(p.Quarantine, 0), 30*day), QuarantineRows: cmp.Or(max(p.QuarantineRows, 0), 100_000),
		Conflicts: cmp.Or(max(p.Conflicts, 0), 365*day), ConflictRows: cmp.Or(max(p.ConflictRows, 0), 1_000_000),
		Batches: cmp.Or(max(p.Batches, 0), day),
	}
}

// PrunedReadings holds the numbers of deleted rows and the names of the dropped partitions.
type PrunedReadings struct {
	Quarantine, Conflicts, Batches int64
	Partitions                     []string
}

// PruneReadings deletes what the policy does not keep, drops the months of observations that are older than their retention
// class keeps, and creates the partitions of this and the next month. The newest batch always stays, so that the numbers of
// batches never go back.
func (db *DB) PruneReadings(ctx context.Context, policy ReadingsPolicy) (r PrunedReadings, err error) {
	p, now := policy.withDefaults(), db.now()
	// The contract "no committed reading escapes the rules": a batch that the rules have not evaluated stays, however
	// old it is. rule_cursor.seq is the last evaluated one.
	if r.Batches, err = db.pool.DeleteChunks(ctx, `
		delete from ingest_batch where seq in (
			select seq from ingest_batch where at < $2 and seq <= (select seq from rule_cursor)
				and seq < (select max(seq) from ingest_batch)
			order by seq limit $1)`, now.Add(-p.Batches)); err != nil {
		return r, pg.MapErr(err, "prune batches")
	}
	if r.Conflicts, err = db.pool.DeleteChunks(ctx, `
		delete from observation_conflict where id in (
			select id from observation_conflict where received_at < $2 limit $1)`, now.Add(-p.Conflicts)); err != nil {
		return r, pg.MapErr(err, "prune conflicts")
	}
	if r.Quarantine, err = db.PruneQuarantine(ctx, p); err != nil {
		return r, err
	}
	n, err := db.pruneShares(ctx, "observation_conflict", conflictOwners, p.ConflictRows)
	if r.Conflicts += n; err != nil {
		return r, pg.MapErr(err, "prune conflicts")
	}
	if r.Partitions, err = db.prunePartitions(ctx, now); err != nil {
		return r, pg.MapErr(err, "prune observations")
	}
	return r, pg.MapErr(db.makeComing(ctx, now), "make the coming partitions")
}

// prunePartitions drops the months that ended more than keep_months months ago. Tables whose name is not that of a partition
// stay.
func (db *DB) prunePartitions(ctx context.Context, now time.Time) ([]string, error) {
	rows, err := db.pool.Query(ctx, `
		select r.code, r.keep_months, m.relname
		from retention_class r
		join pg_class c on c.oid = to_regclass('observation_' || r.code)
		join pg_inherits i on i.inhparent = c.oid join pg_class m on m.oid = i.inhrelid order by m.relname`)
	if err != nil {
		return nil, err
	}
	var past []partitionKey
	var code, table string
	var keep int
	_, err = pgx.ForEachRow(rows, []any{&code, &keep, &table}, func() error {
		if k, ok := partitionNamed(code, table); ok && !k.to().AddDate(0, keep, 0).After(now) {
			past = append(past, k)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var dropped []string
	for _, k := range past {
		if err := db.dropPartition(ctx, k); err != nil {
			return dropped, fmt.Errorf("drop %s: %w", k.table(), err)
		}
		dropped = append(dropped, k.table())
	}
	return dropped, nil
}

// dropPartition waits for the current writers. pg.BoundWaits limits this wait, because all later writers wait behind it.
func (db *DB) dropPartition(ctx context.Context, k partitionKey) error {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		if err := pg.BoundWaits(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, partitionLock); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `drop table if exists `+pgx.Identifier{k.table()}.Sanitize())
		return err
	})
	// The cache is cleared also after an error, because the outcome of a failed commit is unknown.
	db.partitions.forget()
	return err
}

// monthOfTable matches the name of a partition: retention class, year, month.
func monthOfTable() *regexp.Regexp {
	return regexp.MustCompile(`^observation_([a-z]+)_([0-9]{4})_([0-9]{2})$`)
}

// partitionNamed parses the name of a table. It returns false if the table is not a month of the retention class.
func partitionNamed(retention, table string) (partitionKey, bool) {
	m := monthOfTable().FindStringSubmatch(table)
	if m == nil || m[1] != retention {
		return partitionKey{}, false
	}
	year, _ := strconv.Atoi(m[2])  // the expression matches only digits
	month, _ := strconv.Atoi(m[3]) // the same
	return partitionKey{retention, year, time.Month(month)}, month >= 1 && month <= 12
}

// makeComing creates the partitions of this and the next month for every retention class, so that no reading waits for that
// at the beginning of a month.
func (db *DB) makeComing(ctx context.Context, now time.Time) error {
	rows, err := db.pool.Query(ctx, `select code from retention_class`)
	if err != nil {
		return err
	}
	codes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	want := make(map[partitionKey]struct{}, 2*len(codes))
	for _, code := range codes {
		k := partitionOf(code, now)
		want[k] = struct{}{}
		want[partitionOf(code, k.to())] = struct{}{}
	}
	return db.ensurePartitions(ctx, want)
}

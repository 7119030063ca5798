package store

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/eventlog"
	"onemap/internal/pg"
)

// PrunePolicy says how long what has done its service is kept. A zero duration or number is the
// default named with it.
type PrunePolicy struct {
	Events         time.Duration // of the event log; 30 days. Who was away longer takes a snapshot
	Quarantine     time.Duration // 30 days
	QuarantineRows int           // at most that many rows, of which each device has its share; 100,000
	Conflicts      time.Duration // 365 days
	ConflictRows   int           // likewise; 1,000,000
	Batches        time.Duration // of ingest_batch, once the rules have evaluated them; 24 hours
	Sessions       time.Duration // after their end; 30 days
	Clients        time.Duration // of the push, since last seen; 90 days
	Callers        time.Duration // devices and addresses of logins, since the last success; 180 days
	FailedLogins   time.Duration // the list of them; 90 days
	FailedRows     int           // at most that many rows of it, the newest, and counts of failures; 200,000
}

const day = 24 * time.Hour

func (p PrunePolicy) withDefaults() PrunePolicy {
	or := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	or(&p.Events, 30*day)
	or(&p.Quarantine, 30*day)
	or(&p.Conflicts, 365*day)
	or(&p.Batches, day)
	or(&p.Sessions, 30*day)
	or(&p.Clients, 90*day)
	or(&p.Callers, 180*day)
	or(&p.FailedLogins, 90*day)
	if p.QuarantineRows <= 0 {
		p.QuarantineRows = 100_000
	}
	if p.ConflictRows <= 0 {
		p.ConflictRows = 1_000_000
	}
	if p.FailedRows <= 0 {
		p.FailedRows = 200_000
	}
	return p
}

// PruneReport says how many rows went, and which tables of observations.
type PruneReport struct {
	Events, Changes, Quarantine, Conflicts, Batches, Sessions, Clients, Logins int64
	Partitions                                                                 []string
}

// pruneChunk is how many rows one transaction deletes at most, so that none takes long.
const pruneChunk = 5000

// Prune deletes what the policy no longer keeps, drops the months of observations that are past
// their retention class, and makes the coming month's. It may run on every node at any time; what
// an error left behind is done by the next run. The newest event and batch always stay, so that
// their numbers never go back. What the change feed has, it keeps for ten minutes at least.
func (db *DB) Prune(ctx context.Context, policy PrunePolicy) (PruneReport, error) {
	p, now := policy.withDefaults(), db.now()
	var r PruneReport
	var witnesses int64 // nothing that anybody asks for
	var err error
	if r.Events, err = db.pruneEvents(ctx, now.Add(-p.Events)); err != nil {
		return r, pg.MapErr(err, "prune the event log")
	}
	if r.Changes, err = db.pruneChanges(ctx, now); err != nil {
		return r, pg.MapErr(err, "prune the change feed")
	}
	for _, s := range []struct {
		what string
		n    *int64
		sql  string
		args []any
	}{
		{"batches", &r.Batches, `
			delete from ingest_batch where seq in (
				select seq from ingest_batch where at < $2 and seq <= (select seq from rule_cursor)
					and seq < (select max(seq) from ingest_batch)
				order by seq limit $1)`, []any{now.Add(-p.Batches)}},
		{"conflicts", &r.Conflicts, `
			delete from observation_conflict where id in (
				select id from observation_conflict where received_at < $2 limit $1)`, []any{now.Add(-p.Conflicts)}},
		{"sessions", &r.Sessions, `
			delete from session where id in (
				select id from session where least(expires_at, revoked_at) < $2 limit $1)`, []any{now.Add(-p.Sessions)}},
		{"the witnesses of the change feed", &witnesses, `delete from feed_witness where id in (select id from feed_witness where at < $2 limit $1)`,
			[]any{now.Add(-witnessKept)}},
		{"clients", &r.Clients, `
			delete from push_client where client_id in (
				select client_id from push_client where last_seen < $2 and not connected limit $1)`, []any{now.Add(-p.Clients)}},
	} {
		n, err := db.deleteChunks(ctx, s.sql, s.args...)
		*s.n += n
		if err != nil {
			return r, pg.MapErr(err, "prune "+s.what)
		}
	}
	if r.Quarantine, err = db.PruneQuarantine(ctx, p); err != nil {
		return r, err
	}
	n, err := db.pruneShares(ctx, "observation_conflict", conflictOwners, p.ConflictRows)
	if r.Conflicts += n; err != nil {
		return r, pg.MapErr(err, "prune conflicts")
	}
	if r.Logins, err = db.pruneLogins(ctx, p, now); err != nil {
		return r, pg.MapErr(err, "prune the failed logins")
	}
	if r.Partitions, err = db.prunePartitions(ctx, now); err != nil {
		return r, pg.MapErr(err, "prune observations")
	}
	return r, pg.MapErr(db.makeComing(ctx, now), "make the coming partitions")
}

// pruneLogins deletes what is no longer kept of failed logins and of where people log in from. A count is of no use
// once it is a day old; one of a clock that was a day ahead is wrong.
func (db *DB) pruneLogins(ctx context.Context, p PrunePolicy, now time.Time) (total int64, err error) {
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`delete from login_count where key in (
			select key from login_count where at < $2 or at > $3 limit $1)`, []any{now.Add(-day), now.Add(day)}},
		{`delete from login_count where key in (
			select key from login_count
			where at <= (select at from login_count order by at desc offset $2 limit 1) order by at limit $1)`, []any{p.FailedRows}},
		{`delete from login_caller where (account_id, caller) in (
			select account_id, caller from login_caller where at < $2 limit $1)`, []any{now.Add(-p.Callers)}},
		{`delete from login_failure where id in (
			select id from login_failure where at < $2 limit $1)`, []any{now.Add(-p.FailedLogins)}},
		{`delete from login_failure where id in (
			select id from login_failure
			where id <= (select id from login_failure order by id desc offset $2 limit 1) order by id limit $1)`, []any{p.FailedRows}},
	} {
		n, err := db.deleteChunks(ctx, s.sql, s.args...)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// deleteChunks repeats a statement, whose first argument is the chunk's size, until it finds less.
func (db *DB) deleteChunks(ctx context.Context, sql string, args ...any) (int64, error) {
	var total int64
	for {
		tag, err := db.pool.Exec(ctx, sql, append([]any{pruneChunk}, args...)...)
		total += tag.RowsAffected()
		if err != nil || tag.RowsAffected() < pruneChunk {
			return total, err
		}
	}
}

// pruneEvents deletes the events before a time.
func (db *DB) pruneEvents(ctx context.Context, before time.Time) (n int64, err error) {
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		n, err = eventlog.Prune(ctx, tx, before)
		return err
	})
	return n, err
}

// prunePartitions drops each month of a retention class that ended longer ago than the class keeps.
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

// dropPartition waits for the writers of the moment, and makes them wait no longer than it does.
func (db *DB) dropPartition(ctx context.Context, k partitionKey) error {
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		if err := boundWaits(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, partitionLock); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `drop table if exists `+pgx.Identifier{k.table()}.Sanitize())
		return err
	})
	db.partitions.forget()
	return err
}

// monthOfTable is the year and month at the end of a partition's name.
func monthOfTable() *regexp.Regexp {
	return regexp.MustCompile(`^observation_([a-z]+)_([0-9]{4})_([0-9]{2})$`)
}

func partitionNamed(retention, table string) (partitionKey, bool) {
	m := monthOfTable().FindStringSubmatch(table)
	if m == nil || m[1] != retention {
		return partitionKey{}, false
	}
	year, _ := strconv.Atoi(m[2])  // digits by the expression
	month, _ := strconv.Atoi(m[3]) // likewise
	return partitionKey{retention, year, time.Month(month)}, month >= 1 && month <= 12
}

// makeComing makes this month's and the next month's partitions of every class, so that no reading
// has to wait for it at midnight.
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

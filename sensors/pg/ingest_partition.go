package sensorspg

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// partitionLock serializes the creation and the removal of partitions over all nodes.
const partitionLock = `select pg_advisory_xact_lock(7043, 3)`

// monthOptions make autovacuum run on a month partition while it grows, so that charts can use index-only scans. Migration
// 007 sets the same options for the months that existed then.
const monthOptions = `autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000`

// partitionKey is one month of one retention class, in UTC.
type partitionKey struct {
	retention string
	year      int
	month     time.Month
}

// partitionOf returns the partition of a reading at time t.
func partitionOf(retention string, t time.Time) partitionKey {
	t = t.UTC()
	return partitionKey{retention, t.Year(), t.Month()}
}

// class returns the name of the retention class's table.
func (k partitionKey) class() string { return "observation_" + k.retention }

// table returns the name of the month's table.
func (k partitionKey) table() string { return fmt.Sprintf("%s_%04d_%02d", k.class(), k.year, k.month) }

// from returns the beginning of the month, to its end, which is exclusive.
func (k partitionKey) from() time.Time { return time.Date(k.year, k.month, 1, 0, 0, 0, 0, time.UTC) }

// to returns the end of the month, which is the beginning of the next one.
func (k partitionKey) to() time.Time { return k.from().AddDate(0, 1, 0) }

// partitionCache caches which partitions exist. Its zero value is empty and ready for use.
type partitionCache struct {
	mu    sync.RWMutex
	known map[partitionKey]struct{}
}

// missing returns the partitions that are not in the cache. They may exist.
func (c *partitionCache) missing(want map[partitionKey]struct{}) []partitionKey {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []partitionKey
	for k := range want {
		if _, ok := c.known[k]; !ok {
			out = append(out, k)
		}
	}
	return out
}

// add caches that the partitions exist.
func (c *partitionCache) add(keys []partitionKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[partitionKey]struct{})
	}
	for _, k := range keys {
		c.known[k] = struct{}{}
	}
}

// forget clears the cache. It is called when a cached partition turns out to be missing.
func (c *partitionCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = nil
}

// ensurePartitions creates the missing month partitions in a separate transaction.
func (db *DB) ensurePartitions(ctx context.Context, want map[partitionKey]struct{}) error {
	missing := db.partitions.missing(want)
	if len(missing) == 0 {
		return nil
	}
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, partitionLock); err != nil {
			return err
		}
		for _, k := range missing {
			if err := makePartition(ctx, tx, k); err != nil {
				return fmt.Errorf("partition %s: %w", k.table(), err)
			}
		}
		return nil
	})
	if err == nil {
		db.partitions.add(missing)
	}
	return err
}

// makePartition must be called with partitionLock held. It creates a separate table and then attaches it: this does not wait for
// writers, and writers do not wait for it.
func makePartition(ctx context.Context, tx pgx.Tx, k partitionKey) error {
	if err := makeClass(ctx, tx, k); err != nil {
		return err
	}
	there, err := tableExists(ctx, tx, k.table())
	if err != nil || there {
		return err
	}
	class, table := pgx.Identifier{k.class()}.Sanitize(), pgx.Identifier{k.table()}.Sanitize()
	if _, err := tx.Exec(ctx, fmt.Sprintf(`create table %s (like %s including all) with (%s)`, table, class, monthOptions)); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, fmt.Sprintf(`alter table %s attach partition %s for values from ('%s') to ('%s')`,
		class, table, k.from().Format(time.RFC3339), k.to().Format(time.RFC3339)))
	return err
}

// makeClass creates the table of a retention class that was added after the migration.
func makeClass(ctx context.Context, tx pgx.Tx, k partitionKey) error {
	there, err := tableExists(ctx, tx, k.class())
	if err != nil || there {
		return err
	}
	class := pgx.Identifier{k.class()}.Sanitize()
	if _, err := tx.Exec(ctx, fmt.Sprintf(`create table %s (like observation including all) partition by range (ts)`, class)); err != nil {
		return err
	}
	// The code is [a-z]{1,16} by the retention_class table's check.
	_, err = tx.Exec(ctx, fmt.Sprintf(`alter table observation attach partition %s for values in ('%s')`, class, k.retention))
	return err
}

// tableExists reports whether a partition exists. It reads pg_class, because to_regclass can return a cached result from
// before the wait for partitionLock.
func tableExists(ctx context.Context, tx pgx.Tx, name string) (bool, error) {
	var there bool
	err := tx.QueryRow(ctx, `
		select exists (select from pg_class where relname = $1 and relnamespace = current_schema()::regnamespace and relispartition)`, name).Scan(&there)
	return there, err
}

package sensorspg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/fault"
	"onemap/internal/pg"
)

// overtakenWithin limits how long a transaction that conflicts with others is retried. It is shorter than the time that a
// caller waits for a commit. A limit on the number of tries would not work: all tries may end before the other transaction
// gets CPU time.
const overtakenWithin = 10 * time.Second

// overtaken reports whether another transaction caused err by a change in the meantime, so that a retry with a new plan can
// succeed.
func overtaken(err error) bool {
	switch pg.Code(err) {
	case "23503", // foreign key violation: the datastream was deleted
		noPartition, // the partition was dropped in the meantime, or this session does not see it yet
		"40001", "40P01":
		return true
	}
	return false
}

// noPartition is the SQLSTATE (check_violation) of a row without a partition. Every other failed check constraint has it too.
const noPartition = "23514"

// untilSettled calls try, with growing pauses, until it succeeds or again returns false for its error. It passes settled as
// true after a partition was found missing: try must then lock the set of partitions.
func (db *DB) untilSettled(ctx context.Context, again func(error) bool, try func(settled bool) error) error {
	began, settled := time.Now(), false
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := try(settled)
		if err == nil || !again(err) {
			return err
		}
		if time.Since(began) > overtakenWithin {
			return fault.Wrap(fault.Unavailable, err, "overtaken for %v", time.Since(began).Round(time.Second))
		}
		// The caches may be the reason for the failure: they can name a partition or a datastream that is gone.
		db.partitions.forget()
		db.places.forget()
		settled = settled || pg.Code(err) == noPartition
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, errors.Join(err, ctx.Err()), "overtaken until the time was over")
		}
	}
}

// settlePartitions creates the missing month partitions and makes every session read the list of partitions again. A session
// that read the list while another session attached a month can have missed that month. It would not see it until the table
// changes again.
func (db *DB) settlePartitions(ctx context.Context, want map[partitionKey]struct{}) error {
	if err := db.ensurePartitions(ctx, want); err != nil {
		return err
	}
	return db.pool.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, partitionLock); err != nil {
			return err
		}
		done := map[string]bool{}
		for k := range want {
			if done[k.class()] {
				continue
			}
			done[k.class()] = true
			// This statement changes nothing and does not conflict with the locks of writers. It makes all sessions reload
			// the definition of the table.
			sql := fmt.Sprintf(`alter table only %s alter column value set statistics -1`, pgx.Identifier{k.class()}.Sanitize())
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// lockPartitions waits for transactions that create or drop partitions, and locks the set of partitions until the transaction ends.
func lockPartitions(ctx context.Context, tx pgx.Tx) error {
	if err := pg.BoundWaits(ctx, tx); err != nil {
		return err
	}
	// The shared lock conflicts with partitionLock, and not with other writers.
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock_shared(7043, 3)`)
	return err
}

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

// overtakenWithin bounds how long what others overtake is tried anew, less than what a caller waits for a commit. A
// number of tries would say nothing: each may be over before the other transaction has got a core.
const overtakenWithin = 10 * time.Second

// overtaken reports whether err comes of something that another transaction changed in between:
// planning the batch anew gives another result.
func overtaken(err error) bool {
	switch pg.Code(err) {
	case "23503", // foreign key: the datastream is gone
		noPartition, // dropped in between, or not seen yet
		"40001", "40P01":
		return true
	}
	return false
}

// noPartition is the SQLSTATE of a row that has no partition; it is any check's.
const noPartition = "23514"

// untilSettled tries until the error is none of which again is true, with growing pauses. settled is true after a
// partition was found to be missing: then the try keeps the partitions as they are.
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

// settlePartitions makes the months that are not there yet, and lets every session read anew which there are: one that
// read them while another attached a month can have missed it, and would until the table changes again.
func (db *DB) settlePartitions(ctx context.Context, want map[partitionKey]struct{}) error {
	if err := db.ensurePartitions(ctx, want); err != nil {
		return err
	}
	return db.pool.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, partitionLock); err != nil {
			return err
		}
		told := map[string]bool{}
		for k := range want {
			if told[k.class()] {
				continue
			}
			told[k.class()] = true
			// This changes nothing, needs no lock that a writer has, and is told to all sessions.
			sql := fmt.Sprintf(`alter table only %s alter column value set statistics -1`, pgx.Identifier{k.class()}.Sanitize())
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// holdPartitions waits for who makes or drops partitions, and keeps them as they are until the transaction ends.
func holdPartitions(ctx context.Context, tx pgx.Tx) error {
	if err := pg.BoundWaits(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock_shared(7043, 3)`)
	return err
}

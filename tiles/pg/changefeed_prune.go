package tilespg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/eventlog"
	"onemap/internal/pg"
)

// changesKept is the shortest time for which a row of the change feed can be read.
const changesKept = 10 * time.Minute

// PruneChanges deletes old rows of the change feed and returns the number of deleted changes. Each change can be read for
// at least ten minutes.
func (db *DB) PruneChanges(ctx context.Context) (int64, error) {
	now := db.now()
	n, err := db.pruneChanges(ctx, now)
	if err != nil {
		return n, pg.MapErr(err, "prune the change feed")
	}
	_, err = db.pool.DeleteChunks(ctx, `delete from feed_witness where id in (select id from feed_witness where at < $2 limit $1)`, now.Add(-witnessKept))
	return n, pg.MapErr(err, "prune the witnesses of the change feed")
}

// pruneChanges deletes the rows of the change feed that its last run saw, if that run was at least changesKept ago. Each
// row could thus be read for that time. The same transaction stores which rows were deleted, so that a reader that has
// missed some of them gets an error. The first run, also the first run of a new epoch, deletes nothing.
func (db *DB) pruneChanges(ctx context.Context, now time.Time) (int64, error) {
	var deleted int64
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		var known, due bool
		err := tx.QueryRow(ctx, `
			select epoch = `+eventlog.SelectEpoch+` and seen is not null, coalesce(seen_at <= $1, false) from change_horizon for update`,
			now.Add(-changesKept)).Scan(&known, &due)
		switch {
		case err != nil:
			return err
		case !known:
			_, err = tx.Exec(ctx, `
				update change_horizon set epoch = `+eventlog.SelectEpoch+`, seen = pg_current_snapshot(), seen_at = $1, gone = null`, now)
			return err
		case !due:
			return nil
		}
		// Rows with a future transaction number come from a dump of another cluster. No reader can ever request them.
		tag, err := tx.Exec(ctx, `
			delete from feature_change c using change_horizon h
			where (c.xid < pg_snapshot_xmax(h.seen) and pg_visible_in_snapshot(c.xid, h.seen)) or c.xid >= pg_snapshot_xmax(pg_current_snapshot())`)
		if err != nil {
			return err
		}
		deleted = tag.RowsAffected()
		_, err = tx.Exec(ctx, `
			update change_horizon set gone = case when $2 then seen else gone end, seen = pg_current_snapshot(), seen_at = $1`,
			now, deleted > 0)
		return err
	})
	return deleted, err
}

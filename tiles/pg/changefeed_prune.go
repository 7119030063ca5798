package tilespg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/eventlog"
	"onemap/internal/pg"
)

// changesKept is how long a row of the change feed can be read at least.
const changesKept = 10 * time.Minute

// PruneChanges deletes what nobody can ask the change feed for any more, and says how many changes went. Each can be
// read for ten minutes at least.
func (db *DB) PruneChanges(ctx context.Context) (int64, error) {
	now := db.now()
	n, err := db.pruneChanges(ctx, now)
	if err != nil {
		return n, pg.MapErr(err, "prune the change feed")
	}
	_, err = db.pool.DeleteChunks(ctx, `delete from feed_witness where id in (select id from feed_witness where at < $2 limit $1)`, now.Add(-witnessKept))
	return n, pg.MapErr(err, "prune the witnesses of the change feed")
}

// pruneChanges deletes those rows of the change feed that its last run saw already, at least
// changesKept ago: each has been there to be read for as long. What they were is remembered in the
// same transaction, so that a reader is told that it has missed something, or misses nothing. A
// first run, also the first of another epoch, only looks.
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
		// Rows of the future are a dump's, from another cluster: nobody can ever ask for them.
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

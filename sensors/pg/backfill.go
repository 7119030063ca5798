package sensorspg

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/text"
	"onemap/sensors/backfill"
)

// BackfillStreams returns all datastreams, including those of disabled devices, because history may be imported for them too.
func (db *DB) BackfillStreams(ctx context.Context) ([]backfill.Stream, error) {
	rows, err := db.pool.Query(ctx, `
		select s.id, s.device_id, s.name, d.origin, t.gross_min, t.gross_max, r.keep_months
		from datastream s join device d on d.id = s.device_id
		join datastream_type t on t.code = s.type join retention_class r on r.code = t.retention`)
	if err != nil {
		return nil, pg.MapErr(err, "list datastreams")
	}
	// Whole months are dropped, so the oldest time is the beginning of a month.
	month := partitionOf("", db.now()).from()
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s backfill.Stream, err error) {
		var keep int
		err = row.Scan(&s.ID, &s.Device, &s.Name, &s.Origin, &s.Min, &s.Max, &keep)
		s.Oldest = month.AddDate(0, -keep, 0) // prunePartitions drops what is older
		return s, err
	})
	return all, pg.MapErr(err, "list datastreams")
}

// Backfill is the import of one file. It has its own connection, with a staging table and with a lock that prevents a second
// process from importing the same file.
type Backfill struct {
	// The fields belong to one import, and an import is not safe for concurrent use.
	db   *DB
	conn *pgxpool.Conn
	// key identifies the file; copy is the buffer of stageRows, which each chunk uses again.
	key  [32]byte
	copy []byte

	repeats bool // the last chunk contained readings that were stored already
}

// backfillLock returns the number of the advisory lock of a file, from the first 8 bytes of its key.
func backfillLock(key [32]byte) int64 {
	return int64(binary.BigEndian.Uint64(key[:8]) >> 1)
}

// OpenBackfill starts or resumes the import of a file, and returns its progress. If again is true, the import starts from the
// beginning. It returns fault.Conflict if another process imports the file.
func (db *DB) OpenBackfill(ctx context.Context, key [32]byte, name string, again bool) (*Backfill, backfill.State, error) {
	var st backfill.State
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, st, pg.MapErr(err, "open the import")
	}
	b := &Backfill{db: db, conn: conn, key: key}
	if st, err = b.open(ctx, name, again); err != nil {
		b.Close()
		return nil, st, pg.MapErr(err, "open the import")
	}
	return b, st, nil
}

// open takes the lock of the file, creates the staging table, and reads or creates the progress row. With again, the row
// starts from the beginning; the readings that are stored stay, and the file's are then duplicates.
func (b *Backfill) open(ctx context.Context, name string, again bool) (st backfill.State, err error) {
	// The database session of a process that was just killed may still hold the lock, so wait for it.
	if _, err := b.conn.Exec(ctx, `set lock_timeout = '5s'`); err != nil {
		return st, err
	}
	_, err = b.conn.Exec(ctx, `select pg_advisory_lock($1)`, backfillLock(b.key))
	if pg.Code(err) == "55P03" {
		return st, fault.New(fault.Conflict, "another process imports this very file")
	}
	if err != nil {
		return st, err
	}
	// The staging table belongs to the session. Each commit empties it, so the next chunk finds no rows.
	_, err = b.conn.Exec(ctx, `
		create temporary table if not exists backfill_stage (
			n int, retention text, datastream_id bigint, ts timestamptz, value float8, qc smallint, time_source smallint, place int
		) on commit delete rows`)
	if err != nil {
		return st, err
	}
	now := b.db.now()
	var counts []byte
	// The statement creates the row of the file or resumes it. $4 is again: it resets the progress.
	err = b.conn.QueryRow(ctx, `
		insert into observation_import (key, name, started_at, updated_at) values ($1, $2, $3, $3)
		on conflict (key) do update set name = excluded.name, updated_at = excluded.updated_at,
			position = case when $4 then 0 else observation_import.position end,
			line = case when $4 then 0 else observation_import.line end,
			rejects_bytes = case when $4 then 0 else observation_import.rejects_bytes end,
			counts = case when $4 then '{}' else observation_import.counts end,
			started_at = case when $4 then $3 else observation_import.started_at end,
			finished_at = case when $4 then null else observation_import.finished_at end
		returning position, line, rejects_bytes, counts, started_at, finished_at`,
		b.key[:], text.MakeStorable(name), now, again).
		Scan(&st.Position.Offset, &st.Position.Line, &st.RejectsBytes, &counts, &st.StartedAt, &st.FinishedAt)
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(counts, &st.Counts)
}

// Close closes the connection, which releases the lock and drops the staging table.
func (b *Backfill) Close() {
	// The context of the import may have ended, so Close uses its own.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = b.conn.Conn().Close(ctx)
	b.conn.Release()
}

// Write stores a chunk in one transaction: its readings, each once, and the progress of the file. A reading that is newer
// than the latest of its datastream becomes the latest. If it is also recent enough that the datastream is not stale, it is
// published like a live reading, to rules and pages. sum holds the counts of the file so far; Write returns them with those of
// the chunk added. gone lists datastreams that were deleted in the meantime. If gone is not empty, nothing was stored, and the
// caller must write the chunk again without them.
func (b *Backfill) Write(ctx context.Context, c backfill.Chunk, sum backfill.Counts) (_ backfill.Counts, gone []int64, err error) {
	// A datastream can be deleted between the plan and the transaction, so both errors mean: plan again.
	if len(c.Observations) > backfillRows {
		return sum, nil, fault.New(fault.Invalid, "a chunk of %d readings; %d are the most", len(c.Observations), backfillRows)
	}
	again := func(err error) bool { return overtaken(err) || errors.Is(err, errStreamGone) }
	// now is the sum after the try that succeeded; a try that is rolled back does not change sum.
	now := sum
	err = b.db.untilSettled(ctx, again, func(settled bool) (err error) {
		var p *batchPlan
		if p, gone, err = b.plan(ctx, c, settled); err != nil || len(gone) > 0 {
			return err
		}
		now, err = b.try(ctx, p, c, sum, settled)
		return err
	})
	if err != nil || len(gone) > 0 {
		return sum, gone, pg.MapErr(err, "store a chunk")
	}
	return now, nil, nil
}

// plan sorts the readings by their key and creates the missing partitions.
func (b *Backfill) plan(ctx context.Context, c backfill.Chunk, settled bool) (p *batchPlan, gone []int64, err error) {
	places, err := b.db.streamPlaces(ctx, c.Observations)
	if err != nil {
		return nil, nil, err
	}
	p = &batchPlan{fresh: make([]reading, 0, len(c.Observations))}
	months, lost := map[partitionKey]struct{}{}, map[int64]struct{}{}
	for i, o := range c.Observations {
		place, ok := places[o.DatastreamID]
		if !ok {
			if _, seen := lost[o.DatastreamID]; !seen {
				lost[o.DatastreamID] = struct{}{}
				gone = append(gone, o.DatastreamID)
			}
			continue
		}
		p.fresh = append(p.fresh, reading{o, place.retention, place.device, int32(i)})
	}
	if len(gone) > 0 {
		return nil, gone, nil
	}
	p.splitRepeats()
	for i := range p.fresh {
		months[partitionOf(p.fresh[i].retention, p.fresh[i].Time)] = struct{}{}
	}
	if settled {
		return p, nil, b.db.settlePartitions(ctx, months)
	}
	// The partitions are created in a transaction of their own, so that the transaction of the chunk does not hold
	// partitionLock.
	return p, nil, b.db.ensurePartitions(ctx, months)
}

// backfillRows is the largest number of readings in a chunk: the rows of a chunk share one block of observation_seq.
const backfillRows = 60_000

// errStreamGone means that a datastream was deleted between the plan and the transaction.
var errStreamGone = errors.New("a datastream is gone")

// try writes a chunk in one transaction. It writes the tables in the same order as a live batch, so that the two do not deadlock.
func (b *Backfill) try(ctx context.Context, p *batchPlan, c backfill.Chunk, sum backfill.Counts, settled bool) (backfill.Counts, error) {
	err := pgx.BeginFunc(ctx, b.conn, func(tx pgx.Tx) error {
		if settled {
			if err := lockPartitions(ctx, tx); err != nil {
				return err
			}
		}
		if err := pg.BoundWaits(ctx, tx); err != nil {
			return err
		}
		// The order of the tables is that of batchPlan.write; the batch lock is taken last.
		stored, known, err := b.insert(ctx, tx, p)
		if err != nil {
			return err
		}
		now := c.Counts
		now.Stored = int64(len(stored))
		conflicts, err := insertConflicts(ctx, tx, known)
		if err != nil {
			return err
		}
		now.Conflicts, now.Duplicates = int64(len(conflicts)), int64(len(known)-len(conflicts))
		news, err := newsOf(ctx, tx, stored, b.db.now())
		if err != nil {
			return err
		}
		now.Late, now.History = int64(news.late), int64(news.history)
		if _, err := upsertLatest(ctx, tx, news.all); err != nil {
			return err
		}
		sum = sum.Add(now)
		if err := b.storeProgress(ctx, tx, c, sum); err != nil {
			return err
		}
		// No batch is written for history only: rules and pages read nothing from it.
		if len(news.live) == 0 {
			return nil
		}
		// The batch is in the transaction of its readings. This keeps the contract "no committed reading escapes the
		// rules" of docs/ARCHITECTURE.md for imports too.
		_, err = appendBatch(ctx, tx, news.live, nil)
		return err
	})
	return sum, err
}

// storeProgress stores the progress of the file.
func (b *Backfill) storeProgress(ctx context.Context, tx pgx.Tx, c backfill.Chunk, sum backfill.Counts) error {
	counts, err := json.Marshal(sum)
	if err != nil {
		return fmt.Errorf("write the counts: %w", err)
	}
	// The progress is in the transaction of the readings. So an import that is killed continues after its last commit.
	_, err = tx.Exec(ctx, `
		update observation_import set position = $2, line = $3, rejects_bytes = $4, counts = $5, updated_at = $6,
			finished_at = case when $7 then $6::timestamptz end
		where key = $1`,
		b.key[:], c.End.Offset, c.End.Line, c.RejectsBytes, counts, b.db.now(), c.Finished)
	return err
}

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/bench/kit"
)

// bareInsert is the statement with which the store inserts readings.
const bareInsert = `
	insert into observation (retention, datastream_id, ts, value, qc, time_source, seq, received_at)
	select u.r, u.i, u.t, u.v, u.q, u.s, $9::bigint + u.p, u.rec
	from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::float8[], $5::smallint[], $6::smallint[], $7::timestamptz[], $8::int[])
		as u (r, i, t, v, q, s, rec, p)
	on conflict do nothing`

// bareLatest updates the latest reading of each datastream.
const bareLatest = `
	insert into latest (datastream_id, ts, value, qc, time_source, received_at)
	select distinct on (u.i) u.i, u.t, u.v, 1, 1, u.t from unnest($1::bigint[], $2::timestamptz[], $3::float8[]) as u (i, t, v)
	order by u.i, u.t desc
	on conflict (datastream_id) do update
	set ts = excluded.ts, value = excluded.value, qc = excluded.qc, time_source = excluded.time_source, received_at = excluded.received_at
	where excluded.ts > latest.ts`

// bareRows collects rows for the table. Only the datastream of a row is real.
type bareRows struct {
	conn   *pgx.Conn
	latest bool // also update the latest readings
	at     time.Time
	seq    int64

	retentions []string
	ids        []int64
	times      []time.Time
	values     []float64
	qcs        []int16
	sources    []int16
	places     []int32
}

func newBareRows(conn *pgx.Conn, latest bool) *bareRows {
	return &bareRows{conn: conn, latest: latest}
}

// add adds a row of a datastream, one microsecond after the previous one. The first row of a commit has the current time, so
// that bare programs that use the same database one after the other never repeat a key.
func (b *bareRows) add(stream int64) {
	b.at = b.at.Add(time.Microsecond)
	if now := time.Now(); len(b.ids) == 0 && now.After(b.at) {
		b.at = now.Truncate(time.Microsecond)
	}
	b.ids, b.times = append(b.ids, stream), append(b.times, b.at)
	if n := len(b.ids); n > len(b.retentions) {
		b.retentions, b.values = append(b.retentions, "standard"), append(b.values, 1.25)
		b.qcs, b.sources, b.places = append(b.qcs, 1), append(b.sources, 1), append(b.places, int32(n))
	}
}

// commit stores the collected rows in one transaction.
func (b *bareRows) commit(ctx context.Context) error {
	n := len(b.ids)
	args := []any{b.retentions[:n], b.ids, b.times, b.values[:n], b.qcs[:n], b.sources[:n], b.times, b.places[:n], b.seq}
	b.seq += int64(n)
	var err error
	if b.latest {
		var batch pgx.Batch // one round trip and one transaction
		batch.Queue(bareInsert, args...)
		batch.Queue(bareLatest, b.ids, b.times, b.values[:n])
		err = b.conn.SendBatch(ctx, &batch).Close()
	} else {
		_, err = b.conn.Exec(ctx, bareInsert, args...)
	}
	b.ids, b.times = b.ids[:0], b.times[:0]
	if err != nil {
		return fmt.Errorf("commit bare rows: %w", err)
	}
	return nil
}

// singleCommits measures commits of one row on one connection, with a pause before each, until enough returns true for their
// number. They are the reference for the time of a PUBACK.
func singleCommits(ctx context.Context, url string, pause time.Duration, enough func(n int) bool) (took []time.Duration, err error) {
	err = connected(ctx, url, func(conn *pgx.Conn) error {
		all, err := streamIDs(ctx, conn)
		if err != nil {
			return err
		}
		stream := all[deviceID(0)][0]
		rows := newBareRows(conn, false)
		for !enough(len(took)) && kit.SleepUntil(ctx, time.Now().Add(pause)) {
			rows.add(stream)
			start := time.Now()
			if err := rows.commit(ctx); err != nil {
				return err
			}
			took = append(took, time.Since(start))
		}
		return nil
	})
	return took, err
}

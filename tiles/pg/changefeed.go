package tilespg

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"onemap/internal/eventlog"
	"onemap/internal/pg"
	"onemap/internal/text"
	"onemap/tiles"
)

var _ tiles.Feed = (*ChangeFeed)(nil)

// ChangeFeed is the change feed for one reader. It has its own connection, on which the database notifies it of
// changes. It must read from the primary. Close it when the reader ends; the DB stays open.
//
// A mark is the epoch of the database, a snapshot (the transactions that had ended), and a witness. The changes after a
// mark are the rows of the transactions that the snapshot does not see and the present snapshot sees. This needs no lock
// and no order: a transaction that began long ago and commits now is in the next answer, a transaction that was rolled
// back is in no answer, and no transaction is in two answers.
//
// The witness is a row that was committed after the snapshot was taken. While this row exists, everything that the
// snapshot sees exists too. A database that was restored to an earlier moment does not have the row, although it assigns
// the same transaction numbers again.
type ChangeFeed struct {
	db       *DB
	listener pg.Listener
}

// ChangeFeed returns a feed. It connects at the first call of Notified.
func (db *DB) ChangeFeed() *ChangeFeed {
	return &ChangeFeed{db, pg.NewListener(db.pool, "onemap_change")}
}

// Notified implements tiles.Feed. It also returns once after each connection and reconnection, because there may have
// been changes before it was listening. It returns an error if the connection breaks.
func (f *ChangeFeed) Notified(ctx context.Context) error { return f.listener.Wait(ctx) }

// Close closes the connection of the feed. It waits until a running Notified has returned.
func (f *ChangeFeed) Close() { f.listener.Close() }

// Mark implements tiles.Feed.
func (f *ChangeFeed) Mark(ctx context.Context) (tiles.Mark, error) {
	var p position
	err := f.db.pool.QueryRow(ctx, "select "+eventlog.SelectEpoch+", pg_current_snapshot()::text").Scan(&p.epoch, &p.snapshot)
	if err != nil {
		return "", pg.MapErr(err, "read the change feed's position")
	}
	return f.witnessed(ctx, p)
}

// witnessed stores a witness for a position and returns the mark. The witnesses of earlier marks stay until they are
// pruned.
func (f *ChangeFeed) witnessed(ctx context.Context, p position) (tiles.Mark, error) {
	p.witness = uuid.NewString()
	_, err := f.db.pool.Exec(ctx, `insert into feed_witness (id, at) values ($1, $2)`, p.witness, f.db.now())
	return p.mark(), pg.MapErr(err, "note how far the change feed is read")
}

// witnessAge is the age at which a follower replaces its witness although nothing has changed. Its mark is then always
// newer than the pruned changes.
const witnessAge = time.Minute

// witnessKept is the longest age of a usable mark. The changes after the mark may be pruned long before that.
const witnessKept = 4 * time.Hour

// selectChanges returns the changes after the snapshot $2 of the epoch $1: one row for each row of the feed, or one row
// without a layer if there is none. Each row has the present position, whether the changes are lost (the witness $3 does
// not exist, or unseen rows were pruned), and whether the witness is older than $4. One snapshot sees all of it. The
// transactions that $2 does not see are those from its xmax on and those that it lists, so the query reads only their
// rows, however old the oldest transaction is. Rows from a dump of another cluster have the transaction numbers of that
// cluster; a row with a number in the future is not read.
const selectChanges = `
	select h.epoch, h.now::text, h.lost, h.old, c.layer_id, c.at, c.kind, c.ids, c.old_boxes, c.new_boxes, c.old_divisions, c.new_divisions
	from (
		select e.epoch, pg_current_snapshot() as now,
			e.epoch <> $1 or w.id is null
				or (g.epoch = e.epoch and g.gone is not null and not snapshot_sees($2::text::pg_snapshot, g.gone)) as lost,
			coalesce(w.at < $4, false) as old
		from (select ` + eventlog.SelectEpoch + ` as epoch) e, change_horizon g left join feed_witness w on w.id = $3::uuid
	) h
	left join feature_change c on not h.lost
		and (c.xid >= pg_snapshot_xmax($2::text::pg_snapshot) or c.xid = any(array(select pg_snapshot_xip($2::text::pg_snapshot))))
		and c.xid < pg_snapshot_xmax(h.now)`

// Since implements tiles.Feed.
func (f *ChangeFeed) Since(ctx context.Context, m tiles.Mark, each func(tiles.Chunk) error) (tiles.Mark, error) {
	then, ok := parseMark(m)
	if !ok {
		return m, tiles.ErrFeedLost
	}
	rows, err := f.db.pool.Query(ctx, selectChanges, then.epoch, then.snapshot, then.witness, f.db.now().Add(-witnessAge))
	if err != nil {
		return m, pg.MapErr(err, "read the change feed")
	}
	defer rows.Close()
	now := position{witness: then.witness}
	moved := false
	for rows.Next() {
		var r changeRow
		if err := r.scan(rows, &now); err != nil {
			return m, pg.MapErr(err, "read the change feed")
		}
		if r.lost {
			return m, tiles.ErrFeedLost
		}
		moved = moved || r.layer != nil || r.old
		if r.layer == nil {
			continue
		}
		c, err := r.chunk()
		if err != nil {
			return m, err
		}
		if err := each(c); err != nil {
			return m, err
		}
	}
	if err := rows.Err(); err != nil {
		return m, pg.MapErr(err, "read the change feed")
	}
	if !moved {
		return m, nil
	}
	rows.Close() // the connection must be free before the next statement
	next, err := f.witnessed(ctx, now)
	if err != nil {
		return m, err
	}
	return next, nil
}

// changeRow is a row of selectChanges. A column that is null is nil.
type changeRow struct {
	lost, old bool
	layer     *int
	at        *time.Time
	kind      *string
	ids       []int64
	boxes     [2][]float64 // before and after
	divisions [2][]string
}

// scan reads a row. Each row has the present position too.
func (r *changeRow) scan(rows pgx.Rows, now *position) error {
	return rows.Scan(&now.epoch, &now.snapshot, &r.lost, &r.old, &r.layer, &r.at, &r.kind, &r.ids,
		&r.boxes[0], &r.boxes[1], &r.divisions[0], &r.divisions[1])
}

// chunk returns the changes of a row. It returns an error if the arrays of the row have lengths that do not match.
func (r *changeRow) chunk() (tiles.Chunk, error) {
	c := tiles.Chunk{Layer: *r.layer, At: *r.at, Entry: *r.kind == "entry", Whole: *r.kind == "whole"}
	for i := range r.boxes {
		if r.boxes[i] != nil && len(r.boxes[i]) != 4*len(r.ids) || r.divisions[i] != nil && len(r.divisions[i]) != len(r.ids) {
			return c, fmt.Errorf("the change feed: %d features of layer %d have %d numbers of boxes and %d divisions",
				len(r.ids), c.Layer, len(r.boxes[i]), len(r.divisions[i]))
		}
	}
	if len(r.ids) == 0 {
		return c, nil
	}
	c.Changes = make([]tiles.Change, len(r.ids))
	for i, id := range r.ids {
		c.Changes[i] = tiles.Change{
			ID: id, Old: boxAt(r.boxes[0], i), New: boxAt(r.boxes[1], i),
			OldDivision: divisionAt(r.divisions[0], i), NewDivision: divisionAt(r.divisions[1], i),
		}
	}
	return c, nil
}

// boxAt returns the i-th box of an array with four numbers for each box. Without an array, the numbers of the box are
// NaN, which means no box.
func boxAt(boxes []float64, i int) tiles.Box {
	if boxes == nil {
		nan := math.NaN()
		return tiles.Box{nan, nan, nan, nan}
	}
	return tiles.Box(boxes[4*i : 4*i+4])
}

// divisionAt returns the i-th division, and "" without an array.
func divisionAt(divisions []string, i int) string {
	if divisions == nil {
		return ""
	}
	return divisions[i]
}

// position has the parts of a mark.
type position struct{ epoch, snapshot, witness string }

// mark returns the mark of a position; parseMark is the inverse.
func (p position) mark() tiles.Mark {
	return tiles.Mark(p.epoch + " " + p.snapshot + " " + p.witness)
}

// parseMark parses a mark: the epoch, a snapshot of the form xmin:xmax:x,x,… and the id of the witness. It returns
// false if the mark has another form, if a transaction x is not in xmin ≤ x < xmax, or if the list is not in ascending
// order. Marks come from outside, and PostgreSQL would return an error for such a snapshot.
func parseMark(m tiles.Mark) (position, bool) {
	fields := strings.Split(string(m), " ")
	if len(fields) != 3 || fields[0] == "" || !text.Storable(fields[0]) {
		return position{}, false
	}
	p := position{fields[0], fields[1], fields[2]}
	if _, err := uuid.Parse(p.witness); err != nil || len(p.witness) != 36 {
		return position{}, false
	}
	parts := strings.Split(p.snapshot, ":")
	if len(parts) != 3 {
		return position{}, false
	}
	xmin, ok := parseXID(parts[0])
	xmax, ok2 := parseXID(parts[1])
	if !ok || !ok2 || xmin > xmax {
		return position{}, false
	}
	if parts[2] == "" {
		return p, true
	}
	least := xmin
	for one := range strings.SplitSeq(parts[2], ",") {
		x, ok := parseXID(one)
		if !ok || x < least || x >= xmax {
			return position{}, false
		}
		least = x
	}
	return p, true
}

// parseXID parses a transaction number of 63 bits. Its lower 32 bits are never 0, because PostgreSQL does not assign
// such numbers.
func parseXID(s string) (uint64, bool) {
	if s == "" || s[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 63)
	return n, err == nil && uint32(n) != 0
}

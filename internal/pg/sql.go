package pg

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// BoundWaits keeps a transaction from waiting long for another's locks; fault.Unavailable then.
func BoundWaits(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `set local lock_timeout = '5s'`)
	return err
}

// deleteChunk is how many rows one transaction of DeleteChunks deletes at most, so that none takes long.
const deleteChunk = 5000

// DeleteChunks repeats a statement that deletes at most $1 rows, until it finds less. It returns how many went, also
// with an error.
func (p *Pool) DeleteChunks(ctx context.Context, sql string, args ...any) (int64, error) {
	var total int64
	for {
		tag, err := p.Exec(ctx, sql, append([]any{deleteChunk}, args...)...)
		total += tag.RowsAffected()
		if err != nil || tag.RowsAffected() < deleteChunk {
			return total, err
		}
	}
}

// Array returns items, and an empty list for none: a null is not an empty array.
func Array[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// ETag is a row's version as messages name it, and as HTTP's ETag has it: a number in quotes.
func ETag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// Instance is the UUID that the database was made with; it stays with the data, wherever they are moved.
func (p *Pool) Instance(ctx context.Context) (id string, err error) {
	err = p.QueryRow(ctx, "select id::text from instance").Scan(&id)
	return id, MapErr(err, "read the database's identity")
}

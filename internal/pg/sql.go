package pg

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// BoundWaits limits the time that a statement of the transaction waits for a lock to 5 s. After that, the statement fails
// with an error that MapErr maps to fault.Unavailable.
func BoundWaits(ctx context.Context, tx pgx.Tx) error {
	// "set local" ends with the transaction, so the connection goes back to the pool without the limit.
	_, err := tx.Exec(ctx, `set local lock_timeout = '5s'`)
	return err
}

// deleteChunk is the largest number of rows that one transaction of DeleteChunks deletes, so that none takes long.
const deleteChunk = 5000

// DeleteChunks repeats a statement that deletes at most $1 rows, until it deletes fewer. It returns the number of deleted
// rows, also with an error.
func (p *Pool) DeleteChunks(ctx context.Context, sql string, args ...any) (int64, error) {
	var total int64
	for {
		// Each round is a transaction of its own, so its row locks are released after at most deleteChunk rows.
		tag, err := p.Exec(ctx, sql, append([]any{deleteChunk}, args...)...)
		total += tag.RowsAffected()
		if err != nil || tag.RowsAffected() < deleteChunk {
			return total, err
		}
	}
}

// Array returns items, or an empty slice for nil. pgx encodes nil as NULL, which is not an empty array.
func Array[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// ETag returns the version of a row as in messages and in the HTTP header ETag: a number in quotes.
func ETag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// Instance returns the UUID of the database. It was created with the database and stays with the data, wherever they are
// moved.
func (p *Pool) Instance(ctx context.Context) (id string, err error) {
	err = p.QueryRow(ctx, "select id::text from instance").Scan(&id)
	return id, MapErr(err, "read the database's identity")
}

package app_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/core"
)

// tell writes n events that every city-wide client is sent, and returns the last one's mark.
func tell(t *testing.T, conn *pgx.Conn, n int) (last core.Mark) {
	t.Helper()
	for range n {
		err := conn.QueryRow(t.Context(), `select seq, id::text from event_log where seq = append_event('test.told', '{3706}', null, '', '', '{}')`).Scan(&last.Seq, &last.ID)
		if err == pgx.ErrNoRows { // the row is newer than the statement that made it
			err = conn.QueryRow(t.Context(), `select seq, id::text from event_log order by seq desc limit 1`).Scan(&last.Seq, &last.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return last
}

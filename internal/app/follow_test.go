package app_test

import (
	"testing"
	"time"
)

// TestConnectionsThatListen: a node has two connections that LISTEN, one for the event log and one for the change feed of the
// tiles.
func TestConnectionsThatListen(t *testing.T) {
	d := startDemo(t, demoDir(t))
	conn := byHand(t, d.Info().Database)
	var channels []string
	for end := time.Now().Add(2 * time.Minute); len(channels) < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("these listen: %v", channels)
		}
		err := conn.QueryRow(t.Context(), `
			select coalesce(array_agg(query order by query), '{}') from pg_stat_activity
			where datname = current_database() and query ilike 'listen %'`).Scan(&channels)
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(channels) != 2 || channels[0] != "listen onemap_change" || channels[1] != "listen onemap_event" {
		t.Errorf("these listen: %v", channels)
	}
}

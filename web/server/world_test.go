package server_test

import (
	"testing"

	"onemap/web/server"
	"onemap/web/server/servertest"
)

// world is a whole server on a real database, with every role in every division.
type world struct{ *servertest.World }

// newWorld builds a world; change may replace parts of the options.
func newWorld(t testing.TB, change func(*server.Options)) *world {
	t.Helper()
	return &world{servertest.NewWorld(t, change)}
}

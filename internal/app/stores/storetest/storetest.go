// Package storetest provides a real database for tests: one private PostgreSQL cluster per test process, one migrated
// template in it, and a clone of the template for each test. If PostgreSQL or PostGIS is missing, the tests fail; they are
// never skipped. Everything is removed when the process ends, also after a crash.
package storetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"onemap/internal/app/stores"

	"github.com/jackc/pgx/v5"

	"onemap/demo/pgcluster"
	"onemap/internal/pg"
)

const template = "onemap_template"

// prefix is the beginning of the names of the clusters' folders in the temporary folder. The process id follows.
const prefix = "onemap-test-"

//nolint:gochecknoglobals // one cluster a test process is the point of this package
var (
	shared = sync.OnceValues(start)
	clones atomic.Int64
)

// cluster is the cluster of this process.
type cluster struct {
	*pgcluster.Cluster
	alive io.WriteCloser // standard input of the janitor; it is closed when this process ends, and the janitor then cleans up
}

// NewDB returns open stores on a fresh, migrated, empty database that is dropped after the test.
func NewDB(t testing.TB) *stores.Stores {
	t.Helper()
	return NewDBAt(t, nil)
}

// NewDBAt is NewDB with a clock.
func NewDBAt(t testing.TB, clock func() time.Time) *stores.Stores {
	t.Helper()
	db, err := stores.Open(t.Context(), stores.Options{URL: NewURL(t), MaxConns: 8, Clock: clock})
	if err != nil {
		t.Fatalf("open the test database: %v", err)
	}
	t.Cleanup(db.Close)
	return db
}

// NewURL returns the address of a fresh, migrated, empty database that is dropped after the test.
func NewURL(t testing.TB) string {
	t.Helper()
	return newDatabase(t, template)
}

// NewEmptyURL returns the address of a fresh database without tables that is dropped after the test.
func NewEmptyURL(t testing.TB) string {
	t.Helper()
	return newDatabase(t, "template0")
}

func newDatabase(t testing.TB, from string) string {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatalf("tests need PostgreSQL with PostGIS: %v", err)
	}
	name := fmt.Sprintf("t%d", clones.Add(1))
	if err := c.admin(t.Context(), fmt.Sprintf("create database %s template %s", name, from)); err != nil {
		t.Fatalf("clone the test database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := c.admin(ctx, fmt.Sprintf("drop database %s with (force)", name)); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return c.URL(name)
}

// admin runs one statement on a separate connection.
func (c *cluster) admin(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the test cluster: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

// start starts the cluster and creates the template database.
func start() (*cluster, error) {
	ctx := context.Background()
	removeStale(ctx)
	dir, err := os.MkdirTemp("", prefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the server's user must be able to enter it
		return nil, err
	}
	server, err := pgcluster.Start(ctx, pgcluster.Options{Dir: dir, Fast: true, MaxConnections: 200})
	if err != nil {
		_ = pgcluster.Remove(ctx, dir)
		return nil, err
	}
	c := &cluster{Cluster: server}
	if c.alive, err = janitor(server, dir); err != nil {
		return nil, err
	}
	if err := server.EnsureDatabase(ctx, template); err != nil {
		return nil, err
	}
	if err := pg.Migrate(ctx, server.URL(template), nil); err != nil {
		return nil, err
	}
	return c, nil
}

// janitor starts a shell that waits for the end of this process, then kills the server and removes the folders. So tests need
// no TestMain, and it also cleans up after a panic or a kill.
func janitor(server *pgcluster.Cluster, dir string) (io.WriteCloser, error) {
	const script = `
		cat >/dev/null
		kill -QUIT "$1" 2>/dev/null
		n=0
		while kill -0 "$1" 2>/dev/null && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
		rm -rf -- "$2" "$3" "$4"`
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", script, "janitor",
		strconv.Itoa(server.PID()), server.DataDir, server.SocketDir, dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the test cluster's janitor: %w", err)
	}
	return in, nil
}

// removeStale removes the folders of test processes whose janitor was killed too.
func removeStale(ctx context.Context) {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*")) // never fails: the pattern is valid
	for _, dir := range dirs {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		pid, err := strconv.Atoi(owner)
		if err != nil || syscall.Kill(pid, 0) == nil {
			continue
		}
		_ = pgcluster.Remove(ctx, dir) // an error means that it is still in use
	}
}

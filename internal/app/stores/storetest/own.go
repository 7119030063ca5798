package storetest

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"onemap/demo/pgcluster"
	"onemap/internal/pg"
)

// Own is a PostgreSQL cluster for one test, which may break it.
type Own struct {
	*pgcluster.Cluster
	t   testing.TB
	dir string
}

// NewOwn starts a cluster with a migrated, empty database, and removes it after the test.
func NewOwn(t testing.TB) *Own {
	t.Helper()
	dir, err := os.MkdirTemp("", prefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the server's user must be able to enter it
		t.Fatal(err)
	}
	o := &Own{t: t, dir: dir}
	t.Cleanup(o.remove)
	o.Start()
	if err := o.EnsureDatabase(t.Context(), "onemap"); err != nil {
		t.Fatal(err)
	}
	if err := pg.Migrate(t.Context(), o.Database(), nil); err != nil {
		t.Fatal(err)
	}
	return o
}

// Database returns the address of the migrated database.
func (o *Own) Database() string { return o.URL("onemap") }

// Start starts the server. It may be called again after Kill.
func (o *Own) Start() {
	o.t.Helper()
	if o.Cluster != nil {
		<-o.Done()
		if err := o.Stop(o.t.Context()); err != nil { // releases the folder
			o.t.Fatal(err)
		}
	}
	c, err := pgcluster.Start(o.t.Context(), pgcluster.Options{Dir: o.dir, Fast: true})
	if err != nil {
		o.t.Fatalf("tests need PostgreSQL with PostGIS: %v", err)
	}
	o.Cluster = c
}

// Kill ends every process of the server at once, like pg_ctl stop -m immediate, and does not wait. The next start recovers
// the database.
func (o *Own) Kill() {
	o.t.Helper()
	if err := syscall.Kill(o.PID(), syscall.SIGQUIT); err != nil {
		o.t.Fatal(err)
	}
}

func (o *Own) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if o.Cluster != nil {
		if err := o.Stop(ctx); err != nil {
			o.t.Errorf("stop PostgreSQL: %v", err)
		}
	}
	if err := pgcluster.Remove(ctx, o.dir); err != nil {
		o.t.Errorf("remove PostgreSQL: %v", err)
	}
}

// Save stops the server, copies its data folder, like a snapshot of the machine, and starts it again. It returns the copy,
// which is removed after the test.
func (o *Own) Save() (folder string) {
	o.t.Helper()
	folder = o.dir + "-saved"
	o.stopped(func() { o.copyFolder(o.DataDir, folder) })
	o.t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			o.t.Errorf("remove the saved folder: %v", err)
		}
	})
	return folder
}

// PutBack stops the server and starts it again with a folder that Save has returned.
func (o *Own) PutBack(folder string) {
	o.t.Helper()
	o.stopped(func() {
		if err := os.RemoveAll(o.DataDir); err != nil {
			o.t.Fatal(err)
		}
		o.copyFolder(folder, o.DataDir)
	})
}

func (o *Own) stopped(do func()) {
	o.t.Helper()
	if err := o.Stop(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	do()
	o.Start()
}

func (o *Own) copyFolder(from, to string) {
	o.t.Helper()
	if out, err := exec.CommandContext(o.t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		o.t.Fatalf("copy the data folder: %v: %s", err, out)
	}
}

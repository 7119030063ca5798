package torture_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/demo/pgcluster"
)

// database is the name of the tests' database.
const database = "onemap"

// postgres is a PostgreSQL cluster for one test, with fsync on.
type postgres struct {
	t    testing.TB
	opts pgcluster.Options
	*pgcluster.Cluster
}

func startPostgres(t testing.TB, maxConnections int) *postgres {
	t.Helper()
	dir, err := os.MkdirTemp("", "onemap-torture-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL may run as another user
		t.Fatal(err)
	}
	p := &postgres{t: t, opts: pgcluster.Options{Dir: filepath.Join(dir, "pg"), MaxConnections: maxConnections}}
	p.start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
		if err := pgcluster.Remove(ctx, p.opts.Dir); err != nil {
			t.Errorf("remove PostgreSQL: %v", err)
		}
		_ = os.RemoveAll(dir)
	})
	return p
}

func (p *postgres) start() {
	p.t.Helper()
	c, err := pgcluster.Start(p.t.Context(), p.opts)
	if err != nil {
		p.t.Fatalf("these tests need PostgreSQL with PostGIS: %v", err)
	}
	p.Cluster = c
}

// kill runs pg_ctl stop -m immediate: every process ends at once, and the next start recovers.
func (p *postgres) kill() {
	p.t.Helper()
	if err := syscall.Kill(p.PID(), syscall.SIGQUIT); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-p.t.Context().Done():
	}
	if err := p.Stop(p.t.Context()); err != nil { // lets go of the folder
		p.t.Fatal(err)
	}
}

// processes lists the server's processes, which are those whose working folder is the data folder.
func (p *postgres) processes() []string {
	p.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		p.t.Fatal(err)
	}
	var pids []string
	for _, cwd := range all {
		if dir, err := os.Readlink(cwd); err == nil && dir == p.DataDir {
			pids = append(pids, filepath.Base(filepath.Dir(cwd)))
		}
	}
	if len(pids) < 2 {
		p.t.Fatalf("PostgreSQL has %d processes", len(pids))
	}
	return pids
}

// stall suspends every process of the server with SIGSTOP; the returned function resumes them. They are also resumed when
// this process dies.
func (p *postgres) stall() (resume func()) {
	p.t.Helper()
	pids := append([]string{strconv.Itoa(p.PID())}, p.processes()...) // the postmaster first: it starts no more
	held := hold(p.t, `kill -STOP "$@" && echo && cat >/dev/null; kill -CONT "$@"`, pids...)
	return func() {
		if err := held.Close(); err != nil {
			p.t.Errorf("resume PostgreSQL: %v", err)
		}
	}
}

// held is a shell that keeps a change in effect while its input is open.
type held struct {
	in  io.WriteCloser
	cmd *exec.Cmd
}

// hold runs a script that changes something, prints a line, waits for the end of its input and undoes the change. The input
// also ends when this process dies, in whatever way.
func hold(t testing.TB, script string, args ...string) *held {
	t.Helper()
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, "hold"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var words strings.Builder
	cmd.Stderr = &words
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		_ = in.Close()
		t.Fatalf("%s: %v: %s", script, err, words.String())
	}
	return &held{in, cmd}
}

// Close ends the shell's input and waits until the change is undone.
func (h *held) Close() error {
	_ = h.in.Close()
	return h.cmd.Wait()
}

// connect opens a connection that is closed after the test.
func (p *postgres) connect(database string) *pgx.Conn {
	p.t.Helper()
	conn, err := pgx.Connect(p.t.Context(), p.URL(database))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(p.t.Context())) })
	return conn
}

// exec runs a statement on a new connection.
func (p *postgres) exec(database, sql string) {
	p.t.Helper()
	conn, err := pgx.Connect(p.t.Context(), p.URL(database))
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(p.t.Context())) }()
	if _, err := conn.Exec(p.t.Context(), sql); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
}

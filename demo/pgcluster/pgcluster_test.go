package pgcluster_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/demo/pgcluster"
	"onemap/internal/fault"
)

// folder returns an empty folder that the user of the server can enter. It is removed after the test.
func folder(t *testing.T, mode os.FileMode) string {
	t.Helper()
	root, err := os.MkdirTemp("", "pgcluster-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, mode); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "pg")
	t.Cleanup(func() {
		if err := pgcluster.Remove(context.Background(), dir); err != nil {
			t.Errorf("remove: %v", err)
		}
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func startIn(t *testing.T, dir string) *pgcluster.Cluster {
	t.Helper()
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{Dir: dir, Fast: true})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { _ = c.Stop(context.Background()) })
	return c
}

func stop(t *testing.T, c *pgcluster.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		t.Fatalf("stop: %v", err)
	}
}

// exec1 runs a statement in the database of the cluster and returns its first column, if there is one.
func exec1(t *testing.T, c *pgcluster.Cluster, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(values, ",")
}

func TestDataSurvivesAStop(t *testing.T) {
	dir := folder(t, 0o755)
	c := startIn(t, dir)
	if c.Notice != "" {
		t.Errorf("notice: %q", c.Notice)
	}
	if err := c.EnsureDatabase(t.Context(), `odd "name`); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureDatabase(t.Context(), `odd "name`); err != nil {
		t.Fatal(err)
	}
	exec1(t, c, "create table kept as select 'still here' as word")
	got := exec1(t, c, `select concat_ws('/', current_setting('listen_addresses'), current_setting('data_checksums'),
		pg_encoding_to_char(encoding), datcollate, current_setting('TimeZone')) from pg_database where datname = current_database()`)
	if want := "/on/UTF8/C.UTF-8/UTC"; got != want {
		t.Errorf("settings: %s, want %s", got, want)
	}
	if info, err := os.Stat(c.SocketDir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder: %v %v", info.Mode(), err)
	}

	_, err := pgcluster.Start(t.Context(), pgcluster.Options{Dir: dir, Fast: true})
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("a second start in the same folder: %v", err)
	}
	if err := pgcluster.Remove(t.Context(), dir); !fault.Is(err, fault.Conflict) {
		t.Errorf("wiping a cluster in use: %v", err)
	}
	stop(t, c)
	stop(t, c)
	if err := c.Err(); err != nil {
		t.Errorf("after a stop: %v", err)
	}
	c = startIn(t, dir)
	if got := exec1(t, c, "select word from kept"); got != "still here" {
		t.Errorf("after a restart: %q", got)
	}
}

// TestHelperOnemap is not a test. It is the process of onemap that the next test kills.
func TestHelperOnemap(t *testing.T) {
	dir := os.Getenv("PGCLUSTER_HELPER_DIR")
	if dir == "" {
		return
	}
	c := startIn(t, dir)
	exec1(t, c, "create table kept as select 'committed' as word")
	fmt.Printf("ready %d\n", c.PID())
	<-t.Context().Done()
}

func TestAKilledOnemapLeavesNothingInTheWay(t *testing.T) {
	dir := folder(t, 0o755)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelperOnemap$")
	cmd.Env = append(os.Environ(), "PGCLUSTER_HELPER_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	pid := 0
	for pid == 0 && lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "ready %d", &pid)
	}
	if pid == 0 {
		t.Fatal("the other onemap did not start")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	c := startIn(t, dir) // at once, while the old server is still ending
	if got := exec1(t, c, "select word from kept"); got != "committed" {
		t.Errorf("after the kill: %q", got)
	}
	if c.PID() == pid {
		t.Errorf("the old server still serves")
	}
}

func TestAKilledServerIsSeenAndReplaced(t *testing.T) {
	dir := folder(t, 0o755)
	c := startIn(t, dir)
	exec1(t, c, "create table kept as select 'yes' as word")
	if err := syscall.Kill(c.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if c.Err() == nil {
		t.Error("no word of the server's end")
	}
	stop(t, c)
	// The process id in the pid file now belongs to another process, which is this test.
	pidFile := filepath.Join(c.DataDir, "postmaster.pid")
	content, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(content), "\n")
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	c = startIn(t, dir)
	if got := exec1(t, c, "select word from kept"); got != "yes" {
		t.Errorf("after recovery: %q", got)
	}
}

func TestALongPathPutsTheSocketElsewhere(t *testing.T) {
	dir := filepath.Join(folder(t, 0o755), strings.Repeat("long", 20))
	t.Cleanup(func() { _ = pgcluster.Remove(context.Background(), dir) })
	c := startIn(t, dir)
	if !strings.Contains(c.Notice, c.SocketDir) || strings.HasPrefix(c.SocketDir, dir) {
		t.Errorf("socket in %s; notice %q", c.SocketDir, c.Notice)
	}
	if !strings.HasPrefix(c.DataDir, dir) {
		t.Errorf("the data went to %s", c.DataDir)
	}
	exec1(t, c, "select 'reachable'")
}

func TestAnUnreachableFolderFallsBackAndIsFoundAgain(t *testing.T) {
	dir := folder(t, 0o700)
	c := startIn(t, dir)
	moved := !strings.HasPrefix(c.DataDir, dir)
	if root := os.Geteuid() == 0; moved != root {
		t.Fatalf("root %v, data in %s", root, c.DataDir)
	}
	if moved && (!strings.Contains(c.Notice, c.DataDir) || !strings.Contains(c.Notice, c.SocketDir)) {
		t.Errorf("notice %q does not name %s and %s", c.Notice, c.DataDir, c.SocketDir)
	}
	exec1(t, c, "create table kept as select 'yes' as word")
	stop(t, c)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // reachable now: the data must still be found
		t.Fatal(err)
	}
	again := startIn(t, dir)
	if again.DataDir != c.DataDir || exec1(t, again, "select word from kept") != "yes" {
		t.Errorf("the second run took %s, the first %s", again.DataDir, c.DataDir)
	}
	stop(t, again)
	if err := pgcluster.Remove(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{c.DataDir, c.SocketDir, dir} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

func TestDataThatIsNotOursToTouch(t *testing.T) {
	for name, c := range map[string]struct{ file, content, want string }{
		"another version": {"PG_VERSION", "9\n", "postgresql-9-postgis-3"},
		"not a cluster":   {"letter.txt", "dear", "not touching it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, 0o755)
			file := filepath.Join(dir, "data", c.file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := pgcluster.Start(t.Context(), pgcluster.Options{Dir: dir, Fast: true})
			if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want one that says %q", err, c.want)
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != c.content {
				t.Errorf("the file was touched: %q %v", got, err)
			}
		})
	}
}

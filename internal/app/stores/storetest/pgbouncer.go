package storetest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pooler is the configuration of PgBouncer. Its values are: the database, its host and user, the folder of the socket, the
// mode, and additional lines.
const pooler = `[databases]
%s = host=%s user=%s
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = %s
unix_socket_mode = 0777
auth_type = any
pool_mode = %s
max_client_conn = 500
%s
`

// PgBouncer starts Debian's PgBouncer in front of a database of this package and returns the database's address through
// it. mode is session, transaction or statement; more are additional lines of its configuration. It stops after the test.
func PgBouncer(t testing.TB, database, mode string, more ...string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", prefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(pooler, strings.TrimPrefix(u.Path, "/"), u.Query().Get("host"), u.User.Username(), dir, mode, strings.Join(more, "\n"))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "pgbouncer", config) // #nosec G204
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: giveToPostgres(t, dir), Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("tests need PgBouncer (scripts/deps.sh test): %v", err)
	}
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error means that it has ended already; awaitPgBouncer has reported that
		for range ended {      // until the process has ended
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	q := url.Values{"host": {dir}, "port": {"6432"}}
	through := (&url.URL{Scheme: "postgres", User: u.User, Path: u.Path, RawQuery: q.Encode()}).String()
	awaitPgBouncer(t, filepath.Join(dir, ".s.PGSQL.6432"), ended, &said)
	return through
}

// giveToPostgres changes the owner of a folder to the user of the cluster if this process is root, because PgBouncer, like
// PostgreSQL, refuses to run as root.
func giveToPostgres(t testing.TB, dir string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if uidErr != nil || gidErr != nil {
		t.Fatal(uidErr, gidErr)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// awaitPgBouncer waits until the socket accepts connections. The file of the socket appears a moment earlier.
func awaitPgBouncer(t testing.TB, socket string, ended <-chan error, said *bytes.Buffer) {
	t.Helper()
	for {
		if conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err := <-ended:
			t.Fatalf("PgBouncer ended: %v\n%s", err, said)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Package pgcluster runs a private PostgreSQL cluster in a folder, for the demo, tests and benchmarks. The server
// listens only on a unix socket, in a folder that only its owner may enter. It is a child of this process and gets a
// stop signal when this process dies. The package needs Linux and installed PostgreSQL packages. For production, use a
// normal PostgreSQL server and give its URL to onemap.
package pgcluster

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/fault"
)

// superuser is the only login role of the cluster. It has no password; the mode of the socket's folder protects the
// cluster.
const superuser = "onemap"

// Options are the settings of a cluster. Only Dir is required.
type Options struct {
	// Dir is the folder of the cluster: data/, run/ (the socket) and the file lock. It is created if it does not exist.
	Dir string
	// Logger receives the output of the server and the steps of the cluster. With nil nothing is logged.
	Logger *slog.Logger
	// Fast turns fsync off for speed. It is for tests only. Committed data survive a crash of the server, but not a crash
	// of the machine.
	Fast bool
	// MaxConnections is the largest number of connections; 0 means 120.
	MaxConnections int
	// StartTimeout is the longest wait for the server, including crash recovery; 0 means 3 minutes.
	StartTimeout time.Duration
	// Progress receives a text for each longer step. It may be nil.
	Progress func(step string)
}

// Cluster is a running private cluster.
type Cluster struct {
	// Notice is a text for the user: the data or the socket are not in Options.Dir, and why. It is empty if they are.
	Notice string
	// DataDir is the folder of the data.
	DataDir string
	// SocketDir is the folder of the socket.
	SocketDir string

	server   *server
	lock     *os.File
	stopOnce sync.Once
	stopErr  error
}

// Start creates the cluster if the folder has none, and starts its server. A server that a killed onemap left on the
// same data is stopped first. It returns fault.Conflict if another running onemap uses the folder. It returns
// fault.Unavailable if packages are missing or the data are of a version that is not installed; the message names the
// Debian package to install.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	o = o.withDefaults()
	dir, err := canonical(o.Dir)
	if err != nil {
		return nil, err
	}
	o.Dir = dir
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	c, err := startLocked(ctx, o)
	if err != nil {
		return nil, letGo(err, lock)
	}
	c.lock = lock
	return c, nil
}

// startLocked starts the cluster. The caller holds the lock of the folder.
func startLocked(ctx context.Context, o Options) (*Cluster, error) {
	owner, err := findOwner()
	if err != nil {
		return nil, err
	}
	place, err := choosePlace(ctx, o.Dir, owner)
	if err != nil {
		return nil, err
	}
	if place.notice != "" {
		o.Logger.WarnContext(ctx, "the private cluster lives elsewhere", "why", place.notice)
	}
	inst, err := findInstallation(ctx, place.data)
	if err != nil {
		return nil, err
	}
	if err := clearOrphans(ctx, o, place.data); err != nil {
		return nil, err
	}
	if err := initialise(ctx, o, inst, owner, place.data); err != nil {
		return nil, err
	}
	c := &Cluster{Notice: place.notice, DataDir: place.data, SocketDir: place.socket}
	o.Progress("starting PostgreSQL " + inst.version)
	c.server = launch(o, inst, owner, place)
	if err := c.waitReady(ctx, o); err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = c.server.stop(stopCtx)
		return nil, err
	}
	o.Logger.InfoContext(ctx, "private PostgreSQL cluster is ready",
		"version", inst.version, "data", place.data, "socket", place.socket)
	return c, nil
}

// withDefaults returns the options with the defaults in place of zero values.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 120
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 3 * time.Minute
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o
}

// waitReady waits until the server accepts connections. It returns fault.Unavailable if the server ends or does not
// accept connections within StartTimeout.
func (c *Cluster) waitReady(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, o.StartTimeout)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		conn, err := pgx.Connect(ctx, c.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-c.server.done:
			return fault.Wrap(fault.Unavailable, c.server.failure(), "PostgreSQL did not start")
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", ctx.Err(), last), "PostgreSQL is not ready")
		case <-tick.C:
		}
	}
}

// URL returns the URL of a database of the cluster, for pgx and psql. The folder of the socket is the parameter host.
func (c *Cluster) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(superuser), Path: "/" + database,
		RawQuery: url.Values{"host": {c.SocketDir}}.Encode(),
	}
	return u.String()
}

// EnsureDatabase creates the database if the cluster has no database of that name.
func (c *Cluster) EnsureDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "connect to the private cluster")
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var exists bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&exists); err != nil {
		return fmt.Errorf("look for database %s: %w", name, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "create database "+pgx.Identifier{name}.Sanitize()); err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}

// PID returns the process id of the server.
func (c *Cluster) PID() int { return c.server.pid() }

// Done returns a channel that is closed when the server has ended, by Stop or by itself. Err then returns the reason.
func (c *Cluster) Done() <-chan struct{} { return c.server.done }

// Err returns the reason why the server ended by itself. It returns nil while the server runs and after Stop.
func (c *Cluster) Err() error {
	select {
	case <-c.server.done:
		if c.server.stopping.Load() {
			return nil
		}
		return c.server.failure()
	default:
		return nil
	}
}

// Stop stops the server with a fast shutdown, which cuts connections and writes a checkpoint. If ctx ends before that,
// Stop uses an immediate shutdown, returns fault.Unavailable, and the next start recovers the data. It may be called
// more than once; only the first call has an effect.
func (c *Cluster) Stop(ctx context.Context) error {
	c.stopOnce.Do(func() { c.stopErr = letGo(c.server.stop(ctx), c.lock) })
	return c.stopErr
}

// Remove deletes the cluster of a folder with all its data, also in the fallback folders. It first stops a server that
// a killed onemap left behind. It returns fault.Conflict if a running onemap uses the folder. A missing folder is no
// error.
func Remove(ctx context.Context, dir string) error {
	dir, err := canonical(dir)
	if err != nil {
		return err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	o := Options{}.withDefaults()
	for _, data := range []string{filepath.Join(dir, "data"), fallbackData(dir)} {
		if err := clearOrphans(ctx, o, data); err != nil {
			return letGo(err, lock)
		}
	}
	owned := []string{
		filepath.Join(dir, "data"), filepath.Join(dir, "data.new"), filepath.Join(dir, "run"), filepath.Join(dir, "lock"),
		fallbackData(dir), fallbackData(dir) + ".new", fallbackSocket(dir),
	}
	for _, path := range owned {
		if err := os.RemoveAll(path); err != nil {
			return letGo(fmt.Errorf("wipe the private cluster: %w", err), lock)
		}
	}
	_ = os.Remove(dir) // fails, as intended, if other files are in it
	return letGo(nil, lock)
}

// canonical creates the folder if it does not exist and returns its absolute path without symbolic links. The names of
// the fallback folders are derived from this path, so each folder must have only one.
func canonical(dir string) (string, error) {
	if dir == "" {
		return "", fault.InvalidField("dir", "a private cluster needs a folder")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cluster's folder: %w", err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the cluster's folder: %w", err)
	}
	resolved, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", fmt.Errorf("find the cluster's folder: %w", err)
	}
	return resolved, nil
}

// shortHash returns 12 hexadecimal digits of the SHA-256 of a path, for the names of the fallback folders.
func shortHash(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:6])
}

// lockFolder locks the folder for this process and writes its process id to the lock file. It returns fault.Conflict
// with the other process id if the folder is locked. The kernel releases the lock when the process dies.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the cluster's folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner := make([]byte, 20)
		n, _ := f.Read(owner)
		return nil, letGo(fault.New(fault.Conflict, "the private cluster in %s is in use by another onemap (pid %s)", dir, owner[:n]), f)
	}
	if err := f.Truncate(0); err != nil {
		return nil, letGo(err, f)
	}
	if _, err := f.WriteAt(fmt.Appendf(nil, "%d", os.Getpid()), 0); err != nil {
		return nil, letGo(err, f)
	}
	return f, nil
}

// letGo unlocks the folder, closes the lock file and returns the first error. To close the file is not enough: a child
// that another goroutine forks at this moment has a copy of the file, and with it the lock, until it executes its
// program.
func letGo(err error, f *os.File) error {
	return cmp.Or(err, syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

// Package pgcluster runs a private PostgreSQL cluster under a folder, for the demo and for tests. The
// server listens on a unix socket in a folder that only its owner may enter, is a child of this
// process and receives a stop signal when this process dies. It needs Linux and the machine's own
// PostgreSQL packages; anything bigger is a cluster of one's own, given to onemap by its URL.
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

// superuser owns the cluster and everything in it; the socket folder's mode is what guards it.
const superuser = "onemap"

// Options says where a cluster lives and how it runs. Only Dir is needed.
type Options struct {
	// Dir is the cluster's own folder, made when missing: data/, run/ (the socket) and lock.
	Dir string
	// Logger gets what the server prints and what the cluster does; nil discards it.
	Logger *slog.Logger
	// Fast turns fsync off for speed. It is for tests only. Committed data survive a crash of the server, but not a crash
	// of the machine.
	Fast bool
	// MaxConnections is the server's limit; 0 is 120.
	MaxConnections int
	// StartTimeout bounds the wait for the server, crash recovery included; 0 is 3 minutes.
	StartTimeout time.Duration
	// Progress receives a text for each longer step. It may be nil.
	Progress func(step string)
}

// Cluster is a running private cluster.
type Cluster struct {
	// Notice says what a person should know: that data or socket are not under Options.Dir, and why.
	Notice string
	// DataDir is where the data really is.
	DataDir string
	// SocketDir is where the socket really is.
	SocketDir string

	server   *server
	lock     *os.File
	stopOnce sync.Once
	stopErr  error
}

// Start makes the cluster when there is none and starts it. A server that a killed onemap left
// behind on the same data is stopped first; a folder that a living onemap uses is fault.Conflict.
// Missing packages and data of another PostgreSQL version are fault.Unavailable, and the message
// names the Debian package to install.
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

// waitReady returns when the server takes connections, or why it never will.
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

// URL is the address of a database of the cluster, as pgx and psql take it.
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

// PID is the process id of the server.
func (c *Cluster) PID() int { return c.server.pid() }

// Done is closed when the server has ended, by Stop or by itself; Err says why.
func (c *Cluster) Done() <-chan struct{} { return c.server.done }

// Err is why the server ended by itself; nil while it runs and after Stop.
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

// Stop ends the server: a fast shutdown (connections are cut, everything is on disk), and an
// immediate one when ctx ends first, from which the next start recovers. It may be called again.
func (c *Cluster) Stop(ctx context.Context) error {
	c.stopOnce.Do(func() { c.stopErr = letGo(c.server.stop(ctx), c.lock) })
	return c.stopErr
}

// Remove wipes the cluster of a folder with everything in it, also what lives in the fallback
// folders under /var/lib and /run. A server that was left behind is stopped; a folder that a living
// onemap uses is fault.Conflict. A folder that is not there is fine.
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
	_ = os.Remove(dir) // only when nothing else is in it
	return letGo(nil, lock)
}

// canonical is the absolute folder without symbolic links, made when missing, so that one folder
// has one name, and so one fallback place.
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

// shortHash names a folder's fallback places.
func shortHash(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:6])
}

// lockFolder takes the folder for this process; the kernel lets go of it when the process dies.
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

// letGo unlocks the folder and closes its file, and keeps the first error. Closing alone would not do: a child
// that is being forked elsewhere in this process has the file, and with it the lock, until it runs its program.
func letGo(err error, f *os.File) error {
	return cmp.Or(err, syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

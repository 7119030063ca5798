package pgcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"onemap/internal/fault"
)

// initialise creates the data folder with initdb if there is none. It creates the folder under another name and renames
// it, so that an interrupted initdb does not leave a folder that looks like valid data. It returns fault.Unavailable if
// the folder has other files or initdb fails.
func initialise(ctx context.Context, o Options, inst installation, w owner, data string) error {
	if hasData(data) {
		return nil
	}
	if entries, err := os.ReadDir(data); err == nil && len(entries) > 0 {
		return fault.New(fault.Unavailable, "%s is not empty and holds no PostgreSQL data: not touching it", data)
	}
	o.Progress("creating a PostgreSQL " + inst.version + " cluster in " + data)
	fresh := data + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("clear an unfinished cluster: %w", err)
	}
	if err := w.give(fresh); err != nil {
		return fault.Wrap(fault.Unavailable, err, "make the data folder")
	}
	args := []string{
		"-D", fresh, "-U", superuser, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums",
	}
	if o.Fast {
		args = append(args, "--no-sync")
	}
	cmd := w.command(ctx, "/", inst.program("initdb"), args...)
	// No parent-death signal, because the kernel would send it when the thread of this goroutine ends; see launch.
	cmd.SysProcAttr.Pdeathsig = 0
	if out, err := cmd.CombinedOutput(); err != nil {
		return fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %s", err, lastLines(out, 5)), "initdb failed in %s", fresh)
	}
	if err := os.Remove(data); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put the new cluster in place: %w", err)
	}
	if err := os.Rename(fresh, data); err != nil {
		return fmt.Errorf("put the new cluster in place: %w", err)
	}
	return nil
}

// server is the running postgres process.
type server struct {
	cmd      *exec.Cmd
	out      *output
	started  chan struct{} // closed when the start has succeeded or failed
	done     chan struct{} // closed when the process has ended
	waitErr  error         // valid after done is closed
	stopping atomic.Bool   // stop was called, so an end is not a failure
}

// launch starts postgres in a process group of its own, so that Ctrl-C in a terminal reaches only onemap, which then
// stops the server in order. The kernel sends the parent-death signal when the thread that forked ends, not the
// process. One goroutine therefore keeps its thread as long as the server runs.
func launch(o Options, inst installation, w owner, p place) *server {
	s := &server{out: &output{log: o.Logger}, started: make(chan struct{}), done: make(chan struct{})}
	s.cmd = w.command(context.Background(), "/", inst.program("postgres"), settings(o, p)...)
	s.cmd.SysProcAttr.Pdeathsig = syscall.SIGINT // SIGINT means a fast shutdown to postgres
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.WaitDelay = 5 * time.Second // a backend that is still running must not keep Wait waiting for the pipe
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.done)
		if s.waitErr = s.cmd.Start(); s.waitErr != nil {
			close(s.started)
			return
		}
		close(s.started)
		s.waitErr = s.cmd.Wait()
	}()
	<-s.started
	return s
}

// settings returns the arguments of postgres. The server has no TCP listener; the port is only part of the socket's
// name. fsync and full_page_writes protect against a crash of the machine, which does not matter for the data of a
// test.
func settings(o Options, p place) []string {
	args := []string{"-D", p.data}
	set := func(name, value string) { args = append(args, "-c", name+"="+value) }
	set("listen_addresses", "")
	set("port", "5432")
	set("unix_socket_directories", p.socket)
	set("unix_socket_permissions", "0700")
	set("max_connections", strconv.Itoa(o.MaxConnections))
	set("timezone", "UTC")
	set("log_timezone", "UTC")
	set("lc_messages", "C") // output.line looks for English words
	set("log_destination", "stderr")
	set("logging_collector", "off")
	set("log_line_prefix", "")
	set("jit", "off") // for short queries, compiling costs more time than it saves
	set("random_page_cost", "1.1")
	if o.Fast {
		set("fsync", "off")
		set("full_page_writes", "off")
		set("autovacuum", "off")
	}
	return args
}

// pid returns the process id of the server, and 0 if it did not start.
func (s *server) pid() int {
	if s.cmd.Process == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// failure returns the reason why the process ended, with the last lines of its output.
func (s *server) failure() error {
	if s.waitErr == nil {
		return errors.New("postgres ended by itself")
	}
	if words := s.out.last(); words != "" {
		return fmt.Errorf("postgres: %w: %s", s.waitErr, words)
	}
	return fmt.Errorf("postgres: %w", s.waitErr)
}

// stop sends SIGINT (fast shutdown) and waits. If ctx ends first, it sends SIGQUIT (immediate shutdown), after 5 s
// SIGKILL, and returns fault.Unavailable.
func (s *server) stop(ctx context.Context) error {
	s.stopping.Store(true)
	if s.cmd.Process == nil {
		return nil
	}
	_ = s.cmd.Process.Signal(syscall.SIGINT) // fails if the process has already ended
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	return fault.Wrap(fault.Unavailable, ctx.Err(), "PostgreSQL was stopped the hard way; it will recover at the next start")
}

// output logs the output of the server and keeps the last lines for an error message. rest is the beginning of a line
// that has no end yet.
type output struct {
	log   *slog.Logger
	mu    sync.Mutex
	rest  []byte
	lines []string
}

// Write implements io.Writer. It splits the output into lines.
func (w *output) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			break
		}
		w.line(string(w.rest[:i]))
		w.rest = w.rest[i+1:]
	}
	if len(w.rest) > 64<<10 { // a line of more than 64 KiB is dropped, so that the memory is bounded
		w.rest = nil
	}
	return len(p), nil
}

// line logs one line and keeps the last 20. It logs a PANIC or FATAL as a warning. FATAL "the database system is
// starting up" and the like are normal during a start, because waitReady connects early.
func (w *output) line(s string) {
	level := slog.LevelDebug
	if strings.HasPrefix(s, "PANIC:") || (strings.HasPrefix(s, "FATAL:") && !strings.Contains(s, "the database system is")) {
		level = slog.LevelWarn
	}
	w.log.Log(context.Background(), level, "postgres", "line", s)
	w.lines = append(w.lines, s)
	if len(w.lines) > 20 {
		w.lines = w.lines[len(w.lines)-20:]
	}
}

// last returns the last five lines.
func (w *output) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.lines[max(0, len(w.lines)-5):], " | ")
}

// lastLines returns the last n lines of an output in one line.
func lastLines(out []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}

// clearOrphans ends the server processes that a killed onemap left running on the data, and removes the pid file that
// prevents the start of a new server. The caller holds the lock of the folder, so it cannot end a server that is in use.
// It removes the pid file only when no process works in the data folder, because an old backend beside a new server
// would damage the data.
func clearOrphans(ctx context.Context, o Options, data string) error {
	resolved, err := filepath.EvalSymlinks(data)
	if err != nil {
		return nil //nolint:nilerr // without a data folder there is no left-over server
	}
	steps := []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, 20 * time.Second}, {syscall.SIGQUIT, 5 * time.Second}, {syscall.SIGKILL, 5 * time.Second}}
	for i, step := range steps {
		pids := serversIn(resolved)
		if len(pids) == 0 {
			break
		}
		if i == 0 {
			o.Progress("stopping a PostgreSQL server that an earlier run left behind")
		}
		o.Logger.WarnContext(ctx, "stopping a left-over PostgreSQL server", "pids", pids, "signal", step.signal.String())
		for _, pid := range orphanTargets(resolved, pids, step.signal) {
			_ = syscall.Kill(pid, step.signal) // fails if the process has just ended
		}
		if err := waitGone(ctx, resolved, step.wait); err != nil {
			return err
		}
	}
	if pids := serversIn(resolved); len(pids) > 0 {
		return fault.New(fault.Unavailable, "PostgreSQL processes %v still work in %s and cannot be ended", pids, data)
	}
	if err := os.Remove(filepath.Join(resolved, "postmaster.pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stale pid file: %w", err)
	}
	return nil
}

// orphanTargets returns the processes that get the signal. It is only the postmaster, which then stops its backends in
// order. If the postmaster is gone, or the signal is SIGKILL, it is all processes.
func orphanTargets(data string, pids []int, sig syscall.Signal) []int {
	if sig == syscall.SIGKILL {
		return pids
	}
	content, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return pids
	}
	first, _, _ := strings.Cut(string(content), "\n")
	postmaster, err := strconv.Atoi(strings.TrimSpace(first))
	for _, pid := range pids {
		if err == nil && pid == postmaster {
			return []int{pid}
		}
	}
	return pids
}

// waitGone waits until no server process works in the data folder, or until limit is over. Only the end of ctx is an
// error.
func waitGone(ctx context.Context, data string, limit time.Duration) error {
	enough := time.NewTimer(limit)
	defer enough.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for len(serversIn(data)) > 0 {
		select {
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, ctx.Err(), "a left-over PostgreSQL server in %s has not ended yet", data)
		case <-enough.C:
			return nil // clearOrphans continues with the next signal
		case <-tick.C:
		}
	}
	return nil
}

// serversIn lists the postgres processes whose working directory is the data folder. Every process of a PostgreSQL
// server has its data folder as working directory.
func serversIn(data string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		cwd, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		if err != nil || cwd != data {
			continue
		}
		comm, err := os.ReadFile(filepath.Join("/proc", e.Name(), "comm"))
		if err == nil && strings.HasPrefix(string(comm), "postgres") {
			pids = append(pids, pid)
		}
	}
	return pids
}

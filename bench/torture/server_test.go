package torture_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// program builds onemap once in a test process; TestMain removes it.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "onemap-torture-bin-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "onemap")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", bin, "onemap/cmd/onemap").CombinedOutput(); err != nil {
		return bin, fmt.Errorf("%w: %s", err, out)
	}
	return bin, nil
})

// server is a real `onemap serve` that can be killed and started again. Each start has new ports.
type server struct {
	t     testing.TB
	db    string
	flags []string
	cmd   *exec.Cmd
	done  chan struct{}
	err   error // valid after done

	http, mqtt atomic.Pointer[string]
}

func newServer(t testing.TB, db string, flags ...string) *server {
	t.Helper()
	s := &server{t: t, db: db, flags: flags}
	s.start()
	t.Cleanup(func() {
		if s.cmd != nil {
			s.end(syscall.SIGTERM)
		}
	})
	return s
}

// start runs the server and waits until it reports its addresses.
func (s *server) start() {
	s.t.Helper()
	bin, err := program()
	if err != nil {
		s.t.Fatalf("build onemap: %v", err)
	}
	base, err := filepath.Abs(filepath.Join("..", "..", "data", "base"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(bin, append([]string{
		"serve", "--no-migrate", "--log-level=warn", "--http=127.0.0.1:0", "--mqtt=127.0.0.1:0", "--node=torture", "--base-data=" + base,
	}, s.flags...)...)
	s.cmd.Env = environment("ONEMAP_DATABASE=" + s.db)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	s.cmd.Stderr = &logWriter{t: s.t}
	out, in := io.Pipe()
	s.cmd.Stdout = in
	s.done = make(chan struct{})
	launched := make(chan error, 1)
	go func() {
		// the kernel sends the parent-death signal when the thread that forked ends
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.done)
		err := s.cmd.Start()
		launched <- err
		if err == nil {
			s.err = s.cmd.Wait()
		}
		_ = in.Close() // it always gives nil
	}()
	if err := <-launched; err != nil {
		s.t.Fatal(err)
	}
	s.readAddresses(out)
}

func (s *server) readAddresses(out io.Reader) {
	s.t.Helper()
	found := make(chan []string, 1)
	go func() {
		defer close(found)
		serves := regexp.MustCompile(`serves http://(\S+?)(?:, MQTT on (127\.0\.0\.1:\d+))?`)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := serves.FindStringSubmatch(lines.Text()); m != nil {
				found <- regexp.MustCompile(`127\.0\.0\.1:\d+`).FindAllString(lines.Text(), -1)
				_, _ = io.Copy(io.Discard, out) // until it ends
			}
		}
	}()
	select {
	case addrs, ok := <-found:
		if !ok || len(addrs) == 0 {
			<-s.done
			s.t.Fatalf("onemap ended before it served: %v", s.err)
		}
		s.http.Store(&addrs[0])
		if len(addrs) > 1 {
			s.mqtt.Store(&addrs[1])
		}
	case <-time.After(patience):
		s.t.Fatal("onemap does not say where it serves")
	}
}

// mqttAddr returns the present address of the embedded broker.
func (s *server) mqttAddr() string { return *s.mqtt.Load() }

// url returns the present address of a path of the API.
func (s *server) url(path string) string { return "http://" + *s.http.Load() + path }

// end sends a signal and waits until the process has ended.
func (s *server) end(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Errorf("signal %v: %v", sig, err)
	}
	select {
	case <-s.done:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.done
		s.t.Errorf("onemap does not end at %v", sig)
	}
	var exit *exec.ExitError
	if s.err != nil && sig != syscall.SIGKILL && (!errors.As(s.err, &exit) || exit.ExitCode() != 0) {
		s.t.Errorf("onemap ended with %v", s.err)
	}
	s.cmd = nil
}

// metrics reads /metrics: values by name, with the labels if there are any.
func (s *server) metrics() map[string]float64 {
	s.t.Helper()
	res, err := http.Get(s.url("/metrics"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	all := map[string]float64{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			all[name] = v
		}
	}
	return all
}

// away waits until the server has found its database unavailable and /readyz reports that it is not ready.
func (s *server) away() {
	s.t.Helper()
	eventually(s.t, "the server finds its database away", func() bool { return s.metrics()["onemap_ingest_database_away"] == 1 })
	eventually(s.t, "the server says that it is not ready", func() bool { return s.readiness() == http.StatusServiceUnavailable })
}

// readiness returns the status of /readyz.
func (s *server) readiness() int {
	s.t.Helper()
	res, err := http.Get(s.url("/readyz"))
	if err != nil {
		s.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// environment returns this process's environment without the variables that are options of onemap.
func environment(more ...string) []string {
	var out []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "ONEMAP_") {
			out = append(out, e)
		}
	}
	return append(out, more...)
}

// logWriter writes a process's output to the test's log, which is shown if the test is verbose or fails.
type logWriter struct {
	t  testing.TB
	mu sync.Mutex
	n  int
}

// Write logs the first 40 writes; a process may log much about the faults of the test.
func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n++; w.n <= 40 {
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

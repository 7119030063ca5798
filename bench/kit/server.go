package kit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Server is a running onemap.
type Server struct {
	*Child
	HTTP  *http.Client
	Ready time.Duration // time from the start of the process until /readyz is 200
}

// Session is a logged-in account.
type Session struct {
	Server *Server
	Cookie string // name=value
}

// Answer is a response as it was received, not decompressed.
type Answer struct {
	Path   string
	Header http.Header
	Body   []byte
}

// StartServer starts `onemap serve` on a database, with additional flags, and waits until it is ready.
func StartServer(ctx context.Context, onemap, db string, flags ...string) (*Server, error) {
	program, err := filepath.Abs(onemap)
	if err != nil {
		return nil, fmt.Errorf("-onemap: %w", err)
	}
	args := append([]string{"serve", "--no-migrate", "--log-level=warn", "--http=127.0.0.1:0"}, flags...)
	c, err := StartChild(ctx, []string{"ONEMAP_DATABASE=" + db}, program, args...)
	if err != nil {
		return nil, err
	}
	s := NewServer(c)
	if err := s.AwaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// NewServer returns the Server of a child process.
func NewServer(c *Child) *Server {
	return &Server{Child: c, HTTP: &http.Client{Timeout: time.Minute}}
}

// AwaitReady requests /readyz until the status is 200, and records the time since the start of the process.
func (s *Server) AwaitReady(ctx context.Context) error {
	err := s.Eventually(ctx, "the server is ready", func() (bool, error) {
		status, _, err := s.Fetch(ctx, http.MethodGet, "/readyz", "", nil)
		return status == http.StatusOK, err
	})
	s.Ready = time.Since(s.Started)
	return err
}

// Eventually calls ask until it returns true. It returns an error if that takes longer than StartWithin or if the server
// ends.
func (s *Server) Eventually(ctx context.Context, what string, ask func() (bool, error)) error {
	limit := time.After(StartWithin)
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for {
		yes, err := ask()
		if err != nil || yes {
			return err
		}
		select {
		case <-pause.C:
		case <-s.done:
			return fmt.Errorf("the server has ended: %w: %s", s.waitErr, s.Stderr())
		case <-limit:
			return fmt.Errorf("it never came true that %s: %s", what, s.Stderr())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Fetch sends a request that is not measured, with in as a JSON body unless it is nil, and returns the response.
func (s *Server) Fetch(ctx context.Context, method, path, cookie string, in any) (int, *Answer, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", path, err)
		}
		body = bytes.NewReader(text)
	}
	return s.send(ctx, method, path, cookie, "identity", body)
}

// FetchPacked sends a GET and returns the response without decompressing it.
func (s *Server) FetchPacked(ctx context.Context, path, cookie string) (int, *Answer, error) {
	return s.send(ctx, http.MethodGet, path, cookie, "gzip", nil)
}

func (s *Server) send(ctx context.Context, method, path, cookie, coding string, body io.Reader) (int, *Answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.Addr+path, body)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Cookie", cookie)
	req.Header.Set("Accept-Encoding", coding) // set explicitly, so that the HTTP client does not decompress
	res, err := s.HTTP.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = res.Body.Close() }() // the body has been read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", path, err)
	}
	return res.StatusCode, &Answer{Path: path, Header: res.Header, Body: text}, nil
}

// Login logs in and returns the session.
func (s *Server) Login(ctx context.Context, user, password string) (*Session, error) {
	status, a, err := s.Fetch(ctx, http.MethodPost, "/api/v1/session", "", map[string]string{"user": user, "password": password})
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("log in as %s: status %d: %.200s", user, status, a.Body)
	}
	cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	return &Session{Server: s, Cookie: cookie}, nil
}

// Metric returns one value of /metrics. name includes the labels, if it has any.
func (s *Server) Metric(ctx context.Context, name string) (float64, error) {
	status, a, err := s.Fetch(ctx, http.MethodGet, "/metrics", "", nil)
	if err != nil {
		return 0, err
	}
	if status != http.StatusOK {
		return 0, fmt.Errorf("/metrics: status %d", status)
	}
	for line := range strings.Lines(string(a.Body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("/metrics has no %s", name)
}

// LiveHeap returns the approximate size of the live heap after the last collection, in bytes: half of the heap size at which
// the next collection starts (GOGC is 100).
func (s *Server) LiveHeap(ctx context.Context) (float64, error) {
	next, err := s.Metric(ctx, "go_memstats_next_gc_bytes")
	return next / 2, err
}

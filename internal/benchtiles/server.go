package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/tiles"
)

// server is a running `onemap serve`.
type server struct {
	*child
	db    string // URL
	ready time.Duration
	http  *http.Client
	main  *session
}

// session is somebody who is logged in.
type session struct {
	server *server
	cookie string // name=value
}

// startServer starts `onemap serve` with further flags, waits until it is ready, and logs in.
func (b *bench) startServer(ctx context.Context, db string, flags ...string) (*server, error) {
	args := append([]string{"serve", "--no-migrate", "--log-level=warn", "--http=127.0.0.1:0", "--mqtt=127.0.0.1:0"}, flags...)
	program, err := filepath.Abs(b.o.onemap)
	if err != nil {
		return nil, fmt.Errorf("-onemap: %w", err)
	}
	c, err := startChild(ctx, []string{"ONEMAP_DATABASE=" + db}, program, args...)
	if err != nil {
		return nil, err
	}
	s := newServer(c, db)
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	if s.main, err = s.login(ctx, loginMain, b.password); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func newServer(c *child, db string) *server {
	return &server{child: c, db: db, http: &http.Client{Timeout: time.Minute}}
}

// awaitReady asks /readyz until it is 200, and notes how long that took from the start of the process.
func (s *server) awaitReady(ctx context.Context) error {
	err := s.eventually(ctx, "the server is ready", func() (bool, error) {
		status, _, err := s.fetch(ctx, http.MethodGet, "/readyz", "", nil)
		return status == http.StatusOK, err
	})
	s.ready = time.Since(s.started)
	return err
}

// eventually asks until the answer is yes.
func (s *server) eventually(ctx context.Context, what string, ask func() (bool, error)) error {
	limit := time.After(startWithin)
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
			return fmt.Errorf("the server has ended: %w: %s", s.waitErr, s.words.String())
		case <-limit:
			return fmt.Errorf("it never came true that %s: %s", what, s.words.String())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fetch sends one request that is not measured and reads the answer.
func (s *server) fetch(ctx context.Context, method, path, cookie string, in any) (int, *answer, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", path, err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, body)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", path, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Cookie", cookie)
	req.Header.Set("Accept-Encoding", "gzip") // as the load asks; the client then leaves it packed
	if !strings.HasPrefix(path, "/tiles/") {
		req.Header.Set("Accept-Encoding", "identity")
	}
	res, err := s.http.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = res.Body.Close() }() // it has been read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", path, err)
	}
	return res.StatusCode, &answer{Path: path, Header: res.Header, Body: text}, nil
}

// answer is one answer of a server, as it came over the wire.
type answer struct {
	Path   string
	Header http.Header
	Body   []byte
}

func (s *server) login(ctx context.Context, user, password string) (*session, error) {
	status, a, err := s.fetch(ctx, http.MethodPost, "/api/v1/session", "", map[string]string{"user": user, "password": password})
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("log in as %s: status %d: %.200s", user, status, a.Body)
	}
	cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	return &session{server: s, cookie: cookie}, nil
}

// metric reads one value from /metrics, by its name with labels, if it has any.
func (s *server) metric(ctx context.Context, name string) (float64, error) {
	status, a, err := s.fetch(ctx, http.MethodGet, "/metrics", "", nil)
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

// liveHeap is what was alive after the last collection, bytes, near enough: the next one is due when
// the heap is twice that (GOGC is 100).
func (s *server) liveHeap(ctx context.Context) (float64, error) {
	next, err := s.metric(ctx, "go_memstats_next_gc_bytes")
	return next / 2, err
}

// layers is how the two layers are doing.
func (s *server) layers(ctx context.Context) (map[string]tiles.LayerState, error) {
	status, a, err := s.fetch(ctx, http.MethodGet, "/api/v1/tiles/layers", s.main.cookie, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("the layers' health: status %d: %.200s", status, a.Body)
	}
	var list struct{ Items []tiles.LayerState }
	if err := json.Unmarshal(a.Body, &list); err != nil {
		return nil, fmt.Errorf("the layers' health: %w", err)
	}
	out := map[string]tiles.LayerState{}
	for _, l := range list.Items {
		out[l.Layer] = l
	}
	if _, both := out[polygonsLayer]; !both || len(out) != 2 {
		return nil, fmt.Errorf("the server has %d layers, not the two of the data set", len(out))
	}
	return out, nil
}

// draw gives both layers rules, by SQL, and waits until the server draws by them.
func (s *server) draw(ctx context.Context, rules core.TileRules) error {
	text, err := json.Marshal(rules)
	if err != nil {
		return fmt.Errorf("the rules: %w", err)
	}
	if err := execOnce(ctx, s.db, "update layer set tile = $1", string(text)); err != nil {
		return fmt.Errorf("set the rules: %w", err)
	}
	source := rules.Source
	if source == "" {
		source = core.TileSourceMemory
	}
	return s.eventually(ctx, "both layers are drawn from "+source, func() (bool, error) {
		all, err := s.layers(ctx)
		if err != nil {
			return false, err
		}
		for _, l := range all {
			if l.Source != source || !reflect.DeepEqual(l.Rules, rules) {
				return false, nil
			}
		}
		return true, nil
	})
}

// execOnce runs one statement on a connection of its own.
func execOnce(ctx context.Context, db, sql string, args ...any) error {
	conn, err := pgx.Connect(ctx, db)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	_, err = conn.Exec(ctx, sql, args...)
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

package torture_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// login opens a session as the observer and returns its cookie.
func (s *stage) login() string {
	s.t.Helper()
	credentials, err := json.Marshal(map[string]string{"user": login, "password": password})
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.Post(s.server.url("/api/v1/session"), "application/json", strings.NewReader(string(credentials)))
	if err != nil {
		s.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("log in: status %d", res.StatusCode)
	}
	cookie, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	return cookie
}

// ask sends a request to the API as the observer and ignores the outcome.
func (s *stage) ask(ctx context.Context, path string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.server.url(path), nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	req.Header.Set("Cookie", s.follower.cookie)
	if res, err := http.DefaultClient.Do(req); err == nil {
		_ = res.Body.Close()
	}
}

// get reads from the API as the observer.
func (s *stage) get(path string, out any) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.server.url(path), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Cookie", s.follower.cookie)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: status %d", path, res.StatusCode)
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		s.t.Fatal(err)
	}
}

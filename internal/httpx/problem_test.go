package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"onemap/alerts"
	"onemap/auth"
	"onemap/internal/fault"
)

func TestEveryKindHasAStatus(t *testing.T) {
	seen := map[int]fault.Kind{}
	for _, k := range fault.Kinds() {
		status := statusOf(k)
		if status < 400 || http.StatusText(status) == "" {
			t.Errorf("%v has the status %d", k, status)
		}
		if other, ok := seen[status]; ok {
			t.Errorf("%v and %v share %d", k, other, status)
		}
		seen[status] = k
		if kindOfStatus(status) != k {
			t.Errorf("kindOfStatus(%d) = %v, want %v", status, kindOfStatus(status), k)
		}
		if !strings.Contains(problemKinds(t), k.String()) {
			t.Errorf("%v is not described as a kind of Problem", k)
		}
	}
}

func problemKinds(t *testing.T) string {
	t.Helper()
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(s.Huma().Components.Schemas.Map()["Problem"].Properties["kind"].Enum)
}

func TestProblemOf(t *testing.T) {
	var log strings.Builder
	s := &Server{log: slog.New(slog.NewTextHandler(&log, nil))}
	ctx := context.WithValue(t.Context(), exchangeKey{}, &exchange{id: "REQ"})
	gone, cancel := context.WithCancel(ctx)
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		want Problem
	}{
		"field":            {ctx, fmt.Errorf("wrapped: %w", fault.InvalidField("lon", "is no number")), Problem{Status: 400, Kind: "invalid", Field: "lon", Detail: "is no number"}},
		"cause stays here": {ctx, fault.Wrap(fault.Unavailable, errors.New("password=x"), "the database is away"), Problem{Status: 503, Kind: "unavailable", Detail: "the database is away", Code: "away-now"}},
		"unmapped":         {ctx, errors.New("secret detail"), Problem{Status: 500, Kind: "internal", Detail: "an internal error; the log has its detail under request REQ", Code: "internal-error", Params: map[string]string{"id": "REQ"}, RequestID: "REQ"}},
		"internal":         {ctx, fault.New(fault.Internal, "secret detail"), Problem{Status: 500, Kind: "internal", Detail: "an internal error; the log has its detail under request REQ", Code: "internal-error", Params: map[string]string{"id": "REQ"}, RequestID: "REQ"}},
		"too slow":         {ctx, fmt.Errorf("query: %w", context.DeadlineExceeded), Problem{Status: 503, Kind: "unavailable", Detail: "a part of the server is away now; try again", Code: "away-now"}},
		"client gone":      {gone, fmt.Errorf("query: %w", context.Canceled), Problem{Status: 499, Kind: "unavailable"}},
		"several": {ctx, fmt.Errorf("rule: %w", errors.Join(fault.InvalidField("a", "one"), fault.InvalidField("b", "two"))), Problem{
			Status: 400, Kind: "invalid", Field: "a", Detail: "one", Errors: []FieldDetail{{Field: "a", Detail: "one"}, {Field: "b", Detail: "two"}},
		}},
		"by a code": {ctx, fmt.Errorf("account: %w", fault.InvalidCode("password", auth.CodePasswordShort, 10)), Problem{
			Status: 400, Kind: "invalid", Field: "password", Detail: "must be at least 10 characters", Code: "password-short", Params: map[string]string{"limit": "10"},
		}},
		"several by codes": {ctx, errors.Join(fault.InvalidCode("a", fault.CodeNotEmpty), fault.InvalidCode("b", alerts.CodeLevelTwice, fault.Red)), Problem{
			Status: 400, Kind: "invalid", Field: "a", Detail: "must not be empty", Code: "not-empty", Errors: []FieldDetail{
				{Field: "a", Detail: "must not be empty", Code: "not-empty"}, {Field: "b", Detail: "red stands twice", Code: "level-twice", Params: map[string]string{"level": "red"}},
			},
		}},
	} {
		got := s.ProblemOf(c.ctx, c.err)
		got.Type, got.Title, got.headers = "", "", nil
		if diff := cmp.Diff(&c.want, got, cmp.AllowUnexported(Problem{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if !strings.Contains(log.String(), "secret detail") || !strings.Contains(log.String(), "REQ") {
		t.Errorf("the log lacks the detail or the request: %s", log.String())
	}
	p := s.ProblemOf(ctx, &fault.Error{Kind: fault.TooMany, Msg: "slow down", RetryAfter: 1500 * time.Millisecond})
	if got := p.GetHeaders().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q, want 2: whole seconds, not too early", got)
	}
}

func TestHumaProblem(t *testing.T) {
	for name, c := range map[string]struct {
		in   *huma.ErrorModel
		want Problem
	}{
		"missing": {
			&huma.ErrorModel{Status: 422, Errors: []*huma.ErrorDetail{{Location: "body", Message: "expected required property user to be present"}}},
			Problem{Status: 400, Kind: "invalid", Field: "user", Detail: "user: is required", Code: "required"},
		},
		"missing below": {
			&huma.ErrorModel{Status: 422, Errors: []*huma.ErrorDetail{{Location: "body.create[2].properties", Message: "expected required property division to be present"}}},
			Problem{Status: 400, Kind: "invalid", Field: "create[2].properties.division", Detail: "create[2].properties.division: is required", Code: "required"},
		},
		"too large":  {&huma.ErrorModel{Status: 413, Detail: "too large"}, Problem{Status: 413, Kind: "too-large", Detail: "too large", Code: "too-much"}},
		"media type": {&huma.ErrorModel{Status: 415, Detail: "x"}, Problem{Status: 415, Kind: "invalid", Detail: "x", Code: "malformed"}},
		"value is not repeated": {
			&huma.ErrorModel{Status: 422, Errors: []*huma.ErrorDetail{{Location: "body.password", Message: "expected string", Value: "hunter2"}}},
			Problem{Status: 400, Kind: "invalid", Field: "password", Detail: "password: expected string", Code: "malformed"},
		},
	} {
		v, err := humaProblem(nil, "", c.in)
		if err != nil {
			t.Fatal(err)
		}
		got := v.(*Problem)
		got.Type, got.Title, got.headers = "", "", nil
		if diff := cmp.Diff(&c.want, got, cmp.AllowUnexported(Problem{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if v, err := humaProblem(nil, "", 7); v != 7 || err != nil {
		t.Error("another answer was changed")
	}
}

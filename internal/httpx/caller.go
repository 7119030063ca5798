package httpx

import (
	"context"
	"net/http"
	"strings"

	"onemap/internal/core"
)

// SessionCookie is the name of the cookie that carries a session's token.
const SessionCookie = "onemap_session"

// Token is the session's token that a request brings: a bearer token, or the cookie's.
func Token(r *http.Request) string {
	if kind, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(kind, "Bearer") {
		return strings.TrimSpace(value)
	}
	if c, err := r.Cookie(SessionCookie); err == nil {
		return c.Value
	}
	return ""
}

type principalKey struct{}

// withPrincipal returns a context that speaks for p.
func withPrincipal(ctx context.Context, p core.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalOf returns the principal of the context; ok is false if the request is not authenticated.
func PrincipalOf(ctx context.Context) (p core.Principal, ok bool) {
	p, ok = ctx.Value(principalKey{}).(core.Principal)
	return p, ok
}

type requestKey struct{}

// RequestOf is the HTTP request of an operation's context.
func RequestOf(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return r
}

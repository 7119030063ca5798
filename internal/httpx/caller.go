package httpx

import (
	"context"
	"net/http"
	"strings"

	"onemap/internal/core"
)

// SessionCookie is the name of the cookie that carries a session's token.
const SessionCookie = "onemap_session"

// Token returns the session token of a request: a bearer token or the cookie. It returns "" if there is none.
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

// withPrincipal returns a context with the principal p.
func withPrincipal(ctx context.Context, p core.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalOf returns the principal of the context; ok is false if the request is not authenticated.
func PrincipalOf(ctx context.Context) (p core.Principal, ok bool) {
	p, ok = ctx.Value(principalKey{}).(core.Principal)
	return p, ok
}

type requestKey struct{}

// RequestOf returns the HTTP request of an operation's context. It returns nil outside of an operation.
func RequestOf(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return r
}

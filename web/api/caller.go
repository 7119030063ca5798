package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"onemap/internal/core"
)

// SessionCookie is the name of the cookie that carries a session's token.
const SessionCookie = "onemap_session"

// DeviceCookie is the name of the cookie by which a browser that has logged in before is known at its next login.
const DeviceCookie = "onemap_device"

// deviceCookieTTL is the longest that a browser keeps a cookie.
const deviceCookieTTL = 400 * 24 * time.Hour

// deviceToken is the token of a browser that has logged in before; empty: it brings none.
func deviceToken(r *http.Request) string {
	c, err := r.Cookie(DeviceCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// token is the session's token that a request brings: a bearer token, or the cookie's.
func token(r *http.Request) string {
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

// principalOf is whom the context speaks for; ok is false when nobody has been authenticated.
func principalOf(ctx context.Context) (p core.Principal, ok bool) {
	p, ok = ctx.Value(principalKey{}).(core.Principal)
	return p, ok
}

package api

import (
	"net/http"
	"strings"
)

// SessionCookie is the name of the cookie that carries a session's token.
const SessionCookie = "onemap_session"

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

package httpx

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"onemap/internal/fault"
)

// Unknown handles requests that no route matches. It answers 405 if another method would match, and 404 otherwise.
func (s *Server) Unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := s.mux.Handler(probe); strings.HasPrefix(pattern, m+" ") {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) > 0 {
		s.MethodNotAllowed(w, r, allowed)
		return
	}
	s.Fail(w, r, NotFound("there is nothing at %s", Cut(r.URL.Path)))
}

// MethodNotAllowed answers 405 with the methods that the path accepts.
func (s *Server) MethodNotAllowed(w http.ResponseWriter, r *http.Request, allowed []string) {
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	p := newProblem(fault.Invalid, "this takes "+strings.Join(allowed, ", "))
	p.Status, p.Title = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)
	s.Fail(w, r, p)
}

// WriteJSON writes v as a JSON response, for handlers that are not huma operations.
func (s *Server) WriteJSON(w http.ResponseWriter, r *http.Request, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.DebugContext(r.Context(), "the client went away", slog.Any("error", err))
	}
}

package api

import (
	"net/http"

	"onemap/internal/fault"
)

// push hands the connection over to the hub; what it refuses leaves as a problem.
func (s *Server) push(w http.ResponseWriter, r *http.Request) {
	p, ok := principalOf(r.Context())
	if !ok {
		s.fail(w, r, fault.New(fault.Unauthenticated, "log in first"))
		return
	}
	if err := s.o.Push.Serve(w, r, p); err != nil {
		s.fail(w, r, err)
	}
}

package api

import (
	"context"
	"net/http"
	"slices"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// Ingest tells how this node's ingest path is doing.
type Ingest interface {
	IngestStats() sensors.IngestStats
}

func (s *Server) ingestRoutes() {
	register(s, needData, op(http.MethodGet, "/api/v1/ingest", "getIngest",
		"How the ingest path of the node that answers is doing: what went through each stage, 15 minutes of samples, its brokers, devices that give trouble; for the city"), s.ingest)
}

func (s *Server) ingest(_ context.Context, p core.Principal, _ *none) (*body[sensors.IngestStats], error) {
	if err := p.NeedCity(); err != nil {
		return nil, err
	}
	if s.o.Ingest == nil {
		return nil, fault.New(fault.Unavailable, "this node takes no readings in")
	}
	st := s.o.Ingest.IngestStats()
	st.Samples, st.Troubles = orEmpty(st.Samples), orEmpty(st.Troubles)
	st.Brokers = slices.Clone(orEmpty(st.Brokers))
	for i := range st.Brokers {
		if st.Brokers[i].Refused == nil {
			st.Brokers[i].Refused = map[string]uint64{}
		}
	}
	return &body[sensors.IngestStats]{st}, nil
}

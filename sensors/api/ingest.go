package sensorsapi

import (
	"context"
	"net/http"
	"slices"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
	"onemap/sensors"
)

// Ingest returns the statistics of this node's ingest path.
type Ingest interface {
	IngestStats() sensors.IngestStats
}

// ingestRoutes registers the route of the ingest statistics.
func (s *API) ingestRoutes() {
	httpx.Register(s.Server, httpx.EditData, httpx.Op(http.MethodGet, "/api/v1/ingest", "getIngest",
		"How the ingest path of the node that answers is doing: what went through each stage, 15 minutes of samples, its brokers, devices that give trouble; for the city"), s.ingest)
}

// ingest returns the statistics of this node. It returns fault.Unavailable if the node does not receive readings.
func (s *API) ingest(_ context.Context, p core.Principal, _ *httpx.None) (*httpx.Body[sensors.IngestStats], error) {
	if err := p.NeedCity(); err != nil {
		return nil, err
	}
	if s.o.Ingest == nil {
		return nil, fault.New(fault.Unavailable, "this node takes no readings in")
	}
	st := s.o.Ingest.IngestStats()
	// The lists and maps must not be null in JSON. The brokers are cloned, because the statistics are shared.
	st.Samples, st.Troubles = httpx.OrEmpty(st.Samples), httpx.OrEmpty(st.Troubles)
	st.Brokers = slices.Clone(httpx.OrEmpty(st.Brokers))
	for i := range st.Brokers {
		if st.Brokers[i].Refused == nil {
			st.Brokers[i].Refused = map[string]uint64{}
		}
	}
	return httpx.Answer(st), nil
}

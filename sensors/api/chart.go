package sensorsapi

import (
	"context"
	"net/http"
	"time"

	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/sensors"
)

// chartInput is the request for a chart: the datastream, the period [from, to) and the largest number of points.
type chartInput struct {
	ID     int64     `path:"id" minimum:"1"`
	From   time.Time `query:"from" doc:"Default 6 hours before to"`
	To     time.Time `query:"to" doc:"Default now"`
	Points int       `query:"points" minimum:"2" maximum:"2000" default:"2000" doc:"Most points of the answer"`
}

// chartRoutes registers the route of the chart.
func (s *API) chartRoutes() {
	o := httpx.Op(http.MethodGet, "/api/v1/datastreams/{id}/chart", "getChart", "A datastream's readings in [from, to), in at most so many points")
	o.Description = "From the stored readings themselves. When there are more than points, the period is cut into equal buckets of bucket_s seconds, " +
		"and each keeps its least and its greatest reading at their own times. Readings flagged bad or missing (qc 4, 9) are no extremes; " +
		"the first of each bucket is kept beside them, or, when those are more than a tenth of the points, that many from the whole period. " +
		"Of readings flagged suspect (qc 3) or ahead of their receipt (time_source 3), the first of each bucket is kept beside, as many as there is room for; " +
		"flagged counts all of these in each bucket, points or not. " +
		"The first and the last reading are always there; fewer than four points leave room for nothing else. Times are RFC 3339 in UTC; values are in the unit of the datastream's type."
	httpx.Register(s.Server, httpx.View, o, s.chart)
}

// chart returns the reduced readings of a datastream. The reader checks that the scope covers its device.
func (s *API) chart(ctx context.Context, p core.Principal, in *chartInput) (*httpx.Body[sensors.Chart], error) {
	from, to, err := period(in.From, in.To, s.Now())
	if err != nil {
		return nil, err
	}
	c, err := s.o.Reader.Chart(ctx, p.Scope(), in.ID, from, to, in.Points)
	// The list must not be null in JSON.
	c.Conflicts = httpx.OrEmpty(c.Conflicts)
	return httpx.Answer(c), err
}

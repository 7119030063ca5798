package catalogueapi

import (
	"context"
	"time"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/httpx"
)

// FeatureChange is one entry of a feature's history.
type FeatureChange struct {
	ID     int64         `json:"id"`
	At     time.Time     `json:"at"`
	Kind   string        `json:"kind" enum:"created,updated,deleted"`
	Via    string        `json:"via" enum:"hand,import,database" doc:"By a person through this API, by an import, or by a session of the database itself"`
	Actor  string        `json:"actor" doc:"By hand: the login of who did it; in the database: a role of it"`
	Source string        `json:"source" doc:"Of an import: its source"`
	Before *FeatureState `json:"before,omitempty" doc:"Missing of what was created"`
	After  *FeatureState `json:"after,omitempty" doc:"Missing of what was deleted, and of what an import created: it is the before of the next change, or the feature"`
}

// FeatureState has the parts of a feature that a change concerned. A part that is missing was not changed.
type FeatureState struct {
	catalogue.FeatureState

	Geometry *Geometry `json:"geometry,omitempty"`
}

type featureHistoryInput struct {
	LayerPath
	ID     int64 `path:"id" minimum:"1"`
	Limit  int   `query:"limit" minimum:"1" maximum:"500" default:"20"`
	Before int64 `query:"before" minimum:"0" doc:"Changes with a smaller id"`
}

// featureHistory lists the changes of one feature, newest first. A deleted feature still has its history.
func (s *API) featureHistory(ctx context.Context, p core.Principal, in *featureHistoryInput) (*httpx.Body[httpx.List[FeatureChange]], error) {
	all, err := s.o.Catalogue.FeatureHistory(ctx, p.Scope(), in.Layer, in.ID, core.Page{Limit: in.Limit + 1, Before: in.Before})
	if err != nil {
		return nil, err
	}
	out := make([]FeatureChange, 0, len(all))
	for _, c := range all {
		out = append(out, FeatureChange{
			ID: c.ID, At: c.At, Kind: c.Kind, Via: c.Via, Actor: c.Actor, Source: c.Source, Before: wireState(c.Before), After: wireState(c.After),
		})
	}
	return httpx.Paged(out, in.Limit, func(c FeatureChange) int64 { return c.ID }), nil
}

// wireState returns the state with its geometry as GeoJSON, and nil for nil.
func wireState(f *catalogue.FeatureState) *FeatureState {
	if f == nil {
		return nil
	}
	out := &FeatureState{FeatureState: *f}
	if f.Geometry != nil {
		g := wireGeometry(f.Geometry)
		out.Geometry = &g
	}
	return out
}

package catalogueapi

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/catalogue/geojson"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
)

// editFeatures applies a batch of changes, all or none. The answer has the new version of the layer, as a member and as
// the ETag, so that the client can send the next edit without reading the layer again.
func (s *API) editFeatures(ctx context.Context, p core.Principal, in *editInput) (*httpx.Tagged[Edited], error) {
	version, err := httpx.IfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	edit, err := in.Body.edit()
	if err != nil {
		return nil, err
	}
	l, ids, err := s.o.Editor.EditFeatures(ctx, p, in.Layer, version, edit)
	if err != nil {
		return nil, err
	}
	return httpx.Versioned(l.Version, Edited{Version: l.Version, Created: httpx.OrEmpty(ids)}), nil
}

// edit returns the edit for the service and decodes the geometries. An error names the geometry, such as
// create[3].geometry. An update of the request becomes a patch: the service completes it from the stored feature.
func (e FeatureEdit) edit() (catalogue.Edit, error) {
	out := catalogue.Edit{Delete: e.Delete}
	for i, c := range e.Create {
		g, err := c.Geometry.read(at("create", i, "geometry"))
		if err != nil {
			return out, err
		}
		out.Create = append(out.Create, catalogue.Feature{
			Key: c.Properties.Key, Division: c.Properties.Division, Name: c.Properties.Name, Level: c.Properties.Level,
			Properties: c.Properties.Fields, Geometry: g,
		})
	}
	for i, m := range e.Move {
		g, err := m.Geometry.read(at("move", i, "geometry"))
		if err != nil {
			return out, err
		}
		out.Move = append(out.Move, catalogue.Feature{ID: m.ID, Geometry: g})
	}
	for _, u := range e.Update {
		out.Patch = append(out.Patch, catalogue.Patch(u))
	}
	return out, nil
}

// read decodes a geometry. It encodes the geometry as JSON again, because the GeoJSON decoder of imports has all checks.
// field is the place of the geometry in the request; errors name it.
func (g Geometry) read(field string) (orb.Geometry, error) {
	raw, err := json.Marshal(g)
	if err != nil {
		return nil, fault.InvalidField(field, "is no GeoJSON geometry")
	}
	out, err := geojson.Decode(raw)
	if err != nil {
		return nil, fault.InField(field, err)
	}
	return out, nil
}

// at returns the place of a member in a request, such as create[3].geometry.
func at(list string, i int, member string) string { return fmt.Sprintf("%s[%d].%s", list, i, member) }

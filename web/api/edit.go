package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/paulmach/orb"

	"onemap/auth"
	"onemap/catalogue"
	"onemap/catalogue/geojson"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// editFeatures applies a batch. What the request leaves out of an update is read first, so that the
// store gets whole features; the version that the caller saw guards against a change in between.
func (s *Server) editFeatures(ctx context.Context, p auth.Principal, in *editInput) (*tagged[Edited], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	// Whether the layer may be known at all comes before what is wrong with the edit.
	if _, err := s.o.Catalogue.Layer(ctx, p.Scope(), in.Layer); err != nil {
		return nil, err
	}
	edit, err := in.Body.read(p.Scope())
	if err != nil {
		return nil, err
	}
	if edit.Update, err = s.whole(ctx, p.Scope(), in.Layer, in.Body.Update); err != nil {
		return nil, err
	}
	l, ids, err := s.o.Editor.EditFeatures(ctx, p.Scope(), p.Login, in.Layer, version, edit)
	if err != nil {
		return nil, err
	}
	return &tagged[Edited]{etag(l.Version), Edited{Version: l.Version, Created: orEmpty(ids)}}, nil
}

// read checks what can be checked without the store: geometries, divisions, ids given twice.
func (e FeatureEdit) read(s core.Scope) (catalogue.Edit, error) {
	var out catalogue.Edit
	if len(e.Create)+len(e.Move)+len(e.Update)+len(e.Delete) == 0 {
		return out, fault.InvalidField("body", "has nothing to do: give create, move, update or delete")
	}
	for i, c := range e.Create {
		f, err := c.read(s, i)
		if err != nil {
			return out, err
		}
		out.Create = append(out.Create, f)
	}
	gone := map[int64]bool{}
	for i, id := range e.Delete {
		if id < 1 || gone[id] {
			return out, fault.InvalidField(fmt.Sprintf("delete[%d]", i), "%d is no id, or given twice", id)
		}
		gone[id] = true
	}
	out.Delete = e.Delete
	moved := map[int64]bool{}
	for i, m := range e.Move {
		if gone[m.ID] || moved[m.ID] {
			return out, fault.InvalidField(at("move", i, "id"), "%d is deleted or moved in the same edit", m.ID)
		}
		moved[m.ID] = true
		g, err := m.Geometry.read(at("move", i, "geometry"))
		if err != nil {
			return out, err
		}
		out.Move = append(out.Move, catalogue.Feature{ID: m.ID, Geometry: g})
	}
	updated := map[int64]bool{}
	for i, u := range e.Update {
		if gone[u.ID] || updated[u.ID] {
			return out, fault.InvalidField(at("update", i, "id"), "%d is deleted or updated in the same edit", u.ID)
		}
		updated[u.ID] = true
	}
	return out, nil
}

func (c CreateFeature) read(s core.Scope, i int) (catalogue.Feature, error) {
	division, err := geo.ParseDivision(c.Properties.Division)
	if err != nil {
		return catalogue.Feature{}, under(at("create", i, "properties.division"), err)
	}
	if !s.Covers(division) {
		return catalogue.Feature{}, &fault.Error{
			Kind: fault.Forbidden, Field: at("create", i, "properties.division"), Msg: "lies outside your division, " + s.Division,
		}
	}
	g, err := c.Geometry.read(at("create", i, "geometry"))
	if err != nil {
		return catalogue.Feature{}, err
	}
	return catalogue.Feature{
		Key: c.Properties.Key, Division: division, Name: c.Properties.Name, Level: c.Properties.Level,
		Properties: c.Properties.Fields, Geometry: g,
	}, nil
}

// whole makes whole features of updates: what is not given is as it is now.
func (s *Server) whole(ctx context.Context, scope core.Scope, layer string, updates []UpdateFeature) ([]catalogue.Feature, error) {
	out := make([]catalogue.Feature, 0, len(updates))
	for i, u := range updates {
		f, err := s.o.Catalogue.Feature(ctx, scope, layer, u.ID)
		if err != nil {
			return nil, under(at("update", i, "id"), err)
		}
		if u.Name != nil {
			f.Name = *u.Name
		}
		if u.Level != nil {
			f.Level = *u.Level
		}
		f.Properties = maps.Clone(f.Properties)
		if f.Properties == nil {
			f.Properties = catalogue.Properties{}
		}
		for name, value := range u.Fields {
			if value == nil {
				delete(f.Properties, name)
				continue
			}
			f.Properties[name] = value
		}
		out = append(out, f)
	}
	return out, nil
}

// read decodes a geometry; field is where it stands in the request.
func (g Geometry) read(field string) (orb.Geometry, error) {
	raw, err := json.Marshal(g)
	if err != nil {
		return nil, fault.InvalidField(field, "is no GeoJSON geometry")
	}
	out, err := geojson.Decode(raw)
	if err != nil {
		return nil, under(field, err)
	}
	return out, nil
}

func at(list string, i int, member string) string { return fmt.Sprintf("%s[%d].%s", list, i, member) }

// under puts where a part stands before the field that its error names.
func under(field string, err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	inner := *e
	if inner.Field != "" && inner.Field != "division" {
		inner.Msg = inner.Field + ": " + inner.Msg
	}
	inner.Field = field
	return &inner
}

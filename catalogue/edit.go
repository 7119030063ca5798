package catalogue

import (
	"cmp"
	"context"
	"fmt"
	"maps"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// maxEdits bounds the changes of one edit.
const maxEdits = 10_000

// Edit is a batch of changes to a layer's features, all or none.
type Edit struct {
	Create []Feature
	Move   []Feature // ID and Geometry
	Update []Feature // ID, Name, Level, Properties as given; nil properties stay
	Patch  []Patch   // updates of a part of a feature, in place of Update
	Delete []int64
}

// Patch is what changes of a feature; what is nil stays.
type Patch struct {
	ID     int64
	Name   *core.Text
	Level  *core.Level
	Fields Properties // only the fields that change; a nil value removes a field
}

// apply returns the feature with the patch in it.
func (p Patch) apply(f Feature) Feature {
	if p.Name != nil {
		f.Name = *p.Name
	}
	if p.Level != nil {
		f.Level = *p.Level
	}
	// The map is cloned, because the caller's feature must not change with the patch.
	f.Properties = maps.Clone(f.Properties)
	if f.Properties == nil {
		f.Properties = Properties{}
	}
	for name, value := range p.Fields {
		if value == nil {
			delete(f.Properties, name)
			continue
		}
		f.Properties[name] = value
	}
	return f
}

// size is how many changes there are.
func (e Edit) size() int {
	return len(e.Create) + len(e.Move) + len(e.Update) + len(e.Patch) + len(e.Delete)
}

// check holds the edit alone against the rules: its size, ids that it changes in two ways, new features outside of the
// scope.
func (e Edit) check(s core.Scope) error {
	switch n := e.size(); {
	case n == 0:
		return fault.InvalidField("body", "has nothing to do: give create, move, update or delete")
	case n > maxEdits:
		return fault.New(fault.TooLarge, "%d changes are more than the %d of one edit", n, maxEdits)
	}
	for i, f := range e.Create {
		if err := checkNewPlace(s, fmt.Sprintf("create[%d].properties.division", i), f.Division); err != nil {
			return err
		}
	}
	// A feature may be moved and updated in the same edit, but not twice, and not together with its deletion.
	gone := map[int64]bool{}
	for i, id := range e.Delete {
		if id < 1 || gone[id] {
			return fault.InvalidField(fmt.Sprintf("delete[%d]", i), "%d is no id, or given twice", id)
		}
		gone[id] = true
	}
	moved, updated := map[int64]bool{}, map[int64]bool{}
	once := func(list, verb string, i int, id int64, seen map[int64]bool) error {
		if gone[id] || seen[id] {
			return fault.InvalidField(fmt.Sprintf("%s[%d].id", list, i), "%d is deleted or %s in the same edit", id, verb)
		}
		seen[id] = true
		return nil
	}
	var err error
	for i, f := range e.Move {
		err = cmp.Or(err, once("move", "moved", i, f.ID, moved))
	}
	for i, f := range e.Update {
		err = cmp.Or(err, once("update", "updated", i, f.ID, updated))
	}
	for i, f := range e.Patch {
		err = cmp.Or(err, once("update", "updated", i, f.ID, updated))
	}
	return err
}

// checkNewPlace refuses a code that is none, and one outside of the scope.
func checkNewPlace(s core.Scope, at, division string) error {
	code, err := geo.ParseDivision(division)
	if err != nil {
		return fault.InField(at, err)
	}
	if !s.Covers(code) {
		return &fault.Error{Kind: fault.Forbidden, Field: at, Msg: "lies outside your division, " + s.Division}
	}
	return nil
}

// Touches lists the ids of the features that are deleted, moved or updated, each once, and where the edit names each
// first.
func (e Edit) Touches() (ids []int64, at map[int64]string) {
	at = map[int64]string{}
	add := func(where string, id int64) {
		if _, ok := at[id]; !ok {
			at[id] = where
			ids = append(ids, id)
		}
	}
	for i, id := range e.Delete {
		add(fmt.Sprintf("delete[%d]", i), id)
	}
	for i, f := range e.Move {
		add(fmt.Sprintf("move[%d].id", i), f.ID)
	}
	for i, f := range e.Update {
		add(fmt.Sprintf("update[%d].id", i), f.ID)
	}
	return ids, at
}

// EditRules holds an edit against what the store finds under its lock.
type EditRules struct {
	scope   core.Scope
	version int64 // that the layer must be at; -1: any
}

// AdmitLayer says whether the layer, as it is locked, may be edited: fault.Forbidden when its audience does not admit
// the scope, fault.Precondition when it is at another version.
func (r EditRules) AdmitLayer(l Layer) error {
	switch {
	case !l.Audience.Admits(r.scope):
		return NotFor(l)
	case r.version != -1 && r.version != l.Version:
		return fault.New(fault.Precondition, "the layer is at version \"%d\" by now", l.Version)
	}
	return nil
}

// AdmitFeature says whether a feature of a division may be changed: fault.NotFound when it is not there or may not be
// seen, fault.Forbidden when it may be seen but lies in another division.
func (r EditRules) AdmitFeature(l Layer, at string, id int64, division string, there bool) error {
	switch {
	// The order matters: a feature that the caller may not see must look like one that does not exist. In a layer shown
	// by division a foreign feature is therefore not found.
	case there && r.scope.Covers(division):
		return nil
	case !there || l.Audience.Kind == core.AudienceDivision:
		return &fault.Error{Kind: fault.NotFound, Field: at, Msg: fmt.Sprintf("there is no feature %d in the layer %s", id, l.Name)}
	default:
		return &fault.Error{Kind: fault.Forbidden, Field: at, Msg: fmt.Sprintf("the feature %d lies outside your division, %s", id, r.scope.Division)}
	}
}

// AdmitNew says whether a new feature may lie in the division.
func (r EditRules) AdmitNew(at, division string) error {
	if r.scope.Covers(division) {
		return nil
	}
	return &fault.Error{
		Kind: fault.Forbidden, Field: at + ".division",
		Msg: fmt.Sprintf("%s lies outside your division, %s", cmp.Or(division, "a feature without a division"), r.scope.Division),
	}
}

// whole makes whole features of patches: what they leave out is as it is now.
func (v *Service) whole(ctx context.Context, s core.Scope, layer string, patches []Patch) ([]Feature, error) {
	out := make([]Feature, 0, len(patches))
	for i, p := range patches {
		f, err := v.store.Feature(ctx, s, layer, p.ID)
		if err != nil {
			return nil, fault.InField(fmt.Sprintf("update[%d].id", i), err)
		}
		out = append(out, p.apply(f))
	}
	return out, nil
}

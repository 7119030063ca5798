package catalogue

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// Store stores layers, features and divisions. It does not check permissions and rules; the Service does. Each change of
// a layer writes the event layer.changed in the same transaction.
type Store interface {
	Layer(ctx context.Context, s core.Scope, name string) (Layer, error)
	Feature(ctx context.Context, s core.Scope, layer string, id int64) (Feature, error)
	// PutLayer calls change with the locked entry and stores the result. The entry is the zero Layer if there is no layer
	// of that name.
	PutLayer(ctx context.Context, name, actor string, change func(old Layer) (Layer, error)) (Layer, error)
	// ImportLayer creates or replaces a layer from a stream, in one transaction: on an error the
	// layer is as it was.
	ImportLayer(ctx context.Context, l Layer, r Reader, o ImportOptions) (ImportReport, error)
	// EditFeatures applies an edit. It checks the rules against the rows that it has locked.
	EditFeatures(ctx context.Context, layer, actor string, e Edit, rules EditRules) (Layer, []int64, error)
	PutDivisions(ctx context.Context, divisions []Division) error
}

// Service is the only entry point for writes to the catalogue. Each write needs core.PermEditData.
type Service struct {
	store Store
	now   func() time.Time
}

// NewService returns the service. With a nil clock it uses the system clock.
func NewService(store Store, clock func() time.Time) *Service {
	if clock == nil {
		clock = time.Now
	}
	return &Service{store: store, now: clock}
}

// EditFeatures changes a layer's features, all or nothing, and returns the layer as the principal sees it then and the
// ids of the created features in their order. ifVersion is the layer's version that the caller saw (-1: not checked,
// for the command line alone). fault.Precondition: the layer is at another version. fault.Forbidden: a feature that
// the principal may see but that lies in another division, or a new one there. fault.NotFound: a layer or a feature
// that it may not see. fault.Invalid names the change: create[3].geometry.
func (v *Service) EditFeatures(ctx context.Context, p core.Principal, layer string, ifVersion int64, e Edit) (Layer, []int64, error) {
	if err := p.Need(core.PermEditData); err != nil {
		return Layer{}, nil, err
	}
	// Contract "jurisdiction": the service checks what may be written, and the store filters what may be read.
	// This check comes first, because the errors of the edit would reveal a layer that the principal may not see.
	if _, err := v.store.Layer(ctx, p.Scope(), layer); err != nil {
		return Layer{}, nil, err
	}
	if err := e.check(p.Scope()); err != nil {
		return Layer{}, nil, err
	}
	updates, err := v.whole(ctx, p.Scope(), layer, e.Patch)
	if err != nil {
		return Layer{}, nil, err
	}
	// The patches become updates of whole features, so the store has only one kind of update.
	e.Update, e.Patch = append(e.Update, updates...), nil
	_, created, err := v.store.EditFeatures(ctx, layer, p.Login, e, EditRules{scope: p.Scope(), version: ifVersion})
	if err != nil {
		return Layer{}, nil, err
	}
	l, err := v.store.Layer(ctx, p.Scope(), layer) // the layer as the scope sees it
	return l, created, err
}

// ChangeLayer changes how a layer is drawn, which is for the whole city, and returns it as it is then.
// fault.Precondition: the layer is not at ifVersion (-1: not checked). fault.Forbidden: its audience does not admit the
// principal, or the principal is of a part of the city. fault.Invalid names the member: in_tile[2], tile.buffer.
func (v *Service) ChangeLayer(ctx context.Context, p core.Principal, layer string, ifVersion int64, c LayerChange) (Layer, error) {
	if err := v.mayChange(ctx, p, layer); err != nil {
		return Layer{}, err
	}
	if c.MinZoom == nil && c.MaxZoom == nil && c.Tile == nil && c.InTile == nil {
		return Layer{}, fault.InvalidField("body", "has nothing to do: give min_zoom, max_zoom, tile or in_tile")
	}
	return v.changeEntry(ctx, p, layer, ifVersion, func(l Layer) (Layer, error) { return l.with(c) })
}

// mayChange returns an error if the principal may not change how a layer is drawn: fault.NotFound for a layer that does
// not exist, fault.Forbidden for the others.
func (v *Service) mayChange(ctx context.Context, p core.Principal, layer string) error {
	if err := p.Need(core.PermEditData); err != nil {
		return err
	}
	// This check comes first, because the errors of the change would reveal a layer that the principal may not see.
	if _, err := v.store.Layer(ctx, p.Scope(), layer); err != nil {
		return err
	}
	return p.NeedCity()
}

// changeEntry stores what change returns for the locked entry of an existing layer, and returns the layer as the scope
// sees it.
func (v *Service) changeEntry(ctx context.Context, p core.Principal, layer string, ifVersion int64, change func(Layer) (Layer, error)) (Layer, error) {
	rules := EditRules{scope: p.Scope(), version: ifVersion}
	_, err := v.store.PutLayer(ctx, layer, p.Login, func(old Layer) (Layer, error) {
		if old.ID == 0 {
			return old, NoLayer(layer)
		}
		if err := rules.AdmitLayer(old); err != nil {
			return old, err
		}
		return change(old)
	})
	if err != nil {
		return Layer{}, err
	}
	return v.store.Layer(ctx, p.Scope(), layer)
}

// PutLayer makes a layer's entry in the catalogue, or changes it where l says something: what l leaves empty stays as
// it was, or gets its default. It is for the whole city.
func (v *Service) PutLayer(ctx context.Context, p core.Principal, l Layer) (Layer, error) {
	if err := mayReplace(p); err != nil {
		return Layer{}, err
	}
	return v.store.PutLayer(ctx, l.Name, "", func(old Layer) (Layer, error) { return Merge(old, l, v.now()) })
}

// ImportLayer creates the layer or replaces its features by the reader's, all or nothing. It is for the whole city. What
// l leaves empty stays as the catalogue has it. Features keep their ids by the source's key; those that the source no
// longer has are deleted, but for what people drew. A file of which no record at all can be taken is fault.Invalid,
// and so is one by which more of the layer would be deleted than o allows.
func (v *Service) ImportLayer(ctx context.Context, p core.Principal, l Layer, r Reader, o ImportOptions) (ImportReport, error) {
	if err := mayReplace(p); err != nil {
		return ImportReport{}, err
	}
	if !IsLayerName(l.Name) {
		return ImportReport{Layer: l.Name, Refusals: []Refusal{}, Notes: []string{}}, l.Check()
	}
	return v.store.ImportLayer(ctx, l, r, o)
}

// PutDivisions stores divisions by their codes, replacing what is there. It is for the whole city. An empty parent is
// that of the code; lon and lat both 0 is no place.
func (v *Service) PutDivisions(ctx context.Context, p core.Principal, divisions []Division) error {
	if err := mayReplace(p); err != nil {
		return err
	}
	checked := make([]Division, len(divisions))
	for i, d := range divisions {
		var err error
		if checked[i], err = d.check(); err != nil {
			return fault.Under(fmt.Sprintf("divisions[%d]", i), err)
		}
	}
	return v.store.PutDivisions(ctx, checked)
}

// check completes a division. It returns fault.Invalid if the division is not valid.
func (d Division) check() (Division, error) {
	code, err := geo.ParseDivision(d.Code)
	if err != nil {
		return d, err
	}
	d.Code, d.Parent = code, cmp.Or(d.Parent, geo.ParentDivision(code))
	// Lon and lat 0 pass this check: they mean that the place is not known.
	return d, cmp.Or(
		fault.CheckLine("name.zh", d.Name.ZH, core.MaxName), fault.CheckLine("name.en", d.Name.EN, core.MaxName), geo.CheckLonLat(d.Lon, d.Lat),
	)
}

// mayReplace returns fault.Forbidden if the principal may not replace data of the whole city.
func mayReplace(p core.Principal) error {
	return cmp.Or(p.Need(core.PermEditData), p.NeedCity())
}

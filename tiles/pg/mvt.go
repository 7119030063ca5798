package tilespg

import (
	"context"
	"math"
	"slices"

	"github.com/paulmach/orb"

	"onemap/catalogue"
	cataloguepg "onemap/catalogue/pg"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/tiles"
)

// clipMargin is the distance outside the buffer of a tile at which geometry is cut in lon/lat. Units: tile units.
const clipMargin = 64

// selectTile makes one layer's part of a tile for a scope of division $1. All that differs between layers is an
// argument, also the name of the layer in the tile, so the statement is prepared once.
//
// Arguments: $1 division of the scope, $2 id and $3 name of the layer, $4 to $6 zoom, column and row of the tile, $7
// buffer in tile units, $8 and $9 names and types of the fields, $10 to $13 the box to cut at (west, south, east, north
// in degrees), $14 the field of the severity or an empty text, $15 whether to draw the label points of polygons instead
// of the features.
//
// The geometry is cut in lon/lat, well outside the buffer, before it is projected. There are two reasons: Web Mercator
// cannot project the poles, and a coast of 40,000 vertices need not be projected for one bay. The feature with the
// worst severity is last in the tile, so that it is drawn on top. A value whose type differs from the type of its field
// is left out, except that any value can be a text. A number that a float64 cannot hold, or that ST_AsMVT would change,
// becomes a text with all its digits. "offset 0" keeps the planner from computing the geometry twice, for the condition
// and for the tile.
const selectTile = `
	select ST_AsMVT(t, $3::text, 4096, 'geom', 'id' order by ` + drawnAfter + ` desc, t.id)
	from feature f join layer l on l.id = f.layer_id cross join lateral (
		select f.id, nullif(f.name_zh, '') as name_zh, nullif(f.name_en, '') as name_en, f.level, nullif(f.division_code, '') as division, f.origin,
			case when cardinality($8::text[]) > 0 then (select jsonb_object_agg(x.name, case
					when x.type = 'string' or x.type = 'number' and not tile_number((f.properties ->> x.name)::numeric) then to_jsonb(f.properties ->> x.name)
					else f.properties -> x.name end)
				from unnest($8::text[], $9::text[]) as x(name, type)
				where f.properties ->> x.name is not null
					and (x.type = 'string' or jsonb_typeof(f.properties -> x.name) = x.type)) end as properties,
			ST_AsMVTGeom(
				ST_Transform(ST_ClipByBox2D(case when $15 then ST_PointOnSurface(f.geom) else f.geom end,
					ST_MakeEnvelope($10, $11, $12, $13, 4326)::box2d), 3857),
				ST_TileEnvelope($4, $5, $6)::box2d, 4096, $7, true) as geom
		offset 0
	) t
	where f.layer_id = $2 and ` + cataloguepg.FeatureVisible + ` and f.geom && ST_MakeEnvelope($10, $11, $12, $13, 4326)
		and t.geom is not null and (not $15 or ST_Dimension(f.geom) = 2)`

// drawnAfter is the SQL expression of the severity of a feature: 1 is the worst and 9 means none. It is the field $14,
// or the level if $14 is empty (see core.TileRules.Severity).
const drawnAfter = `
		case when $14::text <> '' then
			case when jsonb_typeof(f.properties -> $14::text) <> 'number' then 9
				when (f.properties ->> $14::text)::numeric in (1, 2, 3, 4) then (f.properties ->> $14::text)::numeric::int
				else 9 end
			when f.level = 0 then 9 else f.level end`

// Describe returns the information about layers for a TileJSON document, in the order of the names. It returns
// fault.NotFound or fault.Forbidden for a layer that does not exist or whose audience does not admit the scope.
func (db *DB) Describe(ctx context.Context, s core.Scope, layers []string) ([]tiles.LayerInfo, error) {
	all, err := cataloguepg.LayersNamed(ctx, db.pool, s, layers...)
	if err != nil {
		return nil, err
	}
	out := make([]tiles.LayerInfo, 0, len(all))
	for _, l := range all {
		fields := map[string]string{
			"name_zh": "String", "name_en": "String", "level": "Number", "division": "String", "origin": "String", "count": "Number",
		}
		for _, f := range tileFields(l) {
			fields[f.Name] = tileType(f.Type)
		}
		out = append(out, tiles.LayerInfo{
			Name: l.Name, Title: l.Title, MinZoom: l.MinZoom, MaxZoom: l.MaxZoom, Version: l.Version,
			BBox: l.BBox, Attribution: l.Attribution, Fields: fields,
		})
	}
	return out, nil
}

// tileType returns the type of a field in a TileJSON document (vector_layers, fields).
func tileType(fieldType string) string {
	switch fieldType {
	case "number", "integer":
		return "Number"
	case "boolean":
		return "Boolean"
	default:
		return "String"
	}
}

// tileFields returns the fields of the layer that are part of tiles. A field with the name of an attribute that every
// feature has is left out, because both would have the same key in the tile.
func tileFields(l catalogue.Layer) []catalogue.Field {
	common := []string{"id", "name_zh", "name_en", "level", "division", "origin", "count", "geom", "properties"}
	return slices.DeleteFunc(slices.Clone(l.Fields), func(f catalogue.Field) bool {
		return !f.InTile || slices.Contains(common, f.Name)
	})
}

// Tile returns the parts of the layers in one tile, one after another; MVT allows this. A layer is not in tiles below
// its MinZoom, but it is in tiles above its MaxZoom. Points are never thinned. A name with tiles.LabelSuffix means the
// label points of the polygons of the layer. Tile returns fault.Invalid if the tile is outside the world, and the
// errors of Describe.
func (db *DB) Tile(ctx context.Context, s core.Scope, layers []string, a tiles.Address) ([]byte, error) {
	if t := geo.Tile(a); a.Z > tiles.MaxZoom || !t.Valid() {
		return nil, fault.InvalidField("tile", "%d/%d/%d is outside the world", a.Z, a.X, a.Y)
	}
	bases := make([]string, len(layers))
	for i, name := range layers {
		bases[i], _ = tiles.SplitLabel(name)
	}
	all, err := cataloguepg.Entries(ctx, db.pool, s, bases...)
	if err != nil {
		return nil, err
	}
	var out []byte
	for i, l := range all {
		if slices.Contains(layers[:i], layers[i]) || int(a.Z) < l.MinZoom {
			continue
		}
		l.Name = layers[i]
		part, err := db.layerTile(ctx, s, l, a)
		if err != nil {
			return nil, pg.MapErr(err, "make a tile of "+l.Name)
		}
		out = append(out, part...)
	}
	return out, nil
}

// layerTile runs selectTile for one layer.
func (db *DB) layerTile(ctx context.Context, s core.Scope, l catalogue.Layer, a tiles.Address) ([]byte, error) {
	fields := tileFields(l)
	names, types := make([]string, len(fields)), make([]string, len(fields))
	for i, f := range fields {
		names[i], types[i] = f.Name, f.Type
		if f.Type == "integer" {
			types[i] = "number" // jsonb_typeof has no separate name for whole numbers
		}
	}
	buffer := l.Tile.BufferUnits()
	_, labels := tiles.SplitLabel(l.Name)
	b := clipBound(geo.Tile(a), buffer)
	var part []byte
	err := db.pool.QueryRow(ctx, selectTile, s.Division, l.ID, l.Name, a.Z, a.X, a.Y, buffer, names, types,
		b.Min[0], b.Min[1], b.Max[0], b.Max[1], l.Tile.Severity, labels).Scan(&part)
	return part, err
}

// clipBound returns the box of a tile with its buffer (tile units) and clipMargin around it, in degrees, limited to the
// world.
func clipBound(t geo.Tile, buffer int) orb.Bound {
	side := 2 * geo.MercatorHalf / math.Exp2(float64(t.Z))
	pad := side * float64(buffer+clipMargin) / core.TileExtent
	west, north := float64(t.X)*side-geo.MercatorHalf, geo.MercatorHalf-float64(t.Y)*side
	b := orb.Bound{
		Min: geo.FromMercator(orb.Point{west - pad, north - side - pad}),
		Max: geo.FromMercator(orb.Point{west + side + pad, north + pad}),
	}
	b.Min[0], b.Max[0] = max(b.Min[0], -180), min(b.Max[0], 180)
	return b
}

var _ tiles.Source = (*DB)(nil)

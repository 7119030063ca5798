package cataloguepg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/catalogue"
	"onemap/internal/fault"
	"onemap/internal/pg"
)

const (
	keptRefusals  = 100 // the largest number of refusals that a report lists; all are counted
	progressEvery = 500 // number of records between two progress reports
	maxDeleted    = 0.2 // the largest share of a layer's features that an import deletes without AllowDelete
)

// staging creates the temporary table into which a file is read. A row with a reason is a refused record. It is not
// imported, and the existing feature with its key is not deleted either.
const staging = `
	create temporary table import_stage (
		ord           bigint not null,
		line          bigint not null,
		at            bigint not null,
		refused       text,
		source_key    text not null,
		division_code text,
		name_zh       text,
		name_en       text,
		level         smallint,
		origin        text,
		source        text,
		properties    jsonb,
		search        text,
		geom          geometry(Geometry, 4326)
	) on commit drop`

func stagingColumns() []string {
	return []string{
		"ord", "line", "at", "refused", "source_key", "division_code", "name_zh", "name_en", "level", "origin", "source", "properties", "search", "geom",
	}
}

// ImportLayer creates the layer or replaces its features by the reader's, in one transaction: until
// it commits, and after any error, the layer is as it was. The file is streamed into a temporary
// table; no more than one record is held here. Features keep their ids by the source's key; those
// whose record is unchanged are not touched; those whose record was refused stay as they are; those
// that the source no longer has are deleted, but for what people drew. What l leaves empty stays as the catalogue has it. A
// file of which no record at all can be taken is fault.Invalid, and so is one by which more of the layer
// would be deleted than o allows. The report is complete but for the version after such an error.
func (db *DB) ImportLayer(ctx context.Context, l catalogue.Layer, r catalogue.Reader, o catalogue.ImportOptions) (catalogue.ImportReport, error) {
	rep := catalogue.ImportReport{Layer: l.Name, Refusals: []catalogue.Refusal{}, Notes: []string{}}
	if o.Progress == nil {
		o.Progress = func(int64) {}
	}
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		imp := importer{db: db, tx: tx, rep: &rep, o: o}
		return imp.run(ctx, l, r)
	})
	if err != nil {
		return catalogue.ImportReport{Layer: l.Name, Read: rep.Read, Refused: rep.Refused, Refusals: rep.Refusals, Notes: rep.Notes}, pg.MapErr(err, "import layer "+l.Name)
	}
	return rep, nil
}

// importer is one import under way.
type importer struct {
	db  *DB
	tx  pgx.Tx
	rep *catalogue.ImportReport
	o   catalogue.ImportOptions
}

func (imp *importer) run(ctx context.Context, l catalogue.Layer, r catalogue.Reader) error {
	// What the file is checked against; it is read again under the lock.
	old, err := collectLayers(ctx, imp.tx, selectEntries+` where l.name = $1`, l.Name)
	if err != nil {
		return pg.MapErr(err, "read the layer")
	}
	entry := catalogue.Layer{}
	if len(old) > 0 {
		entry = old[0]
	}
	entry, err = catalogue.Merge(entry, l, imp.db.now())
	if err != nil {
		return err
	}
	entry.GeometryType = l.GeometryType // the content decides, unless the caller says
	if err := imp.stage(ctx, entry, r); err != nil {
		return err
	}
	if err := imp.mend(ctx); err != nil {
		return err
	}
	if err := imp.refuseStaged(ctx); err != nil {
		return err
	}
	imp.trimRefusals()
	if imp.rep.Read > 0 && imp.rep.Read == imp.rep.Refused {
		first := imp.rep.Refusals[0]
		return fault.InvalidField(fmt.Sprintf("line %d", first.Line), "none of the %d records can be taken; the first: %s", imp.rep.Read, first.Reason)
	}
	return imp.merge(ctx, l)
}

// stage streams the reader into the temporary table.
func (imp *importer) stage(ctx context.Context, l catalogue.Layer, r catalogue.Reader) error {
	if _, err := imp.tx.Exec(ctx, staging); err != nil {
		return fmt.Errorf("make the staging table: %w", err)
	}
	src := &copySource{reader: r, layer: l, rep: imp.rep, progress: imp.o.Progress}
	if _, err := imp.tx.CopyFrom(ctx, pgx.Identifier{"import_stage"}, stagingColumns(), src); err != nil {
		if src.err != nil {
			return src.err // the reader's own word, not the copy's
		}
		return pg.MapErr(err, fmt.Sprintf("store the records near line %d", src.line))
	}
	imp.o.Progress(imp.rep.Read)
	_, err := imp.tx.Exec(ctx, "analyze import_stage")
	return err
}

// copySource is pgx's way to read row by row.
type copySource struct {
	reader   catalogue.Reader
	layer    catalogue.Layer
	rep      *catalogue.ImportReport
	progress func(int64)
	row      []any
	line     int
	err      error
}

// Next reads on to the next row: a record, or a refused one whose key is known.
func (c *copySource) Next() bool {
	for {
		rec, refusal, err := c.reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return false
		case err != nil:
			c.err = err
			return false
		}
		if c.rep.Read++; c.rep.Read%progressEvery == 0 {
			c.progress(c.rep.Read)
		}
		if refusal == nil {
			refusal = c.take(rec)
		}
		if refusal == nil {
			return true
		}
		refusal.Number = c.rep.Read
		refuse(c.rep, *refusal)
		if catalogue.CheckKey(refusal.Key) == nil {
			c.row = []any{c.rep.Read, refusal.Line, refusal.Offset, "refused", refusal.Key, nil, nil, nil, nil, nil, nil, nil, nil, nil}
			return true
		}
	}
}

// take makes the record the next row, or says why not.
func (c *copySource) take(rec catalogue.Record) *catalogue.Refusal {
	c.line = rec.Line
	rec.Feature.Source = cmp.Or(rec.Feature.Source, c.layer.Source)
	f, err := catalogue.CheckFeature(c.layer, rec.Feature)
	if err != nil {
		return &catalogue.Refusal{Line: rec.Line, Offset: rec.Offset, Key: rec.Feature.Key, Reason: err.Error()}
	}
	c.row = []any{
		c.rep.Read, rec.Line, rec.Offset, nil, f.Key, f.Division, f.Name.ZH, f.Name.EN, int16(f.Level), string(f.Origin), f.Source, f.JSON, f.Search, f.Geometry,
	}
	return nil
}

// Values returns the row.
func (c *copySource) Values() ([]any, error) { return c.row, nil }

// Err ends the copy with the reader's error.
func (c *copySource) Err() error { return c.err }

// refuse counts a refusal and keeps it when it is one of the first.
func refuse(rep *catalogue.ImportReport, r catalogue.Refusal) {
	rep.Refused++
	if len(rep.Refusals) < 3*keptRefusals { // the first of each of the three kinds are among them
		rep.Refusals = append(rep.Refusals, r)
	}
}

// trimRefusals keeps the first by line, whenever they were found.
func (imp *importer) trimRefusals() {
	slices.SortStableFunc(imp.rep.Refusals, func(a, b catalogue.Refusal) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Number, b.Number))
	})
	imp.rep.Refusals = imp.rep.Refusals[:min(len(imp.rep.Refusals), keptRefusals)]
}

// refuseStaged finds what only the database can tell: shapes that cross themselves, and keys that
// the file has twice.
func (imp *importer) refuseStaged(ctx context.Context) error {
	err := imp.refuseWhere(ctx, `
		update import_stage s set refused = 'invalid' where refused is null and not ST_IsValid(geom)
		returning line, ord, at, source_key, 'geometry: ' || (ST_IsValidDetail(geom)).reason
			|| coalesce(' at ' || ST_X((ST_IsValidDetail(geom)).location) || ' ' || ST_Y((ST_IsValidDetail(geom)).location), '')
			|| case when ST_Dimension(geom) = 2 then '; --repair mends it' else '' end`)
	if err != nil {
		return err
	}
	return imp.refuseWhere(ctx, `
		update import_stage s set refused = 'twice'
		from (
			select ord, row_number() over w as nth, first_value(line) over w as first
			from import_stage where refused is null window w as (partition by source_key order by ord)
		) d
		where d.ord = s.ord and d.nth > 1
		returning s.line, s.ord, s.at, s.source_key, case when s.source_key like 'sha256-%' then format('is the same as line %s in every field', d.first)
			else format('the key %s is that of line %s already (this is line %s)', s.source_key, d.first, s.line) end`)
}

func (imp *importer) refuseWhere(ctx context.Context, sql string) error {
	rows, err := imp.tx.Query(ctx, "with refused as ("+sql+") select * from refused as r(line, ord, at, source_key, reason) order by ord")
	if err != nil {
		return fmt.Errorf("check the records: %w", err)
	}
	start := len(imp.rep.Refusals)
	var r catalogue.Refusal
	_, err = pgx.ForEachRow(rows, []any{&r.Line, &r.Number, &r.Offset, &r.Key, &r.Reason}, func() error {
		imp.rep.Refused++
		if len(imp.rep.Refusals)-start < keptRefusals {
			imp.rep.Refusals = append(imp.rep.Refusals, r)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("check the records: %w", err)
	}
	return nil
}

// merge makes the layer's features those of the staging table, and tells everybody.
func (imp *importer) merge(ctx context.Context, l catalogue.Layer) error {
	old, err := lockLayer(ctx, imp.tx, l.Name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	now := imp.db.now()
	entry, err := catalogue.Merge(old, l, now)
	if err != nil {
		return err
	}
	if l.UpdatedOn.IsZero() {
		entry.UpdatedOn = now.UTC().Truncate(24 * time.Hour) // new content, said to be of no other day
	}
	if entry.GeometryType, err = imp.geometryType(ctx, l.GeometryType, old.ID); err != nil {
		return err
	}
	if entry, err = writeLayer(ctx, imp.tx, entry); err != nil {
		return err
	}
	changes, err := imp.mergeFeatures(ctx, entry.ID, now)
	if err != nil {
		return err
	}
	if len(entry.Fields) == 0 && l.Fields == nil {
		if err := imp.inferFields(ctx, entry.ID); err != nil {
			return err
		}
	}
	if entry, err = refreshLayer(ctx, imp.tx, entry, now); err != nil {
		return err
	}
	imp.rep.Version = entry.Version
	return layerChanged(ctx, imp.tx, entry, joinBoxes(old.BBox, entry.BBox), "", changes)
}

// geometryType is what the caller says, or what all records and the features drawn by hand are.
func (imp *importer) geometryType(ctx context.Context, said string, layer int) (string, error) {
	if said != "" {
		return said, nil
	}
	var kind string
	err := imp.tx.QueryRow(ctx, `
		select case when count(distinct kind) = 1 then min(kind) else 'Geometry' end
		from (
			select replace(replace(GeometryType(geom), 'MULTI', ''), 'GEOMETRYCOLLECTION', 'GEOMETRY') as kind
			from (
				select geom from import_stage where refused is null
				union all select geom from feature f where `+drawnFeatures+` and `+notInFile+`
			) g
		) k`, layer).Scan(&kind)
	if err != nil {
		return "", fmt.Errorf("look at the geometries: %w", err)
	}
	switch kind {
	case "POINT":
		return "Point", nil
	case "LINESTRING":
		return "LineString", nil
	case "POLYGON":
		return "Polygon", nil
	}
	return "Geometry", nil
}

func (imp *importer) mergeFeatures(ctx context.Context, layer int, now time.Time) (featureChanges, error) {
	var c featureChanges
	steps := []struct {
		what string
		sql  string
		args []any
		to   *changedIDs
	}{
		{"delete what is gone", `
			delete from feature f where ` + goneFeatures + ` returning id`, []any{layer}, &c.deleted},
		// what was done by hand since the last import is undone, and the import is the source again
		{"update what has changed", `
			update feature f set division_code = s.division_code, name_zh = s.name_zh, name_en = s.name_en, level = s.level, by_hand = '{}',
				origin = s.origin, source = s.source, properties = s.properties, search = s.search, geom = s.geom, modified_at = $2
			from import_stage s where f.layer_id = $1 and s.refused is null and f.source_key = s.source_key
				and ((f.division_code, f.origin, f.source, f.search, f.by_hand) is distinct from (s.division_code, s.origin, s.source, s.search, '{}'::jsonb)
					or ` + looksOther + `) returning f.id`, []any{layer, now}, &c.updated},
		{"store what is new", `
			insert into feature (layer_id, source_key, division_code, name_zh, name_en, level, origin, source, properties, search, geom, modified_at)
			select $1, source_key, division_code, name_zh, name_en, level, origin, source, properties, search, geom, $2
			from import_stage s where refused is null
				and not exists (select from feature f where f.layer_id = $1 and f.source_key = s.source_key)
			order by ord returning id`, []any{layer, now}, &c.created},
	}
	if err := imp.followSuccessors(ctx); err != nil {
		return c, err
	}
	if _, err := imp.tx.Exec(ctx, "select set_config('onemap.import', 'on', true), set_config('onemap.at', $1, true)", now.Format(time.RFC3339Nano)); err != nil {
		return c, pg.MapErr(err, "say who changes the features")
	}
	if err := imp.guardDeleting(ctx, layer); err != nil {
		return c, err
	}
	if err := imp.countByHand(ctx, layer); err != nil {
		return c, err
	}
	for _, step := range steps {
		err := imp.tx.QueryRow(ctx, fmt.Sprintf(`
			with changed as (%s) select (select count(*) from changed), array(select id from changed order by id limit %d)`, step.sql, maxEventIDs),
			step.args...).Scan(&step.to.n, &step.to.ids)
		if err != nil {
			return c, pg.MapErr(err, step.what)
		}
	}
	imp.rep.Created, imp.rep.Updated, imp.rep.Deleted = c.created.n, c.updated.n, c.deleted.n
	return c, nil
}

// followSuccessors sets the codes of today in records of counties that were renamed, as successor does.
func (imp *importer) followSuccessors(ctx context.Context) error {
	for range 8 {
		tag, err := imp.tx.Exec(ctx, `
			update import_stage s set division_code = d.successor || substr(s.division_code, 7)
			from division d where d.successor is not null and length(d.code) = 6 and left(s.division_code, 6) = d.code`)
		if err != nil {
			return pg.MapErr(err, "follow renamed divisions")
		}
		if tag.RowsAffected() == 0 {
			break
		}
	}
	return nil
}

// inferFields sets the fields of a layer from the properties of its features, for a layer without described fields.
func (imp *importer) inferFields(ctx context.Context, layer int) error {
	_, err := imp.tx.Exec(ctx, `
		update layer set fields = coalesce((
			select jsonb_agg(jsonb_build_object('name', name, 'type', type, 'title', jsonb_build_object('zh', name, 'en', ''), 'in_tile', false) order by name)
			from (
				select key as name, case
					when bool_and(jsonb_typeof(value) = 'number') then
						case when bool_and(case when jsonb_typeof(value) = 'number' then value::numeric % 1 = 0 end) then 'integer' else 'number' end
					when bool_and(jsonb_typeof(value) = 'boolean') then 'boolean'
					else 'string' end as type
				from feature f, jsonb_each(f.properties)
				where f.layer_id = $1 and jsonb_typeof(value) <> 'null' and octet_length(key) between 1 and 64
				group by key order by count(*) desc, key limit 64
			) x), '[]')
		where id = $1`, layer)
	return pg.MapErr(err, "describe the layer's fields")
}

// joinBoxes returns the box around both boxes. A nil box is empty.
func joinBoxes(a, b []float64) []float64 {
	switch {
	case len(a) != 4:
		return b
	case len(b) != 4:
		return a
	}
	return []float64{min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])}
}

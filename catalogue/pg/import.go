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

// ImportLayer creates the layer, or replaces its features by those of the reader, in one transaction. Readers see the
// old layer until the commit, and after any error the layer is unchanged. The file is streamed into a temporary table,
// so this process holds only one record at a time. An empty field of l keeps its value in the catalogue.
//
// A feature keeps its id if the file has its key. A feature whose record is equal or was refused is not changed. A
// feature that the file no longer has is deleted, unless a person drew it.
//
// ImportLayer returns fault.Invalid if no record can be imported, or if the import would delete more features than o
// allows. The report after an error has the number of records, the refusals and the notes, and no other counts.
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

// importer is the state of one import.
type importer struct {
	db  *DB
	tx  pgx.Tx
	rep *catalogue.ImportReport
	o   catalogue.ImportOptions
}

// run imports the file: it stages the records, repairs areas, refuses records that are still invalid, and merges the
// rest into the layer. Only the merge locks the layer, so that people can edit it while a large file is read.
func (imp *importer) run(ctx context.Context, l catalogue.Layer, r catalogue.Reader) error {
	// The records are checked against the entry as it is now. merge reads the entry again under the lock.
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
	entry.GeometryType = l.GeometryType // empty: any type is accepted, and geometryType finds the type from the records
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

// stage streams the records into the temporary table with COPY, and collects statistics for the planner.
func (imp *importer) stage(ctx context.Context, l catalogue.Layer, r catalogue.Reader) error {
	if _, err := imp.tx.Exec(ctx, staging); err != nil {
		return fmt.Errorf("make the staging table: %w", err)
	}
	src := &copySource{reader: r, layer: l, rep: imp.rep, progress: imp.o.Progress}
	if _, err := imp.tx.CopyFrom(ctx, pgx.Identifier{"import_stage"}, stagingColumns(), src); err != nil {
		if src.err != nil {
			return src.err // the reader's error names the line; the error of COPY does not
		}
		return pg.MapErr(err, fmt.Sprintf("store the records near line %d", src.line))
	}
	imp.o.Progress(imp.rep.Read)
	_, err := imp.tx.Exec(ctx, "analyze import_stage")
	return err
}

// copySource implements pgx.CopyFromSource. It reads and checks one record at a time.
type copySource struct {
	reader   catalogue.Reader
	layer    catalogue.Layer
	rep      *catalogue.ImportReport
	progress func(int64)
	row      []any
	line     int
	err      error
}

// Next reads until there is a row for the staging table: a record, or a refused record with a valid key. The row of a
// refused record keeps the merge from deleting the feature with its key. A refused record without a valid key is only
// counted.
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

// take checks the record and makes it the next row. It returns the refusal if the record is not valid, and nil if it is.
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

// Values returns the row that Next has read.
func (c *copySource) Values() ([]any, error) { return c.row, nil }

// Err returns the reader's error. pgx then ends the COPY with an error.
func (c *copySource) Err() error { return c.err }

// refuse counts a refusal of the reader, and keeps it if it is one of the first. At least keptRefusals must be kept, so
// that trimRefusals can choose the first ones of the whole file after refuseWhere has added others.
func refuse(rep *catalogue.ImportReport, r catalogue.Refusal) {
	rep.Refused++
	if len(rep.Refusals) < 3*keptRefusals {
		rep.Refusals = append(rep.Refusals, r)
	}
}

// trimRefusals sorts the refusals by line and keeps the first keptRefusals, no matter which check found them.
func (imp *importer) trimRefusals() {
	slices.SortStableFunc(imp.rep.Refusals, func(a, b catalogue.Refusal) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Number, b.Number))
	})
	imp.rep.Refusals = imp.rep.Refusals[:min(len(imp.rep.Refusals), keptRefusals)]
}

// refuseStaged refuses the records that only the database can find: invalid geometries, such as outlines that cross
// themselves, and keys that occur twice in the file. Of two records with one key the first one is taken. A key with the
// prefix sha256- is a hash of the whole record, so the two records are equal.
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

// refuseWhere runs an update of import_stage that marks records as refused and returns line, number, offset, key and
// reason. It counts them, and keeps at most the first keptRefusals.
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

// merge locks the layer, writes its entry, makes its features those of the staging table, and writes layer.changed. The
// box of the event includes the box before the import, because removed features change the map too.
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
		entry.UpdatedOn = now.UTC().Truncate(24 * time.Hour) // the content is new and the caller names no other day
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

// geometryType returns the geometry type of the layer. It returns said, the type that the caller names, if it is not
// empty. Otherwise it returns the type that all records and all remaining drawn features share, where a multi type
// counts as its single type, or "Geometry" if they are mixed.
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

// mergeFeatures deletes, updates and inserts features and returns what it changed. The settings onemap.import and
// onemap.at tell the trigger of feature_history that an import makes the changes. The checks of deletions and the
// counts of work by hand run before the changes, because they compare the file with the old features.
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
		// The update also undoes what people changed since the last import and empties by_hand: the file is the source again.
		// The condition leaves out equal rows, so that unchanged features cause no history, no tile changes and no dead rows.
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

// followSuccessors replaces division codes of renamed counties by the codes of today in all records. It does in one
// statement a round what successor does for one code, with the same limit of 8 renamings.
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

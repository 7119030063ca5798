package cataloguepg

import (
	"context"
	"fmt"

	"onemap/internal/fault"
	"onemap/internal/pg"
)

const (
	// drawnFeatures selects the features f of the layer $1 that people drew. A file has such a feature only if it has its
	// key, for example a file that was exported from this layer.
	drawnFeatures = `f.layer_id = $1 and f.by_hand ? 'drawn'`
	// notInFile is the condition that no record of the file has the key of the feature f. A refused record counts too, so
	// that a feature stays when its record has an error.
	notInFile = `not exists (select from import_stage s where s.source_key = f.source_key)`
	// goneFeatures selects the features f of the layer $1 that an import created and that the file no longer has.
	goneFeatures = `f.layer_id = $1 and not f.by_hand ? 'drawn' and ` + notInFile
	// looksOther is the condition that the feature f and the record s differ in a part that people can change. It compares
	// properties as text, so that 1.0 and 1.00 differ, and geometries byte by byte.
	looksOther = `((f.name_zh, f.name_en, f.level, f.properties::text) is distinct from (s.name_zh, s.name_en, s.level, s.properties::text)
		or ST_AsEWKB(f.geom) <> ST_AsEWKB(s.geom))`
)

// guardDeleting returns an error if the file would delete too many of the imported features. Such a file is probably
// empty, of another layer, or an incomplete export.
func (imp *importer) guardDeleting(ctx context.Context, layer int) error {
	if imp.o.AllowDelete {
		return nil
	}
	var all, gone int64
	err := imp.tx.QueryRow(ctx, `
		select count(*) filter (where not f.by_hand ? 'drawn'), count(*) filter (where `+goneFeatures+`)
		from feature f where f.layer_id = $1`, layer).Scan(&all, &gone)
	if err != nil {
		return fmt.Errorf("count what is gone: %w", err)
	}
	if float64(gone) <= maxDeleted*float64(all) {
		return nil
	}
	return fault.InvalidField("--allow-delete", "%d of the layer's %d features are not in the file and would be deleted, more than %.0f %%; nothing was changed. "+
		"Say --allow-delete if that is meant; if the file has them under other keys, name the field by --key", gone, all, maxDeleted*100)
}

// countByHand counts, for the report, the effect of the import on the work of people. Kept is the number of drawn
// features that the file does not have; they stay. Replaced is the number of features that people drew, moved or edited
// and that the file has in another form; the import replaces them.
func (imp *importer) countByHand(ctx context.Context, layer int) error {
	err := imp.tx.QueryRow(ctx, `
		select (select count(*) from feature f where `+drawnFeatures+` and `+notInFile+`),
			(select count(*) from feature f join import_stage s on s.source_key = f.source_key
				where f.layer_id = $1 and f.by_hand <> '{}' and s.refused is null and `+looksOther+`)`,
		layer).Scan(&imp.rep.Kept, &imp.rep.Replaced)
	return pg.MapErr(err, "count what people drew and changed")
}

package cataloguepg

import (
	"context"
	"fmt"

	"onemap/internal/fault"
	"onemap/internal/pg"
)

const (
	// drawnFeatures are those of the layer $1 that people drew. No file has them unless it has their key, as an export does.
	drawnFeatures = `f.layer_id = $1 and f.by_hand ? 'drawn'`
	// notInFile holds of a feature f whose key no record has, also none that was refused.
	notInFile = `not exists (select from import_stage s where s.source_key = f.source_key)`
	// goneFeatures are those of the layer $1 that came of an import, and that the file does not have.
	goneFeatures = `f.layer_id = $1 and not f.by_hand ? 'drawn' and ` + notInFile
	// looksOther holds of a feature f and a record s that differ in what people can change.
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

// countByHand counts what people drew and the file does not have, which stays, and what people drew, moved or edited that
// the file has otherwise, which is replaced.
func (imp *importer) countByHand(ctx context.Context, layer int) error {
	err := imp.tx.QueryRow(ctx, `
		select (select count(*) from feature f where `+drawnFeatures+` and `+notInFile+`),
			(select count(*) from feature f join import_stage s on s.source_key = f.source_key
				where f.layer_id = $1 and f.by_hand <> '{}' and s.refused is null and `+looksOther+`)`,
		layer).Scan(&imp.rep.Kept, &imp.rep.Replaced)
	return pg.MapErr(err, "count what people drew and changed")
}

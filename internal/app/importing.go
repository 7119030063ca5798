package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"onemap/data"
	"onemap/geo"
	"onemap/risk"
	"onemap/risk/load"
	"onemap/store"
)

// Progress is told how far a stage of longer work is; total 0 means that nobody knows.
type Progress func(stage string, done, total int64)

// none is the Progress of nobody.
func (p Progress) orNone() Progress {
	if p == nil {
		return func(string, int64, int64) {}
	}
	return p
}

// Migrate brings the tables up to this version.
func Migrate(ctx context.Context, url string, logger *slog.Logger, progress Progress) error {
	progress = progress.orNone()
	err := store.Migrate(ctx, url, func(version, total int, name string) {
		progress("bringing the tables up to date", int64(version), int64(total))
		logger.InfoContext(ctx, "migrating", "version", version, "of", total, "name", name)
	})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// ImportOptions is what an import of one file needs.
type ImportOptions struct {
	Path          string
	Format        string // auto, geojson or csv
	KeyField      string
	DivisionField string
	Frame         string // wgs84, gcj02 or bd09
	BaseData      string // folder of the base data, whose counties place what names no division; "" finds it
	Layer         risk.Layer
}

// Import creates or replaces a layer from a file, streamed; on an error the layer is as it was.
func Import(ctx context.Context, url string, o ImportOptions, logger *slog.Logger, progress Progress) (risk.ImportReport, error) {
	var none risk.ImportReport
	db, err := store.Open(ctx, store.Options{URL: url, MaxConns: 4, Logger: logger})
	if err != nil {
		return none, err
	}
	defer db.Close()
	f, err := os.Open(o.Path)
	if err != nil {
		return none, fmt.Errorf("import: %w", err)
	}
	defer func() { _ = f.Close() }()
	base, err := data.Find(o.BaseData)
	if err != nil {
		return none, err
	}
	divisionAt, err := data.Locate(base)
	if err != nil {
		return none, err
	}
	st, err := f.Stat()
	if err != nil {
		return none, fmt.Errorf("import: %w", err)
	}
	counted := &countingReader{r: f}
	r, err := load.Open(counted, load.Options{
		Format: load.Format(o.Format), Frame: geo.Frame(o.Frame), KeyField: o.KeyField, DivisionField: o.DivisionField,
		Origin: o.Layer.Origin, Source: o.Layer.Source, Division: divisionAt,
	})
	if err != nil {
		return none, err
	}
	stage := "importing " + o.Layer.Name + ", kB"
	progress = progress.orNone()
	report, err := db.ImportLayer(ctx, o.Layer, r, func(int64) { progress(stage, counted.n>>10, (st.Size()+1023)>>10) })
	if err != nil {
		return report, err
	}
	logger.InfoContext(ctx, "imported", "layer", report.Layer, "read", report.Read, "refused", report.Refused, "version", report.Version)
	return report, nil
}

// countingReader counts what has been read, for the progress.
type countingReader struct {
	r io.Reader
	n int64
}

// Read reads and counts.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// ImportBase loads the base data: the divisions, and each layer that comes with onemap. Layers that
// are there are replaced; their features keep their ids.
func ImportBase(ctx context.Context, url, dir string, logger *slog.Logger, progress Progress) error {
	db, err := store.Open(ctx, store.Options{URL: url, MaxConns: 4, Logger: logger})
	if err != nil {
		return err
	}
	defer db.Close()
	base, err := data.Find(dir)
	if err != nil {
		return err
	}
	divisions, err := data.Divisions(base)
	if err != nil {
		return err
	}
	if err := db.UpsertDivisions(ctx, divisions); err != nil {
		return err
	}
	layers, err := data.BaseLayers(base)
	if err != nil {
		return err
	}
	return importLayers(ctx, db, layers, "loading the base data", logger, progress.orNone())
}

// importLayers imports layers one by one; progress counts features.
func importLayers(ctx context.Context, db *store.DB, layers []data.LayerSpec, stage string, logger *slog.Logger, progress Progress) error {
	var before int64
	progress(stage, 0, 0)
	for _, l := range layers {
		r, err := l.Open()
		if err != nil {
			return fmt.Errorf("open layer %s: %w", l.Name, err)
		}
		report, err := db.ImportLayer(ctx, l.Layer, r, func(read int64) { progress(stage, before+read, 0) })
		if err != nil {
			return fmt.Errorf("load layer %s: %w", l.Name, err)
		}
		if report.Refused > 0 {
			return fmt.Errorf("load layer %s: %d features are refused, the first at line %d: %s",
				l.Name, report.Refused, report.Refusals[0].Line, report.Refusals[0].Reason)
		}
		before += report.Read
		logger.InfoContext(ctx, "loaded", "layer", l.Name, "features", report.Read)
	}
	return nil
}

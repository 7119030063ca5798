package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"onemap/internal/app/stores"
	"onemap/internal/core"

	"onemap/catalogue"
	"onemap/catalogue/load"
	"onemap/data"
	"onemap/internal/pg"
)

// Progress receives the progress of a stage of longer work. total 0 means that the total is not known.
type Progress func(stage string, done, total int64)

// OrNone returns p, or a Progress that does nothing if p is nil.
func (p Progress) OrNone() Progress {
	if p == nil {
		return func(string, int64, int64) {}
	}
	return p
}

// Migrate migrates the tables to the version of this program.
func Migrate(ctx context.Context, url string, logger *slog.Logger, progress Progress) error {
	progress = progress.OrNone()
	err := pg.Migrate(ctx, url, func(version, total int, name string) {
		progress("bringing the tables up to date", int64(version), int64(total))
		logger.InfoContext(ctx, "migrating", "version", version, "of", total, "name", name)
	})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// ImportOptions configures the import of one file.
type ImportOptions struct {
	Path     string
	Read     load.Options // how to read the file; Import sets origin, source and division. Without LevelField, a level is read only in themes of risk
	BaseData string       // folder of the base data, whose counties locate features without a division; "": it is searched
	Layer    catalogue.Layer

	AllowDelete, Repair bool // see catalogue.ImportOptions
}

// Import creates or replaces a layer from a file, which it streams. If it returns an error, the layer has not changed. It
// reads the file twice: the first pass collects facts that depend on the whole file.
func Import(ctx context.Context, url string, o ImportOptions, logger *slog.Logger, progress Progress) (catalogue.ImportReport, error) {
	none := catalogue.ImportReport{Layer: o.Layer.Name}
	db, err := stores.Open(ctx, stores.Options{URL: url, MaxConns: 4, Logger: logger})
	if err != nil {
		return none, err
	}
	defer db.Close()
	f, err := openTwice(ctx, o.Path)
	if err != nil {
		return none, fmt.Errorf("import: %w", err)
	}
	defer f.close()
	base, err := data.Find(o.BaseData)
	if err != nil {
		return none, err
	}
	divisionAt, err := data.Locate(base)
	if err != nil {
		return none, err
	}
	read := o.Read
	read.Origin, read.Source, read.Division = o.Layer.Origin, o.Layer.Source, divisionAt
	// In a theme that is no risk, a grade is a floor, a rank of a road or an administrative level, and not a colour of
	// risk.
	if read.LevelField == "" && !o.Layer.Theme.OfRisk() {
		read.LevelField = load.NoField
	}
	// The first pass: Survey reads the whole file and returns the options with what it has found.
	f.reportTo(progress.OrNone(), "looking through "+o.Layer.Name)
	if read, err = load.Survey(f, read); err != nil {
		return none, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return none, fmt.Errorf("import: %w", err)
	}
	f.reportTo(progress.OrNone(), "importing "+o.Layer.Name)
	r, err := load.Open(f, read)
	if err != nil {
		return none, err
	}
	report, err := catalogue.NewService(db.Catalogue, nil).ImportLayer(ctx, core.Operator("import"), o.Layer, r, catalogue.ImportOptions{AllowDelete: o.AllowDelete, Repair: o.Repair})
	// The notes are returned with an error too, because they often explain it.
	report.Notes = append(r.Notes(), report.Notes...)
	if err != nil {
		return report, err
	}
	logger.InfoContext(ctx, "imported", "layer", report.Layer, "read", report.Read, "refused", report.Refused, "version", report.Version)
	return report, nil
}

// rereadable is a file that can be read again from its beginning. It reports the progress of reading.
type rereadable struct {
	file   *os.File
	size   int64
	temp   bool
	at     int64
	report func(at int64)
}

// reportTo sets progress as the receiver of the read progress, in kB (1,024 bytes).
func (r *rereadable) reportTo(progress Progress, stage string) {
	r.report = func(at int64) { progress(stage+", kB", at>>10, (r.size+1023)>>10) }
}

// Read implements io.Reader and reports the progress.
func (r *rereadable) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	r.at += int64(n)
	r.report(r.at)
	return n, err
}

// Seek implements io.Seeker.
func (r *rereadable) Seek(offset int64, whence int) (int64, error) {
	at, err := r.file.Seek(offset, whence)
	r.at = at
	return at, err
}

// openTwice opens a file. If it cannot be read twice, for example a pipe, openTwice first copies it to a temporary file.
func openTwice(ctx context.Context, path string) (*rereadable, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &rereadable{file: f}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		r.file, err = spool(ctx, f)
		_ = f.Close()
		if err != nil {
			return nil, err
		}
		r.temp = true
	}
	st, err := r.file.Stat()
	if err != nil {
		r.close()
		return nil, err
	}
	r.size = st.Size()
	return r, nil
}

// close closes the file, and deletes it if it is a copy.
func (r *rereadable) close() {
	if r.temp {
		removeTemp(r.file)
		return
	}
	_ = r.file.Close()
}

// ImportBase loads the base data: the divisions and each layer that is part of onemap. It replaces existing layers; their
// features keep their ids.
func ImportBase(ctx context.Context, url, dir string, logger *slog.Logger, progress Progress) error {
	db, err := stores.Open(ctx, stores.Options{URL: url, MaxConns: 4, Logger: logger})
	if err != nil {
		return err
	}
	defer db.Close()
	service := catalogue.NewService(db.Catalogue, nil)
	base, err := data.Find(dir)
	if err != nil {
		return err
	}
	divisions, err := data.Divisions(base)
	if err != nil {
		return err
	}
	// The divisions come first, because features name their division by its code.
	if err := service.PutDivisions(ctx, core.Operator("import"), divisions); err != nil {
		return err
	}
	layers, err := data.BaseLayers(base)
	if err != nil {
		return err
	}
	return ImportLayers(ctx, service, layers, "loading the base data", logger, progress.OrNone())
}

// ImportLayers imports layers one by one; progress counts features.
func ImportLayers(ctx context.Context, service *catalogue.Service, layers []data.LayerSpec, stage string, logger *slog.Logger, progress Progress) error {
	var before int64
	// The total is not known: the number of features in a file is only known at its end.
	progress(stage, 0, 0)
	for _, l := range layers {
		r, err := l.Open()
		if err != nil {
			return fmt.Errorf("open layer %s: %w", l.Name, err)
		}
		// AllowDelete is set, because a newer version of the data may leave out more than a fifth of a layer.
		report, err := service.ImportLayer(ctx, core.Operator("import"), l.Layer, r, catalogue.ImportOptions{AllowDelete: true, Progress: func(read int64) { progress(stage, before+read, 0) }})
		if err != nil {
			return fmt.Errorf("load layer %s: %w", l.Name, err)
		}
		// The layers come from onemap itself, so a refused feature is a fault, and not a remark as in the file of a
		// department.
		if report.Refused > 0 {
			return fmt.Errorf("load layer %s: %d features are refused, the first at line %d: %s",
				l.Name, report.Refused, report.Refusals[0].Line, report.Refusals[0].Reason)
		}
		before += report.Read
		logger.InfoContext(ctx, "loaded", "layer", l.Name, "features", report.Read)
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"onemap/internal/app"
	"onemap/internal/config"
	"onemap/internal/core"
	"onemap/internal/errs"
	"onemap/risk"
)

type importCmd struct {
	config.Database
	File string `arg:"" optional:"" help:"GeoJSON (a collection or one feature a line) or CSV with lon and lat columns." type:"existingfile"`

	Base     bool   `help:"Load the base data that come with onemap instead of a file."`
	BaseData string `help:"Folder of the base data; found beside the program when not given." placeholder:"DIR" type:"path"`

	Layer       string   `help:"Name of the layer: a-z, 0-9, underscore."`
	Theme       string   `help:"Theme of the layer tree, as risk_point or resource."`
	TitleZH     string   `name:"title-zh" help:"Title in Chinese; the name when not given."`
	TitleEN     string   `name:"title-en" help:"Title in English; the name when not given."`
	Owner       string   `help:"Department that answers for the data."`
	Origin      string   `help:"Where the data come from: real, schematic, synthetic or fact-table." default:"real" enum:"real,schematic,synthetic,fact-table"`
	Synthetic   bool     `help:"Allow synthetic data into this database; a production database has none."`
	Source      string   `help:"Source, as the map names it."`
	Licence     string   `help:"Licence of the data."`
	Attribution string   `help:"Text of the map's credit line."`
	UpdatedOn   string   `help:"Day as of which the data hold, as 2026-11-23; today when not given." placeholder:"DATE"`
	Audience    string   `help:"Who may read it: public, division, or roles." default:"public" enum:"public,division,roles"`
	Role        []string `help:"With --audience=roles: a role that may read it; may be given again."`
	MinZoom     int      `help:"First zoom at which tiles hold the layer." default:"0"`
	MaxZoom     int      `help:"Last zoom for which tiles are made." default:"14"`
	Format      string   `help:"Form of the file: auto, geojson or csv." default:"auto" enum:"auto,geojson,csv"`
	Key         string   `help:"Field that holds the source's own key: ids are kept by it." placeholder:"FIELD"`
	Division    string   `help:"Field that holds the division code; where a feature has none, the county it lies in is taken." placeholder:"FIELD"`
	Frame       string   `help:"Coordinates of the file: wgs84, gcj02 or bd09." default:"wgs84" enum:"wgs84,gcj02,bd09"`
}

// Run imports, and reports what it refused and why, by line.
func (c *importCmd) Run(ctx context.Context, s *session) error {
	url, err := c.URL()
	if err != nil {
		return err
	}
	if c.Base {
		if c.File != "" {
			return errs.InvalidField("--base", "takes no file")
		}
		return app.ImportBase(ctx, url, c.BaseData, s.logger, s.progress.Show)
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	report, err := app.Import(ctx, url, o, s.logger, s.progress.Show)
	s.progress.Done()
	printReport(report)
	if err != nil {
		return err
	}
	return refused(report.Refused)
}

func (c *importCmd) options() (app.ImportOptions, error) {
	for _, need := range []struct{ flag, value string }{{"--layer", c.Layer}, {"--theme", c.Theme}, {"FILE", c.File}} {
		if need.value == "" {
			return app.ImportOptions{}, errs.InvalidField(need.flag, "is missing: onemap import --layer NAME --theme THEME FILE")
		}
	}
	if !risk.Theme(c.Theme).Valid() {
		return app.ImportOptions{}, errs.InvalidField("--theme", "%q is none of %v", c.Theme, risk.Themes())
	}
	if core.Origin(c.Origin) == core.OriginSynthetic && !c.Synthetic {
		return app.ImportOptions{}, errs.InvalidField("--origin", "synthetic data are refused unless --synthetic says that this database may hold them")
	}
	day := time.Now()
	if c.UpdatedOn != "" {
		var err error
		if day, err = time.Parse(time.DateOnly, c.UpdatedOn); err != nil {
			return app.ImportOptions{}, errs.InvalidField("--updated-on", "%q is not a date like 2026-11-23", c.UpdatedOn)
		}
	}
	audience := core.Audience{Kind: core.AudienceKind(c.Audience)}
	for _, r := range c.Role {
		if !core.Role(r).Valid() {
			return app.ImportOptions{}, errs.InvalidField("--role", "%q is no role", r)
		}
		audience.Roles = append(audience.Roles, core.Role(r))
	}
	return app.ImportOptions{
		Path: c.File, Format: c.Format, KeyField: c.Key, DivisionField: c.Division, Frame: c.Frame, BaseData: c.BaseData,
		Layer: risk.Layer{
			Name: c.Layer, Theme: risk.Theme(c.Theme), Title: core.Text{ZH: c.TitleZH, EN: c.TitleEN},
			Owner: core.Text{ZH: c.Owner, EN: c.Owner}, Origin: core.Origin(c.Origin), Audience: audience,
			Source: c.Source, Licence: c.Licence, Attribution: c.Attribution, UpdatedOn: day,
			MinZoom: c.MinZoom, MaxZoom: c.MaxZoom,
		},
	}, nil
}

func printReport(r risk.ImportReport) {
	if r.Read == 0 && r.Refused == 0 {
		return
	}
	fmt.Printf("layer %s, version %d: read %d, created %d, updated %d, deleted %d, refused %d\n",
		r.Layer, r.Version, r.Read, r.Created, r.Updated, r.Deleted, r.Refused)
	for _, f := range r.Refusals {
		fmt.Fprintf(os.Stderr, "  line %d: %s\n", f.Line, f.Reason)
	}
	if more := r.Refused - int64(len(r.Refusals)); more > 0 {
		fmt.Fprintf(os.Stderr, "  and %d more\n", more)
	}
}

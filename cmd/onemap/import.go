package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"onemap/catalogue"
	"onemap/catalogue/load"
	"onemap/geo"
	"onemap/internal/app"
	"onemap/internal/config"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// importCmd is the subcommand import. A flag for a field or a column that is not given means that the import looks for
// the usual names; see load.Options.
type importCmd struct {
	config.Database
	File string `arg:"" optional:"" help:"GeoJSON (a collection, or one feature a line) or CSV (with columns of longitude and latitude, or one of 'lon,lat' or WKT)." type:"existingfile"`

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
	Encoding    string   `help:"How the file writes characters: auto, utf-8, gb18030 (GBK) or utf-16." default:"auto" enum:"auto,utf-8,gb18030,gbk,utf-16"`
	Key         string   `help:"Field that holds the source's own key: ids are kept by it; - for none. When not given: the feature's id, id, key, code, 编号, 编码, if its values do not repeat." placeholder:"FIELD"`
	Name        string   `help:"Field that holds the name; name, 名称 … when not given." placeholder:"FIELD"`
	NameEN      string   `name:"name-en" help:"Field that holds the English name." placeholder:"FIELD"`
	Level       string   `help:"Field that holds the level of risk, as 红 or 较大 or 2; level, grade, 等级 … when not given, but only in the themes hazard_source and risk_point; - for none." placeholder:"FIELD"`
	Division    string   `help:"Field that holds the division code; where a feature has none, the county it lies in is taken." placeholder:"FIELD"`
	Lon         string   `help:"CSV: column of the longitude or easting; alone: of 'lon,lat' or WKT." placeholder:"COLUMN"`
	Lat         string   `help:"CSV: column of the latitude or northing." placeholder:"COLUMN"`
	Columns     []string `help:"CSV without a row of names: the names of its columns, as id,name,lon,lat." placeholder:"NAME,NAME,…"`
	Frame       string   `help:"Coordinates of the file: wgs84, gcj02, bd09, epsg:3857, or a Gauss-Krueger frame of CGCS2000 by its code, as 4549 (epsg:4491 to epsg:4554). When not given: the crs member of GeoJSON, or wgs84." placeholder:"FRAME"`

	AllowZero   bool `help:"Take points at 0, 0."`
	AllowDelete bool `help:"Let the import delete more than 20 % of the features that the layer has."`
	Repair      bool `help:"Mend areas that cross themselves; without it those alone that do so by less than 1e-7 degrees."`
}

// Help returns the longer text of --help. kong calls it.
func (c *importCmd) Help() string {
	return `Examples:
  onemap import --layer dangers --theme risk_point --title-zh 隐患点 --key 编号 dangers.csv
  onemap import --layer wells --theme resource --frame 4549 --lon Y --lat X --encoding gbk wells.csv
  onemap import --layer poi --theme place --columns id,name,lon,lat poi.txt
  onemap import --layer floods --theme risk_point --level 淹没等级 --repair floods.geojson

What was taken as what is printed. Exit codes: 0 all is in; 2 nothing is in, the command or the file is wrong; 3 some records were refused and named, all others are in; 1 anything else. See docs/data.md.`
}

// Run imports a file or the base data. It prints the counts, and each refused record with its line and the reason. It
// prints the report after an error too, because the refusals often explain the error.
func (c *importCmd) Run(ctx context.Context, s *session) error {
	url, err := c.URL()
	if err != nil {
		return err
	}
	if c.Base {
		if c.File != "" {
			return fault.InvalidField("--base", "takes no file")
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
	return refused(report.Read-report.Refused, report.Refused)
}

// options returns the options of the import. It returns fault.Invalid with the name of the flag if a required flag is
// missing or a value is wrong. It refuses synthetic data unless --synthetic is given, so that they cannot get into a
// production database by accident.
func (c *importCmd) options() (app.ImportOptions, error) {
	for _, need := range []struct{ flag, value string }{{"--layer", c.Layer}, {"--theme", c.Theme}, {"FILE", c.File}} {
		if need.value == "" {
			return app.ImportOptions{}, fault.InvalidField(need.flag, "is missing: onemap import --layer NAME --theme THEME FILE")
		}
	}
	if !catalogue.Theme(c.Theme).Valid() {
		return app.ImportOptions{}, fault.InvalidField("--theme", "%q is none of %v", c.Theme, catalogue.Themes())
	}
	if core.Origin(c.Origin) == core.OriginSynthetic && !c.Synthetic {
		return app.ImportOptions{}, fault.InvalidField("--origin", "synthetic data are refused unless --synthetic says that this database may hold them")
	}
	// The import is of today if no day is given, because a new file usually has the newest state.
	day := time.Now()
	if c.UpdatedOn != "" {
		var err error
		if day, err = time.Parse(time.DateOnly, c.UpdatedOn); err != nil {
			return app.ImportOptions{}, fault.InvalidField("--updated-on", "%q is not a date like 2026-11-23", c.UpdatedOn)
		}
	}
	audience := core.Audience{Kind: core.AudienceKind(c.Audience)}
	for _, r := range c.Role {
		if !core.Role(r).Valid() {
			return app.ImportOptions{}, fault.InvalidField("--role", "%q is no role", r)
		}
		audience.Roles = append(audience.Roles, core.Role(r))
	}
	frame, err := c.frame()
	if err != nil {
		return app.ImportOptions{}, err
	}
	return app.ImportOptions{
		Path: c.File, BaseData: c.BaseData, AllowDelete: c.AllowDelete, Repair: c.Repair,
		Read: load.Options{
			Format: load.Format(c.Format), Encoding: load.Encoding(c.Encoding), Frame: frame, Columns: c.Columns, AllowZero: c.AllowZero,
			KeyField: c.Key, NameField: c.Name, NameENField: c.NameEN, LevelField: c.Level, DivisionField: c.Division, LonField: c.Lon, LatField: c.Lat,
		},
		Layer: catalogue.Layer{
			Name: c.Layer, Theme: catalogue.Theme(c.Theme), Title: core.Text{ZH: c.TitleZH, EN: c.TitleEN},
			Owner: core.Text{ZH: c.Owner, EN: c.Owner}, Origin: core.Origin(c.Origin), Audience: audience,
			Source: c.Source, Licence: c.Licence, Attribution: c.Attribution, UpdatedOn: day,
			MinZoom: c.MinZoom, MaxZoom: c.MaxZoom,
		},
	}, nil
}

// frame returns the coordinate frame of the file. It is empty if no flag is given; a GeoJSON file may then name its
// frame.
func (c *importCmd) frame() (geo.Frame, error) {
	if c.Frame == "" {
		return "", nil
	}
	return geo.ParseFrame(c.Frame)
}

// printReport prints the report of an import: counts and notes to standard output, refusals to standard error, so that a
// script can collect them separately. A version of 0 means that the import failed and the layer is unchanged. It prints
// nothing if the import did not begin.
func printReport(r catalogue.ImportReport) {
	if r.Layer == "" {
		return
	}
	if r.Version > 0 {
		fmt.Printf("layer %s, version %d: ", r.Layer, r.Version)
	} else {
		fmt.Printf("layer %s is as it was: ", r.Layer)
	}
	fmt.Printf("read %d, created %d, updated %d, deleted %d, refused %d, mended %d%s\n", r.Read, r.Created, r.Updated, r.Deleted, r.Refused, r.Mended, keptPart(r.Kept))
	if r.Replaced > 0 {
		fmt.Printf("  %d features edited by hand were replaced; their history keeps what was\n", r.Replaced)
	}
	for _, note := range r.Notes {
		fmt.Printf("  %s\n", note)
	}
	for _, f := range r.Refusals {
		fmt.Fprintf(os.Stderr, "  line %d, record %d, byte %d%s: %s\n", f.Line, f.Number, f.Offset, keyPart(f.Key), f.Reason)
	}
	if more := r.Refused - int64(len(r.Refusals)); more > 0 {
		fmt.Fprintf(os.Stderr, "  and %d more\n", more)
	}
}

// keptPart returns the part of the counts for features drawn by hand. It is empty if there are none.
func keptPart(kept int64) string {
	if kept == 0 {
		return ""
	}
	return fmt.Sprintf(", kept %d drawn by hand", kept)
}

// keyPart returns the part of a refusal that names the key. It is empty if the key is not known.
func keyPart(key string) string {
	if key == "" {
		return ""
	}
	return ", key " + key
}

package data

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// divisionEntry is a line of divisions.yaml.
type divisionEntry struct {
	Code      string    `yaml:"code"`
	Name      core.Text `yaml:"name"`
	Lon       float64   `yaml:"lon"`
	Lat       float64   `yaml:"lat"`
	Geonames  int64     `yaml:"geonames"` // whose point it is; 0 is set by hand
	ValidFrom string    `yaml:"valid_from"`
	ValidTo   string    `yaml:"valid_to"`
	Successor string    `yaml:"successor"`
	RadiusM   float64   `yaml:"radius_m"` // of the circle that stands in for a polygon that there is not
}

type divisionFile struct {
	City     divisionEntry   `yaml:"city"`
	Counties []divisionEntry `yaml:"counties"`
}

func readDivisionFile(dir string) (divisionFile, error) {
	var f divisionFile
	err := readYAML(filepath.Join(dir, "divisions.yaml"), &f)
	return f, err
}

// current reports whether the code is valid still.
func (e divisionEntry) current() bool { return e.ValidTo == "" }

func (e divisionEntry) division() (catalogue.Division, error) {
	code, err := geo.ParseDivision(e.Code)
	if err != nil {
		return catalogue.Division{}, err
	}
	d := catalogue.Division{Code: code, Name: e.Name, Parent: geo.ParentDivision(code), Successor: e.Successor, Lon: e.Lon, Lat: e.Lat}
	if d.ValidFrom, err = date(e.ValidFrom); err != nil {
		return d, err
	}
	d.ValidTo, err = date(e.ValidTo)
	return d, err
}

func date(s string) (*time.Time, error) {
	if s == "" {
		return nil, nil // no date is not an error
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return nil, fmt.Errorf("divisions.yaml: %w", err)
	}
	return &t, nil
}

// Divisions returns the city, its county units (also those that are no more, with their successors) and
// its towns. A town has a point and an English name where it can be tied to a place of the same name
// inside its county, and 0, 0 otherwise.
func Divisions(dir string) ([]catalogue.Division, error) {
	file, err := readDivisionFile(dir)
	if err != nil {
		return nil, err
	}
	var all []catalogue.Division
	for _, e := range append([]divisionEntry{file.City}, file.Counties...) {
		d, err := e.division()
		if err != nil {
			return nil, fmt.Errorf("divisions.yaml: %s: %w", e.Code, err)
		}
		all = append(all, d)
	}
	towns, err := readTowns(filepath.Join(dir, "division_3706.csv"))
	if err != nil {
		return nil, err
	}
	ground, err := loadGround(dir)
	if err != nil {
		return nil, err
	}
	for i, town := range towns {
		if p, ok := ground.namesake(town); ok {
			towns[i].Name.EN, towns[i].Lon, towns[i].Lat = p.name.EN, p.at[0], p.at[1]
		}
	}
	return append(all, towns...), nil
}

// readTowns takes the nine-digit codes of the table of codes and names.
func readTowns(path string) ([]catalogue.Division, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "read base data")
	}
	defer func() { _ = f.Close() }() // only read from
	r := csv.NewReader(f)
	r.FieldsPerRecord = 2
	var towns []catalogue.Division
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return towns, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		code, err := geo.ParseDivision(row[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if geo.LevelOfDivision(code) == geo.LevelTown {
			towns = append(towns, catalogue.Division{Code: code, Name: core.Text{ZH: row[1]}, Parent: geo.ParentDivision(code)})
		}
	}
}

// bareName takes the kind of division off a name: 朱桥镇 and 朱桥 are one.
func bareName(s string) string {
	for _, kind := range []string{"街道", "镇", "乡", "市", "县", "区"} {
		if bare := strings.TrimSuffix(s, kind); bare != s && bare != "" {
			return bare
		}
	}
	return s
}

// namesake finds the place of the town's name inside its county.
func (g *ground) namesake(town catalogue.Division) (place, bool) {
	i := slices.IndexFunc(g.places, func(p place) bool {
		return p.county == town.Parent && bareName(p.name.ZH) == bareName(town.Name.ZH)
	})
	if i < 0 {
		return place{}, false
	}
	return g.places[i], true
}

// Locate returns the county unit whose schematic polygon holds a place, empty outside the city. It is a
// help where a record names no division, and no more: the polygons are not legal boundaries, and
// 370671 has none.
func Locate(dir string) (func(lon, lat float64) string, error) {
	ground, err := loadGround(dir)
	if err != nil {
		return nil, err
	}
	return func(lon, lat float64) string { return ground.county(orb.Point{lon, lat}) }, nil
}

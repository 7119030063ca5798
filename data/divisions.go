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

// CountyUnit is a county unit of the city, of those whose code is valid today.
type CountyUnit struct {
	Code    string
	Name    core.Text
	Seat    orb.Point // lon, lat of the county seat
	RadiusM float64   // metres around the seat: the circle that replaces the polygon of a unit without one; 0 where there is a polygon
}

// CountyUnits returns the county units of the city whose codes are valid today.
func CountyUnits(dir string) ([]CountyUnit, error) {
	file, err := readDivisionFile(dir)
	if err != nil {
		return nil, err
	}
	var units []CountyUnit
	for _, e := range file.Counties {
		if e.current() {
			units = append(units, CountyUnit{Code: e.Code, Name: e.Name, Seat: orb.Point{e.Lon, e.Lat}, RadiusM: e.RadiusM})
		}
	}
	return units, nil
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
	ground, err := LoadGround(dir)
	if err != nil {
		return nil, err
	}
	for i, town := range towns {
		if p, ok := ground.namesake(town); ok {
			towns[i].Name.EN, towns[i].Lon, towns[i].Lat = p.Name.EN, p.At[0], p.At[1]
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
func (g *Ground) namesake(town catalogue.Division) (Place, bool) {
	i := slices.IndexFunc(g.Places, func(p Place) bool {
		return p.County == town.Parent && bareName(p.Name.ZH) == bareName(town.Name.ZH)
	})
	if i < 0 {
		return Place{}, false
	}
	return g.Places[i], true
}

// Locate returns the county unit whose schematic polygon holds a place, empty outside the city. It is a
// help where a record names no division, and no more: the polygons are not legal boundaries, and
// 370671 has none.
func Locate(dir string) (func(lon, lat float64) string, error) {
	ground, err := LoadGround(dir)
	if err != nil {
		return nil, err
	}
	return func(lon, lat float64) string { return ground.County(orb.Point{lon, lat}) }, nil
}

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

// divisionEntry is an entry of divisions.yaml. Dates are YYYY-MM-DD; an empty date is unknown or open.
type divisionEntry struct {
	Code      string    `yaml:"code"`
	Name      core.Text `yaml:"name"`
	Lon       float64   `yaml:"lon"`
	Lat       float64   `yaml:"lat"`
	Geonames  int64     `yaml:"geonames"` // id of the GeoNames place that the point comes from; 0: set by hand
	ValidFrom string    `yaml:"valid_from"`
	ValidTo   string    `yaml:"valid_to"`
	Successor string    `yaml:"successor"`
	RadiusM   float64   `yaml:"radius_m"` // metres; see CountyUnit.RadiusM
}

// divisionFile is the file divisions.yaml. Counties include those that are no longer in use.
type divisionFile struct {
	City     divisionEntry   `yaml:"city"`
	Counties []divisionEntry `yaml:"counties"`
}

// readDivisionFile reads divisions.yaml of a folder of base data.
func readDivisionFile(dir string) (divisionFile, error) {
	var f divisionFile
	err := readYAML(filepath.Join(dir, "divisions.yaml"), &f)
	return f, err
}

// CountyUnit is a county unit of the city whose code is valid today.
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

// current reports whether the code is still valid.
func (e divisionEntry) current() bool { return e.ValidTo == "" }

// division returns the division for the catalogue. It returns an error if the code or a date is not valid.
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

// date parses a date, and returns nil for an empty text.
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

// Divisions returns the city, its county units and its towns, in this order. County units that are no longer in use are
// included, with their successors. A town gets its point and English name from a place of GeoNames with the same name in
// the same county. If there is none, its lon and lat are 0 and it has no English name.
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

// readTowns reads the towns (nine digits) of a CSV file with the columns code and name. It ignores codes of other
// levels.
func readTowns(path string) ([]catalogue.Division, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "read base data")
	}
	defer func() { _ = f.Close() }() // the file is only read, so an error of Close loses nothing
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

// bareName removes the kind of division from the end of a name, so that 朱桥镇 and 朱桥 are equal.
func bareName(s string) string {
	for _, kind := range []string{"街道", "镇", "乡", "市", "县", "区"} {
		if bare := strings.TrimSuffix(s, kind); bare != s && bare != "" {
			return bare
		}
	}
	return s
}

// namesake returns the first named place in the county of the town that has the name of the town, and false if there is
// none.
func (g *Ground) namesake(town catalogue.Division) (Place, bool) {
	i := slices.IndexFunc(g.Places, func(p Place) bool {
		return p.County == town.Parent && bareName(p.Name.ZH) == bareName(town.Name.ZH)
	})
	if i < 0 {
		return Place{}, false
	}
	return g.Places[i], true
}

// Locate returns a function that returns the code of the county unit whose schematic polygon contains a place, and ""
// outside the city. It is only an aid for records without a division: the polygons are not legal boundaries, and the
// unit 370671 has no polygon.
func Locate(dir string) (func(lon, lat float64) string, error) {
	ground, err := LoadGround(dir)
	if err != nil {
		return nil, err
	}
	return func(lon, lat float64) string { return ground.County(orb.Point{lon, lat}) }, nil
}

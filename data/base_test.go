package data_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/data"
	"onemap/data/datatest"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

const base = "base"

// TestSourcesAreTheFolder compares SOURCES.yaml with the files: each file is listed and has the stated hash.
func TestSourcesAreTheFolder(t *testing.T) {
	sources, err := data.Sources(base)
	if err != nil {
		t.Fatal(err)
	}
	ours := []string{"SOURCES.yaml", "layers.yaml"} // no data: they say what the data are
	licences := map[string]bool{"LICENSES/GPL-3.0.txt": true}
	var listed []string
	for _, s := range sources {
		raw, err := os.ReadFile(filepath.Join(base, s.File))
		if err != nil {
			t.Error(err)
			continue
		}
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != s.SHA256 {
			t.Errorf("%s has sha256 %x; SOURCES.yaml says %s", s.File, sum, s.SHA256)
		}
		listed = append(listed, s.File)
		licences[s.LicenceFile] = true
		if s.Title.ZH == "" || s.Title.EN == "" || s.Version == "" || s.Note == "" {
			t.Errorf("%s: a text is missing: %+v", s.File, s)
		}
	}
	err = filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, base+string(filepath.Separator)))
		switch {
		case strings.HasPrefix(name, "LICENSES/"):
			if !licences[name] {
				t.Errorf("%s belongs to no file", name)
			}
			delete(licences, name)
		case !slices.Contains(ours, name) && !slices.Contains(listed, name):
			t.Errorf("%s is not in SOURCES.yaml", name)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for name := range licences {
		t.Errorf("the licence %s is not there", name)
	}
}

func TestAttribution(t *testing.T) {
	sources, err := data.Sources(base)
	if err != nil {
		t.Fatal(err)
	}
	line := data.Attribution(sources)
	for _, credit := range []string{"GMT Team", "GSHHG", "GeoNames", "Natural Earth", "示意边界，非法定界线"} {
		if strings.Count(line, credit) != 1 {
			t.Errorf("%q is not there once: %s", credit, line)
		}
	}
}

func TestBadFoldersAreSaid(t *testing.T) {
	dir := t.TempDir()
	if _, err := data.Sources(dir); !fault.Is(err, fault.NotFound) {
		t.Errorf("an empty folder: %v", err)
	}
	for text, want := range map[string]string{
		"- fiel: a\n":           "fiel",
		"- {file: a, title: [}": "SOURCES.yaml",
		"- {file: a, source: s, licence: l, origin: guessed}": "entry 1 (a)",
	} {
		if err := os.WriteFile(filepath.Join(dir, "SOURCES.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := data.Sources(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := data.Find(t.TempDir()); !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "SOURCES.yaml") {
		t.Errorf("a named folder without data: %v", err)
	}
	if got, err := data.Find(base); err != nil || got != base {
		t.Errorf("Find gives %q, %v", got, err)
	}
}

func TestFindLooksAround(t *testing.T) {
	home, err := filepath.Abs(base)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(data.BaseEnv, home)
	t.Chdir(t.TempDir())
	if got, err := data.Find(""); err != nil || got != home {
		t.Errorf("by the environment: %q, %v", got, err)
	}
	t.Setenv(data.BaseEnv, "")
	if _, err := data.Find(""); err != nil && (!fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), data.BaseEnv)) {
		t.Errorf("nowhere: %v", err)
	}
	if err := os.MkdirAll("data/base", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("data/base/SOURCES.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := data.Find(""); err != nil || got != filepath.Join("data", "base") {
		t.Errorf("in the working directory: %q, %v", got, err)
	}
}

func TestBaseLayers(t *testing.T) {
	specs, err := data.BaseLayers(base)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, spec := range specs {
		features := datatest.ReadLayer(t, spec)
		counts[spec.Name] = len(features)
		datatest.CheckLayer(t, spec.Layer, features)
		if again := datatest.ReadLayer(t, spec); len(again) != len(features) {
			t.Errorf("%s: opened again it has %d features", spec.Name, len(again))
		}
	}
	want := map[string]int{
		"sea": 16, "land_surroundings": counts["land_surroundings"], "land": 67, "coast": counts["coast"], "urban": 20, "river": 12,
		"county": 12, "county_point": 13, "town": 88, "place": 180, "airport": 9, "port": 10,
	}
	if diff := cmp.Diff(want, counts); diff != "" || counts["coast"] < 2 || counts["land_surroundings"] < 2 {
		t.Errorf("features by layer: %s", diff)
	}
}

func TestBaseLayersAreNamed(t *testing.T) {
	specs, err := data.BaseLayers(base)
	if err != nil {
		t.Fatal(err)
	}
	find := func(layer, key string) catalogue.Feature {
		i := slices.IndexFunc(specs, func(s data.LayerSpec) bool { return s.Name == layer })
		for _, f := range datatest.ReadLayer(t, specs[i]) {
			if f.Key == key {
				return f
			}
		}
		t.Errorf("%s has no %s", layer, key)
		return catalogue.Feature{}
	}
	if f := find("county", "370602"); f.Name != (core.Text{ZH: "芝罘区", EN: "Zhifu"}) || f.Division != "370602" || f.Origin != core.OriginSchematic {
		t.Errorf("%+v", f)
	}
	if f := find("county_point", "370671"); f.Name.ZH != "高新区" || f.Division != "370671" {
		t.Errorf("%+v", f)
	}
	if f := find("place", "1783838"); f.Name != (core.Text{ZH: "朱桥", EN: "Zhuqiao"}) || f.Division != "370683" || f.Origin != core.OriginReal {
		t.Errorf("%+v", f)
	}
	if f := find("place", "1791673"); f.Name.ZH != "威海" || f.Division != "" {
		t.Errorf("%+v", f)
	}
	if f := find("airport", "ZSYT"); f.Name.ZH != "烟台蓬莱国际机场" || f.Division != "370614" || f.Geometry != (orb.Point{120.97812, 37.65972}) {
		t.Errorf("%+v", f)
	}
	if f := find("town", "370683102"); f.Name != (core.Text{ZH: "朱桥镇", EN: "Zhuqiao"}) || f.Division != "370683102" {
		t.Errorf("%+v", f)
	}
}

func TestDivisions(t *testing.T) {
	all, err := data.Divisions(base)
	if err != nil {
		t.Fatal(err)
	}
	byCode, counties, towns, tied := map[string]catalogue.Division{}, 0, 0, 0
	for _, d := range all {
		if _, twice := byCode[d.Code]; twice {
			t.Errorf("%s is there twice", d.Code)
		}
		byCode[d.Code] = d
		switch geo.LevelOfDivision(d.Code) {
		case geo.LevelCounty:
			if d.ValidTo == nil {
				counties++
			}
			if d.Name.EN == "" || d.Lon == 0 || d.Parent != "3706" {
				t.Errorf("%+v", d)
			}
		case geo.LevelTown:
			towns++
			if d.Lon != 0 {
				tied++
			}
		default:
		}
	}
	if counties != 13 || towns != 159 || tied != 88 || byCode["3706"].Name.ZH != "烟台市" {
		t.Errorf("%d counties, %d towns, %d with a point, city %+v", counties, towns, tied, byCode["3706"])
	}
	day := time.Date(2020, 6, 5, 0, 0, 0, 0, time.UTC)
	for _, old := range []string{"370634", "370684"} {
		d := byCode[old]
		if d.ValidTo == nil || !d.ValidTo.Equal(day) || d.Successor != "370614" {
			t.Errorf("%+v", d)
		}
	}
	if d := byCode["370614"]; d.ValidFrom == nil || !d.ValidFrom.Equal(day) || d.ValidTo != nil {
		t.Errorf("%+v", d)
	}
	for _, d := range all {
		if d.Parent != "37" && byCode[d.Parent].Code == "" {
			t.Errorf("%s has no parent", d.Code)
		}
	}
}

func TestLocate(t *testing.T) {
	at, err := data.Locate(base)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[orb.Point]string{{121.39388, 37.53157}: "370602", {120.75908, 37.80822}: "370614", {121.15972, 36.77667}: "370687", {122.1, 37.5}: "", {0, 0}: ""} {
		if got := at(p[0], p[1]); got != want {
			t.Errorf("%v is in %q, not %q", p, got, want)
		}
	}
}

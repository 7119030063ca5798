package cataloguepg_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"

	"onemap/catalogue"
	"onemap/geo"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/fault"
)

func shape(key string, g orb.Geometry) catalogue.Feature {
	f := storetest.Feature(key, "370602", 121, 37)
	f.Geometry = g
	return f
}

// Areas that touch themselves are repaired. Areas that visibly cross themselves are repaired only with the option
// Repair.
func TestImportMendsAreas(t *testing.T) {
	box := func(x, y, side float64) orb.Ring {
		return orb.Ring{{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}, {x, y}}
	}
	bow := orb.Polygon{{{121, 37}, {121.1, 37.1}, {121.1, 37}, {121, 37.1}, {121, 37}}}
	for name, c := range map[string]struct {
		g      orb.Geometry
		mended bool // without Repair
		area   float64
	}{
		"a spike of 1e-9°":           {orb.Polygon{{{121.5, 37.5}, {121.55, 37.5}, {121.55, 37.57}, {121.515, 37.570917}, {121.52, 37.575}, {121.5150000005, 37.5709169}, {121.5, 37.56}, {121.5, 37.5}}}, true, 0.0034},
		"a step back of 1e-9°":       {orb.Polygon{{{121, 37}, {121.1, 37}, {121.05, 37 + 1e-9}, {121.05, 37 - 1e-9}, {121.1, 37.1}, {121, 37.1}, {121, 37}}}, true, 0.0075},
		"a ring that touches itself": {orb.Polygon{{{121, 37}, {121.1, 37}, {121.1, 37.1}, {121.05, 37.05}, {121.06, 37.08}, {121.04, 37.08}, {121.05, 37.05}, {121, 37.1}, {121, 37}}}, true, 0.0078},
		"a line out and back":        {orb.Polygon{{{121, 37}, {121.1, 37}, {121.2, 37}, {121.1, 37}, {121.1, 37.1}, {121, 37.1}, {121, 37}}}, true, 0.01},
		"a bow-tie":                  {bow, false, 0.005},
		"a bow-tie of metres":        {orb.Polygon{{{121, 37}, {121.1, 37}, {121.1, 37.05}, {121.1001, 37.0501}, {121.1, 37.0501}, {121.1001, 37.05}, {121.1, 37.1}, {121, 37.1}, {121, 37}}}, false, 0.01},
		"two that overlap":           {orb.MultiPolygon{{box(121, 37, 0.1)}, {box(121.05, 37.05, 0.1)}}, false, 0.0175},
		"a hole beside":              {orb.Polygon{box(121, 37, 0.1), box(121.5, 37.5, 0.1)}, false, 0.02},
		"a collection":               {orb.Collection{orb.Point{121, 37}, bow}, false, 0.005},
	} {
		t.Run(name, func(t *testing.T) {
			db := storetest.NewDivisions(t)
			for _, repair := range []bool{false, true} {
				rep, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), storetest.Tanks(), storetest.Listed(storetest.Feature("ok", "370602", 121.3, 37.3), shape("odd", c.g)), catalogue.ImportOptions{Repair: repair})
				if err != nil {
					t.Fatal(err)
				}
				if !repair && !c.mended {
					if rep.Mended != 0 || rep.Refused != 1 || !strings.Contains(rep.Refusals[0].Reason, "--repair mends it") || rep.Refusals[0].Number != 2 {
						t.Fatalf("%+v", rep)
					}
					continue
				}
				if rep.Mended != 1 || rep.Refused != 0 || len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], "key odd: the area crossed or touched itself") {
					t.Fatalf("repair %v: %+v", repair, rep)
				}
				got := storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")["odd"].Geometry
				if area := math.Abs(planar.Area(got)); math.Abs(area-c.area) > 0.03*c.area {
					t.Errorf("repair %v: area %v, want %v: %v", repair, area, c.area, got)
				}
			}
		})
	}
}

// An import does not delete more than a fifth of a layer, unless the option allows it.
func TestImportDeletesNoMoreThanAFifth(t *testing.T) {
	db := storetest.NewDivisions(t)
	var all []catalogue.Feature
	for i := range 10 {
		all = append(all, storetest.Feature(storetest.KeyOf(i), "370602", 121+float64(i)/100, 37.5))
	}
	storetest.ImportOK(t, db, storetest.Tanks(), all...)
	for left, ok := range map[int]bool{0: false, 1: false, 7: false, 8: true} {
		rep, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), storetest.Tanks(), storetest.Listed(all[:left]...), catalogue.ImportOptions{})
		switch {
		case ok && (err != nil || rep.Deleted != 2):
			t.Errorf("%d of 10 are left: %+v, %v", left, rep, err)
		case !ok && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "of the layer's 10 features are not in the file")):
			t.Errorf("%d of 10 are left: %v", left, err)
		case !ok && (rep.Read != int64(left) || rep.Deleted != 0 || len(storetest.FeaturesOf(t, db, storetest.CityScope(), "tanks")) != 10):
			t.Errorf("%d of 10 are left: %+v", left, rep)
		}
		if ok {
			storetest.ImportOK(t, db, storetest.Tanks(), all...)
		}
	}
	renamed := storetest.Feature("other", "370602", 121.2, 37.2)
	if _, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), storetest.Tanks(), storetest.Listed(renamed), catalogue.ImportOptions{}); err == nil {
		t.Error("a file of other keys replaces the layer")
	}
	rep, err := storetest.Catalogue(db).ImportLayer(t.Context(), storetest.Root(), storetest.Tanks(), storetest.Listed(), catalogue.ImportOptions{AllowDelete: true})
	if err != nil || rep.Deleted != 10 {
		t.Errorf("%+v, %v", rep, err)
	}
}

// The Gauss–Krüger frames of package geo agree with PROJ, which PostGIS uses.
func TestFramesAgreeWithPROJ(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), storetest.NewURL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	for _, f := range geo.Frames() {
		g, ok := geo.GaussKrugerOf(f)
		if !ok {
			continue
		}
		p := orb.Point{g.CentralMeridian + 1.3, 37.4}
		var x, y float64
		err := conn.QueryRow(t.Context(), `select ST_X(g), ST_Y(g) from ST_Transform(ST_SetSRID(ST_MakePoint($1, $2), 4490), $3::int) g`,
			p[0], p[1], strings.TrimPrefix(string(f), "epsg:")).Scan(&x, &y)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if got := f.FromWGS84(p); math.Abs(got[0]-x) > 1e-3 || math.Abs(got[1]-y) > 1e-3 {
			t.Errorf("%s of %v is %v, not %v %v", f, p, got, x, y)
		}
	}
}

package catalogueapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"pgregory.net/rapid"

	"onemap/catalogue"
	"onemap/catalogue/load"
	"onemap/geo"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/tiles"
	"onemap/web/server/servertest"
)

// numberText draws a number in a form that a file may have.
func numberText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return rapid.OneOf(
			rapid.SampledFrom([]string{
				"0", "-0", "-0.0", "1.10", "100.00", "1e3", "1E-3", "1.50e1", "1e400", "-1e-400", "1e999", "0.1000000000000000055", "9007199254740991", "9007199254740992",
				"9007199254740993", "-9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551616", "12345678901234567890", "370602199001011238",
				"5e-324", "1.7976931348623157e308", "5.00000001", "0.00000001", "121.39000000000001", "3.0",
			}),
			rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?`),
			rapid.StringMatching(`-?[1-9]\.[0-9]{1,20}[eE][+-]?[0-9]{1,2}`),
		).Draw(t, "number")
	})
}

// valueText draws any JSON value.
func valueText(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		switch {
		case depth > 0 && kind == 0:
			return "[" + strings.Join(rapid.SliceOfN(valueText(depth-1), 0, 3).Draw(t, "list"), ",") + "]"
		case depth > 0 && kind == 1:
			var members []string
			for i, v := range rapid.SliceOfN(valueText(depth-1), 0, 3).Draw(t, "object") {
				members = append(members, fmt.Sprintf(`"m%d":%s`, i, v))
			}
			return "{" + strings.Join(members, ",") + "}"
		case kind == 2:
			return rapid.SampledFrom([]string{`"370602199001011238"`, `"1e400"`, `"\u4e2d 1.10"`, "true", "null"}).Draw(t, "other")
		default:
			return numberText().Draw(t, "number")
		}
	})
}

// plainly decodes a JSON text and converts each number to a form that can be compared.
func plainly(t *rapid.T, text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return plainValue(t, v)
}

func plainValue(t *rapid.T, v any) any {
	switch v := v.(type) {
	case json.Number:
		plain, ok := core.Plain(v.String())
		if !ok {
			t.Fatalf("%s is no number", v)
		}
		return json.Number(plain)
	case []any:
		for i := range v {
			v[i] = plainValue(t, v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plainValue(t, v[name])
		}
	}
	return v
}

// digitsTrip follows one feature through the server.
type digitsTrip struct {
	w    *world
	t    *rapid.T
	id   int64
	raw  string // properties in the file
	n, i string // the numbers that are part of tiles
}

const numbersPath = "/api/v1/layers/numbers/features"

// fields returns the fields of the feature in an answer, as JSON text.
func (d *digitsTrip) fields(path string) string {
	d.t.Helper()
	a := d.w.Send(servertest.Commander, http.MethodGet, path, nil)
	var c struct {
		Properties struct{ Fields json.RawMessage }
		Features   []struct {
			ID         int64
			Properties struct{ Fields json.RawMessage }
		}
	}
	if err := json.Unmarshal(a.Body, &c); err != nil || a.Status != http.StatusOK {
		d.t.Fatalf("%s: %d %v", path, a.Status, err)
	}
	for _, f := range c.Features {
		if f.ID == d.id {
			return string(f.Properties.Fields)
		}
	}
	return string(c.Properties.Fields)
}

// holds checks that the answer has the values of the file.
func (d *digitsTrip) holds(where, got string) {
	d.t.Helper()
	if diff := cmp.Diff(plainly(d.t, d.raw), plainly(d.t, got)); diff != "" {
		d.t.Fatalf("%s (-file +answer):\n%s", where, diff)
	}
}

// drawn checks the attributes of the feature in a tile.
func (d *digitsTrip) drawn(where string, tile []byte, name string) bool {
	d.t.Helper()
	layers, err := mvt.Unmarshal(tile)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, l := range layers {
		for _, f := range l.Features {
			if f.ID != float64(d.id) || f.Properties["name_zh"] != name {
				continue
			}
			for field, want := range map[string]string{"n": d.n, "i": d.i} {
				got := fmt.Sprint(f.Properties[field])
				if v, ok := f.Properties[field].(float64); ok {
					got = strconv.FormatFloat(v, 'f', -1, 64)
				}
				if a, b := plainly(d.t, want), plainly(d.t, got); a != b {
					d.t.Fatalf("%s: %s is %v (%T), want %s", where, field, f.Properties[field], f.Properties[field], want)
				}
			}
			return true
		}
	}
	return false
}

// No digit of a number changes on its way from a file to the answers, the tiles of both kinds, the list of features and
// the history, also after an edit of another part of the feature.
func TestNoDigitChanges(t *testing.T) {
	w := newWorld(t, nil)
	at, trips := orb.Point{121.4, 37.5}, 0
	address := tiles.Address(geo.TileAt(at, 14))
	rapid.Check(t, func(t *rapid.T) {
		trips++
		d := &digitsTrip{w: w, t: t, n: numberText().Draw(t, "n"), i: rapid.StringMatching(`-?[1-9][0-9]{0,30}`).Draw(t, "i")}
		d.raw = fmt.Sprintf(`{"n":%s,"i":%s,"any":%s,"more":%s}`, d.n, d.i, valueText(2).Draw(t, "any"), valueText(2).Draw(t, "more"))
		r, err := load.Open(strings.NewReader(fmt.Sprintf(`{"type":"Feature","id":"trip-%d","properties":%s,"geometry":{"type":"Point","coordinates":[121.4,37.5]}}`, trips, d.raw)),
			load.Options{Division: func(float64, float64) string { return "370602" }})
		w.Must(err)
		rep, err := storetest.Catalogue(w.DB).ImportLayer(w.T.Context(), storetest.Root(), catalogue.Layer{
			Name: "numbers", Theme: catalogue.ThemePlace, Origin: core.OriginReal, Audience: core.Audience{Kind: core.AudiencePublic}, MaxZoom: 14,
			Fields: []catalogue.Field{{Name: "n", Type: "number", InTile: true}, {Name: "i", Type: "integer", InTile: true}},
		}, r, catalogue.ImportOptions{AllowDelete: true})
		if err != nil || rep.Refused > 0 {
			t.Fatalf("%v %+v", err, rep)
		}
		d.id = w.Features("numbers")[fmt.Sprintf("trip-%d", trips)]
		one := fmt.Sprintf("%s/%d", numbersPath, d.id)
		first := d.fields(one)
		d.holds("GET", first)
		name := fmt.Sprintf("名 %d", trips)
		d.patch(fmt.Sprintf(`"name":{"zh":%q,"en":""}`, name))
		if second, listed := d.fields(one), d.fields(numbersPath); second != first || listed != first {
			t.Fatalf("first %s, after another edit %s, in the list %s", first, second, listed)
		}
		part, err := w.DB.Tiles.Tile(w.T.Context(), core.Scope{Division: "3706", Role: core.RoleCommander}, []string{"numbers"}, address)
		if err != nil || !d.drawn("the database's tile", part, name) {
			t.Fatalf("the database's tile does not hold the feature: %v", err)
		}
		d.isDrawn(fmt.Sprintf("/tiles/numbers/%d/%d/%d.mvt", address.Z, address.X, address.Y), name)
		d.keepsHistory(one)
	})
}

// isDrawn waits until the tile engine has applied the change.
func (d *digitsTrip) isDrawn(path, name string) {
	d.t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		a := d.w.Send(servertest.Commander, http.MethodGet, path, nil)
		if a.Status == http.StatusOK && d.drawn("a tile", a.Body, name) {
			return
		}
		if time.Now().After(end) {
			d.t.Fatalf("the feature is not drawn: %d %.200s", a.Status, a.Body)
		}
	}
}

func (d *digitsTrip) patch(change string) {
	d.t.Helper()
	a := d.w.Send(servertest.Steward, http.MethodPatch, numbersPath, fmt.Sprintf(`{"update":[{"id":%d,%s}]}`, d.id, change), "If-Match", d.w.Version(servertest.Steward, "numbers"))
	if a.Status != http.StatusOK {
		d.t.Fatalf("%s: %d %s", change, a.Status, a.Body)
	}
}

// keepsHistory changes a number and then removes it, and checks that the history has both values.
func (d *digitsTrip) keepsHistory(one string) {
	d.t.Helper()
	other := numberText().Draw(d.t, "another number")
	d.patch(`"fields":{"extra":` + other + `}`)
	d.patch(`"fields":{"extra":null}`)
	d.holds("GET after edits of another field", d.fields(one))
	var h struct {
		Items []struct {
			Before, After struct{ Fields json.RawMessage }
		}
	}
	a := d.w.Send(servertest.Commander, http.MethodGet, one+"/history?limit=2", nil)
	if err := json.Unmarshal(a.Body, &h); err != nil || len(h.Items) != 2 {
		d.t.Fatalf("history: %d %s", a.Status, a.Body)
	}
	want := plainly(d.t, `{"extra":`+other+`}`)
	if gone, set := string(h.Items[0].Before.Fields), string(h.Items[1].After.Fields); !cmp.Equal(plainly(d.t, gone), want) || !cmp.Equal(plainly(d.t, set), want) {
		d.t.Fatalf("history of %s: before %s, after %s", other, gone, set)
	}
}

// A number that cannot be stored is refused with the name of its field, and so is a number that is too large for a
// float64 where a float64 is required.
func TestNumbersThatAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	id := w.Features("land")["land-1"]
	for change, field := range map[string]string{
		fmt.Sprintf(`{"update":[{"id":%d,"fields":{"n":1e1100}}]}`, id):                                                                                      "update[0].properties.n",
		fmt.Sprintf(`{"update":[{"id":%d,"fields":{"deep":[{"n":-1e-2000}]}}]}`, id):                                                                         "update[0].properties.deep",
		fmt.Sprintf(`{"update":[{"id":%d,"level":1e400}]}`, id):                                                                                              "",
		fmt.Sprintf(`{"move":[{"id":%d,"geometry":{"type":"Point","coordinates":[1e400,37]}}]}`, id):                                                         "",
		`{"create":[{"type":"Feature","geometry":{"type":"Point","coordinates":[121,1e400]},"properties":{"division":"370602","name":{"zh":"x","en":""}}}]}`: "",
	} {
		a := w.Send(servertest.Steward, http.MethodPatch, "/api/v1/layers/land/features", change, "If-Match", w.Version(servertest.Steward, "land"))
		p := a.Problem(t)
		if a.Status != http.StatusBadRequest || field != "" && p.Field != field || p.Field == "" {
			t.Errorf("%s: %d %s", change, a.Status, a.Body)
		}
	}
}
